"""How well a network does: loss and accuracy over a data set, and what it takes for what."""

from typing import NamedTuple

import numpy as np

EVALUATION_BATCH = 1024  # images at a time


class Evaluation(NamedTuple):
    """``loss`` is the mean over the set, ``accuracy`` a fraction in [0, 1]; ``confusion`` counts [label, reading]."""

    loss: float
    accuracy: float
    errors: int
    images: int
    confusion: np.ndarray


def confusion_matrix(labels, readings, classes):
    """Counts (classes, classes): row the true label, column what it was read as."""
    cells = np.asarray(labels, np.int64) * classes + readings
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def evaluate(network, dataset, loss):
    """Measure ``network`` on all of ``dataset``; ``loss`` is one of ``losses.LOSSES``."""
    classes = network.output_shape[0]
    total, confusion = 0.0, np.zeros((classes, classes), np.int64)
    for start in range(0, len(dataset), EVALUATION_BATCH):
        images, labels = dataset.take(slice(start, start + EVALUATION_BATCH))
        outputs = network.forward(network.as_input(images))
        total += loss(outputs, labels)[0] * len(labels)
        confusion += confusion_matrix(labels, outputs.argmax(axis=1), classes)
    correct = int(np.trace(confusion))
    return Evaluation(total / len(dataset), correct / len(dataset), len(dataset) - correct, len(dataset), confusion)
