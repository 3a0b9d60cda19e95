import json
import zipfile

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder
from PIL import Image

from engine.data import read_folder
from engine.data.collection import Collection, LabelledDrawing, PenStroke
from engine.data.collection_files import FORMATS, pack, read_collection


@pytest.fixture(scope="module")
def collection():
    digits = make_digits(12)
    drawings = [
        LabelledDrawing(int(label), image, writer=writer)
        for label, image, writer in zip(digits.labels, digits.images, ["Ada", "Bo", ""] * 4, strict=True)
    ]
    seven = LabelledDrawing.from_strokes(7, [PenStroke(((80, 70), (200, 70), (130, 220)))], "Ada")
    return Collection((*drawings, seven))


@pytest.fixture
def source(collection, tmp_path):
    path = tmp_path / "class.zip"
    path.write_bytes(pack(collection))
    return path


def test_show_counts_labels_and_writers(run, source, collection):
    status, out, _ = run("collect", "show", source)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "class.zip: 13 drawings"
    labels = sorted(collection.counts())
    table = {line[:9].strip(): line[9:].split() for line in lines[1:]}
    assert table["writer"] == [*map(str, labels), "all"]
    for writer, part in collection.by_writer().items():
        assert table[writer or "(no name)"] == [str(part.counts()[label]) for label in labels] + [str(len(part))]
    assert table["all"] == [str(collection.counts()[label]) for label in labels] + ["13"]


def test_show_as_json(run, source, collection):
    status, out, _ = run("collect", "show", source, "--json")
    assert status == 0
    value = json.loads(out)
    assert (value["drawings"], value["with_strokes"], value["skipped"]) == (13, 1, [])
    assert value["labels"] == {str(label): count for label, count in collection.counts().items()}
    assert {writer: sum(labels.values()) for writer, labels in value["writers"].items()} == {"Ada": 5, "Bo": 4, "": 4}


@pytest.mark.parametrize("name", FORMATS)
def test_export_writes_each_format(run, source, collection, tmp_path, name):
    out = tmp_path / "out"
    status, text, _ = run("collect", "export", source, "--format", name, "--out", out)
    assert status == 0
    assert "13 drawings" in text
    assert FORMATS[name].help in text
    assert read_collection(out).counts() == collection.counts()


def test_exported_idx_files_can_be_trained_on(run, source, tmp_path):
    run("collect", "export", source, "--format", "idx", "--out", tmp_path / "idx.zip")
    with zipfile.ZipFile(tmp_path / "idx.zip") as files:
        files.extractall(tmp_path / "idx")
    assert [len(part) for part in read_folder(tmp_path / "idx")] == [11, 2]


def test_a_folder_of_idx_files_becomes_pictures(run, idx_folder, tmp_path):
    assert run("collect", "export", idx_folder, "--out", tmp_path / "pictures.zip")[0] == 0
    train_set, test_set = read_folder(idx_folder)
    back = read_collection(tmp_path / "pictures.zip").dataset
    np.testing.assert_array_equal(back.images, np.concatenate([train_set.images, test_set.images]))


@pytest.mark.parametrize("action", [["show"], ["export", "--out", "OUT"]])
def test_what_was_skipped_is_listed(run, tmp_path, action):
    (tmp_path / "in" / "7").mkdir(parents=True)
    Image.fromarray(make_digits(1).images[0]).save(tmp_path / "in" / "7" / "a.png")
    (tmp_path / "in" / "7" / "b\x1b[31m.png").write_bytes(b"junk")
    action = [tmp_path / "out" if word == "OUT" else word for word in action]
    status, out, _ = run("collect", *action, tmp_path / "in")
    assert status == 0
    assert "1 drawing" in out
    assert "skipped 1:\n  7/b?[31m.png: " in out


def test_errors_are_one_line(refused, source, tmp_path):
    out = tmp_path / "out"
    refused(["collect"], "ACTION")
    refused(["collect", "fly"], "fly")
    refused(["collect", "show", tmp_path / "none"], tmp_path / "none")
    refused(["collect", "show", write_idx_folder(tmp_path / "bad", make_digits(2), make_digits(0))], "t10k")
    refused(["collect", "export", source], "--out")
    refused(["collect", "export", source, "--out", out, "--format", "png"], "png", *FORMATS)
    refused(["collect", "export", source, "--out", tmp_path / "no" / "folder"], "--out")
    refused(["collect", "export", source, "--out", tmp_path], "folder")
    assert not out.exists()
