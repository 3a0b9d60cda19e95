"""Skeletons: the ways to write each digit, and the smooth curves through their points."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from engine.data.synthetic.skeletons import SKELETONS, curve, even_spline, spline

WAYS = [(digit, way) for digit, ways in SKELETONS.items() for way in ways]


def stroke_counts(digit):
    """The numbers of strokes that the ways to write a digit have."""
    return {len(way.strokes) for way in SKELETONS[digit]}


def test_every_digit_is_written_in_several_ways():
    assert list(SKELETONS) == list(range(10))
    assert min(len(ways) for ways in SKELETONS.values()) >= 8
    for digit in (0, 1, 4, 5, 7, 8, 9):
        assert stroke_counts(digit) >= {1, 2}, f"{digit} is written in one stroke and in two"


@pytest.mark.parametrize(("digit", "way"), WAYS)
def test_a_curve_is_smooth_evenly_dotted_and_about_as_high_as_its_points(digit, way):
    points, stroke_of_point, is_end, matrix = curve(way.strokes, 400)
    assert way.frequency > 0
    assert len(points) == len(stroke_of_point) == len(is_end) == matrix.shape[1]
    assert is_end.sum() == 2 * len(way.strokes)
    dots = matrix @ points
    assert np.allclose((points.min(axis=0) + points.max(axis=0)) / 2, 0)
    assert 0.8 < np.ptp(dots[:, 1]) < 1.35
    assert np.ptp(dots[:, 0]) < 1.4
    stroke_of_dot = stroke_of_point[np.abs(matrix).argmax(axis=1)]
    steps = np.linalg.norm(np.diff(dots, axis=0), axis=1)[np.diff(stroke_of_dot) == 0]
    assert steps.max() < 2.5 * np.median(steps)


@pytest.mark.parametrize(("digit", "way"), WAYS)
def test_a_curve_passes_through_its_points(digit, way):
    points, _, _, matrix = curve(way.strokes, 2000)
    distances = np.linalg.norm((matrix @ points)[:, None] - points, axis=2).min(axis=0)
    assert distances.max() < 0.005


def test_a_point_with_an_exclamation_mark_is_a_corner_and_others_are_not():
    def sharpest_turn(stroke):
        points, _, _, matrix = curve((stroke,), 400)
        steps = np.diff(matrix @ points, axis=0)
        steps = steps[np.linalg.norm(steps, axis=1) > 1e-9]
        angles = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        return np.rad2deg(np.abs(np.diff(angles)).max())

    assert sharpest_turn("0,0 50,0! 50,100") == pytest.approx(90, abs=1)
    assert sharpest_turn("0,0 50,0 50,100") < 5


def test_a_spline_is_a_linear_map_to_the_natural_cubic_spline():
    rng = np.random.default_rng(0)
    for count in (2, 3, 7):
        knots = np.cumsum(rng.uniform(0.2, 3, count))
        places = np.linspace(knots[0], knots[-1], 50)
        values = rng.normal(size=(count, 2))
        expected = CubicSpline(knots, values, bc_type="natural")(places)
        assert np.allclose(spline(knots, places) @ values, expected, atol=1e-12)
        even = even_spline(count, 50)
        np.testing.assert_array_equal(even, spline(range(count), np.linspace(0, count - 1, 50)))
