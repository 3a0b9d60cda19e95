"""Losses, and how a network's raw outputs read as probabilities under each.

A loss is called as ``loss(outputs, labels, smoothing=0)`` with outputs (N, K) and integer labels (N,), and returns the mean
loss over the batch and its gradient (N, K). ``smoothing`` takes that part of each target's 1 and shares it out over all K
classes (Szegedy et al., 2016). A label of K or more is none of the classes: all of its target is shared out, so that the
network learns to be unsure of such an image (outlier exposure; Hendrycks, Mazeika & Dietterich, 2019).
"""

import numpy as np

from engine.activations import Softmax


def normalised(outputs):
    """Read outputs that were trained towards 0 and 1 as probabilities: clip to [0, 1], then divide by their sum."""
    clipped = np.clip(outputs, 0, 1)
    total = clipped.sum(axis=-1, keepdims=True)
    # where every output is at or below zero the network has said nothing: ten equal probabilities
    return np.where(total > 0, clipped / np.where(total > 0, total, 1), 1 / outputs.shape[-1]).astype(outputs.dtype)


OUTPUTS = {"softmax": Softmax.forward, "normalised": normalised}


def targets(labels, classes, dtype, smoothing=0.0):
    """Labels (N,) as rows of zeros with a single one, (N, classes), smoothed; even where a label is none of the classes."""
    known = labels < classes
    rows = np.full((len(labels), classes), smoothing / classes, dtype)
    rows[np.flatnonzero(known), labels[known]] += 1 - smoothing
    rows[~known] = 1 / classes
    return rows


class CrossEntropy:
    """``-log softmax(logits)[label]`` in nats, fused with the softmax: finite for any finite logits."""

    output = "softmax"

    def __call__(self, logits, labels, smoothing=0.0):
        N, K = logits.shape
        shifted = logits - logits.max(axis=1, keepdims=True)
        gradient = np.exp(shifted, order="C")  # so that ravel is a view, also of logits that lie otherwise
        total = gradient.sum(axis=1, keepdims=True)
        gradient *= 1 / (N * total)
        if smoothing or labels.max() >= K:
            target = targets(labels, K, logits.dtype, smoothing)
            expected = (target * shifted).sum()  # of the shifted logits, under the targets
            gradient -= target / N
        else:  # the same, faster
            places = np.arange(0, N * K, K) + labels  # of each label in the flattened logits
            expected = shifted.take(places).sum()
            gradient.ravel()[places] -= 1 / N
        return float(np.log(total).sum() - expected) / N, gradient


class MeanSquaredError:
    """Mean over batch and classes of ``(output - target)^2``, the target being 1 for the label and 0 elsewhere."""

    output = "normalised"

    def __call__(self, outputs, labels, smoothing=0.0):
        error = outputs - targets(labels, outputs.shape[1], outputs.dtype, smoothing)
        return float(np.square(error).mean()), error * (2 / error.size)


class SumSquaredError(MeanSquaredError):
    """The same summed over the classes, mean over the batch: K times the mean squared error."""

    def __call__(self, outputs, labels, smoothing=0.0):
        loss, gradient = super().__call__(outputs, labels, smoothing)
        return loss * outputs.shape[1], gradient * outputs.shape[1]


class SoftmaxMeanSquaredError:
    """Mean squared error of the softmax of the logits, brought back through the softmax's Jacobian."""

    output = "softmax"

    def __call__(self, logits, labels, smoothing=0.0):
        probabilities = Softmax.forward(logits)
        loss, gradient = MeanSquaredError()(probabilities, labels, smoothing)
        return loss, Softmax.backward(gradient, logits, probabilities)


LOSSES = {
    "cross_entropy": CrossEntropy(),
    "mse": MeanSquaredError(),
    "sse": SumSquaredError(),
    "softmax_mse": SoftmaxMeanSquaredError(),
}
LOSS_OF_OUTPUT = {"softmax": LOSSES["cross_entropy"], "normalised": LOSSES["mse"]}  # to measure by, whoever trained it
