"""``Observer``: measures a training for its viewers, without changing it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.jobs.health import LayerHealth, layer_health
from engine.jobs.keyframes import Keyframe, capacity, next_step
from engine.network import IMAGE_SHAPE, Network
from engine.training import Event, StepEnd, Trainer
from engine.training.history import Curve, EvenlySpaced

if TYPE_CHECKING:
    from engine.jobs.snapshot import Snapshot

NUM_SAMPLES = 12


@dataclass(frozen=True, eq=False)
class SamplePredictions:
    """Test images (M, 28, 28) uint8, their labels (M,), and the network's probabilities for them now, (M, K)."""

    images: npt.NDArray
    labels: npt.NDArray
    probabilities: npt.NDArray


class Observer:
    """Measures a training: ``health`` of each layer with parameters (empty before the first ``look`` after a step),
    ``samples``, the predictions of a dozen test images (None without a test set), ``confusions``, the validation set's
    confusion matrix by epoch, the predictions of the image that ``follow`` names, and ``keyframes``, of which the next one
    is to be recorded after ``next_keyframe`` steps.
    """

    def __init__(self, network: Network, test_set: Dataset | None = None) -> None:
        self._columns = ("step", "epoch", *map(str, range(network.output_shape[0])))
        self._dozen = _dozen(test_set, network.output_shape[0]) if test_set else None
        self.health: tuple[LayerHealth, ...] = ()
        self.samples: SamplePredictions | None = None
        self.confusions = EvenlySpaced()
        self._following: tuple[npt.NDArray, Curve] | None = None
        self.keyframes: list[Keyframe] = []
        self.next_keyframe = 0.0

    def restore(self, snapshot: "Snapshot", image: npt.NDArray | None) -> None:
        """Continue from what was measured before a training was saved; ``image`` is the one that was followed."""
        self.health, self.samples = snapshot.health, snapshot.samples
        self.confusions.restore(snapshot.confusions)
        if self.follow(image) and self._following:
            self._following[1].extend(snapshot.followed)

    def look(self, trainer: Trainer, network: Network) -> None:
        """Measure ``trainer``'s last step, and predict the dozen test images with ``network``."""
        if trainer.gradient is not None:
            self.health = layer_health(trainer)
        if self._dozen:
            self.samples = SamplePredictions(*self._dozen, predict(network, self._dozen[0]))

    def record_epoch(self, trainer: Trainer) -> None:
        """Record the confusion matrix of the epoch that has just ended."""
        if trainer.validation:
            self.confusions.append(trainer.epoch, trainer.validation.confusion)

    def follow(self, image: npt.ArrayLike | None) -> bool:
        """Record the probabilities of this image (28, 28) in [0, 1] from now on; return whether it is a new one.

        None ends the recording. The image that is already followed continues its curve.
        """
        if image is None:
            self._following = None
            return False
        image = checked_image(image)
        if self._following and np.array_equal(image, self._following[0]):
            return False
        self._following = image, Curve(self._columns)
        return True

    def record(self, trainer: Trainer) -> None:
        """Add a point to the curve of the followed image."""
        if self._following:
            image, curve = self._following
            (probabilities,) = predict(trainer.result, image[None])
            curve.append(trainer.step, trainer.progress * trainer.config.epochs, *probabilities.tolist())

    def record_keyframe(self, trainer: Trainer, event: Event | None = None) -> None:
        """Record the network as it is after the step that was this ``event``."""
        config, state_vector = trainer.config, trainer.result.state_vector
        limit, _ = capacity(state_vector.size)
        num_steps = config.epochs * -(-len(trainer.train_set) // trainer.batch_size)
        self.next_keyframe = next_step(trainer.step, num_steps, limit)
        if limit:
            losses = (event.loss, event.accuracy) if isinstance(event, StepEnd) else None
            self.keyframes.append(Keyframe.of(trainer.step, trainer.progress * config.epochs, losses, state_vector))

    def take_keyframes(self) -> tuple[Keyframe, ...]:
        """The keyframes since the last call."""
        keyframes, self.keyframes = tuple(self.keyframes), []
        return keyframes

    def followed(self) -> npt.NDArray:
        """The predictions so far, (T, 2 + K): step, epoch (with a fraction), and the probability of each class."""
        return self._following[1].points() if self._following else np.empty((0, len(self._columns)))


def checked_image(image: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """A copy of an image to follow; raises ``InklingError`` unless it is (28, 28) in [0, 1]."""
    image = np.array(image, np.float32)
    if image.shape != IMAGE_SHAPE or not (image.min() >= 0 and image.max() <= 1):
        raise InklingError(f"an image to follow must be {IMAGE_SHAPE} floats in [0, 1], got {image.shape}")
    return image


def sample_predictions(network: Network, test_set: Dataset) -> SamplePredictions:
    """The predictions of a dozen test images."""
    images, labels = _dozen(test_set, network.output_shape[0])
    return SamplePredictions(images, labels, predict(network, images))


def _dozen(test_set: Dataset, classes: int) -> tuple[npt.NDArray, npt.NDArray]:
    """The first image of each class, in the order of classes, and the first others, twelve in all."""
    labels = test_set.own_labels
    known = np.flatnonzero(labels < classes)
    first = known[np.unique(labels[known], return_index=True)[1]]
    images, labels = test_set.take(np.concatenate([first, np.setdiff1d(known, first)])[:NUM_SAMPLES])
    for array in (images, labels):
        array.setflags(write=False)
    return images, labels


def predict(network: Network, images: npt.NDArray) -> npt.NDArray:
    """Probabilities (N, K); equal ones if an exploding network gives NaN."""
    with np.errstate(all="ignore"):
        probabilities: npt.NDArray = network.probabilities(images)
    probabilities[~np.isfinite(probabilities).all(axis=1)] = 1 / probabilities.shape[1]
    probabilities.setflags(write=False)
    return probabilities
