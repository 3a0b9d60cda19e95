import base64
import json
import math
import re
import zlib
from dataclasses import FrozenInstanceError
from time import perf_counter

import numpy as np
import pytest
from examples import READER
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.activations import ACTIVATIONS
from engine.checks import InklingError
from engine.config import Config
from engine.data.augmentation import Augmentation
from engine.initializers import INITIALIZERS
from engine.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from engine.losses import LOSSES
from engine.network import dense_layers
from engine.optimizers import OPTIMIZERS
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES

layers = st.builds(
    dense_layers,
    st.lists(st.integers(1, 200), max_size=4),
    st.sampled_from(sorted(ACTIVATIONS)),
    st.sampled_from(sorted(INITIALIZERS)),
)
configs = st.builds(
    Config,
    layers=layers | st.just(READER),
    label_smoothing=st.floats(0, 0.9),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    l1=st.floats(0, 1),
    clip_norm=st.none() | st.floats(1e-6, 1e6),
    averaging=st.none() | st.floats(0, 0.99999),
    augmentation=st.none() | st.builds(Augmentation, shift=st.floats(0, 9), elastic=st.floats(0, 9), noise=st.floats(0, 1)),
    shuffle=st.booleans(),
    loss=st.sampled_from(sorted(LOSSES)),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    learning_rate=st.floats(1e-12, 10),
    momentum=st.floats(0, 0.9999),
    weight_decay=st.floats(0, 1),
    batch_size=st.none() | st.integers(1, 10_000_000),
    epochs=st.integers(1, 100_000),
    images=st.integers(2_000, 10_000_000),
    validation_size=st.none() | st.integers(1, 1999),
    patience=st.none() | st.integers(1, 100_000),
    seed=st.integers(0, 2**63 - 1),
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64, 0, -1, "", "relu", "dense", "NaN"])
    | st.floats()
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("layer"), inner, max_size=3),
    max_leaves=6,
)
FIELDS = list(Config().to_json())
MAY_BE_NONE = {"input_shape", "clip_norm", "averaging", "augmentation", "batch_size", "validation_size", "patience"}
FINE = [("input_shape", [5]), ("augmentation", {}), ("shuffle", True)]  # of the values that are wrong everywhere else


@settings(deadline=None)
@given(configs)
def test_json_round_trip(config):
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_numpy_numbers_become_plain_ones():
    config = Config(
        batch_size=np.int64(5),
        epochs=np.int32(2),
        patience=np.int64(3),
        validation_size=np.int64(100),
        learning_rate=np.float32(0.5),
        seed=np.uint8(1),
    )
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4) | anything)
def test_hostile_json_raises_one_line_or_gives_a_config_that_works(value):
    config, message = outcome(InklingError, Config.from_json, value)
    if message is not None:
        assert message
        assert "\n" not in message
    else:
        assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


HOSTILE = [None, "", "5", [], [5], {}, True, math.nan, math.inf, -math.inf, 10**400, -(10**400), 10**5000, 1j, "x" * 10**6]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: f"{type(value).__name__}")
def test_wrong_values_of_every_field_are_refused_by_name(field, value):
    if (value is None and field in MAY_BE_NONE) or (field, value) in FINE:
        Config.from_json({field: value})
        return
    with pytest.raises(InklingError) as caught:
        Config.from_json({field: value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "layer" in str(caught.value) if field == "layers" else field in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "parts"),
    [
        ("learning_rate", -1, ["learning_rate", "(0, 10]", "-1"]),
        ("learning_rate", 0, ["learning_rate", "(0, 10]", "got 0"]),
        ("learning_rate", 10.5, ["learning_rate", "(0, 10]", "10.5"]),
        ("momentum", 1, ["momentum", "0.9999", "got 1"]),
        ("weight_decay", -0.1, ["weight_decay", "[0, 1]", "-0.1"]),
        ("batch_size", 0, ["batch_size", "from 1", "got 0"]),
        ("batch_size", 2.5, ["batch_size", "whole number", "2.5"]),
        ("epochs", 0, ["epochs", "from 1", "got 0"]),
        ("images", 0, ["images", "from 1", "got 0"]),
        ("validation_size", 60_000, ["validation_size", "59,999", "60000"]),
        ("validation_size", -1, ["validation_size", "-1"]),
        ("patience", 0, ["patience", "from 1", "got 0"]),
        ("seed", -1, ["seed", "from 0", "-1"]),
        ("label_smoothing", 0.95, ["label_smoothing", "[0, 0.9]", "0.95"]),
        ("l1", -1, ["l1", "[0, 1]", "-1"]),
        ("clip_norm", 0, ["clip_norm", "1e-06", "got 0"]),
        ("averaging", 1, ["averaging", "0.99999", "got 1"]),
        ("input_shape", (28, 28), ["input_shape", "1 or 3", "(28, 28)"]),
        ("input_shape", (1, 0, 5), ["input_shape", "from 1", "got 0"]),
        ("augmentation", "strong", ["augmentation", "Augmentation", "strong"]),
        ("shuffle", 1, ["shuffle", "got 1"]),
        ("schedule", "zigzag", ["schedule", "cosine", "zigzag"]),
        ("loss", "hinge", ["loss", "cross_entropy", "hinge"]),
        ("optimizer", "lbfgs", ["optimizer", "adam", "lbfgs"]),
    ],
)
def test_messages_say_name_range_and_what_came(field, value, parts):
    with pytest.raises(InklingError) as caught:
        Config(**{field: value})
    for part in parts:
        assert part in str(caught.value)


def test_limits_themselves_are_allowed():
    Config(label_smoothing=0.9, l1=1, clip_norm=1e-6, averaging=0)
    Config(label_smoothing=0, l1=0, clip_norm=1e6, averaging=0.99999)
    Config(learning_rate=10, momentum=0, weight_decay=1, batch_size=1, epochs=1, images=1, seed=0)
    Config(momentum=0.9999, weight_decay=0, images=10, validation_size=9, seed=2**63 - 1)


def test_patience_needs_a_validation_set():
    with pytest.raises(InklingError, match="patience"):
        Config(patience=2, validation_size=0)


@pytest.mark.parametrize(("images", "expected"), [(60_000, 5_000), (50_000, 5_000), (1_000, 100), (9, 0), (1, 0)])
def test_validation_is_5000_or_a_tenth_of_fewer_images(images, expected):
    assert Config().held_back(images) == expected


def test_unknown_keys_are_named():
    with pytest.raises(InklingError, match="learning_rte"):
        Config.from_json({"learning_rte": 0.1})


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (Dense(3),),
        (Activation("relu"),),
        (Dense(65_536), Dense(65_536), Dense(10)),
        (Conv2D(10),),
        (Conv2D(8, 5), Dense(10)),
        (Conv2D(8, 5), MaxPool2D(25), Flatten(), Dense(10)),
    ],
    ids=["none", "three classes", "784 classes", "too large", "images", "images into dense", "pool too large"],
)
def test_layers_that_cannot_read_digits_are_refused(layers):
    with pytest.raises(InklingError):
        Config(layers=layers)


@pytest.mark.parametrize(
    ("layers", "input_shape", "expected"),
    [
        (dense_layers((5,)), None, (784,)),
        (READER, None, (1, 28, 28)),
        ((Flatten(), Dense(10)), None, (784,)),
        ((Activation("relu"), Conv2D(2), Flatten(), Dense(10)), None, (1, 28, 28)),
        ((Dense(3),), [4], (4,)),
        (READER, [3, 20, 24], (3, 20, 24)),
    ],
)
def test_the_input_has_the_shape_that_is_given_or_that_the_layers_take(layers, input_shape, expected):
    config = Config(layers=layers, input_shape=input_shape)
    network = config.network(np.random.default_rng(0))
    assert network.input_shape == expected
    assert config.input_shape == (None if input_shape is None else expected)
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_config_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Config().epochs = 3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_the_one_named_with_the_momentum_given(name):
    optimizer = Config(optimizer=name, momentum=0.7).make_optimizer()
    assert type(optimizer) is OPTIMIZERS[name]
    if name in ("momentum", "nesterov"):
        assert optimizer.momentum == 0.7


@pytest.mark.parametrize("loss", LOSSES)
def test_network_reads_its_outputs_as_the_loss_does(loss):
    assert Config(loss=loss).network(np.random.default_rng(0)).output == LOSSES[loss].output


# --- differences and links ---


def test_differences_are_the_fields_that_are_not_the_same_with_both_values():
    one, other = Config(epochs=3, layers=dense_layers((8,))), Config(learning_rate=0.5, layers=dense_layers((8,)))
    assert one.differences(other) == {"epochs": (3, 6), "learning_rate": (0.002, 0.5)}
    assert other.differences(one) == {"epochs": (6, 3), "learning_rate": (0.5, 0.002)}
    assert one.differences(one) == {}
    assert Config().differences(one)["layers"] == (dense_layers((128,)), dense_layers((8,)))


@settings(deadline=None)
@given(configs)
def test_a_link_is_the_configuration_again(config):
    link = config.to_link()
    assert re.fullmatch(r"[A-Za-z0-9_-]+", link)
    assert Config.from_link(link) == config


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_the_link_of_a_recipe_is_short(recipe):
    assert Config.from_link(recipe.config.to_link()) == recipe.config
    assert len(recipe.config.to_link()) < 600
    assert len(Config().to_link()) < 20


def packed(value, level=9):
    return base64.urlsafe_b64encode(zlib.compress(value, level)).decode().rstrip("=")


LINK = Config(epochs=3).to_link()


@pytest.mark.parametrize(
    "link",
    [
        *("", " ", "x", "!", "=", "é", "a" * 4_001, "a" * 10**6, LINK[:-4], LINK + "AAAA", LINK + " ", f"={LINK}"),
        *(None, 5, b"eJyrVkrLz1eyUkpKLFKqBQAZUgPT", [LINK]),
        packed(b""),
        packed(b"5"),
        packed(b"[]"),
        packed(b"NaN"),
        packed(b"{"),
        packed(b"\xff"),
        packed(b"[" * 100_000),
        packed(b'{"a":' * 40_000),
        packed(b'{"seed":' + b"9" * 10_000 + b"}"),
        packed(b" " * (1 << 19) + b"{}"),
        packed(b"0" * 10**7),
        packed(b'{"epochs":-1}'),
        packed(b'{"epoch":1}'),
        packed(b'{"layers":[{"layer":"dense","units":1e9}]}'),
        packed(b'{"layers":[' + b'{"layer":"flatten"},' * 5_000 + b"5]}"),
        packed(b"{}")[:-1] + "A",
    ],
    ids=lambda link: str(link)[:12],
)
def test_a_broken_or_hostile_link_is_refused_in_one_line_at_once(link):
    started = perf_counter()
    with pytest.raises(InklingError) as caught:
        Config.from_link(link)
    assert perf_counter() - started < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.binary(max_size=80).map(packed)
    | st.dictionaries(st.sampled_from(FIELDS), anything).map(lambda value: packed(json.dumps(value).encode()))
)
def test_any_text_is_a_configuration_or_one_line(text):
    config, message = outcome(InklingError, Config.from_link, text)
    if message is None:
        assert Config.from_link(config.to_link()) == config
    else:
        assert "\n" not in message


def test_a_configuration_that_no_link_can_hold_says_so():
    rng = np.random.default_rng(0)
    layers = tuple(layer for units in rng.integers(1, 99, 3_000) for layer in (Dense(int(units)), Activation("relu")))
    with pytest.raises(InklingError, match="a link has room for"):
        Config(layers=(*layers, Dense(10))).to_link()
