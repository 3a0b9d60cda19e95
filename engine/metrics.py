"""Metrics: how often a network is right, which classes it confuses, and whether its confidence can be trusted."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.losses import LOSSES, OUTPUTS, Loss
from engine.network import Network

EVALUATION_BATCH = 1024  # images
BINS = 15  # of confidence, as in Guo et al. (2017)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a network does on a data set.

    ``loss`` is the mean over the set, ``accuracy`` a fraction in [0, 1]. ``confusion`` counts [label, prediction].
    ``probabilities`` (M, K) float32 are the network's, in the order of the set. Images that are none of the classes (see
    ``losses``) only count in ``loss`` and ``probabilities``.
    """

    loss: float
    accuracy: float
    errors: int
    images: int
    confusion: npt.NDArray
    probabilities: npt.NDArray


class Score(NamedTuple):
    """How many of ``total`` images are predicted correctly."""

    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """The fraction that is correct, and 0 of no images."""
        return self.correct / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy."""
        return wilson_interval(self.correct, self.total)


class Comparison(NamedTuple):
    """How many images only one of two networks predicts correctly. ``p``, in [0, 1], is the probability of a difference
    as large as this one, if both networks are equally good."""

    only_a_right: int
    only_b_right: int
    p: float


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of each class, arrays (K,): ``precision``, ``recall`` and ``f1`` in [0, 1], and ``support``, its images."""

    precision: npt.NDArray
    recall: npt.NDArray
    f1: npt.NDArray
    support: npt.NDArray


@dataclass(frozen=True, eq=False)
class Reliability:
    """Accuracy by confidence: for each bin of confidence, from low to high, its ``count`` of images, their mean
    ``confidence`` and their ``accuracy``. All three are 0 for an empty bin."""

    count: npt.NDArray
    confidence: npt.NDArray
    accuracy: npt.NDArray


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong prediction: its ``position`` in the set, the ``label``, the ``predicted`` class and all ``probabilities``."""

    position: int
    label: int
    predicted: int
    probabilities: npt.NDArray


@dataclass(frozen=True, eq=False)
class ClassificationReport:
    """What ``classification_report`` computes; each field is explained at the function of its name."""

    images: int
    accuracy: float
    confusion: npt.NDArray
    per_class: ClassScores
    top_k: npt.NDArray
    reliability: Reliability
    calibration_error: float
    mistakes: list[Mistake]


def confusion_matrix(labels: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> npt.NDArray:
    """Counts (classes, classes) of label (row) and predicted class (column)."""
    cells = np.asarray(labels, np.int64) * classes + np.asarray(predicted)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_scores(confusion: npt.NDArray) -> ClassScores:
    """Precision, recall and F1 of each class, from a ``confusion_matrix`` (K, K).

    Precision is the fraction of the images predicted as a class that belong to it, recall the fraction of the images of a
    class that are predicted as it, F1 their harmonic mean. A score is 0 if there is no such image.
    """
    correct, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        _ratio(correct, predicted), _ratio(correct, support), _ratio(2 * correct, predicted + support), support
    )


def top_k_accuracy(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> npt.NDArray:
    """For each k from 1 to K, at index k - 1: the fraction of labels that are among the k most probable classes, (K,).

    Among equally probable classes the first comes first, as in ``argmax``, so top-1 is the accuracy. Labels (N,) are
    integers from 0 to K - 1, probabilities are (N, K). This and the following functions raise ``InklingError`` for
    anything else.
    """
    labels, probabilities = _checked(labels, probabilities)
    classes = np.arange(probabilities.shape[1])
    of_label = np.take_along_axis(probabilities, labels[:, None], axis=1)
    ahead = (probabilities > of_label) | ((probabilities == of_label) & (classes < labels[:, None]))
    ranks = np.bincount(ahead.sum(axis=1), minlength=len(classes))
    return np.cumsum(ranks) / len(labels)


def reliability(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """The accuracy of predictions by their confidence, in ``bins`` bins of equal width: the data of a reliability diagram.

    Confidence is the probability of the predicted class; bin m of M (from 1) is ((m - 1) / M, m / M]. In a calibrated
    network accuracy equals confidence (Guo et al., 2017, section 2).
    """
    labels, probabilities = _checked(labels, probabilities)
    confidence = probabilities.max(axis=1).astype(float)
    correct = probabilities.argmax(axis=1) == labels
    bin_of_image = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    count, confidence_sum, num_correct = (np.bincount(bin_of_image, w, bins) for w in (None, confidence, correct))
    return Reliability(count, _ratio(confidence_sum, count), _ratio(num_correct, count))


def expected_calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> float:
    """The mean difference between confidence and accuracy, in [0, 1], over ``bins`` bins weighted by their images.

    ``sum(count / N * |accuracy - confidence|)``: Guo et al., "On calibration of modern neural networks" (2017), eq. 3.
    """
    diagram = reliability(labels, probabilities, bins)
    return float(diagram.count @ np.abs(diagram.accuracy - diagram.confidence) / diagram.count.sum())


def mistakes(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> list[Mistake]:
    """All wrong predictions, the most confident first."""
    labels, probabilities = _checked(labels, probabilities)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return [Mistake(int(i), int(labels[i]), int(predicted[i]), probabilities[i]) for i in wrong]


def compare(labels: npt.ArrayLike, predicted_a: npt.ArrayLike, predicted_b: npt.ArrayLike) -> Comparison:
    """Compare the predictions of two networks by McNemar's exact two-sided test (McNemar, 1947). All arrays are (N,).

    Images that both predict correctly, or both wrongly, are ignored. If the networks are equally good, each of the others
    is as likely to be predicted correctly by one network as by the other.
    """
    from scipy.stats import binomtest  # slow to import

    labels, predicted_a, predicted_b = map(np.asarray, (labels, predicted_a, predicted_b))
    if labels.ndim != 1 or not labels.shape == predicted_a.shape == predicted_b.shape:
        shapes = labels.shape, predicted_a.shape, predicted_b.shape
        raise InklingError(f"labels and both predictions must be (N,), got {', '.join(map(str, shapes))}")
    right_a, right_b = predicted_a == labels, predicted_b == labels
    only_a, only_b = int(np.count_nonzero(right_a & ~right_b)), int(np.count_nonzero(right_b & ~right_a))
    return Comparison(only_a, only_b, float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0)


def evaluate(network: Network, dataset: Dataset, loss: Loss | None = None) -> Evaluation:
    """Evaluate ``network`` on all of ``dataset``, with ``loss`` or, by default, the first loss for its kind of output.

    Raises ``InklingError`` if no image belongs to a class.
    """
    loss = loss or next(loss for loss in LOSSES.values() if loss.output == network.output)
    classes = network.output_shape[0]
    total, confusion, probabilities = 0.0, np.zeros((classes, classes), np.int64), []
    with np.errstate(all="ignore"):  # a network that diverged may overflow; its loss then shows it
        for images, labels in _batches(dataset, network):
            outputs = network.forward(network.as_input(images))
            total += loss(outputs, labels)[0] * len(labels)
            probabilities.append(OUTPUTS[network.output](outputs).astype(np.float32, copy=False))
            is_class = labels < classes
            confusion += confusion_matrix(labels[is_class], probabilities[-1].argmax(axis=1)[is_class], classes)
    correct, images = int(np.trace(confusion)), int(confusion.sum())
    if not images:
        raise InklingError("a data set to measure on must have at least one image of a class, got none")
    return Evaluation(
        total / len(dataset), correct / images, images - correct, images, confusion, np.concatenate(probabilities)
    )


def score(network: Network, dataset: Dataset) -> Score:
    """How many images of ``dataset`` the network predicts correctly; 0 of 0 for an empty one."""
    correct = 0
    with np.errstate(all="ignore"):  # as in ``evaluate``
        for images, labels in _batches(dataset, network):
            correct += int(np.count_nonzero(network.probabilities(images).argmax(axis=1) == labels))
    return Score(correct, len(dataset))


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The lowest and the highest true accuracy, in [0, 1], that ``correct`` of ``total`` images leave plausible.

    The score interval of Wilson, "Probable inference, the law of succession, and statistical inference" (1927): it is honest
    for few images, too, and at 0 or 100 %. Of no images it is (0, 1).
    """
    if not 0 <= correct <= total:
        raise InklingError(f"correct must be from 0 to {total:,}, got {correct:,}")
    if not 0 < confidence < 1:
        raise InklingError(f"confidence must be between 0 and 1, got {confidence:g}")
    if not total:
        return 0.0, 1.0
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), correct / total
    shrink = 1 / (1 + z**2 / total)
    centre, half = shrink * (p + z**2 / (2 * total)), shrink * z * sqrt(p * (1 - p) / total + (z / (2 * total)) ** 2)
    return centre - half if correct else 0.0, centre + half if correct < total else 1.0


def classification_report(network: Network, dataset: Dataset) -> ClassificationReport:
    """All metrics of ``network`` as a classifier, from one pass over ``dataset``.

    The prediction is the class with the largest probability, as in ``Network.predict``. Raises ``InklingError`` for a set
    without images, or with labels that are not classes of the network.
    """
    batches = [(labels, network.probabilities(images)) for images, labels in _batches(dataset, network)]
    if not batches:
        raise InklingError("a report needs at least one image, got none")
    labels, probabilities = _checked(*map(np.concatenate, zip(*batches, strict=True)))
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    return ClassificationReport(
        images=len(labels),
        accuracy=int(np.trace(confusion)) / len(labels),
        confusion=confusion,
        per_class=class_scores(confusion),
        top_k=top_k_accuracy(labels, probabilities),
        reliability=reliability(labels, probabilities),
        calibration_error=expected_calibration_error(labels, probabilities),
        mistakes=mistakes(labels, probabilities),
    )


def _batches(dataset: Dataset, network: Network) -> Iterator[tuple[npt.NDArray, npt.NDArray]]:
    size = min(EVALUATION_BATCH, network.max_batch_size)
    for start in range(0, len(dataset), size):
        yield dataset.take(slice(start, start + size))


def _ratio(numerator: npt.NDArray, denominator: npt.NDArray) -> npt.NDArray:
    """``numerator / denominator``, and 0 if the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)


def _checked(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[npt.NDArray, npt.NDArray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if labels.ndim != 1 or probabilities.ndim != 2 or len(labels) != len(probabilities) or not probabilities.size:
        raise InklingError(f"labels must be (N,) and probabilities (N, K), got {labels.shape} and {probabilities.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise InklingError(
            f"labels must be whole numbers from 0 to {probabilities.shape[1] - 1}, "
            f"got {labels.min()} to {labels.max()} ({labels.dtype})"
        )
    return labels.astype(np.int64), probabilities
