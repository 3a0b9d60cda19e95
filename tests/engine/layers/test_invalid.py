"""Layers with invalid settings, layers that do not fit together, and invalid JSON."""

import numpy as np
import pytest
from examples import each_network, filled

from engine.checks import InklingError
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, layer_from_json
from engine.network import Network

CONV, RELU = Conv2D(8, 5), Activation("relu")
IMAGES, DIGITS = (1, 28, 28), (784,)


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
        lambda: Conv2D(0),
        lambda: Conv2D(4, 0),
        lambda: Conv2D(4, 3.0),
        lambda: Conv2D(4, (3, 3)),
        lambda: Conv2D(4, 1000),
        lambda: Conv2D(4, 3, 0),
        lambda: Conv2D(4, 3, None),
        lambda: Conv2D(4, 3, 1, -1),
        lambda: Conv2D(4, 3, 1, 3),
        lambda: Conv2D(4, 3, 1, "same"),
        lambda: Conv2D(4, initializer="no_such"),
        lambda: MaxPool2D(0),
        lambda: MaxPool2D("2"),
        lambda: MaxPool2D(2, 0),
        lambda: AvgPool2D(-1),
        lambda: AvgPool2D(2, 1.5),
        lambda: BatchNorm(-0.1),
        lambda: BatchNorm(1.1),
        lambda: BatchNorm(epsilon=0),
        lambda: BatchNorm(float("nan")),
        lambda: Dropout(-0.1),
        lambda: Dropout(1),
        lambda: Dropout("half"),
        lambda: Dropout(None),
        lambda: Network((Dense(3),), (28, 28)),
        lambda: Network(()),
    ],
)
def test_invalid_layers_are_refused_in_one_line(make):
    with pytest.raises(InklingError) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "input_shape", "position", "shape"),
    [
        ((CONV, Dense(10)), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, RELU, Dense(10)), IMAGES, 3, "(8, 24, 24)"),
        ((CONV, MaxPool2D(), Dense(10)), IMAGES, 3, "(8, 12, 12)"),
        ((Dense(10), CONV), DIGITS, 2, "(10,)"),
        ((Dense(10), RELU, MaxPool2D()), DIGITS, 3, "(10,)"),
        ((Dense(10), AvgPool2D()), DIGITS, 2, "(10,)"),
        ((Flatten(), CONV), IMAGES, 2, "(784,)"),
        ((CONV, MaxPool2D(25)), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, MaxPool2D(), MaxPool2D(), AvgPool2D(7)), IMAGES, 4, "(8, 6, 6)"),
        ((MaxPool2D(7), CONV), IMAGES, 2, "(1, 4, 4)"),
        ((MaxPool2D(14), Conv2D(2, 5, padding=1)), IMAGES, 2, "(1, 2, 2)"),
        ((CONV, Activation("softmax")), IMAGES, 2, "(8, 24, 24)"),
        ((CONV, BatchNorm(), Dropout(), Dense(10), RELU), IMAGES, 4, "(8, 24, 24)"),
        ((Activation("tanh"), BatchNorm()), (28, 28), 2, "(28, 28)"),
    ],
    ids=str,
)
def test_layers_that_do_not_fit_are_named_with_the_shape(layers, input_shape, position, shape):
    with pytest.raises(InklingError) as caught:
        Network(layers, input_shape)
    message = str(caught.value)
    assert "\n" not in message
    refused, before = layers[position - 1], layers[position - 2]
    assert message.startswith(f"layer {position}, {refused}, takes ")
    assert message.endswith(f"but layer {position - 1}, {before}, gives the shape {shape}")


@pytest.mark.parametrize(
    ("layer", "input_shape"),
    [
        (Dense(10), IMAGES),
        (CONV, DIGITS),
        (CONV, (28, 28)),
        (CONV, (1, 4, 28)),
        (CONV, (1, 28, 4)),
        (MaxPool2D(), DIGITS),
        (BatchNorm(), (28, 28)),
        (Activation("softmax"), IMAGES),
    ],
    ids=str,
)
def test_a_first_layer_that_cannot_take_the_input_is_named_with_its_shape(layer, input_shape):
    with pytest.raises(InklingError) as caught:
        Network((layer,), input_shape)
    assert str(caught.value).startswith(f"layer 1, {layer}, takes ")
    assert str(caught.value).endswith(f"the input has the shape {input_shape}")


@each_network
def test_layers_that_fit_make_a_network(layers, input_shape):
    network, x, _ = filled(layers, input_shape, dtype=np.float32)
    assert network.forward(x).shape == (4, 4)


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
        {"layer": "dense", "units": 5, "two\nlines": 1},
        {"layer": "dense", "units": 5, "frozen": "no"},
        {"layer": "dense", "units": 5, "frozen": None},
        {"layer": "activation", "function": {}},
        {"layer": "activation", "units": 3},
        {"layer": "conv2d"},
        {"layer": "conv2d", "filters": 3, "padding": 3},
        {"layer": "conv2d", "filters": 3, "_columns": []},
        {"layer": "max_pool2d", "size": None},
        {"layer": "avg_pool2d", "stride": [2, 2]},
        {"layer": "flatten", "axes": 1},
        {"layer": "batch_norm", "epsilon": "0"},
        {"layer": "batch_norm", "mean": 0},
        {"layer": "dropout", "rate": 1.0},
        {"layer": "dropout", "rng": 7},
    ],
)
def test_invalid_json_is_refused(value):
    with pytest.raises(InklingError) as caught:
        layer_from_json(value)
    assert "\n" not in str(caught.value)
