"""More trainings than workers, on the page: the place in the queue, and control while waiting."""

from collections.abc import Iterator

import pytest
from pages import button, widget
from streamlit.testing.v1 import AppTest

from engine.jobs import JobState, Pool
from engine.jobs import series as series_module
from tests.ui.train.steps import WAIT, open_train, run_to_end, runs, says, start, wait_for


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """All trainings in a pool with one worker, which a visitor may have to wait for."""
    pool = Pool(size=1, per_visitor=2)
    pool.start_workers()
    monkeypatch.setattr(series_module, "default_pool", lambda: pool)
    yield pool
    pool.close()


def progress(app: AppTest) -> str:
    return app.get("progress")[0].proto.text


@pytest.fixture
def busy(one_worker, sets) -> AppTest:
    """Another visitor, whose training has the only worker."""
    app = open_train()
    run = start(app, Epochs=2_000)
    wait_for(lambda: run.snapshot().seconds_left is not None, "it does not begin")
    return app


def test_the_page_says_the_place_in_the_queue_and_about_how_long(busy):
    waiting = []
    for _ in range(2):
        waiting.append(open_train())
        start(waiting[-1], Epochs=1)
    first, second = (progress(app.run()) for app in waiting)
    assert "other trainings are running: next in the queue, starts in about" in first
    assert "other trainings are running: number 2 in the queue" in second
    assert [runs(app)[0].state for app in waiting] == [JobState.QUEUED] * 2
    button(busy, "Stop").click().run()
    for app in waiting:
        assert run_to_end(app).state is JobState.FINISHED


def test_a_run_that_waits_can_be_paused_and_resumed(busy):
    app = open_train()
    run = start(app, Epochs=1)
    button(app, "Pause").click().run()
    assert not app.exception
    assert run.state is JobState.PAUSED
    assert "paused at step 0" in progress(app)
    assert run.series.place() is None
    button(app, "Resume").click().run()
    assert "next in the queue" in progress(app)
    button(busy, "Stop").click().run()
    assert run_to_end(app).state is JobState.FINISHED


def test_a_run_that_waits_can_be_stopped(busy):
    app = open_train()
    run = start(app, Epochs=1)
    button(app, "Stop").click().run()
    assert not app.exception
    assert (run.state, run.snapshot().step) == (JobState.STOPPED, 0)
    assert not button(app, "Start").disabled


def test_single_steps_wait_for_their_turn_too(busy):
    app = open_train()
    button(app, "1 batch").click().run()
    (run,) = runs(app)
    assert run.state is JobState.QUEUED
    button(app, "1 batch").click().run()
    assert not app.exception
    button(busy, "Stop").click().run()
    assert run.series.wait_until_still(WAIT)
    assert run.snapshot().step == 2


def test_a_paused_training_gives_its_worker_to_one_that_waits(busy):
    app = open_train()
    run = start(app, Epochs=1)
    button(busy, "Pause").click().run()
    assert run_to_end(app).state is JobState.FINISHED
    (paused,) = runs(busy)
    step = paused.snapshot().step
    button(busy.run(), "Resume").click().run()
    wait_for(lambda: paused.snapshot().step > step, "it does not go on")
    assert run.state is JobState.FINISHED


def test_the_limit_of_a_visitor_is_one_clear_sentence(one_worker, sets, monkeypatch):
    monkeypatch.setattr(one_worker, "per_visitor", 1)
    app = open_train()
    first = start(app, Epochs=2_000)
    wait_for(lambda: first.snapshot().step > 0, "it does not begin")
    button(app, "Pause").click().run()
    assert first.series.wait_until_still(WAIT)
    other = AppTest.from_file(app._script_path, default_timeout=20)
    other.query_params["w"] = app.query_params["w"]
    other.session_state["more_open"] = True
    other.run().switch_page("ui/train/page.py").run()
    button(other, "Resume").click().run()
    wait_for(lambda: first.state is JobState.RUNNING, "it does not go on")
    monkeypatch.setattr("ui.runs.active_run", lambda: None)  # as on another server
    button(app.run(), "Start").click().run()
    assert not app.exception
    (error,) = [error.value.replace("\\", "") for error in app.error]
    assert error == "you can have 1 training at a time: pause or stop one first"
    assert len(runs(app)) == 1
    assert widget(app.number_input, "Epochs").value == 2_000
    assert not says(app.markdown, "next run")
