"""Calibration: one temperature for a network's logits, and the confidence below which it is not sure of a digit."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.activations import Softmax
from engine.checks import InklingError
from engine.data.dataset import NO_DIGIT, Dataset
from engine.layers import Dense
from engine.network import Network

MAX_TEMPERATURE = 10.0  # the lowest one is 1 / MAX_TEMPERATURE
MAX_REJECTED = 0.0025  # fraction of digits that may fall below the threshold; for other writers it can be three times this
_softmax = Softmax().forward


def calibrate(network: Network, sets: Iterable[Dataset]) -> float:
    """Divide the logits of ``network``, in place, by the temperature at which the digits of ``sets`` are most likely.

    Returns the temperature. ``sets`` must not have been trained on; each has the same weight, whatever its size. The
    parameters of the last layer change, predictions do not (Guo et al., "On calibration of modern neural networks", 2017,
    section 4.2). Raises ``InklingError`` for a network that does not end in a dense layer of logits.
    """
    last = network.layers[-1]
    if network.output != "softmax" or not isinstance(last, Dense):
        raise InklingError(
            f"a network to calibrate must end in a dense layer of logits, got {last} with the output {network.output!r}"
        )
    logits, labels = zip(*[_logits_and_labels(network, dataset) for dataset in sets], strict=True)
    weights = np.concatenate([np.full(len(of_set), 1 / len(of_set) / len(labels)) for of_set in labels])
    best = temperature(np.concatenate(logits), np.concatenate(labels), weights)
    last.W /= best
    last.b /= best
    return best


def temperature(logits: npt.ArrayLike, labels: npt.NDArray, weights: npt.NDArray | None = None) -> float:
    """The T in [0.1, 10] at which the labels (N,) are most likely under ``softmax(logits / T)``, (N, K).

    ``weights`` (N,) sum to 1; None gives all images the same weight.
    """
    from scipy.optimize import brentq  # slow to import

    logits = np.asarray(logits, float)
    weights = np.full(len(labels), 1 / len(labels)) if weights is None else weights
    of_labels = weights @ logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        """The derivative of the mean cross-entropy by 1 / T. The loss is convex, so it has at most one root."""
        return float(weights @ (_softmax(inverse * logits) * logits).sum(axis=1) - of_labels)

    low, high = 1 / MAX_TEMPERATURE, MAX_TEMPERATURE
    if not slope(low) < 0:
        return 1 / low
    if not slope(high) > 0:
        return 1 / high
    return 1 / brentq(slope, low, high)  # pyright: ignore[reportOperatorIssue]


def find_threshold(network: Network, sets: Iterable[Dataset]) -> float:
    """The confidence that all but 0.25 % of the digits of each of these sets reach."""
    confidences = (_softmax(_logits_and_labels(network, dataset)[0]).max(axis=1) for dataset in sets)
    return float(min(np.quantile(confidence, MAX_REJECTED) for confidence in confidences))


def threshold(network: Network) -> float:
    """The confidence (the largest probability) below which ``network`` is not sure that an image shows a digit.

    It is stored as ``network.info["threshold"]``, in [0, 1]. If it is missing or invalid, 0 is returned, so that every
    prediction counts as sure.
    """
    value = network.info.get("threshold", 0)
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 0.0


def _logits_and_labels(network: Network, dataset: Dataset) -> tuple[npt.NDArray, npt.NDArray]:
    """The logits (N, K) and labels (N,) of the images that show a digit."""
    dataset = dataset.subset(np.flatnonzero(dataset.own_labels != NO_DIGIT))
    if not len(dataset):
        raise InklingError("a set to calibrate with must have at least one digit, got none")
    outputs = []
    for start in range(0, len(dataset), network.max_batch_size):
        images, _ = dataset.take(slice(start, start + network.max_batch_size))
        outputs.append(network.forward(network.as_input(images)))
    return np.concatenate(outputs).astype(float), dataset.own_labels
