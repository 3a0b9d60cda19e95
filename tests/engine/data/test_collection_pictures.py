"""Pictures by label, from folders and zip files that anyone may have made."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

from engine.data import DataError
from engine.data import collection_folder as folder_module
from engine.data import collection_pictures as module
from engine.data.collection import Collection, LabelledDrawing, PenStroke, prepared
from engine.data.collection_files import pack, read_collection
from engine.data.collection_folder import open_zip
from engine.data.collection_pictures import label_of
from engine.pen import draw_strokes

STROKES = (PenStroke(((80, 70), (200, 70), (130, 220))),)
CANVAS = 255 - draw_strokes([stroke.points for stroke in STROKES])  # black on white, 280 x 280
MINE = Collection(
    tuple(LabelledDrawing.from_strokes(7, STROKES, writer) for writer in ("Ada", "Bo"))
    + tuple(LabelledDrawing(3, image, writer="Ada") for image in make_digits(2).images)
)


def encoded(pixels=CANVAS, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as target:
        for name, payload in files.items():
            target.writestr(name, payload)
    return content.getvalue()


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return {name: source.read(name) for name in source.namelist()}


def read(files):
    return read_collection(io.BytesIO(zipped(files) if isinstance(files, dict) else files))


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("7/a.png", 7),
        ("digit_7/a.png", 7),
        ("class 7/a.png", 7),
        ("Class-7/a.png", 7),
        ("seven/a.png", 7),
        ("digit Zero/a.png", 0),
        ("mnist/train/7/a.png", 7),
        ("7/by Ada/a.png", 7),
        ("3/7/a.png", 7),
        ("7/3", 7),
        ("class 7-!-12.jpg", 7),
        ("7.png", None),
        ("10/a.png", None),
        ("Class 10/a.png", None),
        ("cats/a.png", None),
        ("seventy/a.png", None),
        ("\u0667/a.png", None),
    ],
)
def test_the_label_is_what_the_innermost_folder_names(path, label):
    assert label_of(path) == label


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
def test_pictures_are_prepared_as_drawings(form):
    content = encoded(np.stack([CANVAS] * 3, axis=-1), form)
    back = read({"class 7/1.any": content, "class 7/2.any": content, "class 3/1.any": content})
    assert [drawing.label for drawing in back] == [3, 7, 7]
    expected = prepared(Image.open(io.BytesIO(content)).convert("RGB"))
    for drawing in back:
        np.testing.assert_array_equal(drawing.image, expected)
        assert drawing.strokes == ()


def test_a_project_file_of_teachable_machine():
    back = read({"manifest.json": b"{}", "7-!-0.jpg": encoded(form="JPEG"), "Class 3-!-0.jpg": encoded(form="JPEG")})
    assert [drawing.label for drawing in back] == [7, 3]
    assert back.skipped == ("manifest.json: no folder above it is named by a digit",)


def test_a_folder_is_read_like_a_zip(tmp_path):
    for name, content in unzipped(pack(MINE)).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".git" / "7").mkdir(parents=True)
    (tmp_path / ".git" / "7" / "a.png").write_bytes(encoded())
    (tmp_path / "7" / "Thumbs.db").write_bytes(b"junk")
    back = read_collection(tmp_path)
    assert [(drawing.label, drawing.writer, drawing.strokes) for drawing in back] == [
        (drawing.label, drawing.writer, drawing.strokes) for drawing in MINE
    ]
    np.testing.assert_array_equal(back.dataset.images, MINE.dataset.images)
    assert back.skipped == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
def test_pipes_and_links_to_nothing_in_a_folder_are_skipped(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "a.png").write_bytes(encoded())
    os.mkfifo(tmp_path / "7" / "b.png")
    (tmp_path / "7" / "c.png").symlink_to(tmp_path / "nothing")
    back = read_collection(tmp_path)
    assert len(back) == 1
    assert [reason.split(":")[0] for reason in back.skipped] == ["7/b.png", "7/c.png"]


def test_a_zip_that_was_packed_again_in_a_folder():
    files = {f"my class/{name}": content for name, content in unzipped(pack(MINE)).items()}
    back = read({**files, "__MACOSX/my class/7/._0001.png": b"junk", "my class/.DS_Store": b"junk"})
    assert [drawing.writer for drawing in back] == ["Ada", "Bo", "Ada", "Ada"]
    assert back.drawings[0].strokes == STROKES
    assert back.skipped == ()


def test_pictures_may_be_added_and_deleted_by_hand():
    files = unzipped(pack(MINE))
    del files["7/0001.png"]
    back = read({**files, "3/new.png": encoded()})
    assert [(drawing.label, drawing.writer) for drawing in back] == [(7, "Bo"), (3, "Ada"), (3, "Ada"), (3, "")]
    assert back.drawings[0].strokes == STROKES
    assert back.skipped == ("labels.csv lists 7/0001.png, which does not exist",)


def test_what_cannot_be_used_is_skipped_with_its_reason():
    back = read(
        {
            "7/a.png": encoded(),
            "7/blank.png": encoded(np.full((50, 50), 255, np.uint8)),
            "7/broken.png": encoded()[:100],
            "7/notes.txt": b"hello",
            "cats/a.png": encoded(),
            "manifest.json": b"{}",
        }
    )
    assert len(back) == 1
    assert {reason.split(":")[0] for reason in back.skipped} == {
        "7/blank.png", "7/broken.png", "7/notes.txt", "cats/a.png", "manifest.json",
    }  # fmt: skip
    assert all("\n" not in reason for reason in back.skipped)


def test_nothing_usable_is_an_error_with_the_first_reason():
    with pytest.raises(DataError, match=r"folders named 0 to 9.*cats/a\.png: no folder"):
        read({"cats/a.png": encoded()})
    with pytest.raises(DataError, match="folders named 0 to 9"):
        read({})


def test_a_blank_image_of_ones_own_is_skipped():
    back = read(
        {"labels.csv": "file,label\n7/a.png,7\n", "7/a.png": encoded(np.zeros((28, 28), np.uint8)), "7/b": encoded()}
    )
    assert back.skipped == ("7/a.png: it is blank",)


@pytest.mark.parametrize("text", ["", "id,digit\n1,7\n", "file,label,writer\n7/0001.png\n", "\0", b"\xff\xfe", '"'])
def test_other_labels_are_reported(text):
    files = {**unzipped(pack(MINE)), "labels.csv": text}
    back = read(files)
    assert back.counts() == MINE.counts()
    assert len(back.skipped) == 1
    assert back.skipped[0].startswith("labels.csv")


@pytest.mark.parametrize("row", ["7/0001.png,10,Ada", "7/0001.png,x,", f"7/0001.png,7,{'x' * 41}", "7/0001.png,\u0667,Ada"])
def test_wrong_rows_are_reported(row):
    back = read({**unzipped(pack(MINE)), "labels.csv": f"file,label,writer\n{row}\n"})
    assert back.counts() == MINE.counts()
    assert back.skipped[0].startswith("labels.csv, line 2: ")


@pytest.mark.parametrize(
    "line",
    [b"junk", b"[" * 100_000, b"[]", b"{}", b"\xff", b'{"file": 7, "strokes": [{"points": [[1, 1]]}]}',
     b'{"file": "7/0001.png", "strokes": [{"points": [[1, NaN]]}]}', b'{"file": "7/0001.png", "strokes": []}', b"1" * 5_000,
     b'"' + b"x" * 1_000_000 + b'"'],
)  # fmt: skip
def test_wrong_strokes_are_reported_and_the_pictures_kept(line):
    files = unzipped(pack(MINE))
    second = files["strokes.jsonl"].splitlines()[1]
    back = read({**files, "strokes.jsonl": line + b"\n" + second})
    assert [drawing.strokes for drawing in back] == [(), STROKES, (), ()]
    assert len(back.skipped) == 1
    assert back.skipped[0].startswith("strokes.jsonl, line 1")
    assert len(back.skipped[0]) < 400


def test_all_strokes_have_a_largest_number_of_points(monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL_POINTS", 3)
    back = read(pack(MINE))
    assert [drawing.strokes for drawing in back] == [STROKES, (), (), ()]
    assert "at most 3 points" in back.skipped[0]


def test_paths_out_of_the_folder_are_only_names(tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded())
    (tmp_path / "in" / "7").mkdir(parents=True)
    (tmp_path / "in" / "7" / "a.png").write_bytes(encoded())
    table = f"file,label\n../secret.png,3\n{tmp_path}/secret.png,3\n"
    (tmp_path / "in" / "labels.csv").write_text(table)
    assert [drawing.label for drawing in read_collection(tmp_path / "in")] == [7]
    before = sorted(tmp_path.rglob("*"))
    back = read({"../../7/a.png": encoded(), "/etc/7/b.png": encoded(), "C:\\7\\c.png": encoded()})
    assert len(back) == 3
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_BYTES", 2_000_000)
    with pytest.raises(DataError, match="at most 2 MB, and announces 3 MB"):
        read({f"7/{i}.png": bytes(1_000_000) for i in range(3)})


def test_an_entry_never_unpacks_to_more_than_it_announces():
    content = bytearray(zipped({"7/a.png": bytes(1_000_000)}))
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", content, content.index(signature) + place, 10)
    folder = open_zip(bytes(content), "bomb.zip")
    with pytest.raises(DataError, match=r"7/a\.png cannot be read"):
        folder["7/a.png"]


def test_a_zip_has_a_largest_number_of_files(monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_FILES", 5)
    with pytest.raises(DataError, match="at most 5 files"):
        read({f"7/{i}.png": b"" for i in range(6)})


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_skipped(compression):
    with pytest.raises(DataError, match="unusual way"):
        read(zipped({"7/a.png": encoded()}, compression))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        for name in ("7/a.png", "7\\a.png"):
            target.writestr(name, encoded())
    with pytest.raises(DataError, match="each file once"):
        read(content.getvalue())


def test_locked_entries_are_skipped():
    content = bytearray(zipped({"7/a.png": encoded()}))
    content[content.index(b"PK\3\4") + 6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(DataError, match="encrypted"):
        read(bytes(content))


def test_many_pictures_must_be_small(monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL_PIXELS", 3 * 100 * 100)
    small = encoded(CANVAS[::4, ::4])
    back = read({"7/a.png": small, "7/b.png": encoded(), "7/c.png": small})
    assert len(back) == 2
    assert back.skipped[0].startswith("7/b.png: the image must have at most 0.01 million pixels, got 280 x 280")


def test_strokes_and_labels_without_pictures_are_reported():
    files = unzipped(pack(MINE))
    with pytest.raises(DataError, match="does not exist"):
        read({name: content for name, content in files.items() if not name.endswith(".png")})
    assert json.loads(files["strokes.jsonl"].splitlines()[0])["file"] == "7/0001.png"
