"""What holds for every layer: shapes, dtypes, memory, batches and JSON."""

import numpy as np
import pytest
from examples import each_layer, filled, train_forward

from engine.layers import BatchNorm, Dropout, layer_from_json


@each_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_as_declared(layer, input_shape, dtype):
    network, x, weights = filled((layer,), input_shape, dtype=dtype)
    for y in (network.forward(x), train_forward(network, x)):
        assert y.shape == (4, *layer.output_shape(input_shape))
        assert y.dtype == dtype
    dx = network.backward(weights, input_gradient=True)
    assert dx.shape == x.shape
    assert dx.dtype == dtype


def only_in_training(layer):
    """Whether a layer computes something else in training than outside training."""
    return not layer.frozen if isinstance(layer, BatchNorm) else isinstance(layer, Dropout) and layer.rate > 0


@each_layer
def test_only_batch_norm_and_dropout_differ_in_training(layer, input_shape):
    network, x, _ = filled((layer,), input_shape, dtype=np.float32)
    outputs = network.forward(x)
    np.testing.assert_array_equal(network.forward(x), outputs)
    same = np.allclose(train_forward(network, x), outputs, rtol=1e-5, atol=1e-6)
    assert same != only_in_training(layer)


@each_layer
def test_inputs_and_incoming_gradients_do_not_change(layer, input_shape):
    network, x, weights = filled((layer,), input_shape)
    before = x.copy(), weights.copy()
    network.forward(x)
    train_forward(network, x)
    network.backward(weights, input_gradient=True)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weights, before[1])


@each_layer
def test_the_memory_layout_does_not_matter(layer, input_shape):
    """The batch may be first or last in memory, or the images may be every second one of a larger array."""
    network, x, weights = filled((layer,), input_shape)
    if isinstance(layer, Dropout):
        network.layers[0].rate = 0  # its random numbers have the memory layout of the inputs
    training, outputs = train_forward(network, x).copy(), network.forward(x).copy()
    dx = network.backward(weights, input_gradient=True).copy()
    gradients, state_vector = network.gradients.copy(), network.state_vector.copy()

    def layouts(array):
        yield np.asfortranarray(array)
        yield np.moveaxis(np.moveaxis(array, 0, -1).copy(), -1, 0)
        yield np.repeat(array, 2, axis=0)[::2]

    for other_x, other_weights in zip(layouts(x), layouts(weights), strict=True):
        network.state_vector[:] = state_vector
        np.testing.assert_allclose(network.forward(other_x), outputs, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(train_forward(network, other_x), training, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(network.backward(other_weights, input_gradient=True), dx, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(network.gradients, gradients, rtol=1e-10, atol=1e-12)


@each_layer
def test_batches_of_different_sizes(layer, input_shape):
    """The last batch of an epoch is smaller; arrays that are reused must not carry anything over."""
    network, x, weights = filled((layer,), input_shape)
    for rows in (4, 2, 3, 1, 4):
        fresh, _, _ = filled((layer,), input_shape)
        y = train_forward(network, x[:rows]).copy()
        np.testing.assert_array_equal(y, train_forward(fresh, x[:rows]))
        dx = network.backward(weights[:rows], input_gradient=True).copy()
        np.testing.assert_array_equal(dx, fresh.backward(weights[:rows], input_gradient=True))
        np.testing.assert_array_equal(network.gradients, fresh.gradients)


@each_layer
def test_json_round_trip(layer, input_shape):
    loaded = layer_from_json(layer.to_json())
    assert loaded == layer
    assert type(loaded) is type(layer)
    other = layer_from_json(layer.to_json() | {"frozen": not layer.frozen})
    assert other != layer
    assert other.frozen != layer.frozen
