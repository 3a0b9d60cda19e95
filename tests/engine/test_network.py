from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import NETWORK_EXAMPLES, READER
from helpers import slope_error
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from engine.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten
from engine.losses import LOSSES, OUTPUTS
from engine.network import MAX_PARAMETERS, Network, dense_layers, parameter_count, plan

KINDS = {"dense": dense_layers((32, 16)), "convolutional": READER}


def gathered(layers, input_shape=None):
    """A network that has seen a few batches, so that its statistics are not what they began as."""
    network = Network(layers, input_shape, rng=np.random.default_rng(0))
    rng = np.random.default_rng(30)
    for layer in network.layers:
        layer.rng = rng
    for _ in range(3):
        network.forward(rng.random((16, *network.input_shape), np.float32), training=True)
    return network


NETWORKS = {name: gathered(layers) for name, layers in KINDS.items()}


@pytest.fixture(params=KINDS)
def network(request):
    return NETWORKS[request.param].copy()


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


def test_parameters_are_one_vector_with_the_weights_first():
    network = Network(KINDS["dense"], rng=np.random.default_rng(0))
    first, second, third = (layer for layer in network.layers if isinstance(layer, Dense))
    assert network.parameters.size == 784 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10
    assert network.decayed == 784 * 32 + 32 * 16 + 16 * 10
    layout = [layer.W for layer in (first, second, third)] + [layer.b for layer in (first, second, third)]
    np.testing.assert_array_equal(network.parameters, np.concatenate([part.ravel() for part in layout]))
    for part in layout:
        assert np.shares_memory(part, network.parameters)
    network.parameters[:] = 2
    assert (third.b == 2).all()


def test_values_are_weights_then_what_else_trains_then_what_is_frozen_then_statistics():
    layers = (
        *(Conv2D(3, 3, frozen=True), BatchNorm(), Conv2D(4, 2), BatchNorm(frozen=True)),
        *(Flatten(), Dense(5), Dense(6, frozen=True), Dense(2)),
    )
    network = Network(layers, (1, 6, 6), rng=np.random.default_rng(0))
    conv1, norm1, conv2, norm2, _, dense1, dense2, dense3 = network.layers
    parts = {
        "decayed": [conv2.W, dense1.W, dense3.W],
        "others": [norm1.gamma, norm1.beta, conv2.b, dense1.b, dense3.b],
        "frozen": [conv1.W, conv1.b, norm2.gamma, norm2.beta, dense2.W, dense2.b],
        "statistics": [norm1.mean, norm1.variance, norm2.mean, norm2.variance],
    }
    for part in parts.values():
        for array in part:
            assert np.shares_memory(array, network.values)
            array[...] = np.random.default_rng(array.size).normal(size=array.shape)
    sizes = [sum(array.size for array in part) for part in parts.values()]
    together = np.concatenate([array.ravel() for part in parts.values() for array in part])
    np.testing.assert_array_equal(network.values, together)
    assert (network.decayed, network.trained) == (sizes[0], sizes[0] + sizes[1])
    assert network.parameters.size == network.gradients.size == sum(sizes[:3]) == parameter_count(layers, (1, 6, 6))
    for layer in (conv1, norm1, conv2, norm2, dense1, dense2, dense3):
        for name in ("W", "b", "gamma", "beta"):
            if hasattr(layer, name):  # each gradient stands where its parameter does
                array, gradient = getattr(layer, name), getattr(layer, "d" + name)
                network.gradients[:] = 0
                gradient[...] = 1
                np.testing.assert_array_equal(np.sort(network.parameters[network.gradients == 1]), np.sort(array, axis=None))


@pytest.mark.parametrize("name", NETWORK_EXAMPLES)
def test_the_plan_is_what_is_made(name):
    layers, input_shape = NETWORK_EXAMPLES[name]
    network = Network(layers, input_shape, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).random((3, *input_shape), np.float32)
    for layer, row in zip(network.layers, plan(layers, input_shape), strict=True):
        x = layer.forward(x)
        assert x.shape == (3, *row.output)
        for array, shape in {**row.parameters, **row.statistics}.items():
            assert getattr(layer, array).shape == shape


@pytest.mark.parametrize("kind", KINDS)
def test_copy_is_a_network_of_its_own(kind, images):
    network = gathered(KINDS[kind])
    twin = network.copy()
    np.testing.assert_array_equal(twin.values, network.values)
    expected = network.predict_proba(images)
    network.values += 1
    np.testing.assert_array_equal(twin.predict_proba(images), expected)
    assert not np.shares_memory(twin.values, network.values)


def test_use_changes_nothing(network, images):
    before = state(network)
    network.predict_proba(images)
    network.predict(images)
    network.forward(network.as_input(images))
    same_state(before, state(network))


def test_eight_threads_read_the_same_and_change_nothing(network):
    images = np.random.default_rng(2).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    expected, before = network.predict_proba(images), state(network)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(network.predict_proba, [images] * 40):
            np.testing.assert_array_equal(got, expected)
    same_state(before, state(network))


def test_a_network_that_trains_can_be_used_between_its_steps(network, images):
    """Using it between a forward and its backward leaves the gradient as it is."""

    def gradient(meanwhile):
        for layer in network.layers:
            layer.rng = np.random.default_rng(6)
        outputs = network.forward(network.as_input(images), training=True)
        meanwhile()
        network.backward(LOSSES["cross_entropy"](outputs, np.arange(5))[1])
        return network.gradients.copy()

    expected = gradient(lambda: None)
    np.testing.assert_array_equal(gradient(lambda: network.predict_proba(images[:3])), expected)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(range(12)), size=st.integers(1, 12), kind=st.sampled_from(sorted(KINDS)))
def test_order_and_company_do_not_matter_to_inference(order, size, kind):
    """An image reads the same wherever it stands in a batch, whatever else is in it, and alone."""
    network = NETWORKS[kind]
    images = np.random.default_rng(5).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    together = network.predict_proba(images)
    some = order[:size]
    np.testing.assert_allclose(network.predict_proba(images[some]), together[some], atol=1e-6)
    np.testing.assert_allclose(network.predict_proba(images[some[:1]]), together[some[:1]], atol=1e-6)


@pytest.mark.parametrize("name", NETWORK_EXAMPLES)
def test_one_input_alone_reads_as_in_a_batch_in_every_order_of_layers(name):
    network = gathered(*NETWORK_EXAMPLES[name])
    x = np.random.default_rng(7).normal(size=(6, *network.input_shape)).astype(np.float32)
    together = network.forward(x)
    for i in range(6):
        np.testing.assert_allclose(network.forward(x[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-5)


def test_dropout_is_off_outside_training(images):
    dropping = NETWORKS["convolutional"].copy()
    without = Network([layer for layer in dropping.layers if not isinstance(layer, Dropout)])
    without.values[:] = dropping.values
    np.testing.assert_array_equal(dropping.predict_proba(images), without.predict_proba(images))


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
