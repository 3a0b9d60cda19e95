"""Layers as text for links, and as one line for people."""

import pytest
from examples import LAYER_EXAMPLES, NETWORK_EXAMPLES

from engine.checks import InklingError
from engine.layers import Activation, Conv2D, Dense, Dropout, Flatten, LayersKind, MaxPool2D, layers_from_json, summary

KIND = LayersKind()
LISTS = [
    *(tuple(layer for layer, _ in examples) for examples in LAYER_EXAMPLES.values()),
    *(layers for layers, _ in NETWORK_EXAMPLES.values()),
]


@pytest.mark.parametrize("layers", LISTS, ids=KIND.to_text)
def test_text_round_trip(layers):
    loaded = KIND.from_text("layers", KIND.to_text(layers))
    assert loaded == layers
    assert [layer.frozen for layer in loaded] == [layer.frozen for layer in layers]


def test_text_by_hand():
    layers = (Conv2D(8, 5), Activation("relu"), MaxPool2D(), Flatten(), Dropout(0.2), Dense(10, frozen=True))
    text = "conv2d:8:kernel=5,relu,max_pool2d,flatten,dropout:0.2,dense:10:frozen=on"
    assert KIND.to_text(layers) == text
    assert KIND.from_text("layers", "conv2d:filters=8:kernel=5,activation:relu,max_pool2d:2") == layers[:3]


def test_summary_by_hand():
    assert summary((Dense(128, frozen=True), Activation("relu"), Dense(10))) == "128 (frozen) ReLU → 10"
    layers = (Conv2D(8, 5), Activation("relu"), MaxPool2D(), Flatten(), Dropout(0.2), Dense(10))
    assert KIND.show(layers) == "conv 8 of 5x5 ReLU → pool 2x2 → flatten → dropout 0.2 → 10"


def test_a_network_has_at_most_100_layers():
    layers = (Flatten(),) * 100
    assert KIND.check("layers", KIND.from_text("layers", KIND.to_text(layers))) == layers
    with pytest.raises(InklingError, match="at most 100 layers, got 101"):
        KIND.from_text("layers", KIND.to_text((*layers, Flatten())))
    with pytest.raises(InklingError, match="at most 100 layers, got 101"):
        KIND.check("layers", (*layers, None))
    with pytest.raises(InklingError, match="at most 100 layers, got 101"):
        layers_from_json([*layers, None])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no_such",
        "no_such:3",
        "dense",
        "dense:",
        "dense:0",
        "dense:1.5",
        "dense:5:6",
        "dense:5:units=6",
        "dense:5:more=1",
        "dense:5,",
        "dense:5:frozen=yes",
        "flatten:3",
        "activation:no_such",
        "conv2d:8:padding=3",
        "dropout:1",
    ],
)
def test_invalid_text_is_refused_in_one_line(text):
    with pytest.raises(InklingError) as caught:
        KIND.from_text("layers", text)
    assert "\n" not in str(caught.value)
