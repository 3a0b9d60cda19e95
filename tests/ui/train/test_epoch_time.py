"""The time of an epoch."""

from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest
from helpers import make_digits

from engine import Config, InklingError, dense_layers
from engine.jobs import Series
from tests.ui.train.steps import WAIT, wait_for
from ui.run import Run
from ui.train import epoch_time
from ui.train.epoch_time import seconds_per_epoch

CONFIG = Config(layers=dense_layers((16,)), epochs=2)


@pytest.fixture(autouse=True)
def nothing_measured():
    epoch_time._measurements.clear()
    yield
    epoch_time._measurements.clear()


@pytest.fixture
def measurements(monkeypatch):
    """The pool's measurements, as pairs of a configuration and a future, which the test sets."""
    begun = []

    def measure(config, is_watched):
        begun.append((config, Future()))
        return begun[-1][1]

    monkeypatch.setattr(epoch_time, "default_pool", lambda: SimpleNamespace(measure=measure))
    return begun


def test_an_epoch_is_measured_in_the_background_and_computed_from_the_seconds_of_an_image(measurements):
    assert seconds_per_epoch(CONFIG, 10_000) is None
    assert seconds_per_epoch(CONFIG, 10_000) is None
    ((_, future),) = measurements
    future.set_result((0.01, 0.001))
    assert seconds_per_epoch(CONFIG, 10_000) == pytest.approx(9_000 * 0.01 + 1_000 * 0.001)
    assert seconds_per_epoch(replace(CONFIG, train_size=2_000, validation_size=0), 10_000) == pytest.approx(20)
    assert seconds_per_epoch(replace(CONFIG, batch_size=64), 10_000) is None
    assert [config.batch_size for config, _ in measurements] == [128, 64]


def test_a_real_measurement_gives_some_seconds():
    wait_for(lambda: seconds_per_epoch(CONFIG, 1_000) is not None, "no speed was measured")
    assert 0 < (seconds_per_epoch(CONFIG, 1_000) or 0.0) < WAIT


def test_an_earlier_run_on_this_machine_says_how_long_an_epoch_takes(measurements):
    series = Series(CONFIG, lambda: (make_digits(1_000), None))
    series.start()
    assert series.wait_until_over(WAIT)
    run = Run(1, "Run 1", CONFIG, "mnist", series)
    taken = series.snapshot().history[-1].seconds / 2
    assert seconds_per_epoch(CONFIG, 1_000, [run]) == taken
    assert measurements == []
    assert seconds_per_epoch(CONFIG, 1_000) is None
    measurements[0][1].set_result((1.0, 1.0))
    assert seconds_per_epoch(CONFIG, 1_000) == 1_000
    assert seconds_per_epoch(replace(CONFIG, patience=3), 1_000, [run]) == taken
    assert seconds_per_epoch(replace(CONFIG, train_size=500), 1_000, [run]) == 500
    run.from_file = True  # it began on another machine
    assert seconds_per_epoch(CONFIG, 1_000, [run]) == 1_000


def test_a_measurement_that_fails_is_not_repeated(measurements):
    seconds_per_epoch(CONFIG, 1_000)
    measurements[0][1].set_exception(InklingError("it does not fit"))
    assert [seconds_per_epoch(CONFIG, 1_000) for _ in range(3)] == [0, 0, 0]
    assert len(measurements) == 1


def test_a_measurement_that_ended_with_its_viewer_begins_again_for_the_next_one(measurements):
    seconds_per_epoch(CONFIG, 1_000)
    measurements[0][1].cancel()
    assert seconds_per_epoch(CONFIG, 1_000) is None
    measurements[1][1].set_result((1.0, 1.0))
    assert seconds_per_epoch(CONFIG, 1_000) == 1_000


def test_few_measurements_are_remembered(measurements, monkeypatch):
    monkeypatch.setattr(epoch_time, "MAX_MEASUREMENTS", 2)
    for batch_size in (1, 2, 3, 3, 1):
        seconds_per_epoch(replace(CONFIG, batch_size=batch_size), 1_000)
    assert [config.batch_size for config, _ in measurements] == [1, 2, 3, 1]


def test_settings_that_leave_no_image_to_train_on_are_refused():
    with pytest.raises(InklingError, match="validation_size"):
        seconds_per_epoch(Config(validation_size=5_000), 1_000)
