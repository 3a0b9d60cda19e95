from dataclasses import FrozenInstanceError
from threading import Event
from time import sleep

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState
from engine.jobs import job as job_module
from engine.layers import Dense
from engine.metrics import evaluate
from engine.training import Diverged, Finished

TEST = make_digits(200, 3)


def test_a_job_is_ready_runs_and_finishes_with_its_test_result(make_job):
    job = make_job(TEST, epochs=2)
    trainer = job.trainer
    assert job.snapshot().state == JobState.READY
    assert (job.snapshot().step, job.snapshot().seconds_left) == (0, None)
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
    expected = evaluate(end.network, TEST, trainer.loss)
    assert (end.test.accuracy, end.test.errors, end.test.images) == (expected.accuracy, expected.errors, 200)
    np.testing.assert_array_equal(end.network.state_vector, trainer.network.state_vector)
    assert job.trainer is None  # its arrays are many times the network's
    assert job.snapshot() is end


def test_a_thread_makes_the_same_network_as_a_loop(make_job, make_trainer):
    job = make_job(epochs=1)
    job.start()
    job.wait_until_over(30)
    trainer = make_trainer(epochs=1)
    list(trainer)
    assert job.snapshot().network.parameters.tobytes() == trainer.network.parameters.tobytes()


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
    np.testing.assert_array_equal(still.network.parameters, job.trainer.network.parameters)  # not that of the last look
    job.resume()
    assert job.snapshot().state == JobState.RUNNING
    until(lambda: job.snapshot().step > earlier.step)


def test_a_job_starts_once(make_job):
    job = make_job()
    job.start()
    for _ in range(2):
        with pytest.raises(InklingError, match="once"):
            job.start()
        job.stop()
        job.wait_until_over(30)


def test_a_job_that_is_paused_before_its_start_starts_paused(make_job, until):
    job = make_job()
    job.pause()
    job.start()
    assert job.snapshot().state == JobState.PAUSED
    assert job.wait_until_still(30)
    assert job.snapshot().step == 0
    job.resume()
    until(lambda: job.snapshot().step > 5)


def test_a_viewer_sees_the_averaged_network(make_job):
    job = make_job(TEST, epochs=1, ema_decay=0.9)
    trainer = job.trainer
    job.start()
    assert job.wait_until_over(30)
    end = job.snapshot()
    np.testing.assert_array_equal(end.network.state_vector, trainer.average.state_vector)
    assert (trainer.average.state_vector != trainer.network.state_vector).any()
    assert end.test.accuracy == evaluate(trainer.average, TEST, trainer.loss).accuracy


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_the_training_and_keeps_the_network(make_job, paused, until):
    job = make_job(TEST)
    trainer = job.trainer
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
    np.testing.assert_array_equal(end.network.state_vector, trainer.network.state_vector)


def test_while_it_is_tested_it_takes_no_other_step(make_job, monkeypatch):
    begun, may_end = Event(), Event()

    def slow(*arguments):
        begun.set()
        assert may_end.wait(30)
        return evaluate(*arguments)

    monkeypatch.setattr(job_module, "evaluate", slow)
    job = make_job(TEST, epochs=1)
    job.start()
    assert begun.wait(30)
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
    for action in (job.pause, job.resume, job.stop):
        action()
        assert job.snapshot().state == JobState.STOPPED


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


def test_a_viewers_network_is_not_the_one_in_training(make_job, until):
    job = make_job()
    job.start()
    for _ in range(20):
        network = job.snapshot().network
        assert not np.shares_memory(network.parameters, job.trainer.network.parameters)
        first = network.predict_proba(TEST.images[:20])
        sleep(0.005)
        np.testing.assert_array_equal(network.predict_proba(TEST.images[:20]), first)
    until(lambda: (job.snapshot().network.parameters != network.parameters).any())


def test_the_curve_and_the_time_left_move(make_job, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 30)
    now = job.snapshot()
    steps, epochs, _, accuracies = now.curve.T
    assert len(now.curve) > 1
    assert steps[0] >= 1
    assert steps[-1] <= now.step + 1
    np.testing.assert_allclose(epochs, steps / 50)  # 500 images in batches of 10
    assert accuracies.min() >= 0
    assert accuracies.max() <= 1
    assert np.isfinite(now.curve).all()
    assert now.seconds_left > 0


@pytest.fixture
def watch(make_job, monkeypatch, until):
    """A job with a clock of its own, and a function that lets seconds pass and waits until the job has noticed."""
    monkeypatch.setattr(job_module, "monotonic", lambda: watch.now)
    monkeypatch.setattr(job_module, "CHECK_WATCHED_EVERY", 0.01)

    class Watch:
        now, watched, num_checks = 0.0, True, 0

        def is_watched(self):
            self.num_checks += 1
            return self.watched

        def pass_seconds(self, seconds):
            num_checks = self.num_checks
            self.now += seconds
            until(lambda: self.num_checks > num_checks or self.job.snapshot().is_over)

    watch = Watch()
    watch.job = make_job(None, watch.is_watched)
    return watch


@pytest.mark.parametrize("paused", [False, True])
def test_a_training_that_nobody_watches_stops_after_a_while(watch, paused):
    watch.job.start(paused)
    for _ in range(10):
        watch.pass_seconds(10)  # it runs on while someone watches
    watch.watched = False
    watch.pass_seconds(10)
    watch.pass_seconds(4)
    assert not watch.job.snapshot().is_over
    watch.pass_seconds(2)
    assert watch.job.wait_until_over(30)
    assert watch.job.snapshot().state == JobState.STOPPED


def test_a_viewer_who_returns_in_time_finds_it_running(watch):
    watch.job.start()
    watch.watched = False
    watch.pass_seconds(14)
    watch.watched = True
    watch.pass_seconds(14)
    watch.watched = False
    watch.pass_seconds(14)
    assert watch.job.snapshot().state == JobState.RUNNING


def test_an_error_inside_becomes_the_state_failed(make_job, monkeypatch):
    job = make_job(TEST)
    monkeypatch.setattr(job.trainer, "loss", lambda *_: 1 / 0)
    job.start()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert end.state == JobState.FAILED
    assert end.is_over
    assert "ZeroDivisionError" in end.error
    assert end.test is None
