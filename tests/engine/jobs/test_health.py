from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from examples import READER

from engine.config import Config
from engine.jobs.health import Problem, layer_health
from engine.layers import Activation, Conv2D, Dense, Flatten
from engine.network import dense_layers
from engine.training import Trainer

PLAIN = Config(layers=dense_layers((16, 12), "tanh"), optimizer="sgd", learning_rate=0.1, batch_size=50, train_size=400)
PARAMETRIC = ("dense", "conv2d", "batch_norm")
NAMES = ("W", "b", "gamma", "beta")


def after_steps(config, dataset, steps=1):
    """A trainer after so many steps, the network before its last one, and the health of its layers."""
    trainer = Trainer.from_config(config, dataset)
    list(islice(trainer, steps - 1))
    before = trainer.network.copy()
    trainer.keep_gradient = True
    next(trainer)
    return trainer, before, layer_health(trainer)


def length(layer):
    vector = np.concatenate([getattr(layer, name).ravel() for name in NAMES if hasattr(layer, name)])
    return np.linalg.norm(vector.astype(np.float64))


@pytest.mark.parametrize("layers", [PLAIN.layers, READER], ids=["dense", "images"])
def test_gradient_and_ratio_agree_with_what_plain_gradient_descent_moved(layers, tiny):
    trainer, before, health = after_steps(replace(PLAIN, layers=layers), tiny, steps=3)
    kinds = [layer.kind for layer in layers]
    assert [layer.position for layer in health] == [i for i, kind in enumerate(kinds) if kind in PARAMETRIC]
    moved = before.copy()
    moved.state_vector[:] = trainer.network.state_vector - before.state_vector
    for layer in health:
        assert layer.label == layers[layer.position].label
        size, move = length(before.layers[layer.position]), length(moved.layers[layer.position])
        assert layer.gradient_norm == pytest.approx(move / 0.1, rel=1e-3)
        assert layer.update_ratio == pytest.approx(move / size, rel=1e-5)
        assert (layer.problem, layer.details) == (Problem.NONE, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": 0.5},
        {"l1": 0.1},
        {"max_grad_norm": 1e-3},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"ema_decay": 0.9},
    ],
    ids=str,
)
def test_the_gradient_is_that_of_the_loss_before_it_is_clipped_or_regularised(changes, tiny):
    _, _, plain = after_steps(PLAIN, tiny)
    _, _, other = after_steps(replace(PLAIN, **changes), tiny)
    assert [layer.gradient_norm for layer in other] == pytest.approx([layer.gradient_norm for layer in plain])


def test_measuring_changes_no_bit_of_the_training(tiny):
    plain, watched = (Trainer.from_config(replace(PLAIN, epochs=2), tiny) for _ in range(2))
    list(plain)
    watched.keep_gradient = True
    for _ in watched:
        if watched.gradient is not None:
            layer_health(watched)
    assert watched.network.state_vector.tobytes() == plain.network.state_vector.tobytes()


def test_only_a_step_with_keep_gradient_keeps_it(tiny):
    trainer = Trainer.from_config(PLAIN, tiny)
    next(trainer)
    assert trainer.gradient is None
    trainer.keep_gradient = True
    next(trainer)
    assert trainer.gradient.shape == trainer.network.parameters.shape
    trainer.keep_gradient = False
    next(trainer)
    assert trainer.gradient is None


def problems(config, dataset, steps=1):
    return [layer.problem for layer in after_steps(config, dataset, steps)[2]]


@pytest.mark.parametrize("changes", [{}, {"weight_decay": 0.1, "l1": 0.01}], ids=["plain", "regularised"])
def test_dead_layers(changes, tiny):
    zeros = dense_layers((16,), "relu", "zeros")  # no unit is ever active, so nothing reaches the layer below
    assert problems(replace(PLAIN, layers=zeros, **changes), tiny) == [Problem.DEAD, Problem.NONE]


@pytest.mark.parametrize(("rate", "problem"), [(1e-3, Problem.NONE), (0.1, Problem.NONE), (10, Problem.EXPLODING)])
def test_exploding_layers(rate, problem, tiny):
    assert set(problems(replace(PLAIN, learning_rate=rate, layers=dense_layers((16,))), tiny)) == {problem}


def test_vanishing_gradients(tiny):
    deep = dense_layers((16,) * 9, "sigmoid", "glorot_uniform")
    by_layer = problems(replace(PLAIN, layers=deep), tiny)
    assert by_layer[0] == Problem.VANISHING
    assert by_layer[-1] == Problem.NONE
    assert by_layer == sorted(by_layer, reverse=True)  # the further from the loss, the smaller the gradient


def test_details_of_overflow_and_of_a_very_small_gradient(tiny):
    trainer, _, _ = after_steps(PLAIN, tiny)
    trainer.gradient[:] = np.inf
    (diagnosis,) = {(layer.problem, layer.details) for layer in layer_health(trainer)}
    assert diagnosis == (Problem.EXPLODING, "the gradient or the weights overflowed (NaN or infinity)")
    trainer.gradient[:] = 0
    trainer.gradient[-1] = 1
    trainer.gradient[0] = 1e-15
    assert "more than a million times smaller" in layer_health(trainer)[0].details


def test_frozen_layers(tiny):
    layers = (Conv2D(4, 5, 3, frozen=True), Activation("relu"), Flatten(), Dense(10))
    frozen, learning = after_steps(replace(PLAIN, layers=layers), tiny)[2]
    assert (frozen.gradient_norm, frozen.update_ratio) == (0, 0)
    assert frozen.problem == Problem.FROZEN
    assert learning.update_ratio > 0
