from threading import Thread

import numpy as np
import pytest
from helpers import make_digits, slope_error

from engine.attribution import contrast, gradient_times_input, integrated_gradients, missing
from engine.checks import InklingError
from engine.config import Config
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.network import Network, dense_layers
from engine.training import Trainer

LAYERS = {
    "dense": dense_layers((128, 64)),
    "smooth": dense_layers((48, 32), "tanh"),
    "batch norm": (
        *(Dense(96), BatchNorm(), Activation("relu"), Dropout(0.2)),
        *(Dense(48), BatchNorm(), Activation("relu"), Dense(10)),
    ),
    "convolutional": (
        *(Conv2D(6, 5), BatchNorm(), Activation("relu"), MaxPool2D(), Conv2D(8, 3), BatchNorm(), Activation("gelu")),
        *(AvgPool2D(), Flatten(), Dense(32), BatchNorm(), Activation("relu"), Dropout(0.2), Dense(10)),
    ),
}
DIGITS = make_digits(8, 7)
IMAGES = DIGITS.images / np.float32(255)
BLANK = np.zeros((28, 28), np.float32)
MAPS = {
    "gradient times input": lambda network, image: gradient_times_input(network, image, 3),
    "integrated gradients": lambda network, image: integrated_gradients(network, image, 3),
    "contrast": lambda network, image: contrast(network, image, 3, 5),
}
each_map = pytest.mark.parametrize("make", MAPS.values(), ids=MAPS)


@pytest.fixture(scope="module", params=LAYERS)
def network(request, tiny):
    """A trained network: its batch normalisation has statistics, and its outputs mean something."""
    config = Config(layers=LAYERS[request.param], batch_size=50, epochs=6, learning_rate=0.003, validation_size=100)
    trainer = Trainer.from_config(config, tiny)
    list(trainer)
    return trainer.network


def outputs(network, image):
    return network.forward(network.as_input(np.asarray(image)[None]))[0].astype(float)


def precise(network):
    """The same network in float64."""
    twin = Network(network.layers, network.input_shape, dtype=np.float64)
    twin.values[:] = network.values
    return twin


def test_ink_where_it_is_missing_brings_the_other_class_closer(network):
    for image in IMAGES[:4]:
        found = missing(network, image, 3, 5)
        row, column = np.unravel_index(found.argmax(), found.shape)
        more = image.copy()
        more[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] += 0.02
        before, after = outputs(network, image), outputs(network, np.minimum(more, 1))
        assert after[5] - after[3] > before[5] - before[3]


def test_no_ink_is_missing_where_there_is_no_room_for_it(network):
    found = missing(network, IMAGES[0], 3, 5)
    assert found.shape == (28, 28)
    assert found.min() == 0
    assert not found[IMAGES[0] == 1].any()
    assert not missing(network, np.ones((28, 28), np.float32), 3, 5).any()


def test_of_a_linear_network_the_missing_ink_is_the_difference_of_weights():
    network = Network(dense_layers(()), rng=np.random.default_rng(0), dtype=np.float64)
    weights = np.zeros((28, 28))
    weights[10, 12] = 9
    network.layers[0].W[:] = 0
    network.layers[0].W[:, 5] = weights.ravel()
    found = missing(network, BLANK, 3, 5)
    np.testing.assert_allclose(found[9:12, 11:14], 1)
    assert found.sum() == pytest.approx(9)


# --- the axioms ---


def test_integrated_gradients_sum_to_the_change_from_a_blank_image(network):
    for image in IMAGES[:2]:
        change = outputs(network, image) - outputs(network, BLANK)
        for target in range(10):
            found = integrated_gradients(network, image, target)
            bound = 0.01 * max(abs(change[target]), 0.1 * np.abs(found).sum())
            assert abs(found.sum(dtype=float) - change[target]) <= bound + 1e-5


def test_what_speaks_for_the_winner_sums_within_one_percent(network):
    for image in IMAGES:
        change = outputs(network, image) - outputs(network, BLANK)
        winner = int(change.argmax())
        assert integrated_gradients(network, image, winner).sum() == pytest.approx(change[winner], rel=0.01)


def test_contrast_sums_to_the_change_of_the_difference(network):
    for image in IMAGES:
        change = outputs(network, image) - outputs(network, BLANK)
        other, one = np.argsort(change)[-2:]
        found = contrast(network, image, one, other)
        bound = 0.01 * max(abs(change[one] - change[other]), 0.1 * np.abs(found).sum())
        assert abs(found.sum(dtype=float) - (change[one] - change[other])) <= bound + 1e-5


def test_contrast_is_the_difference_of_two_maps_and_turns_its_sign(network):
    image = IMAGES[0]
    one, other = (integrated_gradients(network, image, target, steps=400) for target in (3, 5))
    found = contrast(network, image, 3, 5, steps=400)
    np.testing.assert_allclose(found, one - other, atol=1e-4)
    np.testing.assert_allclose(contrast(network, image, 5, 3, steps=400), -found, atol=1e-5)
    assert not contrast(network, image, 4, 4).any()


@each_map
def test_a_pixel_without_ink_has_no_part(network, make):
    found = make(network, IMAGES[1])
    assert found.shape == (28, 28)
    assert found.dtype == np.float32
    assert found.any()
    assert not found[IMAGES[1] == 0].any()


@each_map
def test_a_blank_image_has_an_empty_map(network, make):
    assert not make(network, BLANK).any()


@each_map
def test_pixels_that_the_network_never_looks_at_have_no_part(make):
    network = Network((Dense(20), Activation("relu"), Dense(10)), rng=np.random.default_rng(0))
    ignored = np.arange(784) % 3 == 0
    network.layers[0].W[ignored] = 0
    assert not make(network, IMAGES[2]).ravel()[ignored].any()


@each_map
def test_pixels_that_count_alike_have_the_same_part(make):
    network = Network((Dense(20), Activation("relu"), Dense(10)), rng=np.random.default_rng(0))
    network.layers[0].W[300:400] = network.layers[0].W[300]
    image = IMAGES[3].copy()
    image.ravel()[300:400] = 0.7
    np.testing.assert_allclose(np.ptp(make(network, image).ravel()[300:400]), 0, atol=1e-6)


def test_without_biases_a_piecewise_linear_network_has_one_map():
    network = Network(dense_layers((40, 30)), rng=np.random.default_rng(1))  # the biases begin at zero
    for image in IMAGES[:3]:
        quick = gradient_times_input(network, image, 4)
        assert quick.sum() == pytest.approx(outputs(network, image)[4], rel=1e-4)
        np.testing.assert_allclose(integrated_gradients(network, image, 4), quick, atol=1e-5)


def test_slopes_agree_with_finite_differences(network):
    network = precise(network)
    rng = np.random.default_rng(2)
    image = rng.uniform(0.01, 1, (28, 28))  # no zeros to divide by, no two pixels alike: pooling has a kink there
    slopes = gradient_times_input(network, image, 6) / image
    assert slope_error(lambda x: outputs(network, x)[6], slopes, image, rng, step=1e-7) < 1e-4


# --- use ---


@each_map
def test_a_network_in_use_does_not_change(network, make):
    before = network.values.tobytes(), network.gradients.tobytes(), [set(vars(layer)) for layer in network.layers]
    alone = make(network, IMAGES[6])
    found = [None] * 3

    def work(i):
        found[i] = make(network, IMAGES[6])

    threads = [Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.tobytes() == alone.tobytes() for one in found)
    after = network.values.tobytes(), network.gradients.tobytes(), [set(vars(layer)) for layer in network.layers]
    assert after == before


@each_map
def test_bytes_are_pixels(network, make):
    np.testing.assert_allclose(make(network, DIGITS.images[0]), make(network, IMAGES[0]), atol=1e-5)


@pytest.mark.parametrize("target", [-1, 10, 1.5, "3", None])
def test_a_class_that_is_none_is_refused(target):
    network = Network(dense_layers((5,)), rng=np.random.default_rng(0))
    for make in (gradient_times_input, integrated_gradients):
        with pytest.raises(InklingError, match="a class must be a whole number from 0 to 9"):
            make(network, IMAGES[0], target)
    with pytest.raises(InklingError, match="a class"):
        contrast(network, IMAGES[0], 3, target)


def test_a_network_that_exploded_still_gives_an_answer():
    network = Network(dense_layers((5,)), rng=np.random.default_rng(0))
    network.values[:] = np.nan
    assert integrated_gradients(network, IMAGES[0], 3).shape == (28, 28)
