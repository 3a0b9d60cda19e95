from dataclasses import replace
from time import monotonic, sleep

import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.config import Config
from engine.network import dense_layers
from engine.series import Series
from engine.training import Trainer

SHORT = Config(layers=dense_layers((16,)), batch_size=50, epochs=2, validation_size=100)
LONG = replace(SHORT, epochs=10_000)
TEST = make_digits(200, 3)


@pytest.fixture
def make(tiny):
    """Makes series, and stops what is left of them."""
    made = []

    def make_series(configs, *arguments):
        made.append(Series(configs, tiny, TEST, *arguments))
        return made[-1]

    yield make_series
    for series in made:
        series.stop()
        assert series._thread.ident is None or series.wait(5)


def until(condition, seconds=5):
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.005)


def test_seeds_run_one_after_another_each_as_if_alone(make, tiny):
    configs = [replace(SHORT, seed=seed) for seed in (1, 2, 3)]
    series = make(configs)
    assert [snapshot.state for snapshot in series.snapshots()] == ["ready"]
    series.start()
    most = 0
    while not series.over:
        states = [snapshot.state for snapshot in series.snapshots()]
        most = max(most, states.count("running"))
        assert set(states[:-1]) <= {"finished"}
        sleep(0.002)
    assert most <= 1
    assert series.error is None
    for config, snapshot in zip(configs, series.snapshots(), strict=True):
        trainer = Trainer.from_config(config, tiny)
        list(trainer)
        assert (snapshot.state, snapshot.config) == ("finished", config)
        assert snapshot.network.values.tobytes() == trainer.network.values.tobytes()
        assert snapshot.test.images == 200


def test_a_pause_holds_and_a_resume_goes_on(make):
    series = make([LONG])
    series.start(paused=True)
    until(lambda: series.job.snapshot().state == "paused")
    series.resume()
    until(lambda: series.job.snapshot().step > 5)
    series.pause()
    assert series.job.settle(5)
    held = series.job.snapshot().step
    sleep(0.1)
    assert series.job.snapshot().step == held
    assert not series.over


def test_a_pause_that_comes_as_one_ends_holds_the_next(make):
    series = make([SHORT, replace(SHORT, seed=1)])
    series.start()
    assert series.job.wait(10)
    series.pause()
    until(lambda: len(series.jobs) == 2 and series.job.settle(0.01))
    assert series.job.snapshot().state in ("paused", "finished")
    series.resume()
    assert series.wait(10)
    assert [snapshot.state for snapshot in series.snapshots()] == ["finished"] * 2


def test_a_stop_ends_the_one_and_begins_no_other(make):
    series = make([LONG, SHORT])
    series.start()
    until(lambda: series.job.snapshot().step > 5)
    series.stop()
    assert series.wait(5)
    assert series.over
    assert [snapshot.state for snapshot in series.snapshots()] == ["stopped"]


def test_one_that_diverges_does_not_keep_the_next_from_running(make):
    wild = replace(SHORT, layers=dense_layers((16, 16, 16, 16), "identity"), loss="mse", optimizer="sgd", learning_rate=10)
    series = make([wild, SHORT])
    series.start()
    assert series.wait(10)
    assert [snapshot.state for snapshot in series.snapshots()] == ["diverged", "finished"]


def test_one_that_does_not_fit_the_data_is_told_in_a_line(make):
    series = make([SHORT, replace(SHORT, images=700, validation_size=650)])
    series.start()
    assert series.wait(10)
    assert series.over
    assert "validation_size" in series.error
    assert [snapshot.state for snapshot in series.snapshots()] == ["finished"]


def test_a_series_starts_once_and_has_something_to_run(make):
    with pytest.raises(InklingError, match="at least one"):
        make([])
    series = make([SHORT])
    series.start()
    with pytest.raises(InklingError, match="once"):
        series.start()


def test_nobody_watching_ends_it(make, monkeypatch):
    monkeypatch.setattr("engine.jobs.ASK_EVERY", 0.02)
    monkeypatch.setattr("engine.jobs.GRACE", 0.1)
    series = make([LONG, LONG], lambda: False)
    series.start()
    assert series.wait(5)
    assert [snapshot.state for snapshot in series.snapshots()] == ["stopped"]
