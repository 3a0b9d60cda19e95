"""Examples of every layer and of many networks, for tests that run over all of them."""

from itertools import product

import numpy as np
import pytest

from engine.activations import ACTIVATIONS
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.network import Network

IMAGE = (2, 6, 7)  # channels, height, width: all different, so that swapped axes are noticed

# At least one example of each kind of layer: (layer, shape of one input).
LAYER_EXAMPLES = {
    "dense": [(Dense(5), (7,)), (Dense(1, "uniform"), (3,)), (Dense(4, frozen=True), (6,))],
    "activation": [
        *((Activation(name), (6,)) for name in ACTIVATIONS),
        (Activation("gelu"), IMAGE),
        (Activation("relu"), IMAGE),
    ],
    "conv2d": [
        *((Conv2D(3, 3, stride, padding), IMAGE) for stride in (1, 2) for padding in (0, 1, 2)),
        (Conv2D(1, 1), IMAGE),
        (Conv2D(2, 5, 3, 4), (1, 5, 4)),  # a stride that does not use all pixels, and the widest possible border
        (Conv2D(4, 3, padding=1, frozen=True), (3, 4, 4)),
    ],
    "max_pool2d": [(MaxPool2D(*size), IMAGE) for size in ((2,), (3,), (3, 2), (2, 1), (2, 3), (1,))],
    "avg_pool2d": [(AvgPool2D(*size), IMAGE) for size in ((2,), (3,), (3, 2), (2, 1), (2, 3), (1,))],
    "flatten": [(Flatten(), IMAGE), (Flatten(), (5,))],
    "batch_norm": [
        (BatchNorm(), (5,)),
        (BatchNorm(0.3, 1e-3), IMAGE),
        (BatchNorm(frozen=True), (5,)),
        (BatchNorm(frozen=True), IMAGE),
    ],
    "dropout": [(Dropout(0.4), (50,)), (Dropout(0.25), IMAGE), (Dropout(0), (5,))],
}

# Networks: (layers, shape of one input), all with 4 outputs.
NETWORK_EXAMPLES = {
    "one of each": (
        (
            *(Conv2D(3, 3, padding=1), BatchNorm(), Activation("tanh"), MaxPool2D()),
            *(Conv2D(4, 2), Activation("gelu"), AvgPool2D(2, 1)),
            *(Flatten(), Dropout(0.2), Dense(6), BatchNorm(), Activation("relu"), Dense(4)),
        ),
        (2, 8, 9),
    ),
    "overlapping pools": (
        (MaxPool2D(3, 2), BatchNorm(), Conv2D(3, 3, 2, 2), AvgPool2D(3, 2), Activation("leaky_relu"), Flatten(), Dense(4)),
        (1, 13, 12),
    ),
    "dropout first": ((Dropout(0.1), BatchNorm(), Conv2D(2), Dropout(0.3), Flatten(), Flatten(), Dense(4)), (1, 5, 5)),
    "rows only": (
        (BatchNorm(), Dense(7), Activation("softmax"), BatchNorm(), Dropout(0.5), Dense(4), Activation("sigmoid")),
        (5,),
    ),
    "no dense layer": ((Conv2D(5, 3, 2), Activation("sigmoid"), Conv2D(4, 2), AvgPool2D(2), Flatten()), (1, 9, 9)),
    "some layers frozen": (
        (
            *(Conv2D(3, 3), BatchNorm(frozen=True), Activation("tanh"), Conv2D(3, 2, frozen=True), BatchNorm()),
            *(Flatten(), Dense(6, frozen=True), Activation("gelu"), Dense(4)),
        ),
        (1, 6, 6),
    ),
}

# A small network with all kinds of layers that reads digits.
READER = (
    *(Conv2D(4, 5, stride=2), BatchNorm(), Activation("relu"), MaxPool2D(3, 2)),
    *(Conv2D(6, 3, padding=1), Activation("gelu"), AvgPool2D(), Flatten(), Dropout(0.3), Dense(10)),
)

each_layer = pytest.mark.parametrize(
    ("layer", "input_shape"),
    [
        pytest.param(layer, shape, id=f"{layer} on {'x'.join(map(str, shape))}")
        for examples in LAYER_EXAMPLES.values()
        for layer, shape in examples
    ],
)
each_network = pytest.mark.parametrize(("layers", "input_shape"), NETWORK_EXAMPLES.values(), ids=NETWORK_EXAMPLES)


def filled(layers, input_shape, rows=4, dtype=np.float64):
    """A network without zeros, inputs away from the kink of ReLU, and weights for a sum of its outputs."""
    rng = np.random.default_rng(12)
    network = Network(layers, input_shape, dtype=dtype)
    network.parameters[:] = rng.normal(size=network.parameters.size)
    network.state_vector[network.parameters.size :] = rng.uniform(
        0.5, 2, network.state_vector.size - network.parameters.size
    )
    x = rng.uniform(0.1, 2, (rows, *input_shape)) * rng.choice([-1, 1], (rows, *input_shape))
    return network, x.astype(dtype), rng.normal(size=(rows, *network.output_shape)).astype(dtype)


def train_forward(network, x, seed=5):
    """The outputs in training, with the same dropout at every call."""
    for layer in network.layers:
        layer.rng = np.random.default_rng(seed)
    return network.forward(x, training=True)


def windows_by_hand(x, kernel, stride, padding=0):
    """Yield (n, row, column, window (C, kernel, kernel)) for every position of a window."""
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rows, columns = (range(0, size + 2 * padding - kernel + 1, stride) for size in (H, W))
    for n, (row, top), (column, left) in product(range(N), enumerate(rows), enumerate(columns)):
        yield n, row, column, padded[n, :, top : top + kernel, left : left + kernel]
