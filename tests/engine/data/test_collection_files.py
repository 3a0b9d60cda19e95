"""Collections go out as files of each format and come back, and files of other tools come in."""

import csv
import gzip
import io
import json
import tempfile
import zipfile
from collections import Counter

import numpy as np
import pytest
from helpers import SHARED, idx_bytes, make_digits, need, write_idx_folder

from engine.checks import InklingError
from engine.data import DataError, Dataset, read_folder
from engine.data import collection_files as module
from engine.data.collection import Collection, LabelledDrawing, PenStroke
from engine.data.collection_files import FORMATS, pack, read_collection
from engine.pen import CANVAS

DIGITS = make_digits(30)
NAMES = ["Ada", "", "Ada, the 2nd", '"', "=1+1", "'=1", "-", "👩‍🔬", "'"]


@pytest.fixture(scope="module")
def collection():
    """Thirty drawings, some with strokes, by writers with difficult names."""
    drawings = [
        LabelledDrawing(int(label), image, writer=NAMES[i % len(NAMES)])
        for i, (image, label) in enumerate(zip(DIGITS.images, DIGITS.labels, strict=True))
    ]
    strokes = (PenStroke(((80.25, 70), (200, 70), (130, 220)), 24), PenStroke(((200, 70),), 8, erases=True))
    drawings[3::10] = [LabelledDrawing.from_strokes(7, strokes, writer) for writer in ("Bo", "", "+49")]
    return Collection(tuple(drawings), "class")


def contents(collection, *, strokes=True, writers=True):
    """What a file should keep of each drawing."""
    return [
        (drawing.label, drawing.image.tobytes(), strokes and drawing.strokes, writers and drawing.writer)
        for drawing in collection
    ]


@pytest.fixture(scope="module")
def packed(collection):
    return {name: pack(collection, name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_what_goes_out_comes_back(collection, packed, name, tmp_path):
    path = tmp_path / f"class{FORMATS[name].suffix}"
    path.write_bytes(packed[name])
    back = read_collection(path)
    order = sorted if name == "idx" else list  # it has a training and a test set
    expected = order(contents(collection, strokes=name == "zip", writers=name != "idx"))
    assert order(contents(back, strokes=name == "zip", writers=name != "idx")) == expected
    assert any(drawing.strokes for drawing in back) == (name == "zip")
    assert back.skipped == ()
    assert back.name == path.name


@pytest.mark.parametrize("name", FORMATS)
def test_an_open_file_is_read_from_its_beginning(packed, name):
    file = io.BytesIO(packed[name])
    first = read_collection(file)
    assert contents(read_collection(file)) == contents(first)


def test_a_file_without_a_name_is_read(packed):
    with tempfile.TemporaryFile() as file:  # its name is a number
        file.write(packed["zip"])
        assert len(read_collection(file)) == 30


def test_the_format_is_checked(collection):
    with pytest.raises(InklingError, match="zip, idx, csv, got 'png'"):
        pack(collection, "png")


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_cannot_be_packed(name):
    with pytest.raises(DataError, match="at least one drawing"):
        pack(Collection(), name)


def test_idx_files_are_a_data_set_for_training(collection, packed, tmp_path):
    zipfile.ZipFile(io.BytesIO(packed["idx"])).extractall(tmp_path)
    train_set, test_set = read_folder(tmp_path)
    assert (len(train_set), len(test_set)) == (25, 5)
    labels = Counter(train_set.labels.tolist()) + Counter(test_set.labels.tolist())
    assert labels == collection.counts()


@pytest.mark.parametrize("size", [1, 2])
def test_idx_files_of_very_few_drawings(collection, size):
    few = Collection(collection.drawings[:size])
    back = read_collection(io.BytesIO(pack(few, "idx")))
    keep = {"strokes": False, "writers": False}
    assert sorted(contents(back, **keep)) == sorted(contents(few, **keep))


def test_the_table_has_a_plain_header_and_computes_nothing(collection, packed):
    rows = list(csv.DictReader(io.StringIO(packed["csv"].decode())))
    assert list(rows[0]) == ["label", "writer", *(f"pixel{i}" for i in range(784))]
    assert [int(row["label"]) for row in rows] == [drawing.label for drawing in collection]
    pixels = [[int(row[f"pixel{i}"]) for i in range(784)] for row in rows]
    np.testing.assert_array_equal(np.reshape(pixels, (-1, 28, 28)), collection.dataset.images)
    assert not any(row["writer"].startswith(("=", "+", "-", "@")) for row in rows)


def table(header, *rows):
    return "\n".join(",".join(map(str, row)) for row in [header, *rows] if row).encode()


PIXELS = [f"pixel{i}" for i in range(784)]
ROW = DIGITS.images[0].ravel().tolist()


@pytest.mark.parametrize(
    "content",
    [
        table(["label", *PIXELS], [7, *ROW]),
        table(["Label", *(f"{y}x{x}" for y in range(28) for x in range(28))], [7, *ROW]),
        table([], [7, *ROW]),
        table(["", "label", *PIXELS], [0, 7, *ROW]),  # pandas writes its index by itself
        table([*PIXELS, "label"], [*ROW, 7]),
        table(["label", *PIXELS], [7, *ROW]).replace(b",", b";").replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + table(["label", *PIXELS], [7, *ROW]) + b"\n\n",
        gzip.compress(table(["label", *PIXELS], [7, *ROW])),
    ],
    ids=["kaggle", "named by place", "no header", "index", "label last", "semicolons", "byte order mark", "gzip"],
)
def test_tables_of_other_tools(content):
    back = read_collection(io.BytesIO(content))
    assert contents(back) == [(7, DIGITS.images[0].tobytes(), (), "")]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "columns"),
        (b"nonsense", "'nonsense'"),
        (bytes(range(256)) * 50, "UTF-8"),
        (b"\0" * 1000, "CSV"),
        (table(["label", *PIXELS[1:]], [7, *ROW[1:]]), "784 pixels"),
        (table(["digit", *PIXELS], [7, *ROW]), "columns"),
        (table(["label", "label", *PIXELS[1:]], [7, *ROW]), "columns"),
        (table(["label", *PIXELS], [7, *ROW], [10, *ROW]), "line 3: a label must be a digit from 0 to 9, got '10'"),
        (table(["label", *PIXELS], ["-1", *ROW]), "line 2"),
        (table(["label", *PIXELS], [7, *ROW[1:]]), "line 2"),
        (table(["label", *PIXELS], [7, 256, *ROW[1:]]), "line 2"),
        (table(["label", *PIXELS], [7, -1, *ROW[1:]]), "line 2"),
        (table(["label", *PIXELS], [7, "0.5", *ROW[1:]]), "line 2"),
        (table(["label", "writer", *PIXELS], [7, "x" * 41, *ROW]), "line 2: a writer"),
        (table(["label", *PIXELS], [7, *ROW]) + b"\n" + b"," * 1_000_000, "line 3"),
        (gzip.compress(b"label", mtime=0)[:-4], "gzip"),
        (idx_bytes(DIGITS.images), "folder of both"),
        (b"PK\3\4 nonsense", "zip"),
        (b"{}", "line 1"),
    ],
)
def test_broken_files_are_refused_in_one_line(content, part):
    file = io.BytesIO(content)
    file.name = "drawings.xyz"
    with pytest.raises(DataError) as caught:
        read_collection(file)
    message = str(caught.value)
    assert message.startswith("drawings.xyz ")
    assert part in message
    assert "\n" not in message
    assert len(message) < 400


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.zip cannot be read"):
        read_collection(tmp_path / "none.zip")


def test_blank_images_are_skipped_and_counted():
    back = read_collection(io.BytesIO(table(["label", *PIXELS], [7, *ROW], [3, *[0] * 784])))
    assert len(back) == 1
    assert back.skipped == ("image 2 is blank",)
    with pytest.raises(DataError, match="image 1 is blank"):
        read_collection(io.BytesIO(table(["label", *PIXELS], [3, *[0] * 784])))


@pytest.mark.parametrize("name", FORMATS)
def test_no_more_drawings_than_the_limit(collection, packed, name):
    assert len(read_collection(io.BytesIO(packed[name]), limit=30)) == 30
    with pytest.raises(DataError, match=r"at most 24 drawings, got (25|30)"):
        read_collection(io.BytesIO(packed[name]), limit=24)


def test_a_file_has_a_largest_size(packed, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1_000)
    for name in ("zip", "csv"):
        with pytest.raises(DataError, match="MB"):
            read_collection(io.BytesIO(packed[name]))
    with pytest.raises(DataError, match="MB"):
        read_collection(io.BytesIO(gzip.compress(bytes(100_000))))


@pytest.mark.parametrize("compressed", [False, True])
def test_idx_folders_of_mnist(tmp_path, compressed):
    folder = write_idx_folder(tmp_path / "mnist", DIGITS, make_digits(5, 1), compressed)
    back = read_collection(folder)
    expected = np.concatenate([DIGITS.images, make_digits(5, 1).images])
    np.testing.assert_array_equal(back.dataset.images, expected)
    assert back.name == "mnist"


def test_idx_files_with_other_usual_names(tmp_path):
    folder = write_idx_folder(tmp_path / "mnist" / "raw", DIGITS, DIGITS, compressed=True)
    for path in folder.iterdir():
        path.rename(folder / path.name.replace("t10k-", "emnist-test-").replace("-idx", ".idx"))
    assert len(read_collection(tmp_path / "mnist")) == 60


def test_idx_files_of_letters_are_refused(tmp_path):
    letters = Dataset(DIGITS.images, DIGITS.labels + 1)
    with pytest.raises(DataError, match="labels from 0 to 9, got 10"):
        read_collection(write_idx_folder(tmp_path / "letters", letters, letters))


def test_broken_idx_files_are_refused(tmp_path):
    folder = write_idx_folder(tmp_path / "mnist", DIGITS, DIGITS)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"junk")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte must start"):
        read_collection(folder)


SEVEN = [[[0, 0], [900, 20], [300, 1600]], [[250, 800], [700, 780]]]


def pen_file(*values):
    return gzip.compress("\n".join(map(json.dumps, values)).encode())


def test_pen_strokes_become_drawings_of_their_writers():
    digits = [{"label": 7, "writer": writer, "strokes": SEVEN} for writer in ("ab", "cd", "ab")]
    back = read_collection(io.BytesIO(pen_file(*digits, {"label": 1, "writer": "cd", "strokes": [[[5, 5]]]})))
    assert [drawing.label for drawing in back] == [7, 7, 7, 1]
    assert {writer: len(part) for writer, part in back.by_writer().items()} == {"ab": 2, "cd": 2}
    points = np.concatenate([stroke.points for stroke in back.drawings[0].strokes])
    np.testing.assert_allclose((points.min(0) + points.max(0)) / 2, CANVAS / 2, atol=0.02)
    assert np.ptp(points, axis=0).max() == pytest.approx(0.7 * CANVAS, abs=0.02)
    assert np.ptp(points, axis=0).min() == pytest.approx(0.7 * CANVAS * 900 / 1600, abs=0.02)


def test_the_images_of_pen_strokes_look_as_if_drawn_on_the_canvas():
    (drawing,) = read_collection(io.BytesIO(pen_file({"label": 7, "writer": "ab", "strokes": SEVEN})))
    canvas = LabelledDrawing.from_strokes(7, drawing.strokes).image
    assert np.corrcoef(drawing.image.ravel(), canvas.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    "value",
    [
        {"label": 7, "writer": "ab", "strokes": [[[0, 0]] * 5_001]},
        {"label": 7, "writer": "ab", "strokes": [[[0, 0]]] * 201},
        {"label": 7, "writer": "x" * 41, "strokes": SEVEN},
        {"label": 11, "writer": "ab", "strokes": SEVEN},
        {"label": 7, "writer": "ab", "strokes": [[[0, float("nan")]]]},
    ],
)
def test_pen_strokes_have_limits(value):
    with pytest.raises(DataError, match=r"^[^\n]+$"):
        read_collection(io.BytesIO(pen_file(value)))
    with pytest.raises(DataError, match="at most 1 digits"):
        read_collection(io.BytesIO(pen_file(*[{"label": 7, "writer": "ab", "strokes": SEVEN}] * 2)), limit=1)


def test_real_pen_strokes():
    path = SHARED / "strokes" / "pen_digits.jsonl.gz"
    if not path.is_file():
        need("strokes", f"the pen-drawn digits are not in {path}")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[::40]
    back = read_collection(io.BytesIO(b"".join(lines)))
    assert len(back) == len(lines)
    canvas = [LabelledDrawing.from_strokes(drawing.label, drawing.strokes).image for drawing in back]
    likeness = [np.corrcoef(drawing.image.ravel(), image.ravel())[0, 1] for drawing, image in zip(back, canvas, strict=True)]
    assert np.median(likeness) > 0.98
