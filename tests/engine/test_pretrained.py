"""The shipped networks: on MNIST's test images, on digits drawn with a pen, and on images without a digit."""

from collections import defaultdict

import numpy as np
import pytest
from helpers import ROOT

import engine
from engine.calibration import threshold
from engine.data.synthetic.scribbles import HELD_OUT_KINDS, draw_scribbles
from engine.pen import draw_strokes, fit_strokes
from engine.recipes import RECIPES

SHIPPED = sorted((ROOT / "pretrained").glob("*.npz"))
each = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
PER_WRITER = 20


@pytest.fixture(scope="module")
def pen_digits(strokes):
    """At most 20 digits of each writer: the rows of strokes, and the images that the network gets."""
    of_writer = defaultdict(list)
    for row in strokes:
        of_writer[row["writer"]].append(row)
    rng = np.random.default_rng(0)
    rows = [group[i] for group in of_writer.values() for i in rng.permutation(len(group))[:PER_WRITER]]
    images = np.array([engine.prepare(draw_strokes(fit_strokes(row["strokes"], 0.7))) for row in rows])
    return rows, images


@each
@pytest.mark.mnist
def test_accuracy_on_mnists_test_images(path, mnist):
    images, labels = mnist[1].take(slice(None))
    assert np.mean(engine.load(path).predict(images) == labels) >= 0.992


@each
def test_accuracy_on_drawings(path, pen_digits):
    rows, images = pen_digits
    right = defaultdict(list)
    for row, digit in zip(rows, engine.load(path).predict(images), strict=True):
        right[row["writer"]].append(digit == row["label"])
    assert len(right) > 100
    assert np.mean([np.mean(results) for results in right.values()]) >= 0.975


def into_corners(strokes):
    """A drawing of half the canvas's size, in each corner: the same points, moved by whole pixels."""
    small = [stroke.round() for stroke in fit_strokes(strokes, 0.5, place=(0, 0))]
    extent = np.concatenate(small).max(axis=0)
    near, far = np.array([10, 10]), 280 - 10 - extent  # the pen is 18 pixels wide
    corners = [(x, y) for x in (near[0], far[0]) for y in (near[1], far[1])]
    return [draw_strokes([stroke + corner for stroke in small]) for corner in corners]


@each
def test_moving_a_drawing_to_any_corner_changes_no_prediction(path, pen_digits):
    network = engine.load(path)
    for row in pen_digits[0][::25]:
        images = np.array([engine.prepare(drawing) for drawing in into_corners(row["strokes"])])
        assert len(set(network.predict(images).tolist())) == 1, row["id"]


@each
def test_is_sure_about_digits_and_not_about_scribbles(path, mnist):
    network = engine.load(path)
    limit = threshold(network)
    assert 0.2 < limit < 0.9
    confidence = network.predict_proba(mnist[1].images[:2_000]).max(axis=1)
    assert np.mean(confidence < limit) <= 0.01
    scribbles = draw_scribbles({kind: HELD_OUT_KINDS[kind] for kind in ("scrawls", "loops", "printed words")}, 600, seed=5)
    noise = np.random.default_rng(5).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    for images in (scribbles.images, noise):
        assert np.mean(network.predict_proba(images).max(axis=1) < limit) >= 0.9


@each
def test_the_header_has_the_training(path):
    info = engine.load(path).info
    config = RECIPES[f"{path.stem}-robust"].config
    assert engine.Config.from_json(info["config"]) == config
    assert info["data"]["name"] == "mnist+synthetic+scribbles+pen_digits.jsonl.gz"
    assert info["metrics"]["test_accuracy"] >= 0.992


def test_they_are_small():
    assert sum(path.stat().st_size for path in SHIPPED) <= 6_000_000
    assert engine.load(ROOT / "pretrained" / "cnn.npz").parameters.size <= 200_000
