import numpy as np
import pytest

from engine.curves import Curve, Stills


def filled(steps, limit):
    curve = Curve(("step", "loss"), limit)
    for step in range(1, steps + 1):
        curve.append(step, step % 7)
    return curve


def test_nothing_yet_is_no_points():
    assert Curve(("step", "loss")).points().shape == (0, 2)


def test_few_steps_are_kept_as_they_came():
    np.testing.assert_array_equal(filled(5, 8).points(), [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]])


@pytest.mark.parametrize("steps", [7, 8, 9, 15, 16, 17, 100, 1000, 4097])
def test_never_more_than_the_limit_and_no_step_lost(steps):
    curve = filled(steps, 8)
    points = curve.points()
    assert 4 <= len(points) <= 8
    assert (np.diff(points[:, 0]) > 0).all()
    whole, rest = divmod(steps, curve.steps_per_point)
    sizes = [curve.steps_per_point] * whole + [rest] * (rest > 0)
    assert len(points) == len(sizes)
    every = np.arange(1, steps + 1)
    for point, run in zip(points, np.split(every, np.cumsum(sizes)[:-1]), strict=True):
        np.testing.assert_allclose(point, [run.mean(), (run % 7).mean()])


def test_points_given_out_do_not_change_later():
    curve = filled(6, 8)
    points = curve.points()
    before = points.copy()
    for step in range(100):
        curve.append(step, 0)
    np.testing.assert_array_equal(points, before)


def stills(count, limit, first=1):
    kept = Stills(limit)
    for position in range(first, first + count):
        kept.append(position, f"of {position}")
    return kept.kept()


@pytest.mark.parametrize("first", [1, 7])
@pytest.mark.parametrize("limit", [3, 8, 50])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 50, 51, 52, 99, 100, 101, 1000])
def test_stills_keep_the_first_the_last_and_as_many_evenly_spread_as_there_is_room_for(count, limit, first):
    kept = stills(count, limit, first)
    positions = [position for position, _ in kept]
    assert [thing for _, thing in kept] == [f"of {position}" for position in positions]
    assert positions[0] == first
    assert positions[-1] == first + count - 1
    assert min(count, limit // 2) <= len(kept) <= limit
    gaps = np.diff(positions)
    assert len(set(gaps[:-1])) <= 1
    assert (gaps > 0).all()
    if len(gaps) > 1:
        assert gaps[-1] <= gaps[0]


def test_stills_given_out_do_not_change_later():
    kept = Stills(4)
    kept.append(1, "one")
    held = kept.kept()
    for position in range(2, 40):
        kept.append(position, "another")
    assert held == ((1, "one"),)
