"""The parts of pages that need no running app."""

import io

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

from engine import Config, Trainer
from engine.jobs import Job
from ui import charts
from ui.answer import answer, percent
from ui.canvas import Drawing, points


@pytest.fixture(scope="module")
def snapshot():
    job = Job(Trainer.from_config(Config(epochs=3), make_digits(600)), make_digits(100, 1))
    job.start()
    assert job.wait(30)
    return job.snapshot()


@pytest.mark.parametrize(
    ("p", "words"),
    [(0, "0.0 %"), (0.1234, "12.3 %"), (0.9994, "99.9 %"), (0.9995, "> 99.9 %"), (0.99999, "> 99.9 %"), (1, "100.0 %")],
)
def test_percent_never_rounds_up_to_certainty(p, words):
    assert percent(p) == words


def test_the_winner_is_marked_once_and_the_rest_adds_up():
    probabilities = np.array([0, 0, 0.7, 0.3, 0, 0, 0, 0, 0, 0], np.float32)
    body = answer(probabilities, np.zeros((28, 28), np.float32))
    assert body.count('class="winner"') == 1
    assert '<li class="winner"><span class="digit">2</span>' in body
    assert "70.0 %" in body
    assert "30.0 %" in body


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_chart_rows_are_the_curve_and_the_ends_of_the_epochs(snapshot, quantity):
    rows = charts.rows(snapshot, quantity)
    assert len(rows["epoch"]) == len(rows["value"]) == len(rows["series"])
    validation = [(e, v) for e, v, s in zip(*rows.values(), strict=True) if s == charts.VALIDATION]
    assert validation == [(end.epoch, getattr(end, f"validation_{quantity}")) for end in snapshot.history]
    training = [e for e, s in zip(rows["epoch"], rows["series"], strict=True) if s == charts.TRAINING]
    assert 0 < training[0] < 1
    assert training[-1] == 3


def test_the_curves_can_be_kept_as_a_picture(snapshot):
    picture = Image.open(io.BytesIO(charts.picture(snapshot, "Run 1")))
    assert picture.width >= 1500
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 20


def test_a_path_becomes_points_on_its_curve():
    found = np.array(points({"path": [["M", 0, 0], ["Q", 50, 100, 100, 0], ["L", 100, 50]]}))
    np.testing.assert_allclose(found[0], [0, 0])
    np.testing.assert_allclose(found[2], [50, 50])  # the middle of the curve
    np.testing.assert_allclose(found[-2:], [[100, 0], [100, 50]])


def test_a_report_that_came_before_is_not_taken_over_again():
    one, two = {"path": [["M", 1, 1], ["L", 2, 2]]}, {"path": [["M", 5, 5], ["L", 6, 6]]}
    drawing = Drawing()
    drawing.receive({"objects": [one, two]})
    drawing.show([one])
    drawing.receive({"objects": [one, two]})  # the canvas has not heard of it yet
    assert drawing.objects == [one]
    drawing.receive({"objects": [one]})
    assert drawing.objects == [one]


def test_an_image_of_no_strokes_is_none():
    assert Drawing().image() is None
    assert Drawing(objects=[{"type": "Path", "path": [["M", 140, 140], ["L", 140, 141]]}]).image().max() == 255
