"""How people write digits: the skeletons in ``skeletons.txt``, and smooth curves through their points."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Skeleton(NamedTuple):
    """One way to write a digit: its ``strokes``, and how common it is among the ways to write this digit, in any unit."""

    frequency: float
    strokes: tuple[str, ...]


class Curve(NamedTuple):
    """The smooth curves of a skeleton with K points."""

    points: npt.NDArray[np.float64]  # (K, 2), in heights of the digit, with the middle at (0, 0)
    stroke_of_point: npt.NDArray[np.integer]  # (K,)
    is_end: npt.NDArray[np.bool_]  # (K,): whether a point is the first or last of its stroke
    matrix: npt.NDArray[np.float64]  # (J, K): leads from the points to J evenly spaced dots on all strokes


def _read_skeletons(path: Path) -> dict[int, tuple[Skeleton, ...]]:
    """The skeletons of each digit, from a file that explains its own format."""
    skeletons: dict[int, tuple[Skeleton, ...]] = dict.fromkeys(range(10), ())
    for line in path.read_text(encoding="utf-8").splitlines():
        if text := line.partition("#")[0].strip():
            digit, frequency, strokes = text.split(maxsplit=2)
            skeletons[int(digit)] += (Skeleton(float(frequency), tuple(strokes.split("; "))),)
    return skeletons


SKELETONS = _read_skeletons(Path(__file__).with_suffix(".txt"))


@cache
def curve(strokes: tuple[str, ...], num_dots: int) -> Curve:
    """The smooth curves through these strokes' points, with ``num_dots`` dots on them."""
    points, stroke_of_point, pieces = [], [], []
    for number, stroke in enumerate(strokes):
        begin = len(points)
        for text in stroke.split():
            points.append([float(coordinate) / 100 for coordinate in text.rstrip("!").split(",")])
            stroke_of_point.append(number)
            if text.endswith("!"):
                pieces.append(slice(begin, len(points)))
                begin = len(points) - 1
        pieces.append(slice(begin, len(points)))
    stroke_of_point = np.array(stroke_of_point)
    is_end = (np.diff(stroke_of_point, prepend=-1) | np.diff(stroke_of_point, append=-1)) != 0
    points = np.array(points)
    points -= (points.min(axis=0) + points.max(axis=0)) / 2
    lengths = [np.concatenate([[0], np.linalg.norm(np.diff(points[piece], axis=0), axis=1).cumsum()]) for piece in pieces]
    along = np.cumsum([0.0] + [length[-1] for length in lengths])
    bounds = np.round(num_dots * along / along[-1]).astype(int)  # each smooth piece gets dots by its length
    matrix = np.zeros((num_dots, len(points)))
    for piece, length, first, last in zip(pieces, lengths, bounds[:-1], bounds[1:], strict=True):
        matrix[first:last, piece] = spline(length, np.linspace(0, length[-1], last - first))
    return Curve(points, stroke_of_point, is_end, matrix)


def spline(knots: npt.ArrayLike, places: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The matrix (P, K) from K values at ``knots`` to the natural cubic spline through them at P ``places``."""
    from scipy.interpolate import CubicSpline  # slow to import, and needed for drawing only

    return CubicSpline(knots, np.eye(len(np.asarray(knots))), bc_type="natural")(places)


@cache
def even_spline(num_knots: int, num_places: int) -> npt.NDArray[np.float64]:
    """The matrix of ``spline`` for evenly spaced knots, and places from the first knot to the last."""
    return spline(np.arange(num_knots), np.linspace(0, num_knots - 1, num_places))
