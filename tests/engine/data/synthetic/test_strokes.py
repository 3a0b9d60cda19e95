"""Pen strokes: the parts of the writers, the files, and the images that are drawn."""

import gzip
import json

import numpy as np
import pytest
from helpers import outcome

from engine.data import DataError, load_data
from engine.data.synthetic import strokes as module
from engine.data.synthetic.strokes import (
    MAX_DIGITS_PER_WRITER,
    PARTS,
    RENDERINGS,
    TRAINING_CONDITIONS,
    held_out_drawings,
    load_strokes,
    part_of,
    read_strokes,
)
from engine.pen import CANVAS, draw_strokes, fit_strokes
from engine.preprocessing import prepare

SEVEN = [[[0, 0], [900, 20], [300, 1600]], [[250, 800], [700, 780]]]
ONE = [[[40.5, 0], [0, 700]]]
WRITERS = [f"writer {number}" for number in range(40)]


def line(label=7, writer="somebody", strokes=SEVEN):
    return json.dumps({"label": label, "writer": writer, "strokes": strokes})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file of forty writers, each with a seven and a one."""
    path = tmp_path_factory.mktemp("strokes") / "pen.jsonl"
    digits = [(7, SEVEN), (1, ONE)]
    path.write_text("\n".join(line(label, writer, strokes) for writer in WRITERS for label, strokes in digits))
    return path


def test_every_writer_belongs_to_one_part_and_no_part_is_empty(path):
    parts = read_strokes(path)
    writers = {part: {digit.writer for digit in digits} for part, digits in parts.items()}
    assert sorted(name for names in writers.values() for name in names) == sorted(WRITERS)
    assert all(writers[part] == {name for name in WRITERS if part_of(name) == part} for part in PARTS)
    assert len(writers["training"]) > len(writers["validation"]) + len(writers["test"])
    assert [digit.label for digit in parts["test"]] == [7, 1] * len(writers["test"])


def test_the_parts_have_six_two_and_two_of_ten_writers():
    """The hash is fair: within four standard deviations of 60, 20 and 20 % of 10,000 names."""
    parts = [part_of(f"name {number}") for number in range(10_000)]
    fractions = [parts.count(part) / len(parts) for part in ("training", "validation", "test")]
    np.testing.assert_allclose(fractions, [0.6, 0.2, 0.2], atol=0.02)


def test_the_real_writers_are_divided_well(strokes):
    """Each part has enough of every digit, and at most three of the five busiest writers."""
    rows = {part: [row for row in strokes if part_of(row["writer"]) == part] for part in PARTS}
    writers = [row["writer"] for row in strokes]
    busiest = sorted(set(writers), key=writers.count)[-5:]
    assert max(sum(part_of(writer) == part for writer in busiest) for part in PARTS) <= 3
    for part, least in (("training", 300), ("validation", 100), ("test", 100)):
        assert np.bincount([row["label"] for row in rows[part]]).min() >= least
        assert len({row["writer"] for row in rows[part]}) >= 25


def test_training_images_are_of_the_training_writers_and_test_images_of_the_test_writers(path):
    train_set, test_set = load_strokes(path)
    count = sum(part_of(writer) == "training" for writer in WRITERS)
    assert np.bincount(train_set.labels)[[1, 7]].tolist() == [count * RENDERINGS] * 2
    assert len(test_set) == 2 * sum(part_of(writer) == "test" for writer in WRITERS)
    assert len(np.unique(train_set.images, axis=0)) == len(train_set)  # each drawn anew
    assert train_set.images.dtype == np.uint8
    assert train_set.images.shape[1:] == (28, 28)
    assert train_set.name == path.name


def test_the_same_file_gives_the_same_images(path):
    first, second = load_strokes(path), load_data(str(path))
    for dataset, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(dataset.images, again.images)
        np.testing.assert_array_equal(dataset.labels, again.labels)


def test_a_busy_writer_does_not_outnumber_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_DIGITS_PER_WRITER", 20)
    names = [*WRITERS, *[next(name for name in WRITERS if part_of(name) == "training")] * 9]
    path = tmp_path / "pen.jsonl"
    path.write_text("\n".join(line(writer=name) for name in names))
    train_set, _ = load_strokes(path)
    others = sum(part_of(writer) == "training" for writer in WRITERS) - 1
    assert len(train_set) == others * RENDERINGS + 20
    assert MAX_DIGITS_PER_WRITER == 1_000


def test_a_gzip_file_is_the_same_under_any_name(path, tmp_path):
    packed = tmp_path / "pen"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(load_strokes(packed)[1].images, load_strokes(path)[1].images)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "7",
        "[]",
        "{",
        "{}",
        '{"label": 7, "writer": "w"}',
        line(label=10),
        line(label=-1),
        line(label="7"),
        line(label=True),
        line(label=7.5),
        line(writer=None),
        line(strokes=[]),
        line(strokes=[[]]),
        line(strokes=[[1, 2]]),
        line(strokes=[[[1, 2, 3]]]),
        line(strokes=[[[1, 2], [3]]]),
        line(strokes=[[[1, None]]]),
        line(strokes=[[["a", 1]]]),
        line(strokes=[[[float("nan"), 1]]]),
        line(strokes=[[[float("inf"), 1]]]),
        line(strokes=[[[1e300, 1]]]),
        line(strokes=[[[10**400, 1]]]),
        line(strokes="strokes"),
        line(strokes=7),
        "[" * 100_000,
        line(strokes=[[[0, 0]] * 100_000]),
        "\udcff\x00",
    ],
    ids=lambda text: text[:60],
)
def test_a_damaged_line_is_an_error_of_one_line(path, tmp_path, damaged):
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(path.read_bytes() + b"\n" + damaged.encode(errors="surrogateescape") + b"\n" + path.read_bytes())
    _, message = outcome(DataError, load_strokes, bad)
    assert str(bad) in message
    assert f"in line {2 * len(WRITERS) + 1:,}" in message
    assert "\n" not in message
    assert len(message) < 500


def test_files_that_are_not_strokes(tmp_path, path):
    empty, cut, few = tmp_path / "empty.jsonl", tmp_path / "cut.jsonl.gz", tmp_path / "few.jsonl"
    empty.write_text("")
    cut.write_bytes(gzip.compress(path.read_bytes())[:-20])
    few.write_text(line())
    for bad, part in ((empty, "many writers"), (cut, "gzip"), (few, "many writers"), (tmp_path, "read")):
        _, message = outcome(DataError, load_strokes, bad)
        assert str(bad) in message
        assert part in message


def test_names_in_any_script_belong_to_a_part(tmp_path, path):
    odd = tmp_path / "odd.jsonl"
    odd.write_text(path.read_text() + "\n" + line(writer="Jörg \u2028 李") + "\n" + line(writer="\ud800"))
    assert sum(map(len, read_strokes(odd).values())) == 2 * len(WRITERS) + 2


@pytest.fixture
def drawings(path, monkeypatch):
    """The canvases that ``held_out_drawings`` draws for the validation writers, and what it returns."""
    canvases = []
    monkeypatch.setattr(module, "prepare", lambda canvas, **options: canvases.append(canvas) or prepare(canvas, **options))
    return canvases, held_out_drawings(path, "validation", widths=(10, 28))


def test_held_out_drawings_have_the_documented_size_and_lie_anywhere_on_the_canvas(drawings):
    canvases, held_out = drawings
    assert [canvas.shape for canvas in canvases] == [(CANVAS, CANVAS)] * len(held_out.dataset)
    extents, places = [], []
    for canvas, width in zip(canvases, held_out.widths, strict=True):
        rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
        extents.append((max(np.ptp(rows), np.ptp(columns)) + 1 - width) / CANVAS)
        places.append([rows.mean(), columns.mean()])
        assert canvas.max() == 255
    extents = np.array(extents)
    assert extents.min() >= 0.4 - 0.02
    assert extents.max() <= 0.9 + 0.02
    assert extents.max() - extents.min() > 0.3
    assert np.std(places, axis=0).min() > 10
    assert all(canvas[[0, -1]].sum() + canvas[:, [0, -1]].sum() < canvas.sum() / 20 for canvas in canvases)


def test_held_out_drawings_have_the_pens_width(drawings):
    """The amount of ink is about the length of the line times its width."""
    canvases, held_out = drawings
    for canvas, width, label in zip(canvases, held_out.widths, held_out.dataset.labels, strict=True):
        if label == 1:  # one straight line
            rows, columns = np.nonzero(canvas > 127)
            length = np.hypot(np.ptp(rows) + 1 - width, np.ptp(columns) + 1 - width)
            assert (canvas / 255).sum() == pytest.approx(length * width + np.pi * width**2 / 4, rel=0.08)


def test_held_out_drawings_say_who_wrote_them_and_with_which_pen(path, drawings):
    _, held_out = drawings
    digits = read_strokes(path)["validation"]
    assert held_out.writers.tolist() == [digit.writer for digit in digits for _ in range(2)]
    assert held_out.widths.tolist() == [10, 28] * len(digits)
    assert held_out.dataset.labels.tolist() == [digit.label for digit in digits for _ in range(2)]
    assert {part_of(writer) for writer in held_out.writers} == {"validation"}


def test_training_drawings_are_like_those_on_the_apps_canvas(path):
    """Drawn small and many at once, or as the app draws: after ``prepare`` the images differ only by rounding to pixels."""
    digits = read_strokes(path)["training"][:40]
    plain = TRAINING_CONDITIONS._replace(pen=(18, 18), fraction=(0.7, 0.7), tilt=0, slant=0, stretch=0)
    sheets = module._sheets([digit.strokes for digit in digits], plain, np.random.default_rng(0))
    small = np.array([prepare(sheet) for sheet in sheets])
    large = np.array([prepare(draw_strokes(fit_strokes(digit.strokes, 0.7))) for digit in digits])
    assert np.abs(small - large).mean() < 0.025
    assert np.mean(small.sum(axis=(1, 2)) / large.sum(axis=(1, 2))) == pytest.approx(1, abs=0.08)
