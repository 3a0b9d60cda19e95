"""What a sweep may choose from."""

import pytest

from engine.checks import InklingError
from engine.config import Config
from engine.layers import Activation, Dense, Dropout
from engine.network import dense_layers
from engine.recipes import RECIPES
from engine.sweep.search_space import (
    GRID_POINTS,
    SEARCHABLE,
    Choices,
    Range,
    configured,
    dense_settings,
    read_dimension,
    read_search,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=1e-4..1e-1:log", Range("learning_rate", 1e-4, 0.1, log=True)),
        ("momentum=0..0.99", Range("momentum", 0.0, 0.99)),
        ("epochs=2..5", Range("epochs", 2, 5)),
        ('hidden=64,128,"128,64"', Choices("hidden", ("64", "128", "128,64"))),
        ("hidden=none, 32", Choices("hidden", ("none", "32"))),
        ("optimizer=adam,sgd", Choices("optimizer", ("adam", "sgd"))),
        ("shuffle=on,off", Choices("shuffle", ("on", "off"))),
        ("patience=none,3", Choices("patience", ("none", "3"))),
        ("weight-decay=0,1e-4", Choices("weight_decay", ("0", "0.0001"))),
        ("clip_norm=none,1", Choices("max_grad_norm", ("none", "1"))),  # an old name
        ('layers="dense:32,relu,dense:10",dense:10', Choices("layers", ("dense:32,relu,dense:10", "dense:10"))),
    ],
)
def test_a_text_says_what_is_searched(text, expected):
    dimension = read_search(text)
    assert dimension == expected
    assert read_dimension(dimension.name, dimension.to_text()) == dimension
    for value in dimension.values():
        configured(Config(), {dimension.name: value})


@pytest.mark.parametrize("name", SEARCHABLE)
def test_every_setting_can_be_searched(name):
    setting = SEARCHABLE[name]
    default = {"hidden": (32,), "activation": "relu", "initializer": "he_normal", "dropout": 0.5}.get(name)
    default = default if name not in Config.__dataclass_fields__ else getattr(Config(), name)
    dimension = read_dimension(name, [setting.to_text(default)])
    assert dimension.values() == [default]
    configured(Config(), {name: default})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate", "what is searched must be NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A,B, got 'learning_rate'"),
        ("rate=1,2", "what is searched must be one of learning_rate, epochs, "),
        ("seed=1,2", "seed cannot be searched"),
        ("learning_rate=0..1", "learning_rate must be in (0, 10], got 0"),
        ("momentum=0..1", "momentum must be in [0, 0.9999], got 1"),
        ("momentum=0..0.5:log", "momentum must begin above 0 to have a log scale, got '0..0.5:log'"),
        ("epochs=5..5", "epochs must go from a lower to a higher number, got '5..5'"),
        ("epochs=1..5:lin", "epochs must be LOW..HIGH or LOW..HIGH:log, got '1..5:lin'"),
        ("epochs=1..", "epochs must be a whole number from 1 to 100,000, got ''"),
        ("optimizer=adam..sgd", "optimizer must be a list of values to choose from, for it has no range"),
        ("optimizer=adam,lbfgs", "optimizer must be one of sgd, momentum, nesterov, rmsprop, adam, adamw, got 'lbfgs'"),
        ("hidden=64,128,128,64", "hidden must have each value once, got 64 twice; a value with commas needs quotes"),
        ("hidden=a", "hidden must be a whole number from 1 to 65,536, got 'a'"),
        ("epochs=", "epochs must have 1 to 100 values to choose from, got 0"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(text, message):
    with pytest.raises(InklingError) as caught:
        read_search(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_takes_a_few_values_of_a_range():
    assert read_search("learning_rate=0.001..0.1:log").grid() == pytest.approx([0.001, 10**-2.5, 0.01, 10**-1.5, 0.1])
    assert read_search("momentum=0..0.8").grid() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert read_search("epochs=1..3").grid() == [1, 2, 3]
    assert len(read_search("batch_size=1..1000:log").grid()) == GRID_POINTS


def test_the_settings_of_a_dense_network_make_its_layers():
    config = configured(Config(), {"hidden": (20, 9), "activation": "tanh", "dropout": 0.2, "learning_rate": 0.5})
    tail = (Activation("tanh"), Dropout(0.2))
    assert config.layers == (Dense(20), *tail, Dense(9), *tail, Dense(10))
    assert config.learning_rate == 0.5
    assert configured(Config(), {"learning_rate": 0.5}).layers == Config().layers


@pytest.mark.parametrize("hidden", [(), (32,), (64, 16)])
@pytest.mark.parametrize(
    ("activation", "initializer", "dropout"), [("relu", "he_normal", 0.0), ("tanh", "glorot_normal", 0.2)]
)
def test_layers_are_told_apart_by_the_settings_that_make_them(hidden, activation, initializer, dropout):
    layers = dense_layers(hidden, activation, initializer, dropout=dropout)
    values = dense_settings(layers)
    assert configured(Config(), values).layers == layers
    assert values["hidden"] == hidden
    assert values["initializer"] == initializer
    if hidden:
        assert (values["activation"], values["dropout"]) == (activation, dropout)


@pytest.mark.parametrize(
    "layers",
    [
        RECIPES["cnn"].config.layers,
        (Dense(8), Activation("relu"), Dense(8), Activation("tanh"), Dense(10)),
        (Dense(8), Dropout(0.1), Activation("relu"), Dense(10)),
        (Activation("relu"),),
    ],
)
def test_other_layers_have_no_such_settings(layers):
    assert dense_settings(layers) is None
