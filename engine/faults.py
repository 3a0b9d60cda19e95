"""Faults that people really make: each breaks a healthy training through the engine's public parts or its data.

broken = FAULTS["shifted_labels"].break_(healthy, rng)
trainer = Trainer.from_config(broken.config, broken.train_set, broken.start)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from engine.config import Config
from engine.data.dataset import Dataset
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout
from engine.network import Network, dense_layers
from engine.optimizers import OPTIMIZERS

N_ = str  # marks a text that a page translates
MAX_RATE = 10.0  # that a Config takes
RATE_FACTOR = 100
DEAD_SHARE = (0.9, 1.0)  # of the units in each hidden layer
DEAD_BIAS = -50.0  # below what any image in [0, 1] can make up for
SIGMOID_LAYERS = 6
LARGE_DECAY = (0.3, 1.0)
SINGLE_RATE = 20  # times the usual rate, with batches of one image
LEAKED_SHARE = (0.3, 0.7)  # of the training images


class Setup(NamedTuple):
    """All that a training begins with: its configuration, both data sets, and the network whose weights it starts from
    (None: new ones from the seed)."""

    config: Config
    train_set: Dataset
    test_set: Dataset
    start: Network | None = None


@dataclass(frozen=True)
class Fault:
    """A mistake: ``break_`` makes it in a healthy setup, with choices from the generator. ``mended`` is the healthy setup
    to compare with; it differs from the given one only where the fault needs certain layers."""

    label: str
    break_: Callable[[Setup, np.random.Generator], Setup]
    mended: Callable[[Setup], Setup] = lambda setup: setup


def _configured(setup: Setup, **settings: object) -> Setup:
    return setup._replace(config=replace(setup.config, **settings))


def _used(setup: Setup) -> Dataset:
    """The images that the training takes of its data."""
    return setup.train_set.subset(slice(setup.config.train_size))


def shifted_labels(setup: Setup, rng: np.random.Generator) -> Setup:
    """Each training label is one too large, and 0 instead of 9: as after counting from 1 somewhere."""
    images, labels = _used(setup).take(slice(None))
    shifted = (labels + 1) % len(setup.train_set.class_names)
    return setup._replace(train_set=Dataset(images, shifted.astype(np.uint8), setup.train_set.name))


def unscaled_pixels(setup: Setup, rng: np.random.Generator) -> Setup:
    """Pixels as floats from 0 to 255, which the network takes as they are: nobody divided them by 255."""
    parts = (_used(setup), setup.test_set)
    train_set, test_set = (
        Dataset(part.take(slice(None))[0].astype(np.float32), part.own_labels, part.name)  # pyright: ignore[reportArgumentType]
        for part in parts
    )
    return setup._replace(train_set=train_set, test_set=test_set)


def large_rate(setup: Setup, rng: np.random.Generator) -> Setup:
    """The learning rate times 100: a decimal point in the wrong place."""
    return _configured(setup, learning_rate=min(RATE_FACTOR * setup.config.learning_rate, MAX_RATE))


def unshuffled(setup: Setup, rng: np.random.Generator) -> Setup:
    """The training images sorted by label, all zeros first, and never shuffled."""
    used = _used(setup)
    sorted_set = used.subset(np.argsort(used.own_labels, kind="stable"))
    return _configured(setup._replace(train_set=sorted_set), shuffle=False)


def equal_weights(setup: Setup, rng: np.random.Generator) -> Setup:
    """All weights of a layer begin with the same number, 0 or another one, so that its units stay copies of each other."""
    network = setup.config.make_network(rng)
    value = rng.choice([0.0, 0.01, 0.02])
    for layer in network.layers:
        if isinstance(layer, Dense | Conv2D):
            layer.W[...] = value
    return setup._replace(start=network)


def dying_relu(setup: Setup, rng: np.random.Generator) -> Setup:
    """Most hidden units begin with a bias so far below 0 that no image switches them on."""
    network = setup.config.make_network(rng)
    share = rng.uniform(*DEAD_SHARE)
    for layer in [layer for layer in network.layers if isinstance(layer, Dense | Conv2D)][:-1]:
        dead = rng.permutation(len(layer.b))[: round(share * len(layer.b))]
        layer.b[dead] = DEAD_BIAS
    return setup._replace(start=network)


def saturated_sigmoids(setup: Setup, rng: np.random.Generator) -> Setup:
    """Six layers of sigmoids, with first weights of standard deviation 1 whatever the layer's size."""
    layers = tuple(
        replace(layer, function="sigmoid") if isinstance(layer, Activation) else layer for layer in setup.config.layers
    )
    setup = _configured(setup, layers=layers)
    network = setup.config.make_network(rng)
    for layer in network.layers:
        if isinstance(layer, Dense):
            layer.W[...] = rng.normal(0, 1, layer.W.shape)
    return setup._replace(start=network)


def softmax_twice(setup: Setup, rng: np.random.Generator) -> Setup:
    """A softmax as the last layer, although the loss applies its own."""
    return _configured(setup, layers=(*setup.config.layers, Activation("softmax")), loss="cross_entropy")


def leaked_test(setup: Setup, rng: np.random.Generator) -> Setup:
    """Test images among the training images."""
    images, labels = (array.copy() for array in _used(setup).take(slice(None)))
    number = min(round(rng.uniform(*LEAKED_SHARE) * len(labels)), len(setup.test_set))
    rows = rng.permutation(len(labels))[:number]
    images[rows], labels[rows] = setup.test_set.take(rng.permutation(len(setup.test_set))[:number])
    return setup._replace(train_set=Dataset(images, labels, setup.train_set.name))


def large_decay(setup: Setup, rng: np.random.Generator) -> Setup:
    """A weight decay that pulls harder than the loss: the weights stay near 0."""
    return _configured(setup, weight_decay=round(rng.uniform(*LARGE_DECAY), 2))


def single_images(setup: Setup, rng: np.random.Generator) -> Setup:
    """One image a step, with a rate that only the mean of many images could bear."""
    return _configured(setup, batch_size=1, learning_rate=min(SINGLE_RATE * setup.config.learning_rate, MAX_RATE))


def transposed_prediction(setup: Setup, rng: np.random.Generator) -> Setup:
    """Rows and columns exchanged where the network is used, and not where it is trained."""
    images, labels = setup.test_set.take(slice(None))
    return setup._replace(test_set=Dataset(np.ascontiguousarray(images.swapaxes(1, 2)), labels, setup.test_set.name))


def _plain(setup: Setup) -> Setup:
    """Without the layers that undo the fault, or cannot work with it."""
    return _configured(
        setup, layers=tuple(layer for layer in setup.config.layers if not isinstance(layer, BatchNorm | Dropout))
    )


def _at_constant_rate(setup: Setup) -> Setup:
    """Without small steps at the end, in which a network recovers."""
    return _configured(_plain(setup), schedule="constant")


def _with_relu(setup: Setup) -> Setup:
    setup = _plain(setup)
    layers = tuple(
        replace(layer, function="relu") if isinstance(layer, Activation) else layer for layer in setup.config.layers
    )
    return _configured(setup, layers=layers)


def _with_six_layers(setup: Setup) -> Setup:
    return _configured(setup, layers=dense_layers((32,) * SIGMOID_LAYERS))


def _with_decay_in_gradient(setup: Setup) -> Setup:
    """With an optimizer in which weight decay is not multiplied by the small learning rate."""
    if OPTIMIZERS[setup.config.optimizer].decoupled_decay:
        setup = _configured(setup, optimizer="adam")
    return _plain(setup)


FAULTS: dict[str, Fault] = {
    "shifted_labels": Fault(N_("Labels shifted by one"), shifted_labels),
    "unscaled_pixels": Fault(N_("Pixels not divided by 255"), unscaled_pixels),
    "large_rate": Fault(N_("Learning rate 100 times too large"), large_rate, _at_constant_rate),
    "unshuffled": Fault(N_("Sorted images, never shuffled"), unshuffled),
    "equal_weights": Fault(N_("All first weights equal"), equal_weights, _plain),
    "dying_relu": Fault(N_("Dead ReLU units"), dying_relu, _with_relu),
    "saturated_sigmoids": Fault(N_("Saturated sigmoids in six layers"), saturated_sigmoids, _with_six_layers),
    "softmax_twice": Fault(N_("Softmax twice"), softmax_twice),
    "leaked_test": Fault(N_("Test images in the training set"), leaked_test),
    "large_decay": Fault(N_("Weight decay far too large"), large_decay, _with_decay_in_gradient),
    "single_images": Fault(N_("Batches of one image with a large rate"), single_images, _at_constant_rate),
    "transposed_prediction": Fault(N_("Images transposed at prediction"), transposed_prediction),
}
