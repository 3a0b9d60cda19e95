"""Trainings that give their worker to another, and go on later as if nothing had happened."""

from time import monotonic

import pytest
from helpers import make_digits

from engine.jobs import JobState
from engine.jobs import pool as pool_module
from engine.jobs.job import UNATTENDED

TEST = make_digits(200, 3)


@pytest.fixture
def quick_tending(monkeypatch):
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.02)


def test_a_paused_training_gives_its_worker_to_one_that_waits_and_goes_on_exactly(make_pool, make_job, train_alone):
    pool = make_pool()
    settings = {"epochs": 2, "ema_decay": 0.9, "optimizer": "nesterov"}
    paused = make_job(TEST, pool=pool, visitor="a", **settings)
    for _ in range(30):
        paused.step()
    assert paused.wait_until_still(30)
    assert paused.worker
    other = make_job(pool=pool, visitor="b", epochs=1)
    other.start()
    assert other.wait_until_over(30)
    assert (paused.worker, paused.is_still, paused.snapshot().step) == (None, True, 30)
    paused.change(learning_rate=0.01)
    paused.resume()
    assert paused.wait_until_over(30)
    end = paused.snapshot()
    alone = train_alone(changes=[(30, {"learning_rate": 0.01})], **settings)
    assert (end.state, end.test.images) == (JobState.FINISHED, 200)
    assert end.network.state_vector.tobytes() == alone.result.state_vector.tobytes()
    assert [event.epoch for event in end.history] == [1, 2]


def test_two_trainings_that_are_stepped_in_turn_share_one_worker(make_pool, make_job, train_alone):
    pool = make_pool()
    jobs = [make_job(pool=pool, visitor=visitor, seed=seed) for seed, visitor in enumerate("ab")]
    for step in range(1, 6):
        for job in jobs:
            job.step()
            assert job.wait_until_still(30)
            assert (job.snapshot().state, job.snapshot().step) == (JobState.PAUSED, step)
    for seed, job in enumerate(jobs):
        alone = train_alone(5, seed=seed)
        assert job.snapshot().network.state_vector.tobytes() == alone.network.state_vector.tobytes()


def test_the_training_that_has_stood_still_longest_makes_room(make_pool, make_job, until):
    pool = make_pool(size=2)
    first, second = (make_job(pool=pool, visitor=visitor) for visitor in "ab")
    for job in (first, second):
        job.step()
        assert job.wait_until_still(30)
    third = make_job(pool=pool, visitor="c")
    third.start()
    until(lambda: third.snapshot().step > 0)
    assert first.worker is None
    assert second.worker is not None


def test_long_trainings_take_turns_and_end_as_if_alone(make_pool, make_job, train_alone, monkeypatch, quick_tending):
    monkeypatch.setattr(pool_module, "TURN_SECONDS", 0.1)
    pool = make_pool()
    jobs = [make_job(TEST, pool=pool, visitor=str(seed), seed=seed, epochs=20) for seed in range(3)]
    turns = []
    for job in jobs:
        original = job.begin
        monkeypatch.setattr(job, "begin", lambda worker, job=job, original=original: (turns.append(job), original(worker)))
        job.start()
    for job in jobs:
        assert job.wait_until_over(60)
    assert turns[:3] == jobs
    for seed, job in enumerate(jobs):
        alone = train_alone(seed=seed, epochs=20)
        assert job.snapshot().network.state_vector.tobytes() == alone.network.state_vector.tobytes()
        assert [event.epoch for event in job.snapshot().history] == list(range(1, 21))


def test_an_epoch_that_is_stepped_survives_a_long_turn(make_pool, make_job, until):
    pool = make_pool()
    job = make_job(pool=pool, visitor="a", batch_size=1)
    job.step_epoch()
    until(lambda: job.snapshot().step > 5)
    other = make_job(pool=pool, visitor="b", epochs=1)
    other.start()
    with pool.changed:
        job.park(goes_on=True)
    assert other.wait_until_over(30)
    assert job.wait_until_still(30)
    assert (job.snapshot().state, job.snapshot().step, len(job.snapshot().history)) == (JobState.PAUSED, 500, 1)


@pytest.mark.parametrize(
    "requests", [("resume",), ("step",), ("pause", "step_epoch"), ("pause",), ("stop",), ("resume", "stop")]
)
def test_requests_right_after_parking_begins_are_carried_out(make_pool, make_job, requests, until):
    pool = make_pool()
    for _ in range(10):
        job = make_job(pool=pool)
        job.step()
        assert job.wait_until_still(30)
        with pool.changed:
            job.park(goes_on=False)
        for request in requests:
            getattr(job, request)()
        if requests == ("resume",):
            until(lambda job=job: job.snapshot().step > 20)
            job.stop()
        elif requests[-1] != "stop":
            assert job.wait_until_still(30)
            steps = {"step": 2, "step_epoch": 50, "pause": 1}[requests[-1]]
            assert (job.snapshot().state, job.snapshot().step) == (JobState.PAUSED, steps)
            job.stop()
        assert job.wait_until_over(30)
        assert job.snapshot().state is JobState.STOPPED


def test_a_training_that_nobody_watches_is_paused_with_a_checkpoint(make_pool, make_job, until, quick_tending, train_alone):
    pool = make_pool(unattended_seconds=0.2)
    watched = True
    job = make_job(TEST, pool=pool, is_watched=lambda: watched)
    job.start()
    until(lambda: job.snapshot().step > 0)
    since = monotonic()
    until(lambda: monotonic() - since > 0.5 or job.snapshot().state is not JobState.RUNNING)
    assert job.snapshot().state is JobState.RUNNING
    watched = False
    until(lambda: job.snapshot().state is JobState.PAUSED)
    assert job.wait_until_still(30)
    until(lambda: job.worker is None)
    now = job.snapshot()
    assert (now.error, job.saved.snapshot.step) == (UNATTENDED, now.step)
    assert now.network.state_vector.tobytes() == train_alone(now.step).network.state_vector.tobytes()
    watched = True
    job.resume()
    until(lambda: job.snapshot().step > now.step)


def test_a_training_that_nobody_watches_leaves_the_queue(make_pool, make_job, until, quick_tending):
    pool = make_pool(unattended_seconds=0.1)
    busy = make_job(pool=pool)
    busy.start()
    job = make_job(pool=pool, is_watched=lambda: False)
    job.start()
    assert job.snapshot().state is JobState.QUEUED
    until(lambda: job.snapshot().state is JobState.PAUSED)
    assert pool.counts() == (1, 0)
