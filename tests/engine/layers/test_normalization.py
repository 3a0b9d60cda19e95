import numpy as np
import pytest
from examples import filled

from engine.layers import BatchNorm
from engine.network import Network


@pytest.mark.parametrize("input_shape", [(5,), (3, 4, 5)])
@pytest.mark.parametrize("momentum", [0.1, 0.4, 1.0])
def test_both_modes_follow_the_papers_formula(input_shape, momentum):
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
    outputs = network.forward(x)
    for c in range(input_shape[0]):
        expected = layer.gamma[c] * (x[:, c] - mean[c]) / np.sqrt(variance[c] + 1e-3) + layer.beta[c]
        np.testing.assert_allclose(outputs[:, c], expected, rtol=1e-10)
    np.testing.assert_array_equal(layer.mean, network.state_vector[-2 * input_shape[0] : -input_shape[0]])


def test_a_batch_of_one_row_gives_no_warning(recwarn):
    network = Network((BatchNorm(),), (3,), rng=np.random.default_rng(0))
    y = network.forward(np.array([[1, 2, 3]], np.float32), training=True)
    np.testing.assert_array_equal(y, np.zeros((1, 3)))
    assert np.isfinite(network.state_vector).all()
    assert not recwarn.list


def test_a_frozen_layer_uses_its_running_statistics_in_training_and_does_not_change_them():
    network, x, _ = filled((BatchNorm(frozen=True),), (2, 3, 4))
    before = network.state_vector.copy()
    y = network.forward(x, training=True)
    np.testing.assert_array_equal(network.state_vector, before)
    layer = network.layers[0]
    for c in range(2):
        expected = layer.gamma[c] * (x[:, c] - layer.mean[c]) / np.sqrt(layer.variance[c] + 1e-5) + layer.beta[c]
        np.testing.assert_allclose(y[:, c], expected, rtol=1e-12)
