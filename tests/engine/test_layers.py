import numpy as np
import pytest
from helpers import slope_error

from engine.activations import ACTIVATIONS
from engine.checks import InklingError
from engine.layers import LAYERS, Activation, Dense, layer_from_json
from engine.network import Network

# one example at least of each listed kind: (layer, shape of one input)
EXAMPLES = {
    "dense": [(Dense(5), (7,)), (Dense(1, "uniform"), (3,))],
    "activation": [(Activation(name), (6,)) for name in ACTIVATIONS],
}
CASES = [pytest.param(layer, shape, id=str(layer)) for rows in EXAMPLES.values() for layer, shape in rows]
each = pytest.mark.parametrize(("layer", "input_shape"), CASES)


def bound(layer, input_shape, dtype=np.float64):
    """The layer as a network of its own, with no parameter at zero."""
    rng = np.random.default_rng(12)
    network = Network((layer,), input_shape, dtype=dtype)
    network.parameters[:] = rng.normal(size=network.parameters.size)
    x = rng.uniform(0.1, 2, (4, *input_shape)) * rng.choice([-1, 1], (4, *input_shape))  # away from relu's kink
    return network, x.astype(dtype), rng.normal(size=(4, *network.output_shape)).astype(dtype)


@pytest.mark.parametrize("kind", LAYERS)
def test_every_listed_layer_has_an_example_here(kind):
    assert EXAMPLES.get(kind), f"add an example of {kind} to EXAMPLES"
    assert all(type(layer) is LAYERS[kind] for layer, _ in EXAMPLES[kind])


@each
def test_input_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = bound(layer, input_shape)
    network.forward(x, training=True)
    gradient = network.backward(weights, input_gradient=True)
    assert slope_error(lambda x: (weights * network.forward(x)).sum(), gradient, x, np.random.default_rng(13)) <= 1e-6


@each
def test_parameter_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = bound(layer, input_shape)
    if not network.parameters.size:
        assert not layer.parameter_shapes(input_shape)
        return
    network.gradients[:] = np.nan  # each one must be written
    network.forward(x, training=True)
    network.backward(weights)

    def value(parameters):
        network.parameters[:] = parameters
        return (weights * network.forward(x)).sum()

    assert slope_error(value, network.gradients, network.parameters.copy(), np.random.default_rng(14)) <= 1e-6


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_as_announced(layer, input_shape, dtype):
    network, x, weights = bound(layer, input_shape, dtype)
    y = network.forward(x)
    assert y.shape == (4, *layer.output_shape(input_shape))
    assert y.dtype == dtype
    network.forward(x, training=True)
    dx = network.backward(weights, input_gradient=True)
    assert dx.shape == x.shape
    assert dx.dtype == dtype


@each
def test_training_and_use_give_the_same_outputs(layer, input_shape):
    network, x, _ = bound(layer, input_shape, np.float32)
    np.testing.assert_allclose(network.forward(x, training=True), network.forward(x), rtol=1e-6)


@each
def test_backward_spares_the_input_gradient_where_it_is_not_wanted(layer, input_shape):
    network, x, weights = bound(layer, input_shape)
    network.forward(x, training=True)
    assert network.layers[0].backward(weights, input_gradient=False) is None


@each
def test_json_round_trip(layer, input_shape):
    assert layer_from_json(layer.to_json()) == layer


def test_dense_by_hand():
    network = Network((Dense(2),), (2,))
    network.parameters[:] = [1, 2, 3, 4, 10, 20]  # W then b
    np.testing.assert_array_equal(network.forward(np.array([[1, 1], [0, -1]], np.float32)), [[14, 26], [7, 16]])


def test_batches_of_other_sizes_follow_one_another():
    """The last batch of an epoch is smaller; arrays kept for the steps must not carry over."""
    network, x, weights = bound(Dense(5), (7,))
    for rows in (4, 2, 3, 4):
        y = network.forward(x[:rows], training=True)
        np.testing.assert_allclose(y, network.forward(x[:rows]))
        network.backward(weights[:rows])
        np.testing.assert_allclose(network.layers[0].dW, x[:rows].T @ weights[:rows])


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
        lambda: Network((Dense(3),), (28, 28)),
        lambda: Network(()),
    ],
)
def test_impossible_layers_are_refused_in_one_line(make):
    with pytest.raises(InklingError) as caught:
        make()
    assert "\n" not in str(caught.value)


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
        {"layer": "activation", "function": {}},
        {"layer": "activation", "units": 3},
    ],
)
def test_json_of_no_layer_is_refused(value):
    with pytest.raises(InklingError):
        layer_from_json(value)
