"""Slow motion: how many batches a second a training takes at most."""

import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState
from engine.jobs import pool as pool_module

TEST = make_digits(200, 3)
NEVER = 0.001  # batches a second: the next one comes after a quarter of an hour
SLOW = 200.0


@pytest.fixture
def slow_job(make_job, until):
    """A job in slow motion that has taken its first step and waits for the next one."""

    def make(*arguments, **options):
        job = make_job(*arguments, **options)
        job.set_speed(NEVER)
        job.start()
        until(lambda: job.snapshot().step == 1)
        return job

    return make


def test_the_first_step_comes_at_once_and_is_seen(slow_job):
    now = slow_job().snapshot()
    assert (now.state, now.step, len(now.curve)) == (JobState.RUNNING, 1, 1)


def test_a_slow_training_answers_at_once(slow_job, until):
    job = slow_job()
    job.change(learning_rate=0.01)
    assert job.wait_for_changes(30)
    assert job.snapshot().changes == ((1, 1 / 50, {"learning_rate": 0.01}),)
    job.follow(TEST.images[0] / 255)
    until(lambda: len(job.snapshot().followed) == 1)
    job.pause()
    assert job.wait_until_still(30)
    assert job.paused_training()
    job.resume()
    assert job.snapshot().step == 1
    job.stop()
    assert job.wait_until_over(30)
    assert (job.snapshot().state, job.snapshot().step) == (JobState.STOPPED, 1)


def test_single_batches_do_not_wait(slow_job):
    job = slow_job()
    for step in (2, 3):
        job.step()
        assert job.wait_until_still(30)
        assert (job.snapshot().state, job.snapshot().step) == (JobState.PAUSED, step)


def test_the_speed_can_be_changed_at_any_time(slow_job):
    job = slow_job(epochs=2)
    job.set_speed(SLOW)
    job.pause()
    job.set_speed(None)
    job.set_speed(None)
    assert job.wait_until_still(30)
    assert job.speed is None
    job.resume()
    assert job.wait_until_over(30)
    job.set_speed(1.0)  # which is ignored
    assert (job.snapshot().state, job.speed) == (JobState.FINISHED, None)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), 1e9], ids=str)
def test_other_speeds_are_refused(make_job, speed):
    job = make_job()
    with pytest.raises(InklingError, match="speed"):
        job.set_speed(speed)
    assert job.speed is None


def test_no_speed_changes_the_result(make_job, train_alone):
    job = make_job(epochs=1, optimizer="nesterov", ema_decay=0.9)
    job.set_speed(SLOW)
    job.start()
    while not job.wait_until_over(0.02):
        job.set_speed(SLOW + job.snapshot().step)
    alone = train_alone(epochs=1, optimizer="nesterov", ema_decay=0.9)
    assert job.snapshot().network.state_vector.tobytes() == alone.result.state_vector.tobytes()


def test_each_batch_is_seen_up_to_five_a_second(make_job, monkeypatch):
    job, seen = make_job(epochs=1, batch_size=100), []
    receive = job.receive
    monkeypatch.setattr(job, "receive", lambda message: (receive(message), seen.append(job.snapshot().step)))
    job.set_speed(5.0)
    job.start()
    assert job.wait_until_over(30)
    assert set(seen) == set(range(6))


def test_the_time_left_is_that_of_slow_motion(slow_job):
    job = slow_job(epochs=2)
    assert job.snapshot().seconds_left == pytest.approx(99 / NEVER, rel=0.01)


def test_a_slow_training_is_parked_when_others_wait_and_is_slow_again_after_that(
    make_pool, slow_job, make_job, monkeypatch, until
):
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.02)
    monkeypatch.setattr(pool_module, "TURN_SECONDS", 0.1)
    pool = make_pool()
    job = slow_job(pool=pool, visitor="a")
    other = make_job(pool=pool, visitor="b", epochs=1)
    other.start()
    assert other.wait_until_over(30)
    until(lambda: job.worker is not None and job.snapshot().step >= 2)
    job.pause()
    assert job.wait_until_still(30)
    assert job.speed == NEVER
    assert 2 <= job.snapshot().step <= 4  # in each turn, the first step comes at once


def test_all_seeds_of_a_series_are_slow_and_a_training_that_was_saved_is_not(make_series, long_config, until):
    series = make_series(long_config(epochs=1), num_seeds=2)
    series.set_speed(SLOW)
    series.start()
    assert series.wait_until_over(60)
    assert [job.speed for job in series.jobs] == [SLOW, SLOW]
    paused = make_series(long_config())
    paused.set_speed(NEVER)
    paused.step()
    assert paused.wait_until_still(30)
    paused.paused_training()
    again = make_series(long_config(), saved=paused.saved)
    assert again.speed is None
    again.resume()
    until(lambda: again.snapshot().step > 3)
