"""Losses, and how a network's raw outputs read as probabilities under each.

A loss is called as ``loss(outputs, labels)`` with outputs (N, K) and integer labels (N,), and returns the mean loss over
the batch and its gradient (N, K).
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


def one_hot(labels, classes, dtype):
    """Labels (N,) as rows of zeros with a single one, (N, classes)."""
    targets = np.zeros((len(labels), classes), dtype)
    targets[np.arange(len(labels)), labels] = 1
    return targets


class CrossEntropy:
    """``-log softmax(logits)[label]`` in nats, fused with the softmax: finite for any finite logits."""

    output = "softmax"

    def __call__(self, logits, labels):
        rows = np.arange(len(labels))
        shifted = logits - logits.max(axis=1, keepdims=True)
        gradient = np.exp(shifted)
        total = gradient.sum(axis=1, keepdims=True)
        loss = np.log(total).mean() - shifted[rows, labels].mean()
        gradient /= total
        gradient[rows, labels] -= 1
        gradient /= len(labels)
        return float(loss), gradient


class MeanSquaredError:
    """Mean over batch and classes of ``(output - target)^2``, the target being 1 for the label and 0 elsewhere."""

    output = "normalised"

    def __call__(self, outputs, labels):
        error = outputs - one_hot(labels, outputs.shape[1], outputs.dtype)
        return float(np.square(error).mean()), error * (2 / error.size)


class SoftmaxMeanSquaredError:
    """Mean squared error of the softmax of the logits, brought back through the softmax's Jacobian."""

    output = "softmax"

    def __call__(self, logits, labels):
        probabilities = Softmax.forward(logits)
        loss, gradient = MeanSquaredError()(probabilities, labels)
        return loss, Softmax.backward(gradient, logits, probabilities)


LOSSES = {"cross_entropy": CrossEntropy(), "mse": MeanSquaredError(), "softmax_mse": SoftmaxMeanSquaredError()}
