"""A job that is taken step by step, or epoch by epoch."""

from time import sleep

import pytest
from helpers import make_digits

from engine.jobs import JobState
from engine.layers import Dense

TEST = make_digits(200, 3)


def test_a_step_is_exactly_one_batch_then_a_pause(make_job, train_alone):
    job = make_job(TEST)
    for count in range(1, 4):  # the first request starts it
        job.step()
        assert job.wait_until_still(30)
        now = job.snapshot()
        assert (now.state, now.step) == (JobState.PAUSED, count)
        assert now.network.state_vector.tobytes() == train_alone(count).network.state_vector.tobytes()
    sleep(0.1)
    assert job.snapshot().step == 3


def test_several_requests_for_a_step_are_all_taken(make_job):
    job = make_job()
    for _ in range(60):  # beyond the end of an epoch of 50 steps
        job.step()
    assert job.snapshot().state in (JobState.QUEUED, JobState.RUNNING)
    assert job.wait_until_still(30)
    assert (job.snapshot().state, job.snapshot().step, len(job.snapshot().history)) == (JobState.PAUSED, 60, 1)


def test_stepping_makes_the_same_network_as_running(make_job, train_alone):
    job = make_job(epochs=2, batch_size=100)
    job.start(paused=True)
    while not job.snapshot().is_over:
        job.step()
        assert job.wait_until_still(30)
    end = job.snapshot()
    assert (end.state, end.step, end.progress) == (JobState.FINISHED, 10, 1)
    alone = train_alone(epochs=2, batch_size=100)
    assert end.network.state_vector.tobytes() == alone.network.state_vector.tobytes()


def test_an_epoch_is_stepped_to_its_end_and_measured(make_job):
    job = make_job(epochs=3)
    for epoch in (1, 2):
        job.step_epoch()
        assert job.wait_until_still(30)
        now = job.snapshot()
        assert (now.state, now.step) == (JobState.PAUSED, 50 * epoch)
        assert [end.epoch for end in now.history] == list(range(1, epoch + 1))
    job.step()
    job.step_epoch()  # to the end of the third epoch; nothing is left then, so the training is finished
    assert job.wait_until_over(30)
    assert (job.snapshot().state, job.snapshot().step) == (JobState.FINISHED, 150)


def test_two_requests_for_the_same_epoch_are_one(make_job):
    job = make_job(batch_size=2)
    job.step_epoch()
    job.step_epoch()
    assert job.wait_until_still(30)
    assert [end.epoch for end in job.snapshot().history] == [1]


@pytest.mark.parametrize("action", ["step", "step_epoch"])
def test_stepping_a_running_training_ends_in_a_pause(make_job, action, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 5)
    before = job.snapshot()
    getattr(job, action)()
    assert job.wait_until_still(30)
    after = job.snapshot()
    assert after.state == JobState.PAUSED
    if action == "step":
        assert after.step > before.step
    else:  # at the last step of an epoch, only its measurement may be left
        assert len(after.history) > len(before.history)
        assert after.step % 50 == 0
    job.resume()
    until(lambda: job.snapshot().step > after.step + 5)


def test_a_pause_ends_the_stepping_of_an_epoch(make_job, until):
    job = make_job(batch_size=1)
    job.step_epoch()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.wait_until_still(30)
    assert job.snapshot().step < 500
    assert not job.snapshot().history


def test_stepping_a_training_that_diverges_ends_well(make_job):
    layers = (Dense(30), Dense(30), Dense(30), Dense(10))
    job = make_job(TEST, layers=layers, loss="mse", optimizer="sgd", learning_rate=10)
    for _ in range(100):
        job.step()
    assert job.wait_until_over(30)
    assert job.snapshot().state == JobState.DIVERGED
    job.step()
    job.step_epoch()
    assert job.wait_until_still(1)
    assert job.snapshot().state == JobState.DIVERGED


def test_wait_until_still_returns_false_while_it_runs(make_job):
    job = make_job()
    job.start()
    assert not job.wait_until_still(0.05)
    job.stop()
    assert job.wait_until_still(30)
    assert job.snapshot().is_over
