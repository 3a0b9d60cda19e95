"""The measurement of pictures of any origin: what a name says, what is counted, and files that cannot be read."""

import json
import subprocess
import sys

import numpy as np
import pytest
from benchmarks import wild
from PIL import Image

from engine.pen import draw_strokes

SEVEN = draw_strokes([[(60, 60), (200, 60), (120, 220)]])
TWO_SEVENS = np.hstack([SEVEN, SEVEN])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("7_0031.png", "7"),
        ("23308-a.jpg", "23308"),
        ("05.png", None),
        ("00012.png", None),
        ("0.png", "0"),
        ("05-a.png", "05"),
        ("7 (2).png", "7"),
        ("seven_underlined_canvas.png", "7"),
        ("Zero.png", "0"),
        ("number_23308_pencil_photo.jpg", "23308"),
        ("none_3.png", "none"),
        ("IMG_2034.jpg", None),
        ("3d_model.png", None),
        ("onerous.png", None),
    ],
)
def test_a_name_says_what_a_picture_shows(name, label):
    assert wild.label_of_name(name) == label


def test_a_labels_file_goes_before_the_folder_and_this_before_the_name(tmp_path):
    folder = tmp_path / "7"
    folder.mkdir()
    for name in ("3_a.png", "b.png", "c.png"):
        (folder / name).touch()
    (tmp_path / "d.png").touch()
    (folder / "labels.csv").write_text("file,label\nb.png,12 34\nc.png, None\n3_a.png,seven hundred\n")
    labels = {path.name: label for path, label in wild.labelled_pictures(tmp_path)}
    assert labels == {"3_a.png": "7", "b.png": "12 34", "c.png": "none", "d.png": None}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["1", "2", "4"], [None, None, None]),
        (["99", "100", "101"], [None, None, None]),
        (["3", "7"], ["3", "7"]),
        (["12", "305", "47"], ["12", "305", "47"]),
        (["1", "2", "3-a"], ["1", "2", "3"]),
    ],
)
def test_files_that_are_numbered_have_no_labels(tmp_path, names, labels):
    for name in names:
        (tmp_path / f"{name}.png").touch()
    assert {path.stem: label for path, label in wild.labelled_pictures(tmp_path)} == dict(zip(names, labels, strict=True))


def test_pictures_without_labels_are_one_line_and_so_are_errors(tmp_path):
    for number in range(5):
        Image.fromarray(255 - SEVEN).save(tmp_path / f"{number:05}.png")

    def ran():
        run = subprocess.run([sys.executable, wild.__file__, str(tmp_path)], capture_output=True, text=True, check=False)
        assert run.returncode == 1
        return run.stdout.splitlines() + run.stderr.splitlines()

    line, error = ran()
    assert line == "Left out: 00000.png and 4 more: nothing says which digits are shown; write it in labels.csv"
    assert error.startswith("wild.py: ")
    (tmp_path / "labels.csv").write_text("a" * 200_000)  # more than a field may have
    assert len(ran()) == 1


@pytest.mark.parametrize(
    ("label", "digits", "sure", "right", "wrong", "digits_wrong"),
    [
        ("7", "7", [True], True, False, 0),
        ("7", "7", [False], True, False, 0),
        ("7", "1", [True], False, True, 1),
        ("7", "1", [False], False, False, 0),
        ("7", "", [], False, False, 0),
        ("2330", "2930", [True] * 4, False, True, 1),
        ("2330", "233", [True] * 3, False, True, 0),
        ("2330", "29301", [True, True, True, True, False], False, False, 1),
        ("12 34", "12 34", [True] * 4, True, False, 0),
        ("12 34", "1234", [True] * 4, False, True, 0),
        ("none", "7", [False], True, False, 0),
        ("none", "7", [True], False, True, 1),
    ],
)
def test_what_is_right_and_what_is_sure_and_wrong(label, digits, sure, right, wrong, digits_wrong):
    result = wild.Result(label, digits, sure)
    assert (result.is_right, result.is_wrong, result.num_wrong) == (right, wrong, digits_wrong)


def test_a_folder_is_measured_and_a_damaged_file_is_one_line(tmp_path, monkeypatch, capsys):
    Image.fromarray(255 - SEVEN).save(tmp_path / "7_a.png")
    Image.fromarray(255 - TWO_SEVENS).save(tmp_path / "77_b.png")
    Image.fromarray(255 - SEVEN).save(tmp_path / "photo.png")
    Image.new("L", (90, 90), 255).save(tmp_path / "3_blank.png")
    (tmp_path / "7_damaged.png").write_bytes(b"no picture")
    Image.new("1", (9_000, 9_000)).save(tmp_path / "8_huge.png")
    written = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["wild.py", str(tmp_path), "--list", "--json", str(written)])
    wild.main()
    lines = capsys.readouterr().out.splitlines()
    left_out = [line for line in lines if line.startswith("Left out")]
    assert [line.split(": ")[1] for line in left_out] == ["7_damaged.png", "8_huge.png", "photo.png"]
    assert "    3_blank.png: shows 3, read as nothing, not sure" in lines
    figures = json.loads(written.read_text())
    assert len(figures) == 2  # both shipped networks
    for of_network in figures.values():
        assert of_network["folder"]["one digit"]["right"] == 1
        assert of_network["folder"]["several digits"] | {"right": 1, "digits": 2} == of_network["folder"]["several digits"]
        assert of_network["folder"]["all"]["not sure"] == 1


def test_thinned_and_dotted_digits_have_less_ink():
    for damage in (wild.thinned, wild.dotted):
        damaged = damage(SEVEN)
        assert damaged.shape == SEVEN.shape
        assert 0.1 < damaged.sum() / SEVEN.sum() < 0.9


@pytest.mark.mnist
def test_the_damage_is_the_same_each_time(mnist, monkeypatch):
    monkeypatch.setattr(wild, "NUM_SLOW", 20)
    monkeypatch.setattr(wild, "load_data", lambda name: (None, mnist[1].subset(np.arange(40))))
    first, labels = wild.corruptions()
    second, _ = wild.corruptions()
    assert len(labels) == 40
    for kind, images in first.items():
        assert images.shape[1:] == (28, 28)
        np.testing.assert_array_equal(images, second[kind])
    assert 0.03 < np.mean(first["impulses"][:, :3] == 1) < 0.05
