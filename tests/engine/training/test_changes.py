"""Settings that are changed in the middle of a training."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.network import dense_layers
from engine.training import StepEnd, Trainer


def test_a_new_learning_rate_scales_the_next_step(sgd_trainer, one_step):
    plain, changed = sgd_trainer(), sgd_trainer()
    for trainer in (plain, changed):
        list(islice(trainer, 3))
    changed.change(learning_rate=0.4)
    np.testing.assert_array_equal(changed.network.state_vector, plain.network.state_vector)  # not before the step
    np.testing.assert_allclose(one_step(changed), 4 * one_step(plain), atol=1e-6)
    assert changed.learning_rate == 0.4


def test_the_schedule_continues_with_a_new_rate(sgd_trainer):
    trainer = sgd_trainer(schedule="cosine")
    list(islice(trainer, 10))
    before = trainer.learning_rate
    trainer.change(learning_rate=0.3)
    assert before < 0.1
    assert trainer.learning_rate == pytest.approx(3 * before)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_a_new_momentum_reaches_the_optimizer_and_keeps_its_velocity(optimizer, sgd_trainer, next_gradient, one_step):
    trainer = sgd_trainer(optimizer=optimizer, momentum=0.9)
    list(islice(trainer, 4))
    velocity = trainer.optimizer.state["velocity"].astype(np.float64)
    trainer.change(momentum=0.5)
    gradient = next_gradient(trainer)
    after = 0.5 * velocity - 0.1 * gradient
    expected = after if optimizer == "momentum" else 0.5 * after - 0.1 * gradient
    np.testing.assert_allclose(one_step(trainer), expected, atol=1e-6)
    assert np.abs(velocity).max() > 1e-3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_new_weight_decay_shrinks_the_weights_from_the_next_step(optimizer, sgd_trainer, one_step):
    plain, changed = sgd_trainer(optimizer=optimizer), sgd_trainer(optimizer=optimizer)
    for trainer in (plain, changed):
        list(islice(trainer, 3))
    changed.change(weight_decay=0.5)
    weights = changed.network.parameters.astype(np.float64)
    weights[changed.network.num_decayed :] = 0
    np.testing.assert_allclose(one_step(changed), one_step(plain) - 0.1 * 0.5 * weights, atol=1e-6)


def test_a_new_batch_size_in_the_middle_of_an_epoch_still_takes_each_image_once(small_config, batches_of):
    config = small_config(validation_size=0, batch_size=20, epochs=3)
    trainer = Trainer.from_config(config, make_digits(100))
    taken = batches_of(trainer)
    list(islice(trainer, 2))
    trainer.change(batch_size=25)
    list(islice(trainer, 2))
    trainer.change(batch_size=7)
    progress = [trainer.progress for event in trainer if isinstance(event, StepEnd)]
    assert [len(batch) for batch in taken] == [20, 20, 25, 25, 7, 3, *([7] * 14 + [2]) * 2]
    for order in np.split(np.concatenate(taken), 3):
        np.testing.assert_array_equal(np.sort(order), np.arange(100))
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert [(event.epoch, event.step) for event in trainer.history] == [(1, 6), (2, 21), (3, 36)]


def test_the_batch_size_can_become_the_full_batch(small_config, batches_of):
    trainer = Trainer.from_config(small_config(validation_size=0, batch_size=10), make_digits(50))
    taken = batches_of(trainer)
    next(trainer)
    trainer.change(batch_size=None)
    list(trainer)
    assert [len(batch) for batch in taken] == [10, 40, 50]


def test_changes_are_recorded_as_plain_numbers_with_the_step_they_followed(sgd_trainer):
    trainer = sgd_trainer()
    assert trainer.changes == []
    list(islice(trainer, 2))
    trainer.change(learning_rate=np.float32(0.25), batch_size=np.int64(30))
    next(trainer)
    trainer.change(momentum=0.5)
    trainer.change(momentum=0.5, learning_rate=0.25)  # the same values again: nothing to record
    expected = [(2, {"learning_rate": 0.25, "batch_size": 30}), (3, {"momentum": 0.5})]
    assert [(change.step, change.values) for change in trainer.changes] == expected
    np.testing.assert_allclose([change.epoch for change in trainer.changes], [120 / 600, 150 / 600])
    assert [type(value) for value in trainer.changes[0].values.values()] == [float, int]
    assert (trainer.config.learning_rate, trainer.config.batch_size, trainer.config.momentum) == (0.25, 30, 0.5)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 5},
        {"seed": 1},
        {"layers": dense_layers((4,))},
        {"optimizer": "sgd"},
        {"no_such": 1},
        {"learning_rate": 0.1, "epochs": 5},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"learning_rate": float("nan")},
        {"learning_rate": None},
        {"momentum": 1},
        {"weight_decay": -1},
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"learning_rate": 0.2, "batch_size": -1},
    ],
    ids=str,
)
def test_other_changes_are_refused_in_one_line_and_change_nothing(values, sgd_trainer, one_step):
    trainer, plain = sgd_trainer(optimizer="momentum"), sgd_trainer(optimizer="momentum")
    for training in (trainer, plain):
        next(training)
    with pytest.raises(InklingError) as caught:
        trainer.change(**values)
    assert "\n" not in str(caught.value)
    assert list(values)[-1] in str(caught.value)
    assert trainer.config == plain.config
    assert trainer.changes == []
    np.testing.assert_array_equal(one_step(trainer), one_step(plain))


def test_the_config_given_to_a_trainer_is_not_changed_with_it(tiny, small_config):
    config = small_config()
    trainer = Trainer.from_config(config, tiny)
    trainer.change(learning_rate=0.5)
    assert config == small_config()
    assert trainer.config == replace(config, learning_rate=0.5)
