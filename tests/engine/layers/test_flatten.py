import numpy as np

from engine.layers import Conv2D, Flatten
from engine.network import Network


def test_the_order_is_channels_rows_columns():
    network = Network((Conv2D(3, 1), Flatten()), (1, 2, 2))
    network.layers[0].W[:, 0, 0, 0] = [1, 10, 100]  # the result has the batch last in memory
    rows = network.forward(np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2))
    expected = [[0, 1, 2, 3, 0, 10, 20, 30, 0, 100, 200, 300], [4, 5, 6, 7, 40, 50, 60, 70, 400, 500, 600, 700]]
    np.testing.assert_array_equal(rows, expected)
