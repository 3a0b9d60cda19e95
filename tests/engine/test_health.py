from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from examples import READER

from engine.config import Config
from engine.health import layer_health
from engine.layers import Activation, Conv2D, Dense, Flatten
from engine.network import dense_layers
from engine.training import Trainer

PLAIN = Config(layers=dense_layers((16, 12), "tanh"), optimizer="sgd", learning_rate=0.1, batch_size=50, images=400)
NAMES = ("W", "b", "gamma", "beta")


def looked_at(config, dataset, steps=1):
    """A trainer after so many steps, the values before its last one, and the health that was found of it."""
    trainer = Trainer.from_config(config, dataset)
    list(islice(trainer, steps - 1))
    before = trainer.network.copy()
    trainer.keeps_gradient = True
    next(trainer)
    return trainer, before, layer_health(trainer)


def length(layer):
    vector = np.concatenate([getattr(layer, name).ravel() for name in NAMES if hasattr(layer, name)])
    return np.linalg.norm(vector.astype(np.float64))


@pytest.mark.parametrize("layers", [PLAIN.layers, READER], ids=["dense", "images"])
def test_what_plain_gradient_descent_moved_tells_the_gradient_and_the_ratio(layers, tiny):
    trainer, before, health = looked_at(replace(PLAIN, layers=layers), tiny, steps=3)
    kinds = [layer.kind for layer in layers]
    assert [found.position for found in health] == [i for i, kind in enumerate(kinds) if kind in PARAMETRIC]
    moved = before.copy()
    moved.values[:] = trainer.network.values - before.values
    for found in health:
        assert found.name == kinds[found.position]
        size, move = length(before.layers[found.position]), length(moved.layers[found.position])
        assert found.gradient_norm == pytest.approx(move / 0.1, rel=1e-3)
        assert found.update_ratio == pytest.approx(move / size, rel=1e-5)
        assert found.verdict == ""


PARAMETRIC = ("dense", "conv2d", "batch_norm")


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": 0.5},
        {"l1": 0.1},
        {"clip_norm": 1e-3},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"averaging": 0.9},
    ],
    ids=str,
)
def test_the_gradient_is_the_losss_own_whatever_the_step_makes_of_it(changes, tiny):
    _, _, plain = looked_at(PLAIN, tiny)
    _, _, other = looked_at(replace(PLAIN, **changes), tiny)
    assert [found.gradient_norm for found in other] == pytest.approx([found.gradient_norm for found in plain])


def test_looking_changes_no_bit_of_the_training(tiny):
    plain, watched = (Trainer.from_config(replace(PLAIN, epochs=2), tiny) for _ in range(2))
    list(plain)
    watched.keeps_gradient = True
    for _ in watched:
        if watched.gradient is not None:
            layer_health(watched)
    assert watched.network.values.tobytes() == plain.network.values.tobytes()


def test_a_gradient_is_kept_only_of_the_step_that_was_asked_to(tiny):
    trainer = Trainer.from_config(PLAIN, tiny)
    next(trainer)
    assert trainer.gradient is None
    trainer.keeps_gradient = True
    next(trainer)
    assert trainer.gradient.shape == trainer.network.parameters.shape
    trainer.keeps_gradient = False
    next(trainer)
    assert trainer.gradient is None


def words(config, dataset, steps=1):
    return [found.verdict.split(":")[0] for found in looked_at(config, dataset, steps)[2]]


@pytest.mark.parametrize("changes", [{}, {"weight_decay": 0.1, "l1": 0.01}], ids=["plain", "with what pulls all weights"])
def test_the_dead_are_named(changes, tiny):
    zeros = dense_layers((16,), "relu", "zeros")  # no unit is ever active, so nothing reaches the layer below
    assert words(replace(PLAIN, layers=zeros, **changes), tiny) == ["dead", ""]


@pytest.mark.parametrize(("rate", "verdict"), [(1e-3, ""), (0.1, ""), (10, "exploding")])
def test_the_exploding_are_named(rate, verdict, tiny):
    assert set(words(replace(PLAIN, learning_rate=rate, layers=dense_layers((16,))), tiny)) == {verdict}


def test_the_starved_are_named(tiny):
    deep = dense_layers((16,) * 9, "sigmoid", "glorot_uniform")
    found = words(replace(PLAIN, layers=deep), tiny)
    assert found[0] == "starved"
    assert found[-1] == ""
    assert found == sorted(found, reverse=True)  # the further from the loss, the less reaches it


def test_what_cannot_be_counted_any_more_is_said_in_words(tiny):
    trainer, _, _ = looked_at(PLAIN, tiny)
    trainer.gradient[:] = np.inf
    assert {found.verdict for found in layer_health(trainer)} == {
        "exploding: its gradient or its weights are beyond counting"
    }
    trainer.gradient[:] = 0
    trainer.gradient[-1] = 1
    trainer.gradient[0] = 1e-15
    assert "more than a million times smaller" in layer_health(trainer)[0].verdict


def test_a_frozen_layer_is_said_to_be_so(tiny):
    layers = (Conv2D(4, 5, 3, frozen=True), Activation("relu"), Flatten(), Dense(10))
    frozen, learning = looked_at(replace(PLAIN, layers=layers), tiny)[2]
    assert (frozen.gradient_norm, frozen.update_ratio) == (0, 0)
    assert frozen.verdict.startswith("frozen")
    assert learning.update_ratio > 0
