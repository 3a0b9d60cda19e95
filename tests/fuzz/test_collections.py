"""Any bytes as a file of drawings give a collection or one line; so does any JSON as a drawing."""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from fuzz.conftest import examples
from helpers import make_digits, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import DataError
from engine.data.collection import Collection, LabelledDrawing, PenStroke
from engine.data.collection_files import FORMATS, pack, read_collection

SEVEN = LabelledDrawing.from_strokes(7, [PenStroke(((80, 70), (200, 70), (130, 220)))], "Ada")
IMAGES = [LabelledDrawing(int(label), image) for image, label in zip(*make_digits(3).take(slice(None)), strict=True)]
FILES = [pack(Collection((SEVEN, *IMAGES)), name) for name in FORMATS]
PEN = json.dumps({"label": 7, "writer": "Ada", "strokes": [[[0, 0], [9, 0], [4, 16]]]}).encode()
FILES += [PEN, gzip.compress(PEN), gzip.compress(FILES[2])]
MANY = settings(deadline=None, max_examples=examples(300))


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return {name: source.read(name) for name in source.namelist()}


INSIDE = [member for content in FILES[:2] for member in members(content).items()]


@st.composite
def damaged(draw, contents):
    """One of these contents that was cut, got other bytes or grew."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    end = draw(st.none() | st.integers(0, len(content)))
    return bytes(content[:end]) + draw(st.binary(max_size=20))


def check(content):
    collection, message = outcome(DataError, read_collection, io.BytesIO(content))
    if message:
        assert len(message.splitlines()) == 1
        assert len(message) < 800
        return
    assert len(collection)
    for drawing in collection:
        assert drawing.image.shape == (28, 28)
        assert drawing.image.any()
        assert 0 <= drawing.label <= 9
    for reason in collection.skipped:
        assert len(reason.splitlines()) == 1
        assert len(reason) < 800
    for name in FORMATS:
        assert read_collection(io.BytesIO(pack(collection, name))).counts() == collection.counts()


@pytest.mark.filterwarnings("ignore")
@MANY
@given(st.binary(max_size=60) | damaged(FILES))
def test_any_file(content):
    check(content)


@pytest.mark.filterwarnings("ignore")
@MANY
@given(st.sampled_from(INSIDE), st.data())
def test_any_file_in_a_zip(member, data):
    name, content = member
    files = dict(INSIDE[: len(members(FILES[0]))] if member in INSIDE[: len(members(FILES[0]))] else members(FILES[1]))
    files[name] = data.draw(st.binary(max_size=60) | damaged([content]))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as zipped:
        for path, payload in files.items():
            zipped.writestr(path, payload)
    check(target.getvalue())


KEYS = ["label", "writer", "strokes", "points", "width", "erases", "image"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(-300, 300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["label", "writer", "strokes", "points", "width", "erases", "image"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)
POINTS = st.lists(st.tuples(st.integers(-300, 600), st.floats(-300, 600)).map(list) | VALUES, max_size=5)
STROKES = st.lists(
    st.fixed_dictionaries({"points": POINTS}, optional={"width": VALUES, "erases": VALUES}) | VALUES, max_size=4
)
DRAWINGS = st.fixed_dictionaries(
    {"label": st.integers(0, 9), "strokes": STROKES}, optional={"writer": VALUES, "image": VALUES}
)


@MANY
@given(DRAWINGS | VALUES)
def test_any_json(value):
    drawing, message = outcome(DataError, LabelledDrawing.from_json, value)
    if message:
        assert len(message.splitlines()) == 1
        return
    back = LabelledDrawing.from_json(json.loads(json.dumps(drawing.to_json())))
    np.testing.assert_array_equal(back.image, drawing.image)
    assert (back.label, back.writer, back.strokes) == (drawing.label, drawing.writer, drawing.strokes)
