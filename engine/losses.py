"""Loss functions, and how a network's raw outputs become probabilities under each."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.activations import Softmax


class Loss(Protocol):
    """A loss function. ``output`` is the key in ``OUTPUTS`` that turns the network's outputs into probabilities.

    ``formula`` is the loss of one image, and ``derivative`` the gradient of the batch's loss at one output ``z``, as the
    page How it works shows them: ``p`` is its probability, ``p_label`` that of the label, ``t`` its target, and ``total``
    adds up over the K outputs.
    """

    label: str
    output: str
    formula: str
    derivative: str

    def __call__(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        """The mean loss over a batch, and its gradient (N, K), for outputs (N, K) and integer labels (N,).

        ``smoothing`` is the fraction of each target that is spread evenly over all K classes (Szegedy et al., 2016). A label
        of K or more means "none of the classes": its whole target is spread evenly, so that the network learns to be
        unsure about such images (outlier exposure; Hendrycks, Mazeika & Dietterich, 2019).
        """
        ...


def normalised(outputs: npt.NDArray) -> npt.NDArray:
    """Probabilities from outputs (N, K) that were trained towards 0 and 1: clipped to [0, 1], then divided by their sum.

    If no output of a row is above 0, its probabilities are all equal.
    """
    clipped = np.clip(outputs, 0, 1)
    total = clipped.sum(axis=-1, keepdims=True)
    return np.where(total > 0, clipped / np.where(total > 0, total, 1), 1 / outputs.shape[-1]).astype(outputs.dtype)


OUTPUTS: dict[str, Callable[[npt.NDArray], npt.NDArray]] = {"softmax": Softmax().forward, "normalised": normalised}
OUTPUT_FORMULAS = {"softmax": Softmax.formula, "normalised": "min(max(z, 0), 1) / total(min(max(z, 0), 1))"}  # if any z > 0


def targets(labels: npt.NDArray, classes: int, dtype: npt.DTypeLike, smoothing: float = 0.0) -> npt.NDArray:
    """Smoothed one-hot targets (N, classes) for labels (N,); equal for all classes if a label is none of the classes."""
    is_class = labels < classes
    rows = np.full((len(labels), classes), smoothing / classes, dtype)
    rows[np.flatnonzero(is_class), labels[is_class]] += 1 - smoothing
    rows[~is_class] = 1 / classes
    return rows


class CrossEntropy:
    """``-log softmax(logits)[label]`` in nats, computed in one step with the softmax, so that it is always finite."""

    label = "cross-entropy"
    output = "softmax"
    formula = "-log(p_label)"
    derivative = "(p - t) / N"

    def __call__(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        N, K = outputs.shape
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        gradient = np.exp(shifted, order="C")  # contiguous rows, so that ravel below is a view
        total = gradient.sum(axis=1, keepdims=True)
        gradient *= 1 / (N * total)
        if smoothing or labels.max() >= K:
            target = targets(labels, K, outputs.dtype, smoothing)
            expected = (target * shifted).sum()  # of the shifted logits, under the targets
            gradient -= target / N
        else:  # the same, faster
            positions = np.arange(0, N * K, K) + labels  # of each label in the flattened logits
            expected = shifted.take(positions).sum()
            gradient.ravel()[positions] -= 1 / N
        return float(np.log(total).sum() - expected) / N, gradient


class MeanSquaredError:
    """Mean over batch and classes of ``(output - target)^2``; the target is 1 for the label and 0 for other classes."""

    label = "mean squared error"
    output = "normalised"
    formula = "total((z - t) ** 2) / K"
    derivative = "2 * (z - t) / (N * K)"

    def __call__(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        error = outputs - targets(labels, outputs.shape[1], outputs.dtype, smoothing)
        return float(np.square(error).mean()), error * (2 / error.size)


class SumSquaredError(MeanSquaredError):
    """Squared error summed over the classes, mean over the batch: K times the mean squared error."""

    label = "sum of squared errors"
    formula = "total((z - t) ** 2)"
    derivative = "2 * (z - t) / N"

    def __call__(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        loss, gradient = super().__call__(outputs, labels, smoothing)
        return loss * outputs.shape[1], gradient * outputs.shape[1]


class SoftmaxMeanSquaredError:
    """Mean squared error of the softmax of the logits; the gradient goes back through the softmax."""

    label = "mean squared error after softmax"
    output = "softmax"
    formula = "total((p - t) ** 2) / K"
    derivative = "2 / (N * K) * p * ((p - t) - total(p * (p - t)))"

    def __call__(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        softmax = Softmax()
        probabilities = softmax.forward(outputs)
        loss, gradient = MeanSquaredError()(probabilities, labels, smoothing)
        return loss, softmax.backward(gradient, outputs, probabilities)


LOSSES: dict[str, Loss] = {
    "cross_entropy": CrossEntropy(),
    "mse": MeanSquaredError(),
    "sse": SumSquaredError(),
    "softmax_mse": SoftmaxMeanSquaredError(),
}
