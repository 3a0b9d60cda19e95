"""The runs of a session."""

from dataclasses import replace

import pytest
from helpers import make_digits

from engine import Config, InklingError, Network, dense_layers
from engine.jobs import JobState
from ui import datasets, runs, visitor
from ui.state import Session
from ui.workspace import workspaces

CONFIG = Config(layers=dense_layers((4,)), epochs=1, train_size=200)
WAIT = 60  # seconds after which a tiny training hangs


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session without a browser, with a workspace of its own, and small data."""
    session = Session()
    session.workspace = workspaces().open(workspaces().new_id())
    monkeypatch.setattr(runs, "session", lambda: session)
    monkeypatch.setattr(visitor, "session", lambda: session)
    monkeypatch.setattr(datasets, "load", lambda source: (make_digits(600), make_digits(100, 1)))
    return session


def finished_run(**changes):
    run = runs.start_run(CONFIG, "mnist", **changes)
    assert run.series.wait_until_over(WAIT)
    return run


def test_a_run_has_a_number_a_free_name_and_is_shown():
    first, second = finished_run(), finished_run()
    assert runs.all_runs() == [first, second]
    assert [run.name for run in runs.all_runs()] == ["Run 1", "Run 2"]
    assert runs.shown_run() is second
    runs.show(first)
    assert runs.shown_run() is first
    assert runs.active_run() is None


def test_a_run_that_is_under_way_is_active_also_while_it_is_paused():
    run = runs.start_run(CONFIG, "mnist", paused=True)
    assert (runs.active_run(), run.state) == (run, JobState.PAUSED)
    runs.remove(run)
    assert run.series.wait_until_over(WAIT)
    assert (runs.active_run(), runs.shown_run(), runs.all_runs()) == (None, None, [])


def test_a_second_seed_and_a_start_reach_the_series():
    start = Network(CONFIG.layers)
    run = finished_run(num_seeds=2, start=start)
    assert run.series.num_seeds == 2
    assert run.series.start_network is start
    images, labels = run.test_images()
    assert (len(images), len(labels)) == (100, 100)
    with pytest.raises(InklingError, match="to begin with"):
        runs.start_run(CONFIG, "mnist", start=Network(dense_layers((5,))))


@pytest.mark.parametrize("name", ["a first try", "  a   first  try ", "Run 1"])
def test_a_run_is_renamed_without_the_blanks_around_its_name(name):
    run = finished_run()
    assert runs.rename(run, name)
    assert run.name == " ".join(name.split())
    assert run.key == "Run 1"


@pytest.mark.parametrize("name", ["", "   ", "Run 2", " Run  2"])
def test_a_name_that_is_blank_or_taken_is_refused(name):
    first, _ = finished_run(), finished_run()
    assert not runs.rename(first, name)
    assert first.name == "Run 1"


def test_no_two_runs_have_the_same_name():
    first = finished_run()
    assert runs.rename(first, "Run 2")
    assert [run.name for run in (first, finished_run())] == ["Run 2", "Run 2 (2)"]
    assert finished_run().name == "Run 3"


def test_a_run_that_is_reset_stays_and_a_new_one_with_its_settings_is_paused_before_its_first_step():
    run = finished_run(num_seeds=2)
    runs.rename(run, "mine")
    end = run.snapshot()
    runs.reset(run)
    again = runs.all_runs()[1]
    assert runs.all_runs() == [run, again]
    assert (run.name, run.snapshot().step) == ("mine", end.step)
    assert (again.name, again.key, again.config, again.series.num_seeds) == ("Run 2", "Run 2", CONFIG, 2)
    assert (again.snapshot().step, again.state) == (0, JobState.PAUSED)
    assert runs.active_run() is again
    assert runs.shown_run() is again
    runs.remove(again)
    runs.reset(again)
    assert runs.all_runs() == [run]


def test_a_reset_stops_a_training_that_runs_and_keeps_its_speed():
    run = runs.start_run(replace(CONFIG, epochs=2_000), "mnist", speed=1_000.0)
    with run.series.pool.changed:
        assert run.series.pool.changed.wait_for(lambda: run.snapshot().step > 0, WAIT)
    runs.reset(run)
    again = runs.all_runs()[1]
    assert run.series.wait_until_over(WAIT)
    assert (run.state, again.series.speed) == (JobState.STOPPED, 1_000.0)
    assert run.snapshot().step > 0


def test_a_run_without_a_step_gives_its_place_to_the_new_one():
    run = runs.start_run(CONFIG, "mnist", paused=True)
    runs.reset(run)
    (again,) = runs.all_runs()
    assert again is not run
    assert (again.config, again.state) == (CONFIG, JobState.PAUSED)


def test_the_oldest_runs_make_room(monkeypatch):
    monkeypatch.setattr(runs, "MAX_RUNS", 2)
    started = [finished_run() for _ in range(3)]
    assert runs.all_runs() == started[1:]
