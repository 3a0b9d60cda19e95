"""The time of an epoch."""

import logging
from dataclasses import replace
from threading import Event

import pytest
from helpers import make_digits

from engine import Config, InklingError, Trainer, dense_layers
from engine.jobs import Series
from tests.ui.train.steps import WAIT, wait_for
from ui import runs
from ui.train import epoch_time
from ui.train.epoch_time import seconds_per_epoch

CONFIG = Config(layers=dense_layers((16,)), epochs=2)


@pytest.fixture(autouse=True)
def nothing_measured():
    epoch_time._measured.clear()
    yield
    _, lock = epoch_time._measured()
    assert lock.acquire(timeout=WAIT)
    epoch_time._measured.clear()


def measured(config, num_images):
    wait_for(lambda: seconds_per_epoch(config, num_images) is not None, "no speed was measured")
    return seconds_per_epoch(config, num_images) or 0.0


def test_an_epoch_is_measured_in_the_background_and_computed_from_the_seconds_of_an_image(monkeypatch):
    may_end, batch_sizes = Event(), []

    def measure(config, train_set):
        assert may_end.wait(WAIT)
        batch_sizes.append(config.batch_size)
        return 0.01, 0.001

    monkeypatch.setattr(epoch_time, "measure_seconds", measure)
    assert seconds_per_epoch(CONFIG, 10_000) is None
    may_end.set()
    assert measured(CONFIG, 10_000) == pytest.approx(9_000 * 0.01 + 1_000 * 0.001)
    assert seconds_per_epoch(replace(CONFIG, train_size=2_000, validation_size=0), 10_000) == pytest.approx(20)
    assert measured(replace(CONFIG, batch_size=64), 10_000) == measured(CONFIG, 10_000)
    assert batch_sizes == [128, 64]


def test_a_real_measurement_gives_some_seconds():
    assert 0 < measured(CONFIG, 1_000) < WAIT


def test_an_earlier_run_on_this_machine_says_how_long_an_epoch_takes(monkeypatch):
    monkeypatch.setattr(epoch_time, "measure_seconds", lambda config, train_set: (1.0, 1.0))
    series = Series([lambda: Trainer.from_config(CONFIG, make_digits(1_000))])
    series.start()
    assert series.wait_until_over(WAIT)
    run = runs.Run(1, "Run 1", CONFIG, "mnist", series)
    taken = series.snapshot().history[-1].seconds / 2
    assert seconds_per_epoch(CONFIG, 1_000, [run]) == taken
    assert measured(CONFIG, 1_000) == 1_000
    assert seconds_per_epoch(replace(CONFIG, patience=3), 1_000, [run]) == taken
    assert seconds_per_epoch(replace(CONFIG, train_size=500), 1_000, [run]) == 500
    run.from_file = True  # it began on another machine
    assert seconds_per_epoch(CONFIG, 1_000, [run]) == 1_000


@pytest.mark.parametrize(
    ("error", "logged"), [(InklingError("it does not fit"), 0), (MemoryError(), 0), (ZeroDivisionError("strange"), 1)]
)
def test_a_measurement_that_fails_is_not_repeated(monkeypatch, caplog, error, logged):
    calls = []

    def fail(config, train_set):
        calls.append(config)
        raise error

    monkeypatch.setattr(epoch_time, "measure_seconds", fail)
    with caplog.at_level(logging.ERROR):
        assert [measured(CONFIG, 1_000) for _ in range(3)] == [0, 0, 0]
    assert len(calls) == 1
    assert len(caplog.records) == logged


def test_settings_that_leave_no_image_to_train_on_are_refused():
    with pytest.raises(InklingError, match="validation_size"):
        seconds_per_epoch(Config(validation_size=5_000), 1_000)
