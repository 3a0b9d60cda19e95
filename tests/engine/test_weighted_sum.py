"""``weighted_sum``: what it adds up is what the engine's layers and PyTorch compute, for every unit that can be chosen."""

import importlib

import numpy as np
import pytest
from examples import READER
from helpers import ROOT, make_digits, need

import engine
from engine.checks import InklingError
from engine.layer_outputs import activity
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.network import Network, dense_layers
from engine.recipes import RECIPES
from engine.weighted_sum import Trace, WeightedSum

IMAGE = make_digits(3, 5).images[2] / np.float32(255)
POOLS = (Conv2D(3, 5, 2, 2), MaxPool2D(3, 2), BatchNorm(), Activation("tanh"), AvgPool2D(2), Flatten(), Dropout(), Dense(10))
LAYERS = {
    "reader": READER,
    "pools": POOLS,
    "no hidden": dense_layers(()),
    "normalised first": (BatchNorm(), Dropout(0.1), Dense(12), Activation("softmax"), Dense(10)),
    "pool first": (MaxPool2D(4), Flatten(), Dense(10)),
    "no dense layer": (Conv2D(10, 28), Flatten()),
} | {name: recipe.config.layers for name, recipe in RECIPES.items() if not name.endswith(("-refined", "-robust", "-both"))}


def make(layers):
    """A network without zeros, as after training."""
    rng = np.random.default_rng(3)
    network = Network(layers, rng=rng)
    network.state_vector[:] += rng.normal(0, 0.05, network.state_vector.size).astype(np.float32)
    for layer in network.layers:
        if isinstance(layer, BatchNorm):
            layer.variance[:] = rng.uniform(0.5, 2, layer.variance.size)
    return network


def some_units(shape, count=12):
    """Units all over an output, among them the first and the last."""
    size = int(np.prod(shape))
    for i in sorted({0, size - 1, *np.random.default_rng(4).integers(0, size, count).tolist()}):
        yield tuple(map(int, np.unravel_index(i, shape)))


def check_every_layer(network):
    trace, outputs = Trace(network, IMAGE), activity(network, IMAGE)
    for position, layer in enumerate(network.layers):
        values = outputs[position].values
        if not hasattr(layer, "W"):
            with pytest.raises(InklingError, match="needs a layer with weights"):
                trace.weighted_sum(position, (0,) * values.ndim)
            continue
        scale = float(np.abs(values).max())
        for unit in some_units(values.shape):
            adding = trace.weighted_sum(position, unit)
            assert adding.weights.shape == adding.inputs.shape
            assert adding.value == pytest.approx(values[unit], rel=1e-4, abs=1e-5 * scale)
            terms = adding.largest(5)
            products = adding.weights * adding.inputs
            assert (np.diff([abs(term.product) for term in terms]) <= 1e-6 * scale).all()
            for term in terms:
                assert term.product == pytest.approx(products[term.place], rel=1e-5)
            if terms:
                assert abs(terms[0].product) == pytest.approx(np.abs(products).max(), rel=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_weighted_sum_is_what_the_layer_computes(name):
    check_every_layer(make(LAYERS[name]))


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_a_weighted_sum_is_what_a_layer_of_a_shipped_network_computes(name):
    check_every_layer(engine.load(ROOT / "pretrained" / f"{name}.npz"))


@pytest.fixture(scope="module")
def torch():
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError:
        need("peers", "PyTorch is not installed; tests/peers.txt has it")


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2), (1, 2)])
def test_a_convolution_is_pytorch_s(torch, stride, padding):
    network = make((Conv2D(4, 3), Conv2D(6, 3, stride, padding), Flatten(), Dense(10)))
    trace = Trace(network, IMAGE)
    x = torch.from_numpy(activity(network, IMAGE)[0].values.copy())[None].double()
    weights, bias = (torch.from_numpy(array.copy()).double() for array in (network.layers[1].W, network.layers[1].b))
    maps = torch.nn.functional.conv2d(x, weights, bias, stride, padding)[0].numpy()
    for unit in some_units(maps.shape, 40):
        assert trace.weighted_sum(1, unit).value == pytest.approx(maps[unit], rel=1e-5, abs=1e-5)
    for channel in (0, 5):
        added = trace.map_contributions(1, channel)
        np.testing.assert_allclose(added.sum(axis=0) + network.layers[1].b[channel], maps[channel], rtol=1e-4, atol=1e-5)
    alone = torch.zeros_like(x)
    alone[0, 2] = x[0, 2]
    expected = torch.nn.functional.conv2d(alone, weights, None, stride, padding)[0].flatten(1).numpy()
    found = trace.outgoing(0, 2)
    assert found.position == 1
    np.testing.assert_allclose(np.abs(found.contributions), np.abs(expected).max(axis=1), rtol=1e-4, atol=1e-5)


def test_the_window_and_its_corner_are_those_of_the_image():
    trace = Trace(make((Conv2D(2, 5, 2, 2), Flatten(), Dense(10))), IMAGE)
    adding = trace.weighted_sum(0, (1, 6, 7))
    assert adding.corner == (10, 12)
    np.testing.assert_array_equal(adding.inputs, IMAGE[None, 10:15, 12:17])
    on_the_border = trace.weighted_sum(0, (0, 0, 0))
    assert on_the_border.corner == (-2, -2)
    assert not on_the_border.inputs[:, :2].any()


def test_inputs_that_are_pictures_keep_their_shape():
    network = make(READER)
    trace, outputs = Trace(network, IMAGE), activity(network, IMAGE)
    dense = next(i for i, layer in enumerate(network.layers) if isinstance(layer, Dense))
    maps = [output.values for output in outputs[:dense] if output.values.ndim == 3][-1]
    np.testing.assert_array_equal(trace.weighted_sum(dense, (1,)).inputs, maps)
    assert Trace(make(dense_layers((20,))), IMAGE).weighted_sum(0, (3,)).inputs.shape == (1, 28, 28)
    assert Trace(make(dense_layers((20,))), IMAGE).weighted_sum(2, (3,)).inputs.shape == (20,)


@pytest.mark.parametrize("name", ["reader", "pools", "normalised first", "cnn-shipped", "pool first"])
def test_steps_lead_from_a_weighted_sum_to_the_value(name):
    network = make(LAYERS[name])
    trace, outputs = Trace(network, IMAGE), activity(network, IMAGE)
    for position, output in enumerate(outputs):
        for unit in some_units(output.shape, 4):
            *before, last = path = trace.steps(position, unit)
            assert (last.position, last.unit) == (position, unit)
            first = path[0].position
            assert hasattr(network.layers[first], "W") or first == 0
            assert not any(hasattr(network.layers[step.position], "W") for step in path[1:])
            for step in path:
                assert step.value == outputs[step.position].values[step.unit]
            for step, after in zip(before, path[1:], strict=True):
                kind = network.layers[after.position].kind
                if kind in ("flatten", "dropout", "max_pool2d"):
                    assert after.value == step.value
                elif kind == "avg_pool2d":
                    assert after.value <= step.value + 1e-6


@pytest.mark.parametrize("name", ["reader", "mlp", "cnn", "normalised first"])
def test_what_goes_into_dense_units_adds_up_to_them(name):
    network = make(LAYERS[name])
    trace, outputs = Trace(network, IMAGE), activity(network, IMAGE)
    for position, output in enumerate(outputs):
        found = trace.outgoing(position, 0)
        if found is None:
            assert not any(hasattr(layer, "W") for layer in network.layers[position + 1 :])
        elif isinstance(network.layers[found.position], Dense):
            nodes = [trace.outgoing(position, node).contributions for node in range(output.shape[0])]
            expected = outputs[found.position].values - network.layers[found.position].b
            np.testing.assert_allclose(np.sum(nodes, axis=0), expected, rtol=1e-3, atol=1e-4)


def test_units_that_do_not_exist_are_refused():
    trace = Trace(make(READER), IMAGE)
    for unit in [(99, 0, 0), (0, 0), (0, 0, 99), (-1, 0, 0)]:
        with pytest.raises(InklingError, match="unit must be an index"):
            trace.weighted_sum(0, unit)
        with pytest.raises(InklingError, match="unit must be an index"):
            trace.steps(0, unit)
    with pytest.raises(InklingError, match="position"):
        trace.weighted_sum(99, (0,))
    with pytest.raises(InklingError, match="convolution"):
        trace.map_contributions(1, 0)


def test_terms_of_zero_and_of_nan_are_left_out():
    adding = WeightedSum(np.array([1.0, 0, np.nan, -3]), np.array([2.0, 5, 1, 1]), 0.5)
    assert [term.place for term in adding.largest(4)] == [(3,), (0,)]
