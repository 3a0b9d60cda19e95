"""Trainings from several seeds, one after another."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from threading import Event
from time import sleep

import numpy as np
import pytest
from helpers import make_digits

from engine.checkpoint import load_training
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import Job, JobState, Saved, Series
from engine.jobs import worker as worker_module
from engine.metrics import evaluate
from engine.network import dense_layers

SHORT = Config(layers=dense_layers((16,)), batch_size=50, epochs=2, validation_size=100)  # 10 steps an epoch
LONG = replace(SHORT, epochs=10_000)
DIVERGING = replace(SHORT, layers=dense_layers((16,) * 4, "identity"), loss="mse", optimizer="sgd", learning_rate=10)
TEST = make_digits(200, 3)
SETTINGS = {"batch_size": 50, "epochs": 2}


def states(series):
    return [snapshot.state for snapshot in series.snapshots()]


def test_seeds_run_one_after_another_each_as_if_alone(make_series, train_alone):
    series = make_series(replace(SHORT, seed=1), 3)
    assert (series.num_seeds, states(series)) == (3, [JobState.READY])
    series.start()
    while not series.is_over:
        assert set(states(series)[:-1]) <= {JobState.FINISHED}
        sleep(0.002)
    assert series.error is None
    for seed, snapshot in zip((1, 2, 3), series.snapshots(), strict=True):
        assert (snapshot.state, snapshot.config) == (JobState.FINISHED, replace(SHORT, seed=seed))
        alone = train_alone(seed=seed, **SETTINGS)
        assert snapshot.network.state_vector.tobytes() == alone.network.state_vector.tobytes()
        assert snapshot.test.images == 200


def test_a_configuration_and_data_make_a_series(tiny, pool, train_alone):
    start = train_alone(0).network
    config = replace(SHORT, seed=4, learning_rate=1e-9)
    series = Series.from_config(config, 2, tiny, TEST, start=start, pool=pool)
    np.testing.assert_array_equal(series.snapshot().network.state_vector, start.state_vector)
    series.start()
    assert series.wait_until_over(30)
    assert [snapshot.config.seed for snapshot in series.snapshots()] == [4, 5]
    for snapshot in series.snapshots():
        np.testing.assert_allclose(snapshot.network.state_vector, start.state_vector, atol=1e-6)
    assert series.test_set is TEST


def test_a_pause_holds_and_a_resume_continues(make_series, until):
    series = make_series(LONG)
    series.start(paused=True)
    assert series.wait_until_still(30)
    assert (series.snapshot().state, series.snapshot().step, series.is_still) == (JobState.PAUSED, 0, True)
    series.resume()
    until(lambda: series.snapshot().step > 5)
    assert not series.is_still
    series.pause()
    assert series.wait_until_still(30)
    step = series.snapshot().step
    sleep(0.1)
    assert series.snapshot().step == step
    assert not series.is_over


def test_a_series_can_be_paused_before_its_start(make_series):
    series = make_series(LONG)
    assert series.is_still
    series.pause()
    assert series.wait_until_still(0)
    series.start()
    assert series.wait_until_still(30)
    assert (series.snapshot().state, series.snapshot().step) == (JobState.PAUSED, 0)


def test_a_step_starts_a_series(make_series):
    series = make_series(SHORT, 2)
    series.step()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.PAUSED], 1)
    series.resume()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


# --- between two seeds ---


@pytest.fixture
def tested_seed(make_series, thread_pool, monkeypatch):
    """A series of two seeds whose first one is being tested, and a function that lets this end."""
    begun, may_end = Event(), Event()

    def slow_evaluate(*arguments):
        begun.set()
        assert may_end.wait(30)
        return evaluate(*arguments)

    monkeypatch.setattr(worker_module, "evaluate", slow_evaluate)
    series = make_series(SHORT, 2, pool=thread_pool)
    series.start()
    assert begun.wait(30)
    yield series, may_end.set
    may_end.set()


@pytest.mark.parametrize("request_name", ["pause", "step", "step_epoch"])
def test_a_request_at_the_end_of_a_seed_pauses_the_next(tested_seed, request_name):
    series, let_continue = tested_seed
    getattr(series, request_name)()
    assert not series.is_still
    assert not series.wait_until_still(0.01)
    let_continue()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    series.resume()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


def test_a_resume_at_the_end_of_a_seed_lets_the_next_run(tested_seed):
    series, let_continue = tested_seed
    series.pause()
    series.resume()
    let_continue()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


def test_a_stop_at_the_end_of_a_seed_begins_no_other(tested_seed):
    series, let_continue = tested_seed
    series.stop()
    let_continue()
    assert series.wait_until_over(30)
    assert (states(series), series.error) == ([JobState.FINISHED], None)


def test_one_epoch_at_the_end_of_a_seed_pauses_before_the_next(make_series):
    series = make_series(SHORT, 2)
    series.start(paused=True)
    for _ in range(2):
        assert series.wait_until_still(30)
        assert len(series.jobs) == 1
        series.step_epoch()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    assert series.snapshots()[0].step == 20
    for _ in range(2):
        series.step_epoch()
        assert series.wait_until_still(30)
    assert series.is_over
    assert states(series) == [JobState.FINISHED] * 2


def test_one_batch_at_the_end_of_a_seed_pauses_before_the_next(make_series):
    series = make_series(SHORT, 2)
    for step in range(1, 21):
        series.step()
        assert series.wait_until_still(30)
        assert (states(series), series.snapshot().step) == ([JobState.PAUSED], step)
    series.step()  # only the measurement of the last epoch is left
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    series.step()
    assert series.wait_until_still(30)
    assert series.snapshot().step == 1


def test_the_next_seed_follows_the_same_image(make_series):
    series = make_series(SHORT, 2)
    series.follow(TEST.images[0] / np.float32(255))
    series.start()
    assert series.wait_until_over(30)
    assert [snapshot.followed[0, 0] for snapshot in series.snapshots()] == [0, 0]


# --- how a series ends ---


def test_a_stop_ends_the_training_at_work_and_begins_no_other(make_series, until):
    series = make_series(LONG, 2)
    series.start()
    until(lambda: series.snapshot().step > 5)
    series.stop()
    assert series.wait_until_over(30)
    assert series.is_over
    assert states(series) == [JobState.STOPPED]


def test_after_a_divergence_the_next_training_runs(make_series):
    series = make_series(DIVERGING, 2)
    series.start()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.DIVERGED] * 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InklingError("the file is gone"), "the file is gone"),
        (MemoryError("Unable to allocate 8 GiB"), "more memory"),
        (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
        (OSError(), "OSError"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["_before_start", "start"])
def test_a_series_whose_second_training_cannot_begin_ends(make_series, monkeypatch, error, message, method):
    original = getattr(Job, method)

    def fail(job, *arguments):
        if job.config.seed == 1:
            raise error
        return original(job, *arguments)

    monkeypatch.setattr(Job, method, fail)
    series = make_series(SHORT, 3)
    series.start()
    assert series.wait_until_over(30)
    assert (series.is_over, series.is_still, states(series)) == (True, True, [JobState.FINISHED])
    assert message in series.error
    assert "\n" not in series.error


def test_a_series_whose_training_fails_ends(make_series, thread_pool, monkeypatch):
    monkeypatch.setattr(worker_module, "evaluate", lambda *_: bytearray(1 << 62))  # more memory than there is
    series = make_series(SHORT, 3, pool=thread_pool)
    series.start()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FAILED]
    assert "memory" in series.snapshot().error


def test_a_series_that_was_not_started_can_be_stopped(make_series):
    series = make_series(SHORT, 2)
    series.stop()
    assert series.is_over
    assert states(series) == [JobState.STOPPED]


def test_a_series_starts_once_and_has_something_to_run(make_series):
    with pytest.raises(InklingError, match="at least one"):
        make_series(SHORT, 0)
    series = make_series(SHORT)
    series.start()
    with pytest.raises(InklingError, match="once"):
        series.start()


# --- what goes to the training at work ---


def test_one_seed_can_be_changed_and_several_cannot(make_series):
    series = make_series(LONG)
    series.start(paused=True)
    series.change(learning_rate=0.5)
    assert series.wait_for_changes(30)
    assert series.snapshot().config.learning_rate == 0.5
    several = make_series(SHORT, 2)
    with pytest.raises(InklingError, match="several seeds"):
        several.change(learning_rate=0.5)


def test_a_paused_series_is_saved_and_continues_in_another(make_series, tiny, train_alone):
    series = make_series(SHORT, 2)
    for _ in range(22):  # the first seed's 20 steps, its end, and a step of the second
        series.step()
        assert series.wait_until_still(30)
    assert load_training(BytesIO(series.paused_training()), tiny).step == 1
    finished = [snapshot for snapshot in series.snapshots() if snapshot.is_over]
    continued = make_series(SHORT, 2, finished=finished, saved=series.saved)
    assert states(continued) == [JobState.FINISHED, JobState.PAUSED]
    with pytest.raises(InklingError, match="once"):
        continued.start()
    for each in (series, continued):
        each.resume()
        assert each.wait_until_over(30)
        assert states(each) == [JobState.FINISHED] * 2
        assert each.snapshot().config.seed == 1
        alone = train_alone(seed=1, **SETTINGS)
        assert each.snapshot().network.state_vector.tobytes() == alone.network.state_vector.tobytes()


def test_a_series_that_was_paused_before_its_first_step_continues(make_series, train_alone):
    snapshot = replace(make_series(SHORT).snapshot(), state=JobState.PAUSED)
    series = make_series(SHORT, saved=Saved(None, snapshot))
    series.resume()
    assert series.wait_until_over(30)
    assert series.snapshot().network.state_vector.tobytes() == train_alone(**SETTINGS).network.state_vector.tobytes()


def test_a_series_that_ended_earlier_only_shows_what_it_was(make_series):
    earlier = make_series(SHORT)
    earlier.start()
    assert earlier.wait_until_over(30)
    series = make_series(SHORT, finished=earlier.snapshots())
    assert (series.is_over, series.is_still, series.saved, series.place()) == (True, True, None, None)
    assert series.snapshot() is earlier.snapshot()
    for request in (series.pause, series.resume, series.step, series.step_epoch, series.stop, lambda: series.follow(None)):
        request()
    assert series.wait_for_changes(0)
    for request in (lambda: series.change(learning_rate=0.5), series.paused_training, series.start):
        with pytest.raises(InklingError, match=r"over|once"):
            request()
    assert states(series) == [JobState.FINISHED]


@pytest.mark.parametrize("request_name", ["resume", "step", "paused_training"])
def test_data_that_take_long_to_load_stop_nobody_else(make_series, tiny, request_name):
    """As after a restart, when the data have to be downloaded again."""
    begun, may_end = Event(), Event()

    def load_data():
        begun.set()
        assert may_end.wait(30)
        return tiny, TEST

    snapshot = replace(make_series(SHORT).snapshot(), state=JobState.PAUSED)
    slow, other = make_series(SHORT, load_data=load_data, saved=Saved(None, snapshot)), make_series(SHORT)
    with ThreadPoolExecutor() as executor:
        answer = executor.submit(getattr(slow, request_name))
        assert begun.wait(30)
        other.start()
        assert other.wait_until_over(30)
        assert slow.snapshot().state is JobState.PAUSED
        may_end.set()
        answer.result(30)
