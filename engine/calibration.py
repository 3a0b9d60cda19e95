"""Making a network's confidence mean what it says: one temperature for all its logits, and how sure a reading has to be."""

import numpy as np

from engine.activations import Softmax
from engine.checks import InklingError
from engine.data.dataset import NO_DIGIT
from engine.layers import Dense

SHARPEST = 10  # times as sure, or as unsure, as the network was: no temperature goes beyond
MISSED = 0.0025  # of the digits may fall under the threshold: of other writers' it can be three times as many


def calibrate(network, sets):
    """Divide the logits of ``network``, in place, by the temperature that makes the digits of ``sets`` likeliest; return it.

    The sets, ``Dataset``s that it was not trained on, count alike, however many images each has. The temperature goes into
    the last layer's parameters, and readings stay what they were (Guo et al., "On calibration of modern neural networks",
    2017, section 4.2). Raises ``InklingError`` for a network that does not end in a dense layer of logits.
    """
    last = network.layers[-1]
    if network.output != "softmax" or not isinstance(last, Dense):
        raise InklingError(
            f"a network to calibrate must end in a dense layer of logits, got {last} read as {network.output}"
        )
    logits, labels = zip(*[_of_digits(network, part) for part in sets], strict=True)
    weights = np.concatenate([np.full(len(part), 1 / len(part) / len(labels)) for part in labels])
    found = temperature(np.concatenate(logits), np.concatenate(labels), weights)
    last.W /= found
    last.b /= found
    return found


def temperature(logits, labels, weights=None):
    """The T in [0.1, 10] for which ``softmax(logits / T)``, (N, K), gives the labels (N,) the largest likelihood.

    ``weights`` (N,) sum to 1; None is the same for all.
    """
    logits = np.asarray(logits, float)
    weights = np.full(len(labels), 1 / len(labels)) if weights is None else weights
    own = weights @ logits[np.arange(len(labels)), labels]
    low, high = 1 / SHARPEST, SHARPEST  # of 1 / T; the loss is convex in it, so its slope has one change of sign
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        slope = weights @ (Softmax.forward(middle * logits) * logits).sum(axis=1) - own
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high)


def find_threshold(network, sets):
    """The confidence that all but 0.25 % of the digits of each of these sets reach."""
    return float(min(np.quantile(_confidence(network, part), MISSED) for part in sets))


def threshold(network):
    """The confidence, the largest probability, under which a reading of ``network`` means "not sure this is a digit".

    It is kept as ``network.info["threshold"]``, in [0, 1]; 0 where there is none: then every reading counts as sure.
    """
    value = network.info.get("threshold", 0)
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 0.0


def _confidence(network, dataset):
    return Softmax.forward(_of_digits(network, dataset)[0]).max(axis=1)


def _of_digits(network, dataset):
    """The logits (N, K) and labels (N,) of the images that show a digit."""
    dataset = dataset.subset(np.flatnonzero(dataset.own_labels != NO_DIGIT))
    if not len(dataset):
        raise InklingError("a set to calibrate with must have at least one digit, got none")
    outputs = []
    for start in range(0, len(dataset), network.at_once):
        images, _ = dataset.take(slice(start, start + network.at_once))
        outputs.append(network.forward(network.as_input(images)))
    return np.concatenate(outputs).astype(float), dataset.own_labels
