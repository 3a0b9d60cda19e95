from threading import Thread

import numpy as np
import pytest
from helpers import make_digits, slope_error
from numpy.lib.stride_tricks import sliding_window_view

from engine.attribution import (
    contrast,
    differentiable,
    gradient_times_input,
    input_gradients,
    integrated_gradients,
    missing,
)
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
    """A trained network, with running statistics in its batch normalisation and meaningful outputs."""
    config = Config(layers=LAYERS[request.param], batch_size=50, epochs=6, learning_rate=0.003, validation_size=100)
    trainer = Trainer.from_config(config, tiny)
    list(trainer)
    return trainer.network


def outputs(network, image):
    return network.forward(network.as_input(np.asarray(image)[None]))[0].astype(float)


def in_float64(network):
    """The same network in float64."""
    twin = Network(network.layers, network.input_shape, dtype=np.float64)
    twin.state_vector[:] = network.state_vector
    return twin


def test_adding_missing_ink_moves_the_prediction_towards_the_other_class(network):
    for image in IMAGES[:4]:
        ink = missing(network, image, 3, 5)
        row, column = np.unravel_index(ink.argmax(), ink.shape)
        darker = image.copy()
        darker[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] += 0.02
        before, after = outputs(network, image), outputs(network, np.minimum(darker, 1))
        assert after[5] - after[3] > before[5] - before[3]


def test_no_ink_is_missing_on_black_pixels(network):
    ink = missing(network, IMAGES[0], 3, 5)
    assert ink.shape == (28, 28)
    assert ink.min() == 0
    assert not ink[IMAGES[0] == 1].any()
    assert not missing(network, np.ones((28, 28), np.float32), 3, 5).any()


def test_in_a_linear_network_missing_ink_is_the_mean_difference_of_weights():
    network = Network(dense_layers(()), rng=np.random.default_rng(0), dtype=np.float64)
    weights = np.zeros((28, 28))
    weights[10, 12] = 9
    network.layers[0].W[:] = 0
    network.layers[0].W[:, 5] = weights.ravel()
    ink = missing(network, BLANK, 3, 5)
    np.testing.assert_allclose(ink[9:12, 11:14], 1)
    assert ink.sum() == pytest.approx(9)


def test_missing_ink_is_the_mean_gradient_of_each_pixels_neighbours(network):
    image = IMAGES[0]
    inputs = network.as_input(image[None])
    weights = np.zeros((1, 10), np.float32)
    weights[0, [5, 3]] = 1, -1
    gradients = input_gradients(differentiable(network), inputs, weights).reshape(28, 28)
    mean = sliding_window_view(np.pad(gradients, 1), (3, 3)).mean(axis=(2, 3))
    expected = np.maximum(mean, 0) * (1 - image)
    np.testing.assert_allclose(missing(network, image, 3, 5), expected, atol=1e-6 * np.abs(gradients).max())


# --- the axioms ---


def test_integrated_gradients_sum_to_the_change_from_a_blank_image(network):
    for image in IMAGES[:2]:
        change = outputs(network, image) - outputs(network, BLANK)
        for target in range(10):
            attribution = integrated_gradients(network, image, target)
            bound = 0.01 * max(abs(change[target]), 0.1 * np.abs(attribution).sum())
            assert abs(attribution.sum(dtype=float) - change[target]) <= bound + 1e-5


def test_the_map_of_the_predicted_class_sums_within_one_percent(network):
    for image in IMAGES:
        change = outputs(network, image) - outputs(network, BLANK)
        winner = int(change.argmax())
        assert integrated_gradients(network, image, winner).sum() == pytest.approx(change[winner], rel=0.01)


def test_contrast_sums_to_the_change_of_the_difference(network):
    for image in IMAGES:
        change = outputs(network, image) - outputs(network, BLANK)
        second, first = np.argsort(change)[-2:]
        attribution = contrast(network, image, first, second)
        bound = 0.01 * max(abs(change[first] - change[second]), 0.1 * np.abs(attribution).sum())
        assert abs(attribution.sum(dtype=float) - (change[first] - change[second])) <= bound + 1e-5


def test_contrast_is_the_difference_of_two_maps_and_changes_sign_with_their_order(network):
    image = IMAGES[0]
    of_3, of_5 = (integrated_gradients(network, image, target, steps=400) for target in (3, 5))
    difference = contrast(network, image, 3, 5, steps=400)
    np.testing.assert_allclose(difference, of_3 - of_5, atol=1e-4)
    np.testing.assert_allclose(contrast(network, image, 5, 3, steps=400), -difference, atol=1e-5)
    assert not contrast(network, image, 4, 4).any()


@each_map
def test_a_pixel_without_ink_has_attribution_zero(network, make):
    attribution = make(network, IMAGES[1])
    assert attribution.shape == (28, 28)
    assert attribution.dtype == np.float32
    assert attribution.any()
    assert not attribution[IMAGES[1] == 0].any()


@each_map
def test_a_blank_image_has_an_empty_map(network, make):
    assert not make(network, BLANK).any()


@each_map
def test_pixels_with_zero_weights_have_attribution_zero(make):
    network = Network((Dense(20), Activation("relu"), Dense(10)), rng=np.random.default_rng(0))
    ignored = np.arange(784) % 3 == 0
    network.layers[0].W[ignored] = 0
    assert not make(network, IMAGES[2]).ravel()[ignored].any()


@each_map
def test_pixels_with_equal_weights_have_equal_attribution(make):
    network = Network((Dense(20), Activation("relu"), Dense(10)), rng=np.random.default_rng(0))
    network.layers[0].W[300:400] = network.layers[0].W[300]
    image = IMAGES[3].copy()
    image.ravel()[300:400] = 0.7
    np.testing.assert_allclose(np.ptp(make(network, image).ravel()[300:400]), 0, atol=1e-6)


def test_without_biases_a_piecewise_linear_network_has_one_map():
    network = Network(dense_layers((40, 30)), rng=np.random.default_rng(1))  # the biases are zero at first
    for image in IMAGES[:3]:
        expected = gradient_times_input(network, image, 4)
        assert expected.sum() == pytest.approx(outputs(network, image)[4], rel=1e-4)
        np.testing.assert_allclose(integrated_gradients(network, image, 4), expected, atol=1e-5)


def test_gradients_agree_with_finite_differences(network):
    network = in_float64(network)
    rng = np.random.default_rng(2)
    image = rng.uniform(0.01, 1, (28, 28))  # no zeros to divide by; no two equal pixels, where pooling has a kink
    gradients = gradient_times_input(network, image, 6) / image
    assert slope_error(lambda x: outputs(network, x)[6], gradients, image, rng, step=1e-7) < 1e-4


# --- use ---


@each_map
def test_a_network_in_use_does_not_change(network, make):
    before = network.state_vector.tobytes(), network.gradients.tobytes(), [set(vars(layer)) for layer in network.layers]
    expected = make(network, IMAGES[6])
    results = [None] * 3

    def work(i):
        results[i] = make(network, IMAGES[6])

    threads = [Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result.tobytes() == expected.tobytes() for result in results)
    after = network.state_vector.tobytes(), network.gradients.tobytes(), [set(vars(layer)) for layer in network.layers]
    assert after == before


@each_map
def test_bytes_are_pixels(network, make):
    np.testing.assert_allclose(make(network, DIGITS.images[0]), make(network, IMAGES[0]), atol=1e-5)


@pytest.mark.parametrize("target", [-1, 10, 1.5, "3", None])
def test_an_invalid_class_is_refused(target):
    network = Network(dense_layers((5,)), rng=np.random.default_rng(0))
    for make in (gradient_times_input, integrated_gradients):
        with pytest.raises(InklingError, match="a class must be a whole number from 0 to 9"):
            make(network, IMAGES[0], target)
    with pytest.raises(InklingError, match="a class"):
        contrast(network, IMAGES[0], 3, target)


def test_a_network_of_nan_gives_a_map():
    network = Network(dense_layers((5,)), rng=np.random.default_rng(0))
    network.state_vector[:] = np.nan
    assert integrated_gradients(network, IMAGES[0], 3).shape == (28, 28)
