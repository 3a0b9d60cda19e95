import json
import math
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from examples import READER
from helpers import make_noise, outcome
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
from engine.schedules import SCHEDULES
from engine.training import Trainer

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
    max_grad_norm=st.none() | st.floats(1e-6, 1e6),
    ema_decay=st.none() | st.floats(0, 0.99999),
    augmentation=st.none() | st.builds(Augmentation, shift=st.floats(0, 9), elastic=st.floats(0, 9), noise=st.floats(0, 1)),
    shuffle=st.booleans(),
    loss=st.sampled_from(sorted(LOSSES)),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    learning_rate=st.floats(1e-12, 10),
    momentum=st.floats(0, 0.9999),
    weight_decay=st.floats(0, 1),
    batch_size=st.none() | st.integers(1, 10_000_000),
    epochs=st.integers(1, 100_000),
    train_size=st.integers(2_000, 10_000_000),
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
MAY_BE_NONE = {"input_shape", "max_grad_norm", "ema_decay", "augmentation", "batch_size", "validation_size", "patience"}
ALLOWED = [("input_shape", [5]), ("augmentation", {}), ("shuffle", True)]  # these values are wrong for all other fields


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
    if (value is None and field in MAY_BE_NONE) or (field, value) in ALLOWED:
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
        ("train_size", 0, ["train_size", "from 1", "got 0"]),
        ("validation_size", 60_000, ["validation_size", "59,999", "60000"]),
        ("validation_size", -1, ["validation_size", "-1"]),
        ("patience", 0, ["patience", "from 1", "got 0"]),
        ("seed", -1, ["seed", "from 0", "-1"]),
        ("label_smoothing", 0.95, ["label_smoothing", "[0, 0.9]", "0.95"]),
        ("l1", -1, ["l1", "[0, 1]", "-1"]),
        ("max_grad_norm", 0, ["max_grad_norm", "1e-06", "got 0"]),
        ("ema_decay", 1, ["ema_decay", "0.99999", "got 1"]),
        ("input_shape", (28, 28), ["input_shape", "1 or 3", "(28, 28)"]),
        ("input_shape", (1, 0, 5), ["input_shape", "from 1", "got 0"]),
        ("augmentation", "strong", ["augmentation", "Augmentation", "strong"]),
        ("shuffle", 1, ["shuffle", "got 1"]),
        ("schedule", "zigzag", ["schedule", "cosine", "zigzag"]),
        ("loss", "hinge", ["loss", "cross_entropy", "hinge"]),
        ("optimizer", "lbfgs", ["optimizer", "adam", "lbfgs"]),
    ],
)
def test_messages_name_the_field_the_limits_and_the_value(field, value, parts):
    with pytest.raises(InklingError) as caught:
        Config(**{field: value})
    for part in parts:
        assert part in str(caught.value)


def test_limits_themselves_are_allowed():
    Config(label_smoothing=0.9, l1=1, max_grad_norm=1e-6, ema_decay=0)
    Config(label_smoothing=0, l1=0, max_grad_norm=1e6, ema_decay=0.99999)
    Config(learning_rate=10, momentum=0, weight_decay=1, batch_size=1, epochs=1, train_size=1, seed=0)
    Config(momentum=0.9999, weight_decay=0, train_size=10, validation_size=9, seed=2**63 - 1)


def test_patience_needs_a_validation_set():
    with pytest.raises(InklingError, match="patience"):
        Config(patience=2, validation_size=0)


@pytest.mark.parametrize(("images", "expected"), [(60_000, 5_000), (50_000, 5_000), (1_000, 100), (9, 0), (1, 0)])
def test_validation_is_5000_or_a_tenth_of_fewer_images(images, expected):
    assert Config().num_validation(images) == expected


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
def test_the_input_has_the_given_shape_or_one_that_the_layers_take(layers, input_shape, expected):
    config = Config(layers=layers, input_shape=input_shape)
    network = config.make_network(np.random.default_rng(0))
    assert network.input_shape == expected
    assert config.input_shape == (None if input_shape is None else expected)
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_too_many_layers_are_refused_before_a_layer_is_made():
    with pytest.raises(InklingError, match="at most 100 layers, got 300,001"):
        Config.from_json({"layers": [{"layer": "no such"}] * 300_001})
    with pytest.raises(InklingError, match="at most 100 layers, got 101"):
        Config(layers=(*[Flatten()] * 100, Dense(10)))


def test_a_training_that_takes_more_memory_than_there_is_is_refused_before_it_is_allocated(monkeypatch):
    config = Config(layers=dense_layers((3_000, 3_000)), batch_size=1)  # 11.4 million parameters, five vectors of them
    assert config.training_bytes() == pytest.approx(5 * 4 * 11.4e6, rel=0.01)
    monkeypatch.setattr("engine.config.available_memory", lambda: 200e6)
    tracemalloc.start()
    with pytest.raises(InklingError, match=r"needs about 228 MB of memory, and 200 MB are available: choose fewer"):
        config.make_network(np.random.default_rng(0))
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    monkeypatch.setattr("engine.config.available_memory", lambda: 229e6)
    config.check_memory()


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": dense_layers((1_000, 1_000))},
        {"layers": dense_layers((1_000,)), "optimizer": "sgd", "ema_decay": 0.9, "patience": 3},
        {"layers": dense_layers((300,)), "batch_size": None},
        {"layers": READER, "batch_size": 200},
    ],
    ids=["adam", "sgd, average and patience", "full batch", "convolutional"],
)
def test_the_estimated_memory_is_at_least_half_of_what_a_training_takes_and_not_more(changes):
    tracemalloc.start()
    config = Config(**changes, train_size=600)
    trainer = Trainer.from_config(config, make_noise(600))
    for _ in range(3):
        next(trainer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.45 * peak < config.training_bytes() < 1.2 * peak


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
def test_network_reads_its_outputs_as_its_loss_does(loss):
    assert Config(loss=loss).make_network(np.random.default_rng(0)).output == LOSSES[loss].output


def test_differences_are_the_fields_that_differ_with_both_values():
    config, other = Config(epochs=3, layers=dense_layers((8,))), Config(learning_rate=0.5, layers=dense_layers((8,)))
    assert config.differences(other) == {"epochs": (3, 6), "learning_rate": (0.002, 0.5)}
    assert other.differences(config) == {"epochs": (6, 3), "learning_rate": (0.5, 0.002)}
    assert config.differences(config) == {}
    assert Config().differences(config)["layers"] == (dense_layers((128,)), dense_layers((8,)))


def test_old_names_are_still_read():
    old = {"images": 5_000, "clip_norm": 2.0, "averaging": 0.9, "validation": 100}
    assert Config.from_json(old) == Config(train_size=5_000, max_grad_norm=2.0, ema_decay=0.9, validation_size=100)
    assert Config.from_json({"train_size": 7_000} | old).train_size == 7_000
