import math
from itertools import product

import numpy as np
import pytest
from helpers import slope_error

from engine.losses import LOSSES, OUTPUTS

each = pytest.mark.parametrize("name", LOSSES)


def softmax(row):
    top = max(row)
    exponentials = [math.exp(z - top) for z in row]
    return [exponential / sum(exponentials) for exponential in exponentials]


def cross_entropy(row, target):
    return -sum(t * math.log(p) for t, p in zip(target, softmax(row), strict=True))


def squared_error(row, target):
    return sum((y - t) ** 2 for y, t in zip(row, target, strict=True))


BY_HAND = {  # the loss of one row
    "cross_entropy": cross_entropy,
    "mse": lambda row, target: squared_error(row, target) / len(row),
    "sse": squared_error,
    "softmax_mse": lambda row, target: squared_error(softmax(row), target) / len(row),
}
smoothings = pytest.mark.parametrize("smoothing", [0, 0.1, 0.9])


@each
@smoothings
def test_gradient_agrees_with_finite_differences(name, smoothing):
    rng = np.random.default_rng(5)
    outputs, labels = rng.normal(size=(7, 10)), rng.integers(0, 10, 7)
    _, gradient = LOSSES[name](outputs, labels, smoothing)
    assert slope_error(lambda y: LOSSES[name](y, labels, smoothing)[0], gradient, outputs, rng) <= 1e-6


@each
@smoothings
def test_the_loss_is_the_mean_of_the_formula_over_rows_with_smoothed_targets(name, smoothing):
    assert name in BY_HAND, f"add {name}'s formula to BY_HAND"
    rng = np.random.default_rng(6)
    outputs, labels = rng.normal(0, 3, (5, 4)), rng.integers(0, 4, 5)
    rows = []
    for row, label in zip(outputs.tolist(), labels.tolist(), strict=True):
        target = [smoothing / 4 + (1 - smoothing) * (k == label) for k in range(4)]
        rows.append(BY_HAND[name](row, target))
    assert LOSSES[name](outputs, labels, smoothing)[0] == pytest.approx(np.mean(rows), rel=1e-12)


def test_with_smoothing_the_loss_is_lowest_at_the_targets_probability():
    """With smoothing of 0.1 over 10 classes, the target of the label is 0.91."""
    label = np.array([0])
    losses = {}
    for probability in (0.8, 0.9, 0.91, 0.92, 0.999):
        logits = np.log(np.array([[probability, *[(1 - probability) / 9] * 9]]))
        losses[probability], gradient = LOSSES["cross_entropy"](logits, label, 0.1)
        assert np.abs(gradient).max() == pytest.approx(abs(probability - 0.91), abs=1e-12)
    assert min(losses, key=losses.get) == 0.91


@each
@smoothings
def test_a_label_that_is_none_of_the_classes_has_equal_targets(name, smoothing):
    rng = np.random.default_rng(16)
    outputs, labels = rng.normal(0, 3, (6, 4)), np.array([2, 4, 0, 4, 4, 3], np.uint8)
    rows = []
    for row, label in zip(outputs.tolist(), labels.tolist(), strict=True):
        shared = 1 if label == 4 else smoothing
        rows.append(BY_HAND[name](row, [shared / 4 + (1 - shared) * (k == label) for k in range(4)]))
    loss, gradient = LOSSES[name](outputs, labels, smoothing)
    assert loss == pytest.approx(np.mean(rows), rel=1e-12)
    assert slope_error(lambda y: LOSSES[name](y, labels, smoothing)[0], gradient, outputs, rng) <= 1e-6
    _, single = LOSSES[name](outputs.astype(np.float32), labels, smoothing)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, gradient, atol=1e-6)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stable_for_logits_of_1000(name, dtype):
    outputs = np.array([[1000, -1000, 0], [-1000, 1000, 1000], [1000, 1000, 1000]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for label, smoothing in product(range(3), (0, 0.1)):
            loss, gradient = LOSSES[name](outputs, np.full(3, label), smoothing)
            assert math.isfinite(loss)
            assert np.isfinite(gradient).all()
            assert gradient.dtype == dtype


def test_cross_entropy_by_hand():
    loss, gradient = LOSSES["cross_entropy"](np.array([[1000.0, -1000.0]]), np.array([1]))
    assert loss == pytest.approx(2000)
    np.testing.assert_allclose(gradient, [[1, -1]])
    assert LOSSES["cross_entropy"](np.zeros((3, 10)), np.array([0, 4, 9]))[0] == pytest.approx(math.log(10))


@each
def test_the_loss_does_not_change_the_outputs(name):
    outputs = np.random.default_rng(7).normal(size=(4, 10)).astype(np.float32)
    before = outputs.copy()
    LOSSES[name](outputs, np.array([0, 1, 2, 3], np.uint8))
    np.testing.assert_array_equal(outputs, before)


@each
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_the_memory_layout_of_outputs_does_not_matter(name, smoothing):
    outputs, labels = np.random.default_rng(9).normal(size=(6, 10)), np.array([0, 9, 4, 4, 1, 7], np.uint8)
    expected, gradient = LOSSES[name](outputs, labels, smoothing)
    for other in (np.asfortranarray(outputs), np.repeat(outputs, 2, axis=1)[:, ::2], outputs[::-1].copy()[::-1]):
        loss, dy = LOSSES[name](other, labels, smoothing)
        assert loss == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(dy, gradient, rtol=1e-12)


@each
def test_every_loss_names_a_registered_output(name):
    assert LOSSES[name].output in OUTPUTS


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("size", [1e-3, 1, 30, 1000])
def test_outputs_become_probabilities(output, size):
    rng = np.random.default_rng(8)
    outputs = np.concatenate([rng.normal(0, size, (50, 10)), np.array([[-size], [size], [0]]) * np.ones(10)])
    for dtype in (np.float32, np.float64):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            probabilities = OUTPUTS[output](outputs.astype(dtype))
        assert probabilities.dtype == dtype
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_normalised_outputs_by_hand():
    one_hot = np.eye(10)[[3]]
    np.testing.assert_array_equal(OUTPUTS["normalised"](one_hot), one_hot)
    np.testing.assert_allclose(OUTPUTS["normalised"](np.full((1, 10), -0.5)), 0.1)
    np.testing.assert_allclose(OUTPUTS["normalised"](np.array([[0.5, 0.25, 0.25, -3.0]])), [[0.5, 0.25, 0.25, 0]])
