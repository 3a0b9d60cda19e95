import numpy as np

from engine.layers import Dense
from engine.network import Network


def test_dense_by_hand():
    network = Network((Dense(2),), (2,))
    network.parameters[:] = [1, 2, 3, 4, 10, 20]  # W then b
    np.testing.assert_array_equal(network.forward(np.array([[1, 1], [0, -1]], np.float32)), [[14, 26], [7, 16]])
