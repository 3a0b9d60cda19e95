"""Any bytes as an IDX file, in a folder of four, give arrays or one line."""

import gzip
import struct

import numpy as np
from fuzz.conftest import examples
from helpers import idx_bytes, make_digits, outcome, write_idx_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data import DataError, read_folder
from engine.data.idx import read_idx

DIGITS = make_digits(6)
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
GOOD = [idx_bytes(DIGITS.images), idx_bytes(DIGITS.labels)]

SIZES = st.integers(0, 2**32 - 1) | st.integers(0, 40)
HEADERS = st.builds(
    lambda kind, shape, tail: struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + tail,
    st.sampled_from([8, 9, 13]),
    st.lists(SIZES, min_size=1, max_size=4),
    st.binary(max_size=100),
)


@st.composite
def damaged(draw):
    """A sound file, plain or gzip, that was cut, got another byte or grew."""
    content = bytearray(draw(st.sampled_from([pack(good) for good in GOOD for pack in (bytes, gzip.compress)])))
    for _ in range(draw(st.integers(1, 3))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))]) + draw(st.binary(max_size=20))


CONTENTS = st.binary(max_size=60) | HEADERS | HEADERS.map(gzip.compress) | damaged()
MANY = settings(deadline=None, max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_one_line(message, path):
    assert str(path) in message
    assert len(message.splitlines()) == 1
    assert len(message) < 500 + 2 * len(str(path))


@MANY
@given(CONTENTS, st.sampled_from([1, 3]))
def test_any_bytes_are_an_array_or_one_line(tmp_path, content, dimensions):
    path = tmp_path / "file"
    path.write_bytes(content)
    array, message = outcome(DataError, read_idx, path, dimensions)
    if message:
        check_one_line(message, path)
    else:
        assert array.dtype == np.uint8
        assert array.ndim == dimensions


@MANY
@given(CONTENTS, st.sampled_from(NAMES), st.sampled_from(["", ".gz"]))
def test_any_file_among_four_gives_sets_or_one_line(tmp_path, content, name, ending):
    folder = write_idx_folder(tmp_path / "folder", DIGITS, DIGITS)
    for old in (folder / name, folder / f"{name}.gz"):
        old.unlink(missing_ok=True)
    (folder / f"{name}{ending}").write_bytes(content)
    sets, message = outcome(DataError, read_folder, folder)
    if message:
        check_one_line(message, folder)
    else:
        for part in sets:
            assert part.images.shape == (len(part.labels), 28, 28)
            assert part.labels.max() <= 9
    (folder / f"{name}{ending}").unlink()
