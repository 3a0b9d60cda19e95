import numpy as np
import pytest
from helpers import make_digits, outcome
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from engine.activations import Softmax
from engine.calibration import calibrate, find_threshold, temperature, threshold
from engine.checks import InklingError
from engine.config import Config
from engine.data import Dataset
from engine.data.dataset import NO_DIGIT
from engine.layers import Activation, Dense
from engine.metrics import classification_report, expected_calibration_error
from engine.network import Network, dense_layers
from engine.training import Trainer

softmax = Softmax().forward


@pytest.fixture(scope="module")
def overfitted():
    """A network that has memorised 300 digits, and is too confident about all others."""
    config = Config(layers=dense_layers((64,)), epochs=60, batch_size=50, learning_rate=0.01, validation_size=0)
    trainer = Trainer.from_config(config, make_digits(300, 8))
    list(trainer)
    return trainer.network


def sampled(true_temperature, count=8_000, seed=0):
    """Logits, and labels drawn with the probabilities of these logits at this temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (count, 10))
    cumulative = softmax(logits / true_temperature).cumsum(axis=1)
    return logits, (rng.random((count, 1)) > cumulative).sum(axis=1)


@pytest.mark.parametrize("true", [0.3, 1, 2.5, 8])
def test_finds_the_temperature_that_the_labels_were_drawn_with(true):
    logits, labels = sampled(true)
    assert temperature(logits, labels) == pytest.approx(true, rel=0.05)
    probabilities = softmax(logits / temperature(logits, labels))
    assert expected_calibration_error(labels, probabilities) < 0.015


@pytest.mark.parametrize("true", [0.3, 2.5])
def test_the_temperature_minimises_the_loss(true):
    logits, labels = sampled(true, 500, 1)
    weights = np.random.default_rng(2).random(500)
    weights /= weights.sum()

    def loss(log_temperature):
        scaled = logits / np.exp(log_temperature)
        return weights @ (logsumexp(scaled, axis=1) - scaled[np.arange(500), labels])

    expected = minimize_scalar(loss, bounds=(-2.3, 2.3), method="bounded", options={"xatol": 1e-9})
    assert temperature(logits, labels, weights) == pytest.approx(np.exp(expected.x), rel=1e-5)


def test_stays_within_bounds_if_no_temperature_is_best():
    logits = np.random.default_rng(3).normal(size=(100, 10))
    assert temperature(logits, logits.argmax(axis=1)) == pytest.approx(
        0.1, rel=1e-6
    )  # always right: could be more confident at any temperature
    assert temperature(logits, logits.argmin(axis=1)) == pytest.approx(10, rel=1e-6)
    assert 0.1 <= temperature(np.zeros((5, 10)), np.arange(5)) <= 10
    assert temperature(1e6 * logits, logits.argmin(axis=1)) == pytest.approx(10, rel=1e-6)


def test_calibration_corrects_confidence_and_changes_no_prediction(overfitted):
    network, held_back, unseen = overfitted.copy(), make_digits(800, 9), make_digits(1000, 10)
    before = classification_report(network, unseen)
    applied = calibrate(network, [held_back])
    after = classification_report(network, unseen)
    assert applied > 1.2
    assert before.calibration_error > 0.03
    assert after.calibration_error < before.calibration_error / 2
    np.testing.assert_array_equal(after.confusion, before.confusion)
    logits = overfitted.forward(overfitted.as_input(unseen.images[:50]))
    np.testing.assert_allclose(network.forward(network.as_input(unseen.images[:50])), logits / applied, rtol=1e-4, atol=1e-5)
    assert calibrate(network, [held_back]) == pytest.approx(1, abs=1e-3)


def test_every_set_has_the_same_weight_and_images_without_a_digit_have_none(overfitted):
    unseen, memorised = make_digits(1000, 10).subset(slice(400)), make_digits(300, 8)  # right to be sure about the second
    labels = np.concatenate([memorised.labels, np.full(500, NO_DIGIT, np.uint8)])
    mixed = Dataset(np.concatenate([memorised.images, np.zeros((500, 28, 28), np.uint8)]), labels)
    of_both = calibrate(overfitted.copy(), [unseen, memorised])
    assert calibrate(overfitted.copy(), [unseen, mixed]) == pytest.approx(of_both, rel=1e-6)
    larger = unseen.subset(np.tile(np.arange(400), 7))
    assert calibrate(overfitted.copy(), [larger, memorised]) == pytest.approx(of_both, rel=1e-6)
    assert calibrate(overfitted.copy(), [memorised]) < of_both < calibrate(overfitted.copy(), [unseen])


def test_the_threshold_is_reached_by_all_but_a_few_digits_of_each_set(overfitted):
    sets = [make_digits(800, 9), make_digits(1000, 10), make_digits(300, 8)]
    limit = find_threshold(overfitted, sets)
    rejected = [np.mean(overfitted.predict_proba(dataset.images).max(axis=1) < limit) for dataset in sets]
    assert max(rejected) == pytest.approx(0.0025, abs=0.0011)
    assert all(fraction <= 0.0081 for fraction in rejected)


@pytest.mark.parametrize(
    ("info", "expected"),
    [({}, 0), ({"threshold": 0.4}, 0.4), ({"threshold": 1}, 1), ({"threshold": 1.5}, 0), ({"threshold": -1}, 0)]
    + [({"threshold": invalid}, 0) for invalid in ("0.4", None, [0.4], float("nan"), {})],
)
def test_the_threshold_is_read_from_the_networks_info(info, expected):
    network = Network(dense_layers((3,)), info=info)
    assert threshold(network) == expected
    assert isinstance(threshold(network), float)


def test_networks_and_sets_that_cannot_be_calibrated():
    digits = make_digits(300, 8).subset(slice(50))
    for network, expected in (
        (Network(dense_layers((3,)), output="normalised"), "logits"),
        (Network((Dense(10), Activation("sigmoid"))), "Activation"),
    ):
        _, message = outcome(InklingError, calibrate, network, [digits])
        assert expected in message
    no_digits = Dataset(digits.images[:50], np.full(50, NO_DIGIT, np.uint8))
    _, message = outcome(InklingError, calibrate, Network(dense_layers((3,))), [no_digits])
    assert "at least one digit" in message
