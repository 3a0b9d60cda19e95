"""How a training ends: by itself, early, or by a divergence."""

import numpy as np
import pytest
from helpers import make_noise

from engine.network import dense_layers
from engine.training import Diverged, EpochEnd, Finished, StepEnd, Trainer


@pytest.mark.parametrize("validation_size", [0, 100])
@pytest.mark.parametrize(
    ("loss", "optimizer", "rate"), [("mse", "sgd", 10), ("mse", "momentum", 5), ("cross_entropy", "sgd", 10)]
)
def test_divergence_is_an_event_and_restores_the_last_finite_network(
    tiny, small_config, loss, optimizer, rate, validation_size
):
    layers = dense_layers((16, 16, 16, 16, 16), "identity")  # a product of six matrices soon overflows float32
    changes = {"layers": layers, "loss": loss, "optimizer": optimizer, "learning_rate": rate}
    config = small_config(**changes, epochs=30, validation_size=validation_size)

    trainer = Trainer.from_config(config, tiny)
    events = list(trainer)
    end = events[-1]
    assert isinstance(end, Diverged)
    assert not np.isfinite(end.loss)
    assert end.step == trainer.step
    assert np.isfinite(trainer.network.parameters).all()
    assert list(trainer) == []

    twin = Trainer.from_config(config, tiny)
    parameters_after = {0: twin.network.parameters.copy()}  # by step
    for event in twin:
        if isinstance(event, StepEnd):
            parameters_after[event.step] = twin.network.parameters.copy()
    losses = {event.step - 1: event.loss for event in events if isinstance(event, StepEnd)}  # of the network before it
    assert np.isfinite(list(losses.values())).all()
    np.testing.assert_array_equal(trainer.network.parameters, parameters_after[max(losses)])


def test_divergence_gives_no_warnings(tiny, recwarn, trained):
    trained(tiny, layers=dense_layers((16, 16, 16), "identity"), loss="mse", optimizer="sgd", learning_rate=10)
    assert not recwarn.list


@pytest.mark.parametrize("decay", [0.1, 0.99])
@pytest.mark.parametrize(("loss", "rate"), [("mse", 10), ("cross_entropy", 10), ("sse", 1)])
def test_after_a_divergence_the_average_still_predicts(loss, rate, decay, tiny, trained):
    layers = dense_layers((16, 16, 16, 16, 16), "identity")
    changes = {"layers": layers, "loss": loss, "optimizer": "sgd", "learning_rate": rate, "ema_decay": decay, "epochs": 30}
    trainer, events = trained(tiny, **changes)
    assert isinstance(events[-1], Diverged)
    assert np.isfinite(trainer.result.state_vector).all()
    assert np.isfinite(trainer.result.predict_proba(tiny.images)).all()
    assert np.isfinite(trainer.network.predict_proba(tiny.images)).all()


def test_early_stopping_puts_the_best_network_back(small_config):
    changes = {"patience": 3, "epochs": 200, "learning_rate": 0.003, "validation_size": 100}
    trainer = Trainer.from_config(small_config(**changes), make_noise(300))  # sooner or later it gets only worse
    at_epoch = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            at_epoch[event.epoch] = event.validation_loss, trainer.network.parameters.copy()
    assert isinstance(event, Finished)
    assert event.stopped_early
    best = min(at_epoch, key=lambda epoch: at_epoch[epoch][0])
    assert event.best_epoch == best
    assert event.epoch == max(at_epoch) == best + 3
    np.testing.assert_array_equal(trainer.network.parameters, at_epoch[best][1])


def test_early_stopping_puts_the_best_average_back(small_config):
    changes = {"patience": 3, "epochs": 200, "learning_rate": 0.003, "validation_size": 100, "ema_decay": 0.9}
    trainer = Trainer.from_config(small_config(**changes), make_noise(300))
    at_epoch = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            at_epoch[event.epoch] = trainer.average.state_vector.copy()
    assert event.stopped_early
    np.testing.assert_array_equal(trainer.result.state_vector, at_epoch[event.best_epoch])


def test_without_patience_the_last_network_stays(tiny, small_config):
    trainer = Trainer.from_config(small_config(learning_rate=0.05, epochs=5), tiny)
    for event in trainer:
        if isinstance(event, EpochEnd):
            last = trainer.network.parameters.copy()
    np.testing.assert_array_equal(trainer.network.parameters, last)


def test_complete_means_that_no_batch_is_left(tiny, small_config):
    trainer = Trainer.from_config(small_config(), tiny)
    after_event = [(trainer.complete, type(event)) for event in trainer]
    assert all(kind in (EpochEnd, Finished) for complete, kind in after_event if complete)
    assert [complete for complete, _ in after_event] == [False] * (len(after_event) - 2) + [True, True]
