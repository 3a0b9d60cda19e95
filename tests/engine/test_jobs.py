from dataclasses import FrozenInstanceError
from time import monotonic, sleep

import numpy as np
import pytest
from helpers import make_digits

from engine import jobs
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import Job
from engine.layers import Dense
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.training import Diverged, Finished, Trainer

LONG = {"layers": dense_layers((16,)), "batch_size": 10, "epochs": 10_000, "validation_size": 100}
TEST = make_digits(200, 3)


@pytest.fixture
def make(tiny, monkeypatch):
    """Makes jobs that publish often, and stops what is left of them."""
    monkeypatch.setattr(jobs, "PUBLISH_EVERY", 0.01)
    made = []

    def make_job(*arguments, **changes):
        made.append(Job(Trainer.from_config(Config(**(LONG | changes)), tiny), *arguments))
        return made[-1]

    yield make_job
    for job in made:
        job.stop()
        assert job._state == "ready" or job.wait(5)


def until(condition, seconds=5):
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.005)


def test_a_job_is_ready_runs_and_finishes_with_its_test_result(make):
    job = make(TEST, epochs=2)
    trainer = job.trainer
    assert job.snapshot().state == "ready"
    assert (job.snapshot().step, job.snapshot().seconds_left) == (0, None)
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    assert end.state == "finished"
    assert end.over
    assert isinstance(end.end, Finished)
    assert (end.epoch, end.step, end.progress) == (2, 100, 1)
    assert [event.epoch for event in end.history] == [1, 2]
    assert end.error is None
    assert end.samples_per_second > 0
    expected = evaluate(end.network, TEST, trainer.loss)
    assert (end.test.accuracy, end.test.errors, end.test.images) == (expected.accuracy, expected.errors, 200)
    np.testing.assert_array_equal(end.network.values, trainer.network.values)
    assert job.trainer is None  # its arrays are many times the network
    assert job.snapshot() is end


def test_a_thread_makes_the_same_network_as_a_loop(make, tiny):
    job = make(epochs=1)
    job.start()
    job.wait(10)
    trainer = Trainer.from_config(Config(**(LONG | {"epochs": 1})), tiny)
    list(trainer)
    assert job.snapshot().network.parameters.tobytes() == trainer.network.parameters.tobytes()


def test_pause_stands_still_and_resume_goes_on(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.snapshot().state == "paused"
    sleep(0.1)  # the step under way may end
    held = job.snapshot()
    sleep(0.2)
    still = job.snapshot()
    assert still.step == held.step
    assert still.seconds == held.seconds
    assert not still.over
    assert not job.wait(0.01)
    np.testing.assert_array_equal(still.network.parameters, job.trainer.network.parameters)  # what a viewer sees is current
    job.resume()
    assert job.snapshot().state == "running"
    until(lambda: job.snapshot().step > held.step)


def test_a_job_starts_once(make):
    job = make()
    job.start()
    for _ in range(2):
        with pytest.raises(InklingError, match="once"):
            job.start()
        job.stop()
        job.wait(5)


def test_a_pause_before_the_start_is_kept(make):
    job = make()
    job.pause()
    job.start()
    assert job.snapshot().state == "paused"
    sleep(0.1)
    assert job.snapshot().step <= 1
    job.resume()
    until(lambda: job.snapshot().step > 5)


def test_a_viewer_sees_the_average_where_one_is_kept(make):
    job = make(TEST, epochs=1, averaging=0.9)
    trainer = job.trainer
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    np.testing.assert_array_equal(end.network.values, trainer.average.values)
    assert (trainer.average.values != trainer.network.values).any()
    assert end.test.accuracy == evaluate(trainer.average, TEST, trainer.loss).accuracy


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_it_and_keeps_the_network(make, paused):
    job = make(TEST)
    trainer = job.trainer
    job.start()
    until(lambda: job.snapshot().step > 20)
    if paused:
        job.pause()
    job.stop()
    assert job.wait(5)
    end = job.snapshot()
    assert (end.state, end.over, end.end) == ("stopped", True, None)
    assert 0 < end.progress < 1
    assert end.test.images == 200
    np.testing.assert_array_equal(end.network.values, trainer.network.values)


def test_what_is_over_stays_over(make):
    job = make()
    job.start()
    job.stop()
    job.wait(5)
    for action in (job.pause, job.resume, job.stop):
        action()
        assert job.snapshot().state == "stopped"


def test_divergence_is_a_state_with_a_finite_network(make):
    layers = (Dense(30), Dense(30), Dense(30), Dense(10))
    job = make(TEST, layers=layers, loss="mse", optimizer="sgd", learning_rate=10)
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    assert end.state == "diverged"
    assert isinstance(end.end, Diverged)
    assert np.isfinite(end.network.parameters).all()
    assert end.test is not None


def test_snapshots_never_change(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().history)
    early = job.snapshot()
    held = early.step, len(early.history), early.curve.copy(), early.network.parameters.copy()
    until(lambda: job.snapshot().step > early.step + 200)
    assert (early.step, len(early.history)) == held[:2]
    np.testing.assert_array_equal(early.curve, held[2])
    np.testing.assert_array_equal(early.network.parameters, held[3])
    with pytest.raises(FrozenInstanceError):
        early.step = 0


def test_a_viewers_network_is_none_that_is_being_trained(make):
    job = make()
    job.start()
    for _ in range(20):
        network = job.snapshot().network
        assert not np.shares_memory(network.parameters, job.trainer.network.parameters)
        first = network.predict_proba(TEST.images[:20])
        sleep(0.005)
        np.testing.assert_array_equal(network.predict_proba(TEST.images[:20]), first)
    until(lambda: (job.snapshot().network.parameters != network.parameters).any())


def test_the_curve_and_the_time_left_move(make):
    job = make()
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


@pytest.mark.parametrize("paused", [False, True])
def test_what_nobody_watches_stops_after_the_grace(make, monkeypatch, paused):
    monkeypatch.setattr(jobs, "ASK_EVERY", 0.02)
    monkeypatch.setattr(jobs, "GRACE", 0.15)
    watched = True
    job = make(None, lambda: watched)
    job.start()
    if paused:
        job.pause()
    sleep(0.3)
    assert not job.snapshot().over  # as long as someone watches, it lives longer than the grace
    left = monotonic()
    watched = False
    assert job.wait(5)
    assert monotonic() - left >= 0.1
    assert job.snapshot().state == "stopped"


def test_a_watcher_who_returns_in_time_finds_it_running(make, monkeypatch):
    monkeypatch.setattr(jobs, "ASK_EVERY", 0.02)
    monkeypatch.setattr(jobs, "GRACE", 2.0)
    watched = False
    job = make(None, lambda: watched)
    job.start()
    sleep(0.1)
    watched = True
    sleep(0.1)
    assert job.snapshot().state == "running"


def test_a_fault_inside_becomes_the_state_failed(make, monkeypatch):
    job = make(TEST)
    monkeypatch.setattr(job.trainer, "loss", lambda *_: 1 / 0)
    job.start()
    assert job.wait(5)
    end = job.snapshot()
    assert end.state == "failed"
    assert end.over
    assert "ZeroDivisionError" in end.error
    assert end.test is None
