"""A job from its start to its end."""

from dataclasses import FrozenInstanceError
from threading import Event
from time import sleep

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState
from engine.jobs import worker as worker_module
from engine.layers import Dense
from engine.metrics import evaluate
from engine.training import Diverged, Finished

TEST = make_digits(200, 3)


def test_a_job_is_ready_runs_and_finishes_with_its_test_result(make_job, train_alone):
    job = make_job(TEST, epochs=2)
    ready = job.snapshot()
    assert (ready.state, ready.step, ready.seconds_left, ready.error) == (JobState.READY, 0, None, None)
    job.start()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert end.state == JobState.FINISHED
    assert end.is_over
    assert isinstance(end.end, Finished)
    assert (end.epoch, end.step, end.progress) == (2, 100, 1)
    assert [event.epoch for event in end.history] == [1, 2]
    assert end.error is None
    assert end.samples_per_second > 0
    trainer = train_alone(epochs=2)
    expected = evaluate(trainer.network, TEST, trainer.loss)
    assert (end.test.accuracy, end.test.errors, end.test.images) == (expected.accuracy, expected.errors, 200)
    assert end.network.state_vector.tobytes() == trainer.network.state_vector.tobytes()
    np.testing.assert_array_equal(end.curve, trainer.curve.points())
    assert job.saved is None
    assert job.snapshot() is end


def test_a_job_begins_with_the_weights_of_another_network(make_job, train_alone):
    start = train_alone(epochs=1, seed=5).network
    job = make_job(start=start, learning_rate=1e-9)
    np.testing.assert_array_equal(job.snapshot().network.state_vector, start.state_vector)
    job.step()
    assert job.wait_until_still(30)
    np.testing.assert_allclose(job.snapshot().network.state_vector, start.state_vector, atol=1e-6)


def test_pause_and_resume(make_job, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.snapshot().state == JobState.PAUSED
    assert job.wait_until_still(30)  # the step under way may end
    earlier = job.snapshot()
    sleep(0.2)
    still = job.snapshot()
    assert still.step == earlier.step
    assert still.seconds == earlier.seconds
    assert not still.is_over
    assert not job.wait_until_over(0.01)
    job.resume()
    assert job.snapshot().state == JobState.RUNNING
    until(lambda: job.snapshot().step > earlier.step)


def test_the_network_in_a_pause_is_the_one_that_trains(make_job, train_alone, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.wait_until_still(30)
    now = job.snapshot()
    assert now.network.state_vector.tobytes() == train_alone(now.step).network.state_vector.tobytes()


def test_a_job_starts_once(make_job):
    job = make_job()
    job.start()
    for _ in range(2):
        with pytest.raises(InklingError, match="once"):
            job.start()
        job.stop()
        job.wait_until_over(30)


def test_a_job_can_start_in_a_pause(make_job, until):
    job = make_job()
    job.start(paused=True)
    assert job.wait_until_still(0)
    assert (job.snapshot().state, job.snapshot().step, job.is_still) == (JobState.PAUSED, 0, True)
    with pytest.raises(InklingError, match="once"):
        job.start()
    job.resume()
    until(lambda: job.snapshot().step > 5)


@pytest.mark.parametrize("request_name", ["pause", "resume"])
def test_what_a_training_cannot_do_before_its_start_is_ignored(make_job, request_name):
    job = make_job()
    getattr(job, request_name)()
    assert job.snapshot().state is JobState.READY
    assert job.is_still


def test_a_viewer_sees_the_averaged_network(make_job, train_alone):
    job = make_job(TEST, epochs=1, ema_decay=0.9)
    job.start()
    assert job.wait_until_over(30)
    end, trainer = job.snapshot(), train_alone(epochs=1, ema_decay=0.9)
    assert end.network.state_vector.tobytes() == trainer.average.state_vector.tobytes()
    assert (trainer.average.state_vector != trainer.network.state_vector).any()
    assert end.test.accuracy == evaluate(trainer.average, TEST, trainer.loss).accuracy


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_the_training_and_keeps_the_network(make_job, paused, until, train_alone):
    job = make_job(TEST)
    job.start()
    until(lambda: job.snapshot().step > 20)
    if paused:
        job.pause()
    job.stop()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert (end.state, end.is_over, end.end) == (JobState.STOPPED, True, None)
    assert 0 < end.progress < 1
    assert end.test.images == 200
    assert end.network.state_vector.tobytes() == train_alone(end.step).network.state_vector.tobytes()


@pytest.mark.parametrize("started", [False, True])
def test_a_training_without_a_worker_stops_at_once(make_job, started):
    job = make_job(TEST)
    if started:
        job.start(paused=True)
    job.stop()
    assert (job.snapshot().state, job.snapshot().step, job.snapshot().test) == (JobState.STOPPED, 0, None)


def test_while_it_is_tested_it_takes_no_other_step(make_job, thread_pool, monkeypatch):
    begun, may_end = Event(), Event()

    def slow(*arguments):
        begun.set()
        assert may_end.wait(30)
        return evaluate(*arguments)

    monkeypatch.setattr(worker_module, "evaluate", slow)
    job = make_job(TEST, pool=thread_pool, epochs=1)
    job.start()
    assert begun.wait(30)
    with job.pool.changed:
        assert job.pool.changed.wait_for(lambda: job.snapshot().state is JobState.TESTING, 30)
    with pytest.raises(InklingError, match="over: it is testing"):
        job.change(learning_rate=0.1)
    for request in (job.step, job.step_epoch, job.pause, job.resume, job.stop):
        request()
        now = job.snapshot()
        assert (now.state, now.is_over, now.step, now.test) == (JobState.TESTING, False, 50, None)
    assert not job.wait_until_still(0)
    may_end.set()
    assert job.wait_until_over(30)
    assert job.snapshot().state == JobState.FINISHED
    assert job.snapshot().test.images == 200


def test_requests_after_the_end_are_ignored(make_job):
    job = make_job()
    job.start()
    job.stop()
    job.wait_until_over(30)
    for action in (job.pause, job.resume, job.step, job.step_epoch, job.stop, lambda: job.follow(TEST.images[0] / 255)):
        action()
        assert job.snapshot().state == JobState.STOPPED
    with pytest.raises(InklingError, match="over: it is stopped"):
        job.change(learning_rate=0.1)
    with pytest.raises(InklingError, match="only a paused training"):
        job.paused_training()


def test_divergence_is_a_state_with_a_finite_network(make_job):
    layers = (Dense(30), Dense(30), Dense(30), Dense(10))
    job = make_job(TEST, layers=layers, loss="mse", optimizer="sgd", learning_rate=10)
    job.start()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert end.state == JobState.DIVERGED
    assert isinstance(end.end, Diverged)
    assert np.isfinite(end.network.parameters).all()
    assert end.test is not None
    assert any(layer.problem == "exploding" for layer in end.health)  # measured before the end


def test_snapshots_never_change_and_can_be_compared(make_job, until):
    job = make_job(TEST)
    job.start()
    until(lambda: job.snapshot().history)
    early = job.snapshot()
    earlier = early.step, len(early.history), early.curve.copy(), early.network.parameters.copy()
    until(lambda: job.snapshot().step > early.step + 200)
    assert (early.step, len(early.history)) == earlier[:2]
    np.testing.assert_array_equal(early.curve, earlier[2])
    np.testing.assert_array_equal(early.network.parameters, earlier[3])
    assert early == early
    assert early != job.snapshot()
    assert early.samples == early.samples
    with pytest.raises(FrozenInstanceError):
        early.step = 0


def test_the_curve_and_the_time_left_move(make_job, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 30)
    now = job.snapshot()
    steps, epochs, _, accuracies = now.curve.T
    assert len(now.curve) > 1
    assert steps[0] >= 1
    assert steps[-1] <= now.step
    np.testing.assert_allclose(epochs, steps / 50)  # 500 images in batches of 10
    assert accuracies.min() >= 0
    assert accuracies.max() <= 1
    assert np.isfinite(now.curve).all()
    assert now.seconds_left > 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate 8 GiB"), "more memory than there is"),
        (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
        (FileNotFoundError("the data"), "FileNotFoundError: the data"),  # which is not the server's end
        (RuntimeError(), "RuntimeError"),
        (InklingError("two\nlines"), "two lines"),
    ],
    ids=repr,
)
def test_an_error_inside_becomes_the_state_failed(make_job, thread_pool, monkeypatch, error, message):
    def fail(*_):
        raise error

    monkeypatch.setattr(worker_module, "evaluate", fail)
    job = make_job(TEST, pool=thread_pool, epochs=1)
    job.start()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert (end.state, end.is_over, end.test) == (JobState.FAILED, True, None)
    assert message in end.error
    assert "\n" not in end.error
    assert job.saved is None
    other = make_job(pool=thread_pool)  # its worker is free again
    other.step()
    assert other.wait_until_still(30)


def test_data_that_cannot_be_loaded_are_an_error_of_the_request_and_nothing_moves(make_job, tiny):
    calls = []

    def load_data():
        calls.append(None)
        if len(calls) > 1:
            raise InklingError("the data are gone")
        return tiny, None

    job = make_job(load_data=load_data)
    for request in (job.start, job.step, job.paused_training):
        with pytest.raises(InklingError, match="the data are gone"):
            request()
        assert job.snapshot().state is JobState.READY
