"""``Observer``: what is measured of a training only for those who watch it. It reads the training and never changes it."""

from typing import NamedTuple

import numpy as np

from engine.checks import InklingError
from engine.curves import Curve, Stills
from engine.health import layer_health
from engine.network import IMAGE_SHAPE

DOZEN = 12


class Readings(NamedTuple):
    """Test images (M, 28, 28) uint8, their labels (M,), and what the network makes of them now: probabilities (M, K)."""

    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


class Observer:
    """Keeps ``health`` (one ``LayerHealth`` a layer, once a step was looked at), ``digits`` (``Readings`` of a dozen test
    images, or None), ``confusions`` (``Stills`` of the validation set's, by epoch) and what ``follow`` asks for.

    To be called on the training's own thread, but for ``follow``; each of these is replaced whole, so that any thread may
    read it.
    """

    def __init__(self, network, test_set=None):
        self._columns = ("step", "epoch", *map(str, range(network.output_shape[0])))
        self._dozen = _dozen(test_set, network.output_shape[0]) if test_set else None
        self.health, self.digits, self.confusions = (), None, Stills()
        self._following = None  # the image and its curve

    def look(self, trainer, network):
        """Measure ``trainer``'s last step, and read the dozen by ``network``."""
        if trainer.gradient is not None:
            self.health = layer_health(trainer)
        if self._dozen:
            images, labels = self._dozen
            self.digits = Readings(images, labels, _read(network, images))

    def note_epoch(self, trainer):
        """Keep the confusion matrix of the epoch that has just ended."""
        if trainer.validation:
            self.confusions.append(trainer.epoch, trainer.validation.confusion)

    def follow(self, image):
        """Record the probabilities of this image (28, 28) in [0, 1] from now on, and say whether it is a new one.

        None ends it; the image that is followed already goes on.
        """
        if image is None:
            self._following = None
            return False
        image = np.array(image, np.float32)
        if image.shape != IMAGE_SHAPE or not (image.min() >= 0 and image.max() <= 1):
            raise InklingError(f"an image to follow must be {IMAGE_SHAPE} floats in [0, 1], got {image.shape}")
        if self._following and np.array_equal(image, self._following[0]):
            return False
        self._following = image, Curve(self._columns)
        return True

    def record(self, trainer):
        """Add a point to the curve of the image that is followed."""
        if self._following:
            image, curve = self._following
            (probabilities,) = _read(trainer.result, image[None])
            curve.append(trainer.step, trainer.progress * trainer.config.epochs, *probabilities.tolist())

    def followed(self):
        """The curve so far (T, 2 + K): step, epoch and its parts, and the probability of each class."""
        return self._following[1].points() if self._following else np.empty((0, len(self._columns)))


def _dozen(test_set, classes):
    """The first image of each class, in the order of classes, and the first others, twelve in all."""
    labels = test_set.own_labels
    known = np.flatnonzero(labels < classes)
    first = known[np.unique(labels[known], return_index=True)[1]]
    images, labels = test_set.take(np.concatenate([first, np.setdiff1d(known, first)])[:DOZEN])
    for array in (images, labels):
        array.setflags(write=False)
    return images, labels


def _read(network, images):
    """Probabilities (N, K); all alike where an exploding network has no finite ones."""
    with np.errstate(all="ignore"):
        found = network.probabilities(images)
    found[~np.isfinite(found).all(axis=1)] = 1 / found.shape[1]
    found.setflags(write=False)
    return found
