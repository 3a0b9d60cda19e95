from itertools import product

import numpy as np
import pytest
from examples import LAYER_EXAMPLES, NETWORK_EXAMPLES
from helpers import slope_error

from engine.checks import InklingError
from engine.layers import (
    LAYERS,
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    layer_from_json,
)
from engine.losses import LOSSES
from engine.network import Network

CASES = [
    pytest.param(layer, shape, id=f"{layer} on {'x'.join(map(str, shape))}")
    for rows in LAYER_EXAMPLES.values()
    for layer, shape in rows
]
each = pytest.mark.parametrize(("layer", "input_shape"), CASES)
each_network = pytest.mark.parametrize(("layers", "input_shape"), NETWORK_EXAMPLES.values(), ids=NETWORK_EXAMPLES)


def filled(layers, input_shape, rows=4, dtype=np.float64):
    """A network with no value at zero, inputs away from relu's kink, and weights to sum its outputs by."""
    rng = np.random.default_rng(12)
    network = Network(layers, input_shape, dtype=dtype)
    network.parameters[:] = rng.normal(size=network.parameters.size)
    network.values[network.parameters.size :] = rng.uniform(0.5, 2, network.values.size - network.parameters.size)
    x = rng.uniform(0.1, 2, (rows, *input_shape)) * rng.choice([-1, 1], (rows, *input_shape))
    return network, x.astype(dtype), rng.normal(size=(rows, *network.output_shape)).astype(dtype)


def train_forward(network, x, seed=5):
    """The outputs in training, with the same noise at every call."""
    for layer in network.layers:
        layer.rng = np.random.default_rng(seed)
    return network.forward(x, training=True)


@pytest.mark.parametrize("kind", LAYERS)
def test_every_listed_layer_has_an_example(kind):
    assert LAYER_EXAMPLES.get(kind), f"add an example of {kind} to LAYER_EXAMPLES"
    assert all(type(layer) is LAYERS[kind] for layer, _ in LAYER_EXAMPLES[kind])


@each
def test_input_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    train_forward(network, x)
    gradient = network.backward(weights, input_gradient=True).copy()
    assert slope_error(lambda x: (weights * train_forward(network, x)).sum(), gradient, x, np.random.default_rng(13)) <= 1e-6


@each
def test_parameter_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    if not network.parameters.size:
        assert not layer.parameter_shapes(input_shape)
        return
    network.gradients[:] = np.nan  # each one must be written
    train_forward(network, x)
    network.backward(weights, input_gradient=True)

    def value(parameters):
        network.parameters[:] = parameters
        return (weights * train_forward(network, x)).sum()

    assert slope_error(value, network.gradients, network.parameters.copy(), np.random.default_rng(14)) <= 1e-6


@each_network
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_networks_in_many_orders_agree_with_finite_differences(layers, input_shape, loss):
    network, x, _ = filled(layers, input_shape, rows=5)
    network.parameters *= 0.5
    labels = np.arange(5) % 4
    rng = np.random.default_rng(15)

    def at_inputs(x):
        return LOSSES[loss](train_forward(network, x), labels, 0.1)[0]

    def at_parameters(trained):
        network.parameters[: network.trained] = trained
        return at_inputs(x)

    network.gradients[: network.trained] = np.nan
    _, gradient = LOSSES[loss](train_forward(network, x), labels, 0.1)
    dx = network.backward(gradient, input_gradient=True).copy()
    found = network.gradients[: network.trained].copy()
    assert slope_error(at_inputs, dx, x, rng) <= 1e-6
    network.gradients[: network.trained] = np.nan
    train_forward(network, x)
    network.backward(gradient)  # as a training does it: no further back than to the first layer that learns
    np.testing.assert_allclose(network.gradients[: network.trained], found, rtol=1e-12)
    assert slope_error(at_parameters, found, network.parameters[: network.trained].copy(), rng) <= 1e-6


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_as_announced(layer, input_shape, dtype):
    network, x, weights = filled((layer,), input_shape, dtype=dtype)
    for y in (network.forward(x), train_forward(network, x)):
        assert y.shape == (4, *layer.output_shape(input_shape))
        assert y.dtype == dtype
    dx = network.backward(weights, input_gradient=True)
    assert dx.shape == x.shape
    assert dx.dtype == dtype


def only_in_training(layer):
    """Whether a layer does something in training that it does not do in use."""
    return not layer.frozen if isinstance(layer, BatchNorm) else isinstance(layer, Dropout) and layer.rate > 0


@each
def test_training_and_use_differ_for_batch_norm_and_dropout_alone(layer, input_shape):
    network, x, _ = filled((layer,), input_shape, dtype=np.float32)
    use = network.forward(x)
    np.testing.assert_array_equal(network.forward(x), use)
    same = np.allclose(train_forward(network, x), use, rtol=1e-5, atol=1e-6)
    assert same != only_in_training(layer)


@each
def test_backward_spares_the_input_gradient_where_it_is_not_wanted(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    train_forward(network, x)
    network.backward(weights, input_gradient=True)
    expected = network.gradients.copy()
    network.gradients[:] = np.nan
    assert network.layers[0].backward(weights, input_gradient=False) is None
    np.testing.assert_array_equal(network.gradients, expected)


@each
def test_what_comes_in_stays_as_it_was(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    before = x.copy(), weights.copy()
    network.forward(x)
    train_forward(network, x)
    network.backward(weights, input_gradient=True)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weights, before[1])


@each
def test_the_layout_in_memory_does_not_matter(layer, input_shape):
    """Images may come with the batch first or last in memory, or as every other one of a larger array."""
    network, x, weights = filled((layer,), input_shape)
    if isinstance(layer, Dropout):
        network.layers[0].rate = 0  # the noise lies as the numbers do in memory
    training, use = train_forward(network, x).copy(), network.forward(x).copy()
    dx = network.backward(weights, input_gradient=True).copy()
    gradients, values = network.gradients.copy(), network.values.copy()

    def layouts(array):
        yield np.asfortranarray(array)
        yield np.moveaxis(np.moveaxis(array, 0, -1).copy(), -1, 0)
        yield np.repeat(array, 2, axis=0)[::2]

    for other_x, other_weights in zip(layouts(x), layouts(weights), strict=True):
        network.values[:] = values
        np.testing.assert_allclose(network.forward(other_x), use, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(train_forward(network, other_x), training, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(network.backward(other_weights, input_gradient=True), dx, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(network.gradients, gradients, rtol=1e-10, atol=1e-12)


@each
def test_batches_of_other_sizes_follow_one_another(layer, input_shape):
    """The last batch of an epoch is smaller; arrays kept for the steps must not carry over."""
    network, x, weights = filled((layer,), input_shape)
    for rows in (4, 2, 3, 1, 4):
        fresh, _, _ = filled((layer,), input_shape)
        y = train_forward(network, x[:rows]).copy()
        np.testing.assert_array_equal(y, train_forward(fresh, x[:rows]))
        dx = network.backward(weights[:rows], input_gradient=True).copy()
        np.testing.assert_array_equal(dx, fresh.backward(weights[:rows], input_gradient=True))
        np.testing.assert_array_equal(network.gradients, fresh.gradients)


@each
def test_json_round_trip(layer, input_shape):
    again = layer_from_json(layer.to_json())
    assert again == layer
    assert type(again) is type(layer)
    thawed = layer_from_json(layer.to_json() | {"frozen": not layer.frozen})
    assert thawed != layer
    assert thawed.frozen != layer.frozen


# --- by hand ---


def test_dense_by_hand():
    network = Network((Dense(2),), (2,))
    network.parameters[:] = [1, 2, 3, 4, 10, 20]  # W then b
    np.testing.assert_array_equal(network.forward(np.array([[1, 1], [0, -1]], np.float32)), [[14, 26], [7, 16]])


def windows_by_hand(x, kernel, stride, padding=0):
    """(n, row, column, the window (C, kernel, kernel)) for every place of a window, one by one."""
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rows, columns = (range(0, size + 2 * padding - kernel + 1, stride) for size in (H, W))
    for n, (row, top), (column, left) in product(range(N), enumerate(rows), enumerate(columns)):
        yield n, row, column, padded[n, :, top : top + kernel, left : left + kernel]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("layer", "input_shape"), LAYER_EXAMPLES["conv2d"], ids=str)
def test_convolution_is_the_sum_over_each_window(layer, input_shape, training):
    network, x, _ = filled((layer,), input_shape)
    bound = network.layers[0]
    y = network.forward(x, training)
    assert y.shape[2:] == tuple((size + 2 * layer.padding - layer.kernel) // layer.stride + 1 for size in input_shape[1:])
    for n, row, column, window in windows_by_hand(x, layer.kernel, layer.stride, layer.padding):
        for k in range(layer.filters):
            assert y[n, k, row, column] == pytest.approx((window * bound.W[k]).sum() + bound.b[k], rel=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("kind", "summary"), [(MaxPool2D, np.max), (AvgPool2D, np.mean)])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, None), (3, 2), (2, 1), (2, 3), (1, None)])
def test_pools_summarise_each_window(kind, summary, size, stride, training):
    network, x, _ = filled((kind(size, stride),), (2, 6, 7))
    y = network.forward(x, training)
    seen = 0
    for n, row, column, window in windows_by_hand(x, size, stride or size):
        np.testing.assert_allclose(y[n, :, row, column], summary(window, axis=(1, 2)), rtol=1e-12)
        seen += 1
    assert seen == y[:, 0].size


def test_a_max_pools_gradient_goes_to_the_first_of_equals():
    network = Network((MaxPool2D(),), (1, 2, 4))
    x = np.array([[[[1, 3, 0, 0], [3, 2, 0, 0]]]], np.float32)
    network.forward(x, training=True)
    dx = network.backward(np.array([[[[5, 7]]]], np.float32), input_gradient=True)
    np.testing.assert_array_equal(dx, [[[[0, 5, 7, 0], [0, 0, 0, 0]]]])


def test_flatten_keeps_the_order_of_channels_rows_and_columns():
    network = Network((Conv2D(3, 1), Flatten()), (1, 2, 2))
    network.layers[0].W[:, 0, 0, 0] = [1, 10, 100]  # a result that lies with the batch last
    rows = network.forward(np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2))
    expected = [[0, 1, 2, 3, 0, 10, 20, 30, 0, 100, 200, 300], [4, 5, 6, 7, 40, 50, 60, 70, 400, 500, 600, 700]]
    np.testing.assert_array_equal(rows, expected)


# --- batch normalisation ---


@pytest.mark.parametrize("input_shape", [(5,), (3, 4, 5)])
@pytest.mark.parametrize("momentum", [0.1, 0.4, 1.0])
def test_batch_norm_in_both_modes_is_the_papers(input_shape, momentum):
    network = Network((BatchNorm(momentum, 1e-3),), input_shape, dtype=np.float64, rng=np.random.default_rng(0))
    layer = network.layers[0]
    layer.gamma[:], layer.beta[:] = np.linspace(0.5, 2, input_shape[0]), np.linspace(-1, 1, input_shape[0])
    rng = np.random.default_rng(20)
    mean, variance = np.zeros(input_shape[0]), np.ones(input_shape[0])
    for rows in (6, 9, 4):
        x = rng.normal(3, 2, (rows, *input_shape))
        y = network.forward(x, training=True)
        for c in range(input_shape[0]):
            feature = x[:, c].ravel()
            expected = layer.gamma[c] * (feature - feature.mean()) / np.sqrt(feature.var() + 1e-3) + layer.beta[c]
            np.testing.assert_allclose(y[:, c].ravel(), expected, rtol=1e-10)
            mean[c] = (1 - momentum) * mean[c] + momentum * feature.mean()
            variance[c] = (1 - momentum) * variance[c] + momentum * feature.var(ddof=1)
        np.testing.assert_allclose(layer.mean, mean, rtol=1e-12)
        np.testing.assert_allclose(layer.variance, variance, rtol=1e-12)

    x = rng.normal(size=(7, *input_shape))
    use = network.forward(x)
    for c in range(input_shape[0]):
        expected = layer.gamma[c] * (x[:, c] - mean[c]) / np.sqrt(variance[c] + 1e-3) + layer.beta[c]
        np.testing.assert_allclose(use[:, c], expected, rtol=1e-10)
    np.testing.assert_array_equal(layer.mean, network.values[-2 * input_shape[0] : -input_shape[0]])


def test_a_batch_of_one_row_is_normalised_without_a_warning(recwarn):
    network = Network((BatchNorm(),), (3,), rng=np.random.default_rng(0))
    y = network.forward(np.array([[1, 2, 3]], np.float32), training=True)
    np.testing.assert_array_equal(y, np.zeros((1, 3)))
    assert np.isfinite(network.values).all()
    assert not recwarn.list


def test_a_frozen_batch_norm_uses_its_statistics_in_training_and_keeps_them():
    network, x, _ = filled((BatchNorm(frozen=True),), (2, 3, 4))
    before = network.values.copy()
    y = network.forward(x, training=True)
    np.testing.assert_array_equal(network.values, before)
    layer = network.layers[0]
    for c in range(2):
        expected = layer.gamma[c] * (x[:, c] - layer.mean[c]) / np.sqrt(layer.variance[c] + 1e-5) + layer.beta[c]
        np.testing.assert_allclose(y[:, c], expected, rtol=1e-12)


# --- dropout ---


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("input_shape", [(400,), (4, 10, 10)])
def test_dropout_zeroes_its_part_scales_the_rest_and_sends_gradients_the_same_way(rate, input_shape):
    network = Network((Dropout(rate),), input_shape)
    network.layers[0].rng = np.random.default_rng(1)
    x, seen = np.ones((100, *input_shape), np.float32), []
    for _ in range(2):
        y = network.forward(x, training=True).copy()
        dropped = (y == 0).mean()
        assert dropped == pytest.approx(rate, abs=0.01)  # 40,000 draws: 4 standard deviations
        np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-5)
        np.testing.assert_array_equal(network.backward(x, input_gradient=True), y)
        seen.append(y)
    assert (seen[0] != seen[1]).any()  # a new draw at each step
    assert (seen[0][0] != seen[0][1]).any()  # and for each image
    np.testing.assert_array_equal(network.forward(x), x)


def test_dropout_draws_from_the_generator_it_is_given():
    draws = []
    for seed in (3, 3, 4):
        network = Network((Dropout(0.5),), (50,))
        draws.append(train_forward(network, np.ones((4, 50), np.float32), seed).copy())
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


# --- what cannot be ---


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(0),
        lambda: Dense(-3),
        lambda: Dense(2.5),
        lambda: Dense("12"),
        lambda: Dense(True),
        lambda: Dense(10**400),
        lambda: Dense(12, "no_such"),
        lambda: Dense(12, None),
        lambda: Activation("no_such"),
        lambda: Activation(["relu"]),
        lambda: Conv2D(0),
        lambda: Conv2D(4, 0),
        lambda: Conv2D(4, 3.0),
        lambda: Conv2D(4, (3, 3)),
        lambda: Conv2D(4, 1000),
        lambda: Conv2D(4, 3, 0),
        lambda: Conv2D(4, 3, None),
        lambda: Conv2D(4, 3, 1, -1),
        lambda: Conv2D(4, 3, 1, 3),
        lambda: Conv2D(4, 3, 1, "same"),
        lambda: Conv2D(4, initializer="no_such"),
        lambda: MaxPool2D(0),
        lambda: MaxPool2D("2"),
        lambda: MaxPool2D(2, 0),
        lambda: AvgPool2D(-1),
        lambda: AvgPool2D(2, 1.5),
        lambda: BatchNorm(-0.1),
        lambda: BatchNorm(1.1),
        lambda: BatchNorm(epsilon=0),
        lambda: BatchNorm(float("nan")),
        lambda: Dropout(-0.1),
        lambda: Dropout(1),
        lambda: Dropout("half"),
        lambda: Dropout(None),
        lambda: Network((Dense(3),), (28, 28)),
        lambda: Network(()),
    ],
)
def test_impossible_layers_are_refused_in_one_line(make):
    with pytest.raises(InklingError) as caught:
        make()
    assert "\n" not in str(caught.value)


CONV, RELU = Conv2D(8, 5), Activation("relu")
IMAGES, DIGITS = (1, 28, 28), (784,)


@pytest.mark.parametrize(
    ("layers", "input_shape", "position", "shape"),
    [
        ((CONV, Dense(10)), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, RELU, Dense(10)), IMAGES, 3, "(8, 24, 24)"),
        ((CONV, MaxPool2D(), Dense(10)), IMAGES, 3, "(8, 12, 12)"),
        ((Dense(10), CONV), DIGITS, 2, "(10,)"),
        ((Dense(10), RELU, MaxPool2D()), DIGITS, 3, "(10,)"),
        ((Dense(10), AvgPool2D()), DIGITS, 2, "(10,)"),
        ((Flatten(), CONV), IMAGES, 2, "(784,)"),
        ((CONV, MaxPool2D(25)), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, MaxPool2D(), MaxPool2D(), AvgPool2D(7)), IMAGES, 4, "(8, 6, 6)"),
        ((MaxPool2D(7), CONV), IMAGES, 2, "(1, 4, 4)"),
        ((MaxPool2D(14), Conv2D(2, 5, padding=1)), IMAGES, 2, "(1, 2, 2)"),
        ((CONV, Activation("softmax")), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, BatchNorm(), Dropout(), Dense(10), RELU), IMAGES, 4, "(8, 24, 24)"),
        ((Activation("tanh"), BatchNorm()), (28, 28), 2, "(28, 28)"),
    ],
    ids=str,
)
def test_orders_that_make_no_sense_name_both_layers_and_the_shape(layers, input_shape, position, shape):
    with pytest.raises(InklingError) as caught:
        Network(layers, input_shape)
    message = str(caught.value)
    assert "\n" not in message
    at_fault, before = layers[position - 1], layers[position - 2]
    assert message.startswith(f"layer {position}, {at_fault}, takes ")
    assert message.endswith(f"but layer {position - 1}, {before}, gives the shape {shape}")


@pytest.mark.parametrize(
    ("layer", "input_shape"),
    [
        (Dense(10), IMAGES),
        (CONV, DIGITS),
        (CONV, (28, 28)),
        (CONV, (1, 4, 28)),
        (CONV, (1, 28, 4)),
        (MaxPool2D(), DIGITS),
        (BatchNorm(), (28, 28)),
        (Activation("softmax"), IMAGES),
    ],
    ids=str,
)
def test_a_first_layer_that_cannot_take_the_input_is_named_with_its_shape(layer, input_shape):
    with pytest.raises(InklingError) as caught:
        Network((layer,), input_shape)
    assert str(caught.value).startswith(f"layer 1, {layer}, takes ")
    assert str(caught.value).endswith(f"the input has the shape {input_shape}")


@each_network
def test_sensible_orders_are_networks(layers, input_shape):
    network, x, _ = filled(layers, input_shape, dtype=np.float32)
    assert network.forward(x).shape == (4, 4)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "dense",
        {},
        {"layer": "no_such"},
        {"layer": ["dense"]},
        {"layer": {}},
        {"layer": "dense"},
        {"layer": "dense", "units": None},
        {"layer": "dense", "units": 1e30},
        {"layer": "dense", "units": 5, "more": 1},
        {"layer": "dense", "units": 5, 7: 1},
        {"layer": "dense", "units": 5, "two\nlines": 1},
        {"layer": "dense", "units": 5, "frozen": "no"},
        {"layer": "dense", "units": 5, "frozen": None},
        {"layer": "activation", "function": {}},
        {"layer": "activation", "units": 3},
        {"layer": "conv2d"},
        {"layer": "conv2d", "filters": 3, "padding": 3},
        {"layer": "conv2d", "filters": 3, "_columns": []},
        {"layer": "max_pool2d", "size": None},
        {"layer": "avg_pool2d", "stride": [2, 2]},
        {"layer": "flatten", "axes": 1},
        {"layer": "batch_norm", "epsilon": "0"},
        {"layer": "batch_norm", "mean": 0},
        {"layer": "dropout", "rate": 1.0},
        {"layer": "dropout", "rng": 7},
    ],
)
def test_json_of_no_layer_is_refused(value):
    with pytest.raises(InklingError) as caught:
        layer_from_json(value)
    assert "\n" not in str(caught.value)
