from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from examples import NETWORK_EXAMPLES, READER
from helpers import make_digits, slope_error
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from engine.layers import MAX_LAYERS, BatchNorm, Conv2D, Dense, Dropout, Flatten
from engine.losses import LOSSES, OUTPUTS
from engine.network import (
    MAX_PARAMETERS,
    WORKING_NUMBERS,
    Network,
    dense_layers,
    iterate_plan,
    num_parameters,
    plan,
)

KINDS = {"dense": dense_layers((32, 16)), "convolutional": READER}


def with_statistics(layers, input_shape=None):
    """A network that has seen a few batches in training, so that its buffers have changed."""
    network = Network(layers, input_shape, rng=np.random.default_rng(0))
    rng = np.random.default_rng(30)
    for layer in network.layers:
        layer.rng = rng
    for _ in range(3):
        network.forward(rng.random((16, *network.input_shape), np.float32), training=True)
    return network


NETWORKS = {name: with_statistics(layers) for name, layers in KINDS.items()}


@pytest.fixture(params=KINDS)
def network(request):
    return NETWORKS[request.param].copy()


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def state(network):
    """Copies of all attributes of a network and its layers."""
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
    assert network.num_decayed == 784 * 32 + 32 * 16 + 16 * 10
    arrays = [layer.W for layer in (first, second, third)] + [layer.b for layer in (first, second, third)]
    np.testing.assert_array_equal(network.parameters, np.concatenate([array.ravel() for array in arrays]))
    for array in arrays:
        assert np.shares_memory(array, network.parameters)
    network.parameters[:] = 2
    assert (third.b == 2).all()


def test_the_state_vector_has_weights_then_other_trainable_then_frozen_parameters_then_buffers():
    layers = (
        *(Conv2D(3, 3, frozen=True), BatchNorm(), Conv2D(4, 2), BatchNorm(frozen=True)),
        *(Flatten(), Dense(5), Dense(6, frozen=True), Dense(2)),
    )
    network = Network(layers, (1, 6, 6), rng=np.random.default_rng(0))
    conv1, norm1, conv2, norm2, _, dense1, dense2, dense3 = network.layers
    groups = {
        "decayed": [conv2.W, dense1.W, dense3.W],
        "others": [norm1.gamma, norm1.beta, conv2.b, dense1.b, dense3.b],
        "frozen": [conv1.W, conv1.b, norm2.gamma, norm2.beta, dense2.W, dense2.b],
        "buffers": [norm1.mean, norm1.variance, norm2.mean, norm2.variance],
    }
    for arrays in groups.values():
        for array in arrays:
            assert np.shares_memory(array, network.state_vector)
            array[...] = np.random.default_rng(array.size).normal(size=array.shape)
    sizes = [sum(array.size for array in arrays) for arrays in groups.values()]
    expected = np.concatenate([array.ravel() for arrays in groups.values() for array in arrays])
    np.testing.assert_array_equal(network.state_vector, expected)
    assert (network.num_decayed, network.num_trainable) == (sizes[0], sizes[0] + sizes[1])
    assert network.parameters.size == network.gradients.size == sum(sizes[:3]) == num_parameters(layers, (1, 6, 6))
    for layer in (conv1, norm1, conv2, norm2, dense1, dense2, dense3):
        for name in ("W", "b", "gamma", "beta"):
            if hasattr(layer, name):  # each gradient has the position of its parameter
                array, gradient = getattr(layer, name), getattr(layer, "d" + name)
                network.gradients[:] = 0
                gradient[...] = 1
                np.testing.assert_array_equal(np.sort(network.parameters[network.gradients == 1]), np.sort(array, axis=None))


@pytest.mark.parametrize("name", NETWORK_EXAMPLES)
def test_the_plan_has_the_shapes_of_the_network(name):
    layers, input_shape = NETWORK_EXAMPLES[name]
    network = Network(layers, input_shape, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).random((3, *input_shape), np.float32)
    for layer, shapes in zip(network.layers, plan(layers, input_shape), strict=True):
        x = layer.forward(x)
        assert x.shape == (3, *shapes.output)
        for array, shape in {**shapes.parameters, **shapes.buffers}.items():
            assert getattr(layer, array).shape == shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_independent(kind, images):
    network = with_statistics(KINDS[kind])
    twin = network.copy()
    np.testing.assert_array_equal(twin.state_vector, network.state_vector)
    expected = network.predict_proba(images)
    network.state_vector += 1
    np.testing.assert_array_equal(twin.predict_proba(images), expected)
    assert not np.shares_memory(twin.state_vector, network.state_vector)


def test_predicting_changes_nothing(network, images):
    before = state(network)
    network.predict_proba(images)
    network.predict(images)
    network.forward(network.as_input(images))
    same_state(before, state(network))


def test_eight_threads_predict_the_same_and_change_nothing(network):
    images = np.random.default_rng(2).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    expected, before = network.predict_proba(images), state(network)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(network.predict_proba, [images] * 40):
            np.testing.assert_array_equal(got, expected)
    same_state(before, state(network))


def test_a_network_can_predict_during_its_training(network, images):
    """A prediction between forward and backward does not change the gradient."""

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
def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(order, size, kind):
    network = NETWORKS[kind]
    images = np.random.default_rng(5).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    of_all = network.predict_proba(images)
    batch = order[:size]
    np.testing.assert_allclose(network.predict_proba(images[batch]), of_all[batch], atol=1e-6)
    np.testing.assert_allclose(network.predict_proba(images[batch[:1]]), of_all[batch[:1]], atol=1e-6)


@pytest.mark.parametrize("name", NETWORK_EXAMPLES)
def test_one_input_alone_gives_the_same_as_in_a_batch_for_every_order_of_layers(name):
    network = with_statistics(*NETWORK_EXAMPLES[name])
    x = np.random.default_rng(7).normal(size=(6, *network.input_shape)).astype(np.float32)
    of_batch = network.forward(x)
    for i in range(6):
        np.testing.assert_allclose(network.forward(x[i : i + 1])[0], of_batch[i], rtol=1e-4, atol=1e-5)


def test_dropout_is_off_outside_training(images):
    with_dropout = NETWORKS["convolutional"].copy()
    without = Network([layer for layer in with_dropout.layers if not isinstance(layer, Dropout)])
    without.state_vector[:] = with_dropout.state_vector
    np.testing.assert_array_equal(with_dropout.predict_proba(images), without.predict_proba(images))


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


def test_bytes_floats_rows_and_lists_give_the_same(network, images):
    expected = network.predict_proba(images)
    floats = images / 255
    for same in (images.reshape(5, 784), floats, floats.astype(np.float32), floats.reshape(5, 784), floats.tolist()):
        np.testing.assert_allclose(network.predict_proba(same), expected, atol=1e-5)


def test_many_images_give_the_same_as_single_ones(network):
    images = np.random.default_rng(4).integers(0, 256, (4100, 28, 28), dtype=np.uint8)
    of_all = network.predict_proba(images)
    for row in (0, 2047, 2048, 4095, 4096, 4099):
        np.testing.assert_allclose(of_all[row], network.predict_proba(images[row][None])[0], atol=1e-6)


def test_no_images_give_no_rows(network):
    for no_images in (np.zeros((0, 28, 28), np.uint8), np.zeros((0, 784))):
        assert network.predict_proba(no_images).shape == (0, 10)
        assert network.predict(no_images).shape == (0,)


def test_read_only_and_strided_images_are_accepted(network, images):
    images.setflags(write=False)
    np.testing.assert_allclose(network.predict_proba(images[::2]), network.predict_proba(images)[::2], atol=1e-6)
    flipped = images[:, ::-1, ::-1]
    np.testing.assert_allclose(network.predict_proba(flipped), network.predict_proba(flipped.copy()), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "expected"),
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
def test_other_images_are_refused_with_what_was_given(network, images, expected):
    with pytest.raises(InklingError) as caught:
        network.predict_proba(images)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_single_nan_is_refused(network):
    images = np.full((50, 784), 0.5)
    images[37, 400] = np.nan
    with pytest.raises(InklingError):
        network.predict_proba(images)


def test_a_network_too_large_is_refused_before_it_is_allocated():
    with pytest.raises(InklingError, match=f"{MAX_PARAMETERS:,}"):
        Network((Dense(65_536), Dense(65_536), Dense(10)))


def test_a_network_has_at_most_100_layers_and_each_is_planned_once(monkeypatch):
    planned = []
    monkeypatch.setattr(Flatten, "parameter_shapes", lambda layer, shape: planned.append(layer) or {})
    layers = [Flatten() for _ in range(MAX_LAYERS - 1)]
    assert len(plan((*layers, Dense(10)), (784,))) == MAX_LAYERS == 100
    assert len(planned) == len(layers)
    with pytest.raises(InklingError, match="at most 100 layers, got 101"):
        plan((*layers, Flatten(), Dense(10)), (784,))
    assert len(planned) == len(layers)
    with pytest.raises(InklingError, match="at most 100 layers, got 2,000,001"):
        dense_layers([-1] * 1_000_000)


def test_the_layers_before_one_that_does_not_fit_are_planned():
    plans = iterate_plan((Dense(20), Dropout(), Conv2D(5), Dense(10)), (784,))
    assert [next(plans).output, next(plans).output] == [(20,), (20,)]
    with pytest.raises(InklingError, match="layer 3, Conv2D"):
        next(plans)


@pytest.mark.parametrize(
    ("layers", "input_shape"),
    [
        ((Conv2D(65_536, 2), Flatten(), Dense(10)), (1, 40, 40)),
        ((Conv2D(1, 1, stride=28), Flatten(), Dense(10)), (1, 20_000, 20_000)),
    ],
    ids=["outputs", "inputs"],
)
def test_a_layer_that_needs_too_much_memory_for_one_input_is_refused(layers, input_shape):
    with pytest.raises(InklingError, match=f"at most {WORKING_NUMBERS:,} numbers in memory for one input, got .* layer 1,"):
        plan(layers, input_shape)


def test_unknown_output_is_refused():
    with pytest.raises(InklingError, match="output"):
        Network((Dense(10),), output="no_such")


def test_a_copy_may_have_other_layers_frozen_and_computes_the_same(network):
    layers = [replace(layer, frozen=position % 2 == 0) for position, layer in enumerate(network.layers)]
    twin = network.copy(layers)
    assert twin.layers == layers
    images = make_digits(20).images
    x = network.as_input(images)
    np.testing.assert_array_equal(twin.forward(x), network.forward(x))
    back = twin.copy([replace(layer) for layer in network.layers])
    assert back.state_vector.tobytes() == network.state_vector.tobytes()
    back.state_vector += 1
    np.testing.assert_array_equal(twin.forward(x), network.forward(x))
