"""The parts of pages that need no running app."""

import io
from dataclasses import replace
from time import monotonic, sleep
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

from engine import Config, EpochEnd, InklingError, Trainer, dense_layers
from engine.history import History
from engine.jobs import Job
from engine.recipes import RECIPES
from ui import charts, pictures, runs, speed, words
from ui.answer import answer
from ui.reading import Reading
from ui.words import percent


@pytest.fixture(scope="module")
def snapshot():
    job = Job(Trainer.from_config(Config(epochs=3), make_digits(600)), make_digits(100, 1))
    job.start()
    assert job.wait(30)
    return job.snapshot()


@pytest.mark.parametrize(
    ("p", "words"),
    [(0, "0.0 %"), (0.1234, "12.3 %"), (0.9994, "99.9 %"), (0.9995, ">99.9 %"), (0.99999, ">99.9 %"), (1, "100.0 %")],
)
def test_percent_never_rounds_up_to_certainty(p, words):
    assert percent(p) == words


def test_the_winner_is_marked_once_and_the_rest_adds_up():
    probabilities = np.array([0, 0, 0.7, 0.3, 0, 0, 0, 0, 0, 0], np.float32)
    body = answer(Reading(probabilities, 0.0), np.zeros((28, 28), np.float32))
    assert body.count('class="winner"') == 1
    assert '<li class="winner"><span class="digit">2</span>' in body
    assert "70.0 %" in body
    assert "30.0 %" in body


def test_a_reading_under_the_threshold_names_no_digit_but_the_two_it_could_be():
    probabilities = np.array([0.05, 0.3, 0, 0.4, 0, 0.05, 0.1, 0.1, 0, 0], np.float32)
    seen = np.zeros((28, 28), np.float32)
    body = answer(Reading(probabilities, 0.41), seen)
    assert "Not sure" in body
    assert "3 (40.0 %) or 1 (30.0 %)?" in body
    assert 'class="winner"' not in body
    assert "confident" not in body
    assert ">?</div>" in body
    for least in (0.0, 0.4):
        sure = answer(Reading(probabilities, least), seen)
        assert "Not sure" not in sure
        assert ">3</div>" in sure


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_chart_rows_are_the_curve_and_the_ends_of_the_epochs(snapshot, quantity):
    rows = charts.rows(snapshot, quantity)
    validation = [(e, v) for e, v, s, _ in zip(*rows.values(), strict=True) if s == charts.VALIDATION]
    assert validation == [(end.epoch, getattr(end, f"validation_{quantity}")) for end in snapshot.history]
    training = [e for e, s in zip(rows["epoch"], rows["series"], strict=True) if s == charts.TRAINING]
    assert 0 < training[0] < 1
    assert training[-1] == 3


def test_smoothing_adds_a_line_and_keeps_the_raw_one(snapshot):
    raw, both = charts.rows(snapshot, "loss"), charts.rows(snapshot, "loss", smooth=True)
    lines = {
        name: [v for v, s in zip(both["value"], both["series"], strict=True) if s == name] for name in set(both["series"])
    }
    assert lines[charts.TRAINING] == [
        v for v, s in zip(*(raw[n] for n in ("value", "series")), strict=True) if s == charts.TRAINING
    ]
    assert np.abs(np.diff(lines[charts.SMOOTHED])).sum() < np.abs(np.diff(lines[charts.TRAINING])).sum()


def test_a_smoothed_constant_is_the_constant():
    np.testing.assert_allclose(charts.smoothed([3.0] * 50), 3)


def test_epochs_ends_are_thinned_and_the_last_is_kept(snapshot):
    end = snapshot.history[0]
    long = replace(snapshot, history=History(EpochEnd, (end._replace(epoch=epoch) for epoch in range(1, 2001))))
    epochs, values = charts.validation(long, "loss")
    assert len(epochs) == len(values) <= charts.MOST_ENDS
    assert (epochs[0], epochs[-1]) == (1, 2000)


@pytest.mark.parametrize("smooth", [False, True])
def test_the_curves_can_be_kept_as_a_picture(snapshot, smooth):
    picture = Image.open(io.BytesIO(pictures.curves(snapshot, "Run 1", "png", smooth=smooth, log=smooth)))
    assert picture.width >= 1500
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 20
    assert ElementTree.fromstring(pictures.curves(snapshot, "Run 1", "svg", smooth=smooth)).tag.endswith("svg")


def test_the_first_layers_weights_become_tiles_red_for_and_blue_against():
    weights = np.zeros((3, 28, 28))
    weights[0], weights[1] = 1, -1
    sheet = pictures.tiles(weights)
    assert sheet.shape == (30, 8 * 30, 3)
    red, blue, nothing = (sheet[15, 30 * tile + 15].astype(int) for tile in range(3))
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100
    assert nothing.tolist() == [0, 0, 0]


def test_the_cells_of_a_confusion_matrix_keep_label_and_reading_apart():
    confusion = np.arange(100).reshape(10, 10)
    cells = charts.cells(confusion)
    for label, reading, images in zip(cells["label"], cells["reading"], cells["images"], strict=True):
        assert confusion[label, reading] == images
    np.testing.assert_allclose(cells["part"].reshape(10, 10).sum(axis=1), 1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_networks_and_differences_are_told_in_words(recipe):
    config = RECIPES[recipe].config
    assert words.layers(config.layers).endswith(("10", "10 sigmoid", "10 softmax"))
    changed = replace(config, learning_rate=0.123, batch_size=77)
    told = words.differences(config, changed)
    assert f"learning rate {config.learning_rate:g} → 0.123" in told
    assert "→ 77" in told
    assert words.differences(config, config) == ""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "less than 0.1 s"), (0, "0.0 s"), (7.25, "7.2 s"), (42, "42 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_durations(seconds, told):
    assert words.duration(seconds) == told


def test_an_epochs_seconds_are_measured_in_the_background_and_near_the_real_ones():
    config = Config(layers=dense_layers((48,)), epochs=2)
    deadline = monotonic() + 20
    while (seconds := speed.seconds_per_epoch(config, 10_000)) is None:
        assert monotonic() < deadline, "no speed was measured"
        sleep(0.05)
    job = Job(Trainer.from_config(config, make_digits(10_000)))
    job.start()
    assert job.wait(30)
    real = job.snapshot().history[-1].seconds / 2
    assert real / 5 < seconds < real * 5
    run = runs.Run(1, "Run 1", config, "mnist", job)
    assert speed.seconds_per_epoch(config, 10_000, [run]) == real
    assert speed.seconds_per_epoch(replace(config, batch_size=127), 10_000, [run]) != real


def test_where_no_image_is_left_to_train_on_there_are_no_seconds_either():
    with pytest.raises(InklingError, match="validation_size"):
        speed.seconds_per_epoch(Config(validation_size=5_000), 1_000)
