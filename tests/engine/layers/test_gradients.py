"""Every layer, and networks of many layers, against finite differences."""

import numpy as np
import pytest
from examples import LAYER_EXAMPLES, each_layer, each_network, filled, train_forward
from helpers import slope_error

from engine.layers import LAYERS
from engine.losses import LOSSES


@pytest.mark.parametrize("kind", LAYERS)
def test_every_listed_layer_has_an_example(kind):
    assert LAYER_EXAMPLES.get(kind), f"add an example of {kind} to LAYER_EXAMPLES"
    assert all(type(layer) is LAYERS[kind] for layer, _ in LAYER_EXAMPLES[kind])


@each_layer
def test_input_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    train_forward(network, x)
    gradient = network.backward(weights, input_gradient=True).copy()
    assert slope_error(lambda x: (weights * train_forward(network, x)).sum(), gradient, x, np.random.default_rng(13)) <= 1e-6


@each_layer
def test_parameter_gradient_agrees_with_finite_differences(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    if not network.parameters.size:
        assert not layer.parameter_shapes(input_shape)
        return
    network.gradients[:] = np.nan  # every gradient must be written
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

    def at_parameters(parameters):
        network.parameters[: network.num_trainable] = parameters
        return at_inputs(x)

    network.gradients[: network.num_trainable] = np.nan
    _, gradient = LOSSES[loss](train_forward(network, x), labels, 0.1)
    dx = network.backward(gradient, input_gradient=True).copy()
    gradients = network.gradients[: network.num_trainable].copy()
    assert slope_error(at_inputs, dx, x, rng) <= 1e-6
    network.gradients[: network.num_trainable] = np.nan
    train_forward(network, x)
    network.backward(gradient)  # as in a training, which stops at the first layer that learns
    np.testing.assert_allclose(network.gradients[: network.num_trainable], gradients, rtol=1e-12)
    assert slope_error(at_parameters, gradients, network.parameters[: network.num_trainable].copy(), rng) <= 1e-6


@each_layer
def test_backward_skips_the_input_gradient_if_it_is_not_wanted(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    train_forward(network, x)
    network.backward(weights, input_gradient=True)
    expected = network.gradients.copy()
    network.gradients[:] = np.nan
    assert network.layers[0].backward(weights, input_gradient=False) is None
    np.testing.assert_array_equal(network.gradients, expected)
