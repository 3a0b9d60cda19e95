"""The queue of trainings, and the limits of visitors and of memory."""

from concurrent.futures import CancelledError
from dataclasses import replace

import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState, Pool
from engine.jobs import pool as pool_module
from engine.jobs.job import memory_needed
from engine.jobs.pool import PROCESS_BYTES
from engine.network import dense_layers

TEST = make_digits(200, 3)
SHORT = {"epochs": 1}


@pytest.fixture
def start(make_job):
    """Start a job of a visitor."""

    def make(pool, visitor="", **changes):
        job = make_job(pool=pool, visitor=visitor, **changes)
        job.start()
        return job

    return make


@pytest.fixture
def full_pool(make_pool, start, until):
    """A pool whose only worker has a long training, and this training."""
    pool = make_pool()
    busy = start(pool, "busy")
    until(lambda: busy.snapshot().step > 0)
    return pool, busy


def test_visitors_take_turns(full_pool, start, monkeypatch):
    pool, busy = full_pool
    begun = []
    jobs = [start(pool, visitor, **SHORT) for visitor in "aaabbc"]
    for job in jobs:
        original = job.begin
        monkeypatch.setattr(job, "begin", lambda worker, job=job, original=original: (begun.append(job), original(worker)))
    a1, a2, a3, b1, b2, c1 = jobs
    in_turn = [a1, b1, c1, a2, b2, a3]
    assert [pool.place(job).position for job in in_turn] == [1, 2, 3, 4, 5, 6]
    assert {job.snapshot().state for job in jobs} == {JobState.QUEUED}
    assert pool.counts() == (1, 6)
    assert pool.place(busy) is None
    busy.stop()
    for job in jobs:
        assert job.wait_until_over(30)
    assert begun == in_turn
    assert pool.counts() == (0, 0)


def test_a_visitor_who_comes_later_is_served_before_the_next_trainings_of_another(full_pool, start):
    pool, _ = full_pool
    first, second = start(pool, "a"), start(pool, "a")
    other = start(pool, "b")
    assert [pool.place(job).position for job in (first, other, second)] == [1, 2, 3]


def test_a_place_says_about_how_long_it_takes(full_pool, start, until):
    pool, busy = full_pool
    first, second = start(pool, "a", **SHORT), start(pool, "b", **SHORT)
    until(lambda: busy.snapshot().seconds_left)
    place = pool.place(first)
    seconds = min(busy.snapshot().seconds_left, pool_module.TURN_SECONDS)
    assert place.seconds == pytest.approx(seconds, rel=0.5)
    assert pool.place(second).seconds is None  # nothing is known of the first one's length
    busy.stop()
    assert second.wait_until_over(30)
    running = start(pool, "busy")
    waiting = [start(pool, visitor, **SHORT) for visitor in "cd"]
    until(lambda: running.snapshot().seconds_left)
    assert 0 < pool.place(waiting[0]).seconds < pool.place(waiting[1]).seconds


@pytest.mark.parametrize("request_name", ["pause", "stop"])
def test_a_training_that_is_withdrawn_lets_the_next_move_up(full_pool, start, request_name):
    pool, _ = full_pool
    first, second = start(pool, "a"), start(pool, "b")
    getattr(first, request_name)()
    assert pool.place(first) is None
    assert pool.place(second).position == 1
    assert pool.counts() == (1, 1)


def test_a_visitor_has_a_number_of_trainings_at_once(make_pool, start, make_job):
    pool = make_pool(size=2, per_visitor=2)
    first, second = start(pool, "a"), start(pool, "a")
    third = make_job(pool=pool, visitor="a")
    for request in (third.start, third.step):
        with pytest.raises(InklingError, match="you can have 2 trainings at a time"):
            request()
        assert third.snapshot().state is JobState.READY
    start(pool, "b")
    first.pause()
    third.start()  # a paused one is not under way
    with pytest.raises(InklingError, match="at a time"):
        first.resume()
    assert first.snapshot().state is JobState.PAUSED
    second.stop()
    assert second.wait_until_over(30)
    first.resume()
    assert first.snapshot().state in (JobState.RUNNING, JobState.QUEUED)


def test_trainings_that_wait_count_for_the_limit(full_pool, start, make_job):
    pool, _ = full_pool
    pool.per_visitor = 2
    start(pool, "a"), start(pool, "a")
    with pytest.raises(InklingError, match="at a time"):
        make_job(pool=pool, visitor="a").start()


def test_a_training_that_can_never_fit_is_refused_with_the_numbers(make_pool, make_job, long_config):
    layers = dense_layers((4_000,))
    config = long_config(layers=layers)
    for needed, request in (
        (memory_needed(config), lambda pool: make_job(pool=pool, layers=layers)),
        (config.training_bytes(), lambda pool: pool.measure(config)),
    ):
        pool = make_pool(memory=needed + PROCESS_BYTES - 1e6)
        numbers = f"about {needed / 1e6:,.0f} MB of memory, and this server has {(needed - 1e6) / 1e6:,.0f} MB for trainings"
        with pytest.raises(InklingError, match=numbers):
            request(pool)
    assert memory_needed(config) > config.training_bytes()


def test_a_training_that_does_not_fit_yet_waits_although_a_worker_is_free(make_pool, start, until):
    pool = make_pool(size=2, memory=PROCESS_BYTES * 1.5)
    first = start(pool, "a")
    until(lambda: first.snapshot().step > 0)
    second = start(pool, "b", **SHORT)
    assert pool.place(second).position == 1
    first.stop()
    assert second.wait_until_over(30)


def test_a_training_that_stands_still_makes_room_in_memory(make_pool, start, until):
    pool = make_pool(size=2, memory=PROCESS_BYTES * 1.5)
    first = start(pool, "a")
    until(lambda: first.snapshot().step > 0)
    first.pause()
    assert start(pool, "b", **SHORT).wait_until_over(30)
    assert (first.snapshot().state, first.worker) == (JobState.PAUSED, None)


# --- measurements ---


def test_the_speed_of_a_training_is_measured_beside_trainings(full_pool, long_config):
    pool, _ = full_pool
    per_image, per_step = pool.measure(long_config()).result(30)
    assert 0 < per_image < 1
    assert 0 <= per_step < 1


def test_a_measurement_that_fails_says_why_in_one_line(make_pool, long_config):
    pool = make_pool()
    with pytest.raises(InklingError, match="input_shape must fit images"):
        pool.measure(long_config(input_shape=(5,))).result(30)
    assert pool.measure(long_config()).result(30)


def test_a_measurement_that_nobody_waits_for_ends(make_pool, long_config, monkeypatch):
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.05)
    pool = make_pool(size=1)
    watched = True
    slow = long_config(layers=dense_layers((4_000, 4_000, 4_000)), batch_size=2_000)
    futures = [pool.measure(slow, lambda: watched) for _ in range(4)]
    assert not futures[0].done()
    watched = False
    for future in futures:
        with pytest.raises((InklingError, CancelledError)):
            future.result(30)
    assert pool.measure(long_config()).result(30)


def test_a_measurement_that_was_cancelled_is_not_begun(full_pool, long_config):
    pool, _ = full_pool
    with pool.changed:  # so that none begins before it is cancelled
        futures = [pool.measure(long_config()) for _ in range(3)]
        assert futures[-1].cancel()
    assert futures[0].result(30)
    assert pool.measure(long_config()).result(30)


# --- the end, and the environment ---


def test_a_pool_that_closes_leaves_trainings_paused(make_pool, start, until, long_config):
    pool = make_pool(size=1)
    running = start(pool, "a")
    until(lambda: running.snapshot().step > 0)
    waiting = start(pool, "b")
    running.change(learning_rate=0.5)
    pool.close()
    for job in (running, waiting):
        assert job.wait_until_still(0)
        assert (job.snapshot().state, job.snapshot().error, job.worker) == (JobState.PAUSED, None, None)
    with pytest.raises(InklingError, match="this server is being stopped"):
        waiting.resume()
    with pytest.raises(InklingError, match="this server is being stopped"):
        pool.measure(long_config())
    pool.close()


def test_the_environment_describes_the_pool(monkeypatch):
    for name in ("TRAININGS", "TRAININGS_PER_VISITOR", "MEMORY", "UNATTENDED_MINUTES"):
        monkeypatch.delenv(f"INKLING_{name}", raising=False)
    usual = Pool.from_environment()
    assert (usual.per_visitor, usual.unattended_seconds) == (2, 300)
    assert usual.size >= 1
    assert usual.memory > 1e8
    for name, value in {"TRAININGS": 3, "TRAININGS_PER_VISITOR": 4, "MEMORY": 500, "UNATTENDED_MINUTES": 7}.items():
        monkeypatch.setenv(f"INKLING_{name}", f" {value} ")
    pool = Pool.from_environment()
    assert (pool.size, pool.per_visitor, pool.memory, pool.unattended_seconds) == (3, 4, 5e8, 420)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
@pytest.mark.parametrize("name", ["TRAININGS", "TRAININGS_PER_VISITOR", "MEMORY", "UNATTENDED_MINUTES"])
def test_other_values_are_refused(monkeypatch, name, text):
    monkeypatch.setenv(f"INKLING_{name}", text)
    with pytest.raises(InklingError, match=f"INKLING_{name} must be a whole number from 1 to [0-9,]+, got '?{text}'?$"):
        Pool.from_environment()


def test_when_no_process_can_begin_the_trainings_that_wait_fail_in_a_sentence(make_pool, make_job, monkeypatch):
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.01)
    monkeypatch.setattr(pool_module.worker_module, "serve", _ends_at_once)
    job = make_job(pool=make_pool())
    job.start()
    assert job.wait_until_over(60)
    assert (job.snapshot().state, job.snapshot().error) == (
        JobState.FAILED,
        "no process could be started for it: tell the person who runs this server",
    )


def _ends_at_once(connection):
    """A worker that ends before it says that it is ready."""


def test_a_wait_is_never_said_to_be_longer_than_the_turns_before_it(full_pool, start, monkeypatch):
    pool, busy = full_pool
    now = busy.snapshot()
    monkeypatch.setattr(busy, "snapshot", lambda: replace(now, seconds_left=10_000.0))
    place = pool.place(start(pool, "somebody else"))
    assert place is not None
    assert place.seconds is not None
    assert place.seconds <= pool_module.TURN_SECONDS
