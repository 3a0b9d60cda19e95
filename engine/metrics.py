"""How well a network does: how often it is right, what it takes for what, and whether it is as sure as it should be."""

from typing import NamedTuple

import numpy as np

from engine.checks import InklingError
from engine.losses import LOSS_OF_OUTPUT, OUTPUTS

EVALUATION_BATCH = 1024  # images at a time
BINS = 15  # of confidence, as in Guo et al. (2017)


class Evaluation(NamedTuple):
    """``loss`` is the mean over the set, ``accuracy`` a fraction in [0, 1]; ``confusion`` counts [label, reading];
    ``probabilities`` (M, K) float32 are what the network made of each image, in the set's order. Images that are none of
    the classes (``losses``) take part in ``loss`` and ``probabilities`` alone."""

    loss: float
    accuracy: float
    errors: int
    images: int
    confusion: np.ndarray
    probabilities: np.ndarray


class Comparison(NamedTuple):
    """How many images only one of two networks reads right, and how likely a difference like that is if both are equally
    good: ``p`` in [0, 1]."""

    only_a_right: int
    only_b_right: int
    p: float


class ClassScores(NamedTuple):
    """Of each class, (K,): ``precision``, ``recall`` and ``f1`` in [0, 1], and ``support``, how many images are of it."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


class Reliability(NamedTuple):
    """Of each bin of confidence, from the least sure to the surest: ``count`` of images, their mean ``confidence``
    and their ``accuracy``. A bin without images has 0 in all three."""

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


class Mistake(NamedTuple):
    """An image that was read wrongly: its ``position`` in the set, and ``probabilities`` (K,) of what it could be."""

    position: int
    label: int
    reading: int
    probabilities: np.ndarray


class ClassificationReport(NamedTuple):
    """Everything that ``classification_report`` finds; each field is told at the function that computes it."""

    images: int
    accuracy: float
    confusion: np.ndarray
    per_class: ClassScores
    top_k: np.ndarray
    reliability: Reliability
    calibration_error: float
    mistakes: list[Mistake]


def confusion_matrix(labels, readings, classes):
    """Counts (classes, classes): row the true label, column what it was read as."""
    cells = np.asarray(labels, np.int64) * classes + readings
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_scores(confusion):
    """Precision, recall and F1 of each class, from the counts (K, K) that ``confusion_matrix`` gives.

    Precision is the part of the images read as a class that are of it, recall the part of the images of a class that are
    read as it, F1 their harmonic mean. Where there is no such image, the score is 0.
    """
    right, support, read = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(_ratio(right, read), _ratio(right, support), _ratio(2 * right, read + support), support)


def top_k_accuracy(labels, probabilities):
    """For each k from 1 to K, at index k - 1: the fraction of labels that are among their k likeliest classes, (K,).

    Of equally likely classes the first comes first, as in ``argmax``: so top-1 is the accuracy. Labels (N,) are whole
    numbers from 0 to K - 1, probabilities are (N, K); ``InklingError`` is raised for anything else, here and below.
    """
    labels, probabilities = _checked(labels, probabilities)
    classes = np.arange(probabilities.shape[1])
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    ahead = (probabilities > own) | ((probabilities == own) & (classes < labels[:, None]))
    ranks = np.bincount(ahead.sum(axis=1), minlength=len(classes))
    return np.cumsum(ranks) / len(labels)


def reliability(labels, probabilities, bins=BINS):
    """How often a network is right when it is so sure: the images in ``bins`` equally wide bins of confidence.

    Confidence is the probability of the reading; bin m of M (from 1) holds those in ((m - 1) / M, m / M]. What a
    reliability diagram draws: accuracy equals confidence where a network is calibrated (Guo et al., 2017, section 2).
    """
    labels, probabilities = _checked(labels, probabilities)
    confidence = probabilities.max(axis=1).astype(float)
    right = probabilities.argmax(axis=1) == labels
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    count, sure, true = (np.bincount(place, weights, bins) for weights in (None, confidence, right))
    return Reliability(count, _ratio(sure, count), _ratio(true, count))


def expected_calibration_error(labels, probabilities, bins=BINS):
    """The mean gap between confidence and accuracy, in [0, 1], over ``bins`` bins weighted by their images.

    ``sum(count / N * |accuracy - confidence|)``: Guo et al., "On calibration of modern neural networks" (2017), eq. 3.
    """
    count, confidence, accuracy = reliability(labels, probabilities, bins)
    return float(count @ np.abs(accuracy - confidence) / count.sum())


def mistakes(labels, probabilities):
    """The images that were read wrongly, as a list of ``Mistake``: the one the network was surest of comes first."""
    labels, probabilities = _checked(labels, probabilities)
    readings, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(readings != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return [Mistake(int(i), int(labels[i]), int(readings[i]), probabilities[i]) for i in wrong]


def compare(labels, readings_a, readings_b):
    """Whether one of two networks reads the same images better, by McNemar's exact test (McNemar, 1947), two-sided.

    Images that both read right or both wrong say nothing; of the others each is a fair coin's toss if the two are equally
    good. All three are (N,).
    """
    labels, readings_a, readings_b = map(np.asarray, (labels, readings_a, readings_b))
    if labels.ndim != 1 or not labels.shape == readings_a.shape == readings_b.shape:
        shapes = labels.shape, readings_a.shape, readings_b.shape
        raise InklingError(f"labels and both readings must be (N,), got {', '.join(map(str, shapes))}")
    right_a, right_b = readings_a == labels, readings_b == labels
    only_a, only_b = int(np.count_nonzero(right_a & ~right_b)), int(np.count_nonzero(right_b & ~right_a))
    tosses = only_a + only_b
    term = tail = 1  # in whole numbers, which neither overflow nor round: the ways to have at most the rarer side's heads
    for heads in range(min(only_a, only_b)):
        term = term * (tosses - heads) // (heads + 1)
        tail += term
    return Comparison(only_a, only_b, min(1.0, 2 * tail / 2**tosses))


def evaluate(network, dataset, loss=None):
    """Measure ``network`` on all of ``dataset`` by ``loss``, one of ``losses.LOSSES``; None is what suits its output."""
    loss = loss or LOSS_OF_OUTPUT[network.output]
    classes = network.output_shape[0]
    total, confusion, found = 0.0, np.zeros((classes, classes), np.int64), []
    with np.errstate(all="ignore"):  # a network that diverged may overflow; its loss then says so
        for images, labels in _batches(dataset, network):
            outputs = network.forward(network.as_input(images))
            total += loss(outputs, labels)[0] * len(labels)
            found.append(OUTPUTS[network.output](outputs).astype(np.float32, copy=False))
            known = labels < classes
            confusion += confusion_matrix(labels[known], found[-1].argmax(axis=1)[known], classes)
    correct, images = int(np.trace(confusion)), int(confusion.sum())
    if not images:
        raise InklingError("a data set to measure on must have at least one image of a class, got none")
    return Evaluation(total / len(dataset), correct / images, images - correct, images, confusion, np.concatenate(found))


def classification_report(network, dataset):
    """All that there is to ask of ``network`` as a classifier, from one pass over ``dataset``.

    A reading is the class with the largest probability, as in ``Network.predict``. Raises ``InklingError`` for a set without
    images, or with labels that the network does not know.
    """
    found = [(labels, network.probabilities(images)) for images, labels in _batches(dataset, network)]
    if not found:
        raise InklingError("a report needs at least one image, got none")
    labels, probabilities = _checked(*map(np.concatenate, zip(*found, strict=True)))
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


def _batches(dataset, network):
    size = min(EVALUATION_BATCH, network.at_once)
    for start in range(0, len(dataset), size):
        yield dataset.take(slice(start, start + size))


def _ratio(part, whole):
    """``part / whole``, and 0 where ``whole`` is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _checked(labels, probabilities):
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if labels.ndim != 1 or probabilities.ndim != 2 or len(labels) != len(probabilities) or not probabilities.size:
        raise InklingError(f"labels must be (N,) and probabilities (N, K), got {labels.shape} and {probabilities.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise InklingError(
            f"labels must be whole numbers from 0 to {probabilities.shape[1] - 1}, "
            f"got {labels.min()} to {labels.max()} ({labels.dtype})"
        )
    return labels.astype(np.int64), probabilities
