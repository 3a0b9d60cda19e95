import math

import numpy as np
import pytest

from engine.config import Config
from engine.layers import Dense
from engine.losses import LOSSES
from engine.network import Network
from engine.optimizers import BLOCK, OPTIMIZERS
from engine.training import Trainer

# Each updates one parameter with a list of gradients, in plain Python, by the formulas of the paper.


def sgd(p, gradients, lr):
    for g in gradients:
        p = p - lr * g
    return p


def momentum(p, gradients, lr, mu=0.9):
    v = 0.0
    for g in gradients:
        v = mu * v - lr * g
        p = p + v
    return p


def nesterov(p, gradients, lr, mu=0.9):
    v = 0.0
    for g in gradients:
        v = mu * v - lr * g
        p = p + mu * v - lr * g
    return p


def rmsprop(p, gradients, lr, decay=0.99, eps=1e-8):
    s = 0.0
    for g in gradients:
        s = decay * s + (1 - decay) * g * g
        p = p - lr * g / (math.sqrt(s) + eps)
    return p


def adam(p, gradients, lr, b1=0.9, b2=0.999, eps=1e-8):
    m = s = 0.0
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g * g
        p = p - lr * (m / (1 - b1**t)) / (math.sqrt(s / (1 - b2**t)) + eps)
    return p


BY_HAND = {"sgd": sgd, "momentum": momentum, "nesterov": nesterov, "rmsprop": rmsprop, "adam": adam, "adamw": adam}
each = pytest.mark.parametrize("name", OPTIMIZERS)


def run(optimizer, start, gradients, lr):
    parameters = start.copy()
    optimizer.start(parameters)
    for gradient in gradients:
        optimizer.step(parameters, gradient.copy(), lr)
    return parameters


@each
def test_steps_follow_the_papers_formula(name):
    assert name in BY_HAND, f"add {name}'s formula to BY_HAND"
    rng = np.random.default_rng(9)
    start, gradients = rng.normal(size=6), rng.normal(size=(12, 6))
    gradients[:, 5] *= 1e-7  # small enough for epsilon to matter
    got = run(OPTIMIZERS[name](), start, gradients, 0.05)
    expected = [BY_HAND[name](start[i], gradients[:, i].tolist(), 0.05) for i in range(6)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@each
def test_vectors_longer_than_a_block_are_updated_completely(name):
    rng = np.random.default_rng(10)
    size = 2 * BLOCK + 17
    start = rng.normal(size=size).astype(np.float32)
    gradients = rng.normal(size=(3, size)).astype(np.float32)
    got = run(OPTIMIZERS[name](), start, gradients, 0.01)
    assert got.dtype == np.float32
    for i in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, size - 1):
        assert got[i] == pytest.approx(BY_HAND[name](float(start[i]), gradients[:, i].tolist(), 0.01), abs=1e-6)


@each
def test_start_resets_the_state(name):
    rng = np.random.default_rng(11)
    optimizer, start, gradients = OPTIMIZERS[name](), rng.normal(size=4), rng.normal(size=(5, 4))
    first = run(optimizer, start, gradients, 0.1)
    np.testing.assert_array_equal(run(optimizer, start, gradients, 0.1), first)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_momentum_is_a_hyperparameter(name):
    start, gradients = np.array([1.0]), np.array([[0.5], [0.25], [-1.0]])
    got = run(OPTIMIZERS[name](momentum=0.5), start, gradients, 0.1)
    assert got[0] == pytest.approx(BY_HAND[name](1.0, [0.5, 0.25, -1.0], 0.1, mu=0.5), rel=1e-12)


def test_nesterov_takes_its_gradient_at_the_lookahead_point():
    """Nesterov's own form, on f(p) = p^2 / 2: the gradient at p + mu v. The parameters here are that lookahead point."""
    p, v, lr, mu = 3.0, 0.0, 0.1, 0.9
    optimizer, lookahead = OPTIMIZERS["nesterov"](), np.array([3.0])
    optimizer.start(lookahead)
    for _ in range(10):
        v = mu * v - lr * (p + mu * v)
        p = p + v
        optimizer.step(lookahead, lookahead.copy(), lr)
        assert lookahead[0] == pytest.approx(p + mu * v, rel=1e-12)


@each
def test_the_minimum_of_a_quadratic_is_approached(name):
    parameters, curvature = np.array([2.0, -3.0, 0.5]), np.array([1.0, 0.1, 10.0])
    optimizer = OPTIMIZERS[name]()
    optimizer.start(parameters)
    before = (curvature * parameters**2).sum()
    for _ in range(300):
        optimizer.step(parameters, curvature * parameters, 0.02)
    assert (curvature * parameters**2).sum() < 0.05 * before


@each
def test_weight_decay_changes_weights_and_not_biases(name, tiny):
    """Weight decay is added to the gradient (L2); AdamW shrinks the weights directly."""
    lr, decay = 0.01, 0.3
    config = Config(
        layers=(Dense(10),), optimizer=name, learning_rate=lr, weight_decay=decay, batch_size=None, validation_size=0
    )
    trainer = Trainer.from_config(config, tiny)
    network = trainer.network
    network.parameters[-10:] = np.linspace(-1, 1, 10)  # biases that a decay would change

    twin = Network(network.layers, dtype=np.float64)
    twin.parameters[:] = network.parameters
    images, labels = tiny.take(slice(None))
    twin.backward(LOSSES["cross_entropy"](twin.forward(images.reshape(-1, 784) / 255.0, training=True), labels)[1])

    next(trainer)
    by_hand = BY_HAND[name]
    for i in (100 * 10, 300 * 10 + 5, 500 * 10 + 9):
        w, g = twin.parameters[i], twin.gradients[i]
        expected = by_hand(w - lr * decay * w, [g], lr) if name == "adamw" else by_hand(w, [g + decay * w], lr)
        assert network.parameters[i] == pytest.approx(expected, abs=2e-6)
    for i in range(-10, 0):
        assert network.parameters[i] == pytest.approx(by_hand(twin.parameters[i], [twin.gradients[i]], lr), abs=2e-6)
