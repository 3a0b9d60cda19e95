"""Each fault does to a training what its name says, through the engine's public parts."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits

from engine.config import Config
from engine.faults import FAULTS, Setup
from engine.layers import Activation, Dense
from engine.network import as_pixels, dense_layers
from engine.training import Trainer

CONFIG = Config(layers=dense_layers((16, 12)), epochs=1, batch_size=32, train_size=400, validation_size=50)


def broken(name, **settings):
    """The mended setup, and the broken one, on small data sets."""
    healthy = FAULTS[name].mended(Setup(replace(CONFIG, **settings), make_digits(600), make_digits(200, 1)))
    return healthy, FAULTS[name].break_(healthy, np.random.default_rng(0))


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_setup_can_be_trained_and_the_data_are_not_touched(name):
    healthy, setup = broken(name)
    before = [part.take(slice(None)) for part in (healthy.train_set, healthy.test_set)]
    trainer = Trainer.from_config(setup.config, setup.train_set, setup.start)
    next(trainer)
    assert trainer.step == 1
    for part, (images, labels) in zip((healthy.train_set, healthy.test_set), before, strict=True):
        assert np.array_equal(part.take(slice(None))[0], images)
        assert np.array_equal(part.own_labels, labels)


@pytest.mark.parametrize("name", FAULTS)
def test_something_is_broken_and_again_in_the_same_way(name):
    (healthy, first), (_, again) = broken(name), broken(name)
    assert first.config == again.config
    for part, other in ((first.train_set, again.train_set), (first.test_set, again.test_set)):
        assert np.array_equal(part.take(slice(None))[0], other.take(slice(None))[0])
    assert (first.start is None) == (again.start is None)
    if first.start:
        assert np.array_equal(first.start.state_vector, again.start.state_vector)
    data = (first.train_set, first.test_set) != (healthy.train_set, healthy.test_set)
    assert data or first.config != healthy.config or first.start is not None


def test_labels_are_shifted_in_the_training_set_alone():
    healthy, setup = broken("shifted_labels")
    assert np.array_equal(setup.train_set.own_labels, (healthy.train_set.own_labels[:400] + 1) % 10)
    assert setup.test_set is healthy.test_set


def test_pixels_reach_the_network_255_times_too_bright():
    healthy, setup = broken("unscaled_pixels")
    for part, own in ((healthy.train_set, setup.train_set), (healthy.test_set, setup.test_set)):
        expected = 255 * as_pixels(part.take(slice(20))[0])
        assert np.allclose(as_pixels(own.take(slice(20))[0]), expected)


def test_rates_are_larger_and_a_batch_is_one_image():
    for name, factor, batch_size in (("large_rate", 100, 32), ("single_images", 20, 1)):
        healthy, setup = broken(name)
        assert setup.config.learning_rate == pytest.approx(factor * healthy.config.learning_rate)
        assert setup.config.batch_size == batch_size


def test_sorted_images_stay_sorted_in_every_epoch():
    _, setup = broken("unshuffled", epochs=2)
    trainer = Trainer.from_config(setup.config, setup.train_set)
    for _ in range(2):
        labels = trainer.train_set.own_labels[trainer.order]
        assert (np.diff(labels.astype(int)) >= 0).all()
        trainer._begin_epoch()


def test_equal_units_stay_equal():
    _, setup = broken("equal_weights")
    trainer = Trainer.from_config(setup.config, setup.train_set, setup.start)
    list(trainer)
    for layer in trainer.network.layers[:-1]:
        if isinstance(layer, Dense):
            assert np.allclose(layer.W, layer.W[:, :1], atol=1e-4)


def test_most_relus_give_0_for_every_image():
    _, setup = broken("dying_relu")
    images = as_pixels(make_digits(600).take(slice(None))[0]).reshape(600, 784)
    for layer in setup.start.layers[:2]:
        images = layer.forward(images)
    assert np.mean(images.max(axis=0) == 0) >= 0.8


def test_six_layers_of_sigmoids_are_saturated():
    _, setup = broken("saturated_sigmoids")
    functions = [layer.function for layer in setup.config.layers if isinstance(layer, Activation)]
    assert functions == ["sigmoid"] * 6
    x = as_pixels(make_digits(100).take(slice(None))[0]).reshape(100, 784)
    for layer in setup.start.layers[:2]:
        x = layer.forward(x)
    assert np.mean((x < 0.03) | (x > 0.97)) > 0.5


def test_softmax_is_applied_twice():
    _, setup = broken("softmax_twice")
    assert setup.config.layers[-1] == Activation("softmax")
    assert setup.config.loss == "cross_entropy"


def test_test_images_are_among_the_training_images():
    healthy, setup = broken("leaked_test")
    known = {image.tobytes() for image in setup.train_set.take(slice(None))[0]}
    leaked = sum(image.tobytes() in known for image in healthy.test_set.take(slice(None))[0])
    assert leaked >= 0.25 * 400
    clean = {image.tobytes() for image in healthy.train_set.take(slice(400))[0]}
    assert not any(image.tobytes() in clean for image in healthy.test_set.take(slice(None))[0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_decay_is_in_the_gradient_and_large(optimizer):
    healthy, setup = broken("large_decay", optimizer=optimizer)
    assert setup.config.weight_decay >= 0.3
    assert setup.config.optimizer == healthy.config.optimizer != "adamw"


def test_images_are_transposed_at_prediction_alone():
    healthy, setup = broken("transposed_prediction")
    assert np.array_equal(setup.test_set.images, healthy.test_set.images.swapaxes(1, 2))
    assert setup.train_set is healthy.train_set
