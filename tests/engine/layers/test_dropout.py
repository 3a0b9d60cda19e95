import numpy as np
import pytest
from examples import train_forward

from engine.layers import Dropout
from engine.network import Network


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("input_shape", [(400,), (4, 10, 10)])
def test_a_fraction_is_zeroed_the_rest_scaled_and_gradients_the_same(rate, input_shape):
    network = Network((Dropout(rate),), input_shape)
    network.layers[0].rng = np.random.default_rng(1)
    x, outputs = np.ones((100, *input_shape), np.float32), []
    for _ in range(2):
        y = network.forward(x, training=True).copy()
        dropped = (y == 0).mean()
        assert dropped == pytest.approx(rate, abs=0.01)  # 40,000 draws: 4 standard deviations
        np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-5)
        np.testing.assert_array_equal(network.backward(x, input_gradient=True), y)
        outputs.append(y)
    assert (outputs[0] != outputs[1]).any()  # new random numbers at each step
    assert (outputs[0][0] != outputs[0][1]).any()  # and for each image
    np.testing.assert_array_equal(network.forward(x), x)


def test_random_numbers_come_from_the_given_generator():
    draws = []
    for seed in (3, 3, 4):
        network = Network((Dropout(0.5),), (50,))
        draws.append(train_forward(network, np.ones((4, 50), np.float32), seed).copy())
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
