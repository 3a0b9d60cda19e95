import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Config
from engine.network import dense_layers
from engine.schedules import SCHEDULES, Cosine, Exponential, OneCycle, Step, WarmUp
from engine.training import StepEnd, Trainer

each = pytest.mark.parametrize("name", SCHEDULES)

# For each schedule: the factor at some fractions of a training, calculated by hand.
BY_HAND = {
    "constant": {0: 1, 0.5: 1, 1: 1},
    "step": {0: 1, 0.3333: 1, 0.3334: 0.1, 0.6666: 0.1, 0.6667: 0.01, 0.999: 0.01},
    "exponential": {0: 1, 0.25: 10**-0.5, 0.5: 0.1, 1: 0.01},
    "cosine": {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1: 0},
    "one_cycle": {0: 0.04, 0.1: 0.28, 0.15: 0.52, 0.2: 0.76, 0.3: 1, 0.65: (1 + 4e-6) / 2, 1: 4e-6},
    "warm_up": {0: 0.01, 0.05: 0.505, 0.1: 1, 0.5: 1, 1: 1},
}


@each
@pytest.mark.parametrize("epochs", [1, 7, 100])
def test_factors_by_hand(name, epochs):
    assert name in BY_HAND, f"add factors of {name} to BY_HAND"
    for fraction, factor in BY_HAND[name].items():
        assert SCHEDULES[name](fraction * epochs, epochs) == pytest.approx(factor, rel=1e-9, abs=1e-12)


@each
@given(epochs=st.integers(1, 100_000), steps=st.integers(1, 1000), data=st.data())
def test_every_step_has_a_finite_factor_of_at_most_one(name, epochs, steps, data):
    step = data.draw(st.integers(0, epochs * steps - 1))
    for at in (0, step):
        factor = SCHEDULES[name](at / steps, epochs)
        assert math.isfinite(factor)
        assert 0 < factor <= 1


@each
def test_the_factor_depends_on_the_fraction_of_the_training_alone(name):
    for fraction in (0, 0.1, 0.21, 0.5, 0.87):
        factors = [SCHEDULES[name](fraction * epochs, epochs) for epochs in (1, 3, 10, 1000)]
        np.testing.assert_allclose(factors, factors[0], rtol=1e-9)


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine"])
def test_these_schedules_never_rise(name):
    factors = [SCHEDULES[name](epoch, 10) for epoch in np.linspace(0, 10, 501)]
    assert all(later <= earlier for earlier, later in pairwise(factors))


@pytest.mark.parametrize("epochs", [3, 6, 9, 30, 300, 3000])
def test_a_step_falls_exactly_at_the_end_of_a_third(epochs):
    schedule = SCHEDULES["step"]
    for third, factor in ((0, 1), (1, 0.1), (2, 0.01)):
        at = third * (epochs // 3)
        assert schedule(at, epochs) == pytest.approx(factor)
        assert schedule(at + epochs / 3 - 1e-4, epochs) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        (Step(0.5, 0.3), 1, 0.3),
        (Exponential(0.2), 1, 0.2),
        (Cosine(0.1), 1, 0.1),
        (OneCycle(0.5, 0.2, 0.05), 0.2, 0.05),
        (WarmUp(0.4, 0.5), 0.5, 1),
    ],
)
def test_other_parameters_than_the_defaults(schedule, start, end):
    assert schedule(0, 8) == pytest.approx(start)
    assert schedule(8 - 1e-6, 8) == pytest.approx(end, rel=1e-5)


@each
def test_the_trainer_uses_the_factor_of_each_step(name, tiny):
    config = Config(
        layers=dense_layers((4,)),
        schedule=name,
        learning_rate=0.01,
        batch_size=64,
        epochs=3,
        train_size=320,
        validation_size=0,
    )
    trainer = Trainer.from_config(config, tiny)
    rates = [trainer.learning_rate]
    rates += [trainer.learning_rate for event in trainer if isinstance(event, StepEnd)]
    expected = [0.01 * SCHEDULES[name](step / 5, 3) for step in range(16)]
    np.testing.assert_allclose(rates, expected, rtol=1e-9)


def test_the_weights_move_by_the_scheduled_rate(tiny):
    """A step of plain gradient descent is the rate times the gradient; one-cycle starts with 0.04 of the rate."""
    moved = {}
    for name in ("constant", "one_cycle"):
        config = Config(layers=dense_layers(()), optimizer="sgd", learning_rate=0.1, schedule=name, epochs=1)
        trainer = Trainer.from_config(config, tiny)
        before = trainer.network.parameters.astype(np.float64)
        next(trainer)
        moved[name] = trainer.network.parameters - before
    np.testing.assert_allclose(moved["one_cycle"], 0.04 * moved["constant"], atol=1e-7)
    assert np.abs(moved["constant"]).max() > 1e-3
