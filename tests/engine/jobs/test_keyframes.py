"""Keyframes: which moments of a training can be shown again, and what is shown of them."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits

from engine.jobs import JobState, Keyframe, Keyframes
from engine.jobs import keyframes as keyframes_module
from engine.jobs.keyframes import MAX_BYTES, MAX_KEYFRAMES, capacity, next_step

TEST = make_digits(200, 3)
IMAGE = TEST.images[0] / np.float32(255)


def frame(step, size=10, value=0.0):
    return Keyframe.of(step, step / 10, (1.0, 0.5), np.full(size, value, np.float32))


def steps(keyframes):
    return [frame.step for frame in keyframes.frames]


@pytest.fixture
def finished_job(make_job):
    job = make_job(TEST, epochs=4)
    job.follow(IMAGE)
    job.start()
    assert job.wait_until_over(30)
    return job


# Which moments.


@pytest.mark.parametrize("num_steps", [1, 7, 60, 500, 4_000, 1_000_000])
def test_the_planned_keyframes_are_few_with_the_first_steps_and_then_evenly_spaced(num_steps):
    planned = [0]
    while planned[-1] < num_steps:
        planned.append(int(next_step(planned[-1], num_steps, MAX_KEYFRAMES)))
    assert len(planned) <= MAX_KEYFRAMES
    stride = -(-num_steps // 40)
    powers = [1 << power for power in range(20) if 1 << power < stride]
    assert planned[1 : len(powers) + 1] == powers
    assert set(np.diff(planned[len(powers) + 1 :])) <= {stride}


@pytest.mark.parametrize(
    ("size", "number", "dtype"),
    [
        (1_000, MAX_KEYFRAMES, np.float32),
        (60_000, 33, np.float32),
        (101_770, 39, np.float16),
        (800_000, 5, np.float16),
        (800_001, 0, np.float16),
    ],
)
def test_large_networks_have_fewer_and_smaller_keyframes(size, number, dtype):
    assert capacity(size) == (number, dtype)
    assert number * size * np.dtype(dtype).itemsize <= MAX_BYTES
    assert next_step(5, 100, number) == (np.inf if number == 0 else next_step(5, 100, number))


def test_too_many_keyframes_are_thinned_and_the_first_steps_stay():
    keyframes = Keyframes()
    for step in [0, 1, 2, 4, *range(8, 2_001, 8)]:
        keyframes.add([frame(step)])
        assert len(keyframes.frames) <= MAX_KEYFRAMES
        assert steps(keyframes)[0] == 0
        assert steps(keyframes)[-1] == step
    assert len(keyframes.frames) == MAX_KEYFRAMES
    assert steps(keyframes)[:4] == [0, 1, 2, 4]
    assert np.diff(steps(keyframes)).max() <= 2_000 / 20


def test_a_keyframe_replaces_those_of_the_same_and_of_later_steps():
    keyframes = Keyframes()
    keyframes.add(map(frame, (0, 1, 2, 4)))
    keyframes.add([frame(2, value=7)])
    assert steps(keyframes) == [0, 1, 2]
    assert keyframes.frames[-1].state[0] == 7
    keyframes.drop_after(1)
    assert steps(keyframes) == [0, 1]


def test_huge_weights_stay_finite_in_half_precision():
    state = frame(1, 500_000, 1e9).state
    assert state.dtype == np.float16
    assert np.isfinite(state).all()


def test_all_keyframes_together_have_a_limit_and_those_used_longest_ago_go(monkeypatch):
    monkeypatch.setattr(keyframes_module, "_all", type(keyframes_module._all)())
    monkeypatch.setattr(keyframes_module, "MAX_TOTAL_BYTES", 5 * 400)
    first, second, third = Keyframes(), Keyframes(), Keyframes()
    for keyframes in (first, second, first):
        keyframes.add([frame(len(keyframes.frames), 100)])
    third.add(map(frame, range(2), [100] * 2))
    assert not first.were_dropped
    third.add([frame(2, 100)])
    assert (first.were_dropped, second.were_dropped, third.were_dropped) == (False, True, False)
    assert [len(keyframes.frames) for keyframes in (first, second, third)] == [2, 0, 3]
    del third
    gc.collect()
    second.add([frame(0, 100)])
    assert len(first.frames) == 2


# In a training.


def test_keyframes_are_the_networks_of_their_steps(finished_job, train_alone):
    frames = finished_job.keyframes.frames
    assert [frame.step for frame in frames][:6] == [0, 1, 2, 4, 5, 10]  # a stride of 5 in 200 steps
    assert frames[-1].step == 200
    for frame in frames[::6]:
        assert frame.state.tobytes() == train_alone(frame.step, epochs=4).network.state_vector.tobytes()
        assert frame.epoch == pytest.approx(frame.step / 50)


def test_keyframes_survive_pauses_and_parking_and_an_accident_drops_the_later_ones(make_pool, make_job, until):
    pool = make_pool()
    job = make_job(pool=pool, visitor="a", epochs=4)
    for _ in range(20):
        job.step()
    assert job.wait_until_still(30)
    before = steps(job.keyframes)
    assert before == [0, 1, 2, 4, 5, 10, 15, 20]
    other = make_job(pool=pool, visitor="b", epochs=1)
    other.start()
    assert other.wait_until_over(30)
    assert job.worker is None
    for _ in range(5):
        job.step()
    assert job.wait_until_still(30)
    assert steps(job.keyframes) == [*before, 25]
    job.paused_training()
    for _ in range(5):
        job.step()
    assert job.wait_until_still(30)
    with pool.changed:
        job.worker.process.kill()
    until(lambda: job.worker is None)
    assert max(steps(job.keyframes)) <= job.snapshot().step == 25


def test_a_past_moment_is_what_was_seen_then(finished_job, train_alone):
    end, frames = finished_job.snapshot(), finished_job.keyframes.frames
    (moment,) = [frame for frame in frames if frame.step == 100]
    then = end.at(moment, frames)
    alone = train_alone(100, epochs=4)
    assert then.network.state_vector.tobytes() == alone.network.state_vector.tobytes()
    assert (then.state, then.step, then.epoch, then.progress) == (JobState.PAUSED, 100, 3, 0.5)
    assert [event.epoch for event in then.history] == [1, 2]
    assert [epoch for epoch, _ in then.confusions] == [1, 2]
    np.testing.assert_allclose(then.samples.probabilities, alone.network.predict_proba(then.samples.images), atol=1e-6)
    assert (then.followed[0, 0], then.followed[-1, 0] <= 100) == (0, True)
    assert (then.health, then.test, then.end, then.seconds_left) == ((), None, None, None)
    np.testing.assert_array_equal(then.curve, end.curve[:100])
    assert end.step == 200  # the snapshot itself stays as it was


def test_the_curve_of_the_first_steps_has_the_points_of_their_keyframes(make_job):
    job = make_job(epochs=20, validation_size=0)
    job.start()
    assert job.wait_until_over(30)
    end, frames = job.snapshot(), job.keyframes.frames
    end = replace(end, curve=end.curve[2:])  # as of a training that an earlier version saved: it averaged the first steps
    start, first, second = (end.at(frame, frames) for frame in frames[:3])
    assert start.curve.shape == (0, 4)
    assert first.curve[:, 0].tolist() == [1]
    assert second.curve[:, 0].tolist() == [1, 2]
    assert second.curve[1, 2:].tolist() == list(frames[2].losses)
    last = end.at(frames[-2], frames)
    assert last.curve[-1, 0] == last.step
    assert (np.diff(last.curve[:, 0]) > 0).all()


def test_only_changes_until_then_are_shown(make_job):
    job = make_job(epochs=4)
    for step in range(8):
        job.step()
        assert job.wait_until_still(30)
        if step == 4:
            job.change(learning_rate=0.01)
            assert job.wait_for_changes(30)
    now, frames = job.snapshot(), job.keyframes.frames
    assert [len(now.at(frame, frames).changes) for frame in frames] == [0, 0, 0, 0, 1]


def test_watching_with_keyframes_needs_no_more_than_they_may_take(finished_job):
    keyframes = finished_job.keyframes
    assert 0 < keyframes.num_bytes <= MAX_BYTES
    assert len(keyframes.frames) <= MAX_KEYFRAMES
