import numpy as np
import pytest
from examples import filled, windows_by_hand

from engine.layers import AvgPool2D, MaxPool2D
from engine.network import Network


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("kind", "summary"), [(MaxPool2D, np.max), (AvgPool2D, np.mean)])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, None), (3, 2), (2, 1), (2, 3), (1, None)])
def test_pools_summarise_each_window(kind, summary, size, stride, training):
    network, x, _ = filled((kind(size, stride),), (2, 6, 7))
    y = network.forward(x, training)
    count = 0
    for n, row, column, window in windows_by_hand(x, size, stride or size):
        np.testing.assert_allclose(y[n, :, row, column], summary(window, axis=(1, 2)), rtol=1e-12)
        count += 1
    assert count == y[:, 0].size


def test_the_gradient_of_max_pooling_goes_to_the_first_of_equal_pixels():
    network = Network((MaxPool2D(),), (1, 2, 4))
    x = np.array([[[[1, 3, 0, 0], [3, 2, 0, 0]]]], np.float32)
    network.forward(x, training=True)
    dx = network.backward(np.array([[[[5, 7]]]], np.float32), input_gradient=True)
    np.testing.assert_array_equal(dx, [[[[0, 5, 7, 0], [0, 0, 0, 0]]]])
