from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import slope_error

from engine.checks import InklingError
from engine.layers import Dense
from engine.losses import LOSSES, OUTPUTS
from engine.network import MAX_PARAMETERS, Network, dense_layers


@pytest.fixture
def network():
    return Network(dense_layers((32, 16)), rng=np.random.default_rng(0))


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def state(network):
    """Everything a network holds, by value."""
    owners = [network, *network.layers]
    return [{k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in vars(owner).items()} for owner in owners]


def same_state(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            if isinstance(a[key], np.ndarray):
                np.testing.assert_array_equal(a[key], b[key])
            elif key != "layers":
                assert a[key] == b[key]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid", "softmax", "relu", "leaky_relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (6, 5), (5, 4, 6, 3)])
def test_whole_networks_gradients_agree_with_finite_differences(hidden, activation, loss):
    rng = np.random.default_rng(17)
    network = Network(dense_layers(hidden, activation, classes=4), (7,), dtype=np.float64, rng=rng)
    network.parameters += rng.normal(0, 0.3, network.parameters.size)
    x, labels = rng.normal(size=(6, 7)), rng.integers(0, 4, 6)
    _, gradient = LOSSES[loss](network.forward(x, training=True), labels)
    dx = network.backward(gradient, input_gradient=True)

    def at_parameters(parameters):
        network.parameters[:] = parameters
        return LOSSES[loss](network.forward(x), labels)[0]

    start = network.parameters.copy()
    assert slope_error(at_parameters, network.gradients, start, rng) <= 1e-6
    network.parameters[:] = start
    assert slope_error(lambda x: LOSSES[loss](network.forward(x), labels)[0], dx, x, rng) <= 1e-6


def test_parameters_are_one_vector_with_the_weights_first(network):
    first, second, third = (layer for layer in network.layers if isinstance(layer, Dense))
    assert network.parameters.size == 784 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10
    assert network.decayed == 784 * 32 + 32 * 16 + 16 * 10
    layout = [layer.W for layer in (first, second, third)] + [layer.b for layer in (first, second, third)]
    np.testing.assert_array_equal(network.parameters, np.concatenate([part.ravel() for part in layout]))
    for part in layout:
        assert np.shares_memory(part, network.parameters)
    network.parameters[:] = 2
    assert (third.b == 2).all()


def test_copy_is_a_network_of_its_own(network, images):
    twin = network.copy()
    expected = network.predict_proba(images)
    network.parameters += 1
    np.testing.assert_array_equal(twin.predict_proba(images), expected)
    assert not np.shares_memory(twin.parameters, network.parameters)


def test_use_changes_nothing(network, images):
    before = state(network)
    network.predict_proba(images)
    network.predict(images)
    network.forward(network.as_input(images))
    same_state(before, state(network))


def test_eight_threads_read_the_same(network):
    images = np.random.default_rng(2).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    expected = network.predict_proba(images)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(network.predict_proba, [images] * 40):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("output", OUTPUTS)
def test_predictions_are_float32_probabilities_and_their_argmax(output, images):
    network = Network(dense_layers((8,)), output=output, rng=np.random.default_rng(3))
    probabilities = network.predict_proba(images)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (5, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    digits = network.predict(images)
    assert np.issubdtype(digits.dtype, np.integer)
    np.testing.assert_array_equal(digits, probabilities.argmax(axis=1))


def test_bytes_floats_rows_and_lists_read_the_same(network, images):
    expected = network.predict_proba(images)
    floats = images / 255
    for same in (images.reshape(5, 784), floats, floats.astype(np.float32), floats.reshape(5, 784), floats.tolist()):
        np.testing.assert_allclose(network.predict_proba(same), expected, atol=1e-5)


def test_many_images_read_as_one_by_one(network):
    images = np.random.default_rng(4).integers(0, 256, (4100, 28, 28), dtype=np.uint8)
    together = network.predict_proba(images)
    for row in (0, 2047, 2048, 4095, 4096, 4099):
        np.testing.assert_allclose(together[row], network.predict_proba(images[row][None])[0], atol=1e-6)


def test_no_images_give_no_rows(network):
    for nothing in (np.zeros((0, 28, 28), np.uint8), np.zeros((0, 784))):
        assert network.predict_proba(nothing).shape == (0, 10)
        assert network.predict(nothing).shape == (0,)


def test_read_only_and_strided_images_are_welcome(network, images):
    images.setflags(write=False)
    np.testing.assert_allclose(network.predict_proba(images[::2]), network.predict_proba(images)[::2], atol=1e-6)
    flipped = images[:, ::-1, ::-1]
    np.testing.assert_allclose(network.predict_proba(flipped), network.predict_proba(flipped.copy()), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "part"),
    [
        (np.zeros((28, 28), np.uint8), "image[None]"),
        (np.zeros(784), "image[None]"),
        (np.zeros((3, 27, 28), np.uint8), "(3, 27, 28)"),
        (np.zeros((3, 783)), "(3, 783)"),
        (np.zeros((3, 28, 28, 1)), "(3, 28, 28, 1)"),
        (np.float64(0), "()"),
        (np.zeros((2, 784), np.int64), "int64"),
        (np.zeros((2, 784), bool), "bool"),
        (np.zeros((2, 784), complex), "complex"),
        (np.full((2, 784), "0"), "got"),
        (np.full((2, 784), None), "object"),
        (np.full((2, 784), np.nan), "nan"),
        (np.full((2, 784), np.inf), "inf"),
        (np.full((2, 784), 255.0), "255"),
        (np.full((2, 784), -0.01), "-0.01"),
        ([[0.1, 0.2], [0.3]], "images"),
    ],
)
def test_anything_else_is_refused_with_what_came(network, images, part):
    with pytest.raises(InklingError) as caught:
        network.predict_proba(images)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_nan_among_many_is_found(network):
    images = np.full((50, 784), 0.5)
    images[37, 400] = np.nan
    with pytest.raises(InklingError):
        network.predict_proba(images)


def test_a_network_too_large_is_refused_before_it_is_made():
    with pytest.raises(InklingError, match=f"{MAX_PARAMETERS:,}"):
        Network((Dense(65_536), Dense(65_536), Dense(10)))


def test_unknown_output_is_refused():
    with pytest.raises(InklingError, match="output"):
        Network((Dense(10),), output="no_such")
