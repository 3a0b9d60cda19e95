"""A history beside the list that it stands for."""

import tracemalloc

import numpy as np
import pytest

from engine.training import EpochEnd
from engine.training.history import Curve, EvenlySpaced, History


def ends(count, validated=True):
    rng = np.random.default_rng(count)
    for epoch in range(1, count + 1):
        loss, accuracy, seconds = rng.random(3).tolist()
        validation = (rng.random(), rng.random()) if validated else (None, None)
        yield EpochEnd(epoch, 7 * epoch, loss, accuracy, *validation, 1000.5, seconds)


@pytest.mark.parametrize("validated", [True, False])
def test_a_history_is_the_list_of_its_events(validated):
    events = list(ends(9, validated))
    history = History(EpochEnd, events)
    assert len(history) == 9
    assert history == events
    assert history != events[:-1]
    assert history == History(EpochEnd, events)
    assert (history[0], history[-1], history[2:-3]) == (events[0], events[-1], events[2:-3])
    assert [type(value) for value in history[4]] == [type(value) for value in events[4]]
    for outside in (9, -10):
        with pytest.raises(IndexError):
            history[outside]
    for name in EpochEnd._fields:
        expected = np.array([getattr(event, name) for event in events], float)
        np.testing.assert_array_equal(history.column(name), expected)
    assert not History(EpochEnd)
    assert History(EpochEnd).column("loss").shape == (0,)


def test_a_frozen_copy_does_not_change():
    history = History(EpochEnd, ends(5))
    earlier = history.frozen_copy()
    losses = earlier.column("loss")
    for event in ends(200):
        history.append(event)
    assert earlier == list(ends(5))
    assert (len(earlier), len(history)) == (5, 205)
    np.testing.assert_array_equal(earlier.column("loss"), losses)


def test_a_history_takes_a_fraction_of_the_memory_of_a_list():
    def size_of(make):
        tracemalloc.start(10)
        events = make(EpochEnd(*map(float, end[:4]), *end[4:]) for end in ends(5_000))
        own = tracemalloc.Filter(True, __file__, all_frames=True)  # other threads allocate meanwhile
        size = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([own]).traces)
        tracemalloc.stop()
        assert len(events) == 5_000
        return size

    assert size_of(lambda events: History(EpochEnd, events)) < size_of(list) / 3


def filled(steps, limit=16):
    curve = Curve(("step", "loss"), limit)
    for step in range(1, steps + 1):
        curve.append(step, step % 7)
    return curve


def test_an_empty_curve_has_no_points():
    assert Curve(("step", "loss")).points().shape == (0, 2)


def test_few_steps_are_points_of_their_own():
    np.testing.assert_array_equal(filled(5).points(), [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]])


@pytest.mark.parametrize("steps", [15, 16, 17, 29, 30, 31, 100, 1000, 4097])
def test_a_curve_keeps_its_first_steps_never_exceeds_the_limit_and_loses_no_step(steps):
    curve = filled(steps)
    points = curve.points()
    assert 8 <= len(points) <= 16
    assert (np.diff(points[:, 0]) > 0).all()
    whole, rest = divmod(steps - 2, curve.steps_per_point)
    sizes = [1, 1] + [curve.steps_per_point] * whole + [rest] * (rest > 0)
    assert len(points) == len(sizes)
    every = np.arange(1, steps + 1)
    for point, run in zip(points, np.split(every, np.cumsum(sizes)[:-1]), strict=True):
        np.testing.assert_allclose(point, [run.mean(), (run % 7).mean()])


def test_the_points_of_a_curve_do_not_change_later():
    curve = filled(6)
    points = curve.points()
    before = points.copy()
    for step in range(100):
        curve.append(step, 0)
    np.testing.assert_array_equal(points, before)


def evenly_spaced(count, limit, first=1):
    spaced = EvenlySpaced(limit)
    for position in range(first, first + count):
        spaced.append(position, f"item {position}")
    return spaced.items()


@pytest.mark.parametrize("first", [1, 7])
@pytest.mark.parametrize("limit", [3, 8, 50])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 50, 51, 52, 99, 100, 101, 1000])
def test_items_are_evenly_spaced_with_the_first_and_the_last(count, limit, first):
    items = evenly_spaced(count, limit, first)
    positions = [position for position, _ in items]
    assert [item for _, item in items] == [f"item {position}" for position in positions]
    assert positions[0] == first
    assert positions[-1] == first + count - 1
    assert min(count, limit // 2) <= len(items) <= limit
    gaps = np.diff(positions)
    assert len(set(gaps[:-1])) <= 1
    assert (gaps > 0).all()
    if len(gaps) > 1:
        assert gaps[-1] <= gaps[0]


def test_evenly_spaced_items_do_not_change_later():
    spaced = EvenlySpaced(4)
    spaced.append(1, "first")
    items = spaced.items()
    for position in range(2, 40):
        spaced.append(position, "another")
    assert items == ((1, "first"),)


def test_evenly_spaced_items_go_on_from_what_was_left_of_them():
    whole, continued = EvenlySpaced(), EvenlySpaced()
    for position in range(1, 400):
        for spaced in (whole, continued):
            spaced.append(position, position)
        assert continued.items() == whole.items()
        items, continued = continued.items(), EvenlySpaced()
        continued.restore(items)


def test_a_curve_takes_points_as_steps():
    points = np.array([[1, 0.5], [2, 0.25], [3, 0.125]])
    curve = Curve(("step", "value"), limit=8)
    curve.extend(points)
    np.testing.assert_array_equal(curve.points(), points)
    curve.append(4, 0)
    np.testing.assert_array_equal(curve.points(), [*points, [4, 0]])
    curve.extend(np.empty((0, 2)))
    assert len(curve.points()) == 4
