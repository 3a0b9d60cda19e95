"""Examples of every layer, and of networks of them, for the tests that go through all."""

from engine.activations import ACTIVATIONS
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D

IMAGE = (2, 6, 7)  # channels, height, width: unequal, so that no axis passes for another

# One example at least of each listed kind: (layer, shape of one input).
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
        (Conv2D(2, 5, 3, 4), (1, 5, 4)),  # steps that leave pixels over, and a border as wide as it may be
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

# Sensible orders: (layers, shape of one input), all ending in 4 outputs.
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
    "noise first": ((Dropout(0.1), BatchNorm(), Conv2D(2), Dropout(0.3), Flatten(), Flatten(), Dense(4)), (1, 5, 5)),
    "rows only": (
        (BatchNorm(), Dense(7), Activation("softmax"), BatchNorm(), Dropout(0.5), Dense(4), Activation("sigmoid")),
        (5,),
    ),
    "no dense layer": ((Conv2D(5, 3, 2), Activation("sigmoid"), Conv2D(4, 2), AvgPool2D(2), Flatten()), (1, 9, 9)),
    "frozen here and there": (
        (
            *(Conv2D(3, 3), BatchNorm(frozen=True), Activation("tanh"), Conv2D(3, 2, frozen=True), BatchNorm()),
            *(Flatten(), Dense(6, frozen=True), Activation("gelu"), Dense(4)),
        ),
        (1, 6, 6),
    ),
}

# A small network of all kinds of layers that reads digits.
READER = (
    *(Conv2D(4, 5, stride=2), BatchNorm(), Activation("relu"), MaxPool2D(3, 2)),
    *(Conv2D(6, 3, padding=1), Activation("gelu"), AvgPool2D(), Flatten(), Dropout(0.3), Dense(10)),
)
