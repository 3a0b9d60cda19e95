"""Decimal points: dots that belong to the writing, though dirt is as small.

A point is not a part of the digit beside it, and not dirt: its place, its shape and its size say so.
"""

import numpy as np
import numpy.typing as npt

from engine.ruling import Mask, weighted_median

MAX_POINT, MIN_POINT = 0.25, 0.8  # of the digits' height, and of the pen's width: how large a decimal point is
MIN_SQUARE, MIN_SOLID = 0.6, 0.6  # a point is round: its sides are that equal, and it fills so much of its box
MIN_DIGIT, POINT_DISTANCE = 0.6, 1.0  # of the digits' height: how high its neighbours are, and how far away
MAX_DIGITS = 150  # on a page with more pieces, no points are looked for
OFF_BASE_LINE = 0.2  # of the digits' height: how far its middle may lie from the base line


def decimal_points(labels: npt.NDArray[np.int32], boxes: npt.NDArray[np.integer], is_writing: Mask, is_strong: Mask) -> Mask:
    """Which strong pieces of ink (K + 1,) beside the writing are decimal points: dots on the base line between two digits.

    ``labels`` (H, W) are the numbers of the pieces, 0 for none. ``boxes`` (K + 1, 4) are theirs.
    """
    is_point = np.zeros(len(boxes), bool)
    if not is_writing.any():
        return is_point
    sides = boxes[:, 2:] - boxes[:, :2]
    height = weighted_median(sides[is_writing, 1], sides[is_writing, 1])
    digits = boxes[is_writing & (sides[:, 1] >= MIN_DIGIT * height)]
    is_round = sides.min(axis=1) >= np.maximum(MIN_SQUARE * sides.max(axis=1), 2)
    dots = np.flatnonzero(is_strong & ~is_writing & is_round & (sides.max(axis=1) <= MAX_POINT * height))
    if not 2 <= len(digits) <= MAX_DIGITS:
        return is_point
    x, y = (boxes[dots, :2] + boxes[dots, 2:]).T[:, :, None] / 2  # (P, 1) each
    from_left, from_right = x - (digits[:, 0] + digits[:, 2]) / 2, x - digits[:, 2]
    is_near = (abs(y - digits[:, 3]) <= OFF_BASE_LINE * height) & (y > digits[:, 1])  # (P, D)
    is_after = is_near & (from_left > 0) & (from_right < POINT_DISTANCE * height)
    is_before = is_near & (from_left < 0) & (digits[:, 0] - x < POINT_DISTANCE * height)
    dots = dots[is_after.any(axis=1) & is_before.any(axis=1)]
    if len(dots):
        pen = _line_width(is_writing[labels])
        for dot in dots:
            left, top, right, bottom = boxes[dot]
            fraction = np.mean(labels[top:bottom, left:right] == dot)
            is_point[dot] = fraction >= MIN_SOLID and sides[dot].min() >= MIN_POINT * pen
    return is_point


def _line_width(mask: Mask) -> float:
    """How wide lines of ink (H, W) are, in pixels: twice their area by the length of their outline."""
    mask = np.pad(mask, 1)
    down, across = mask[1:] ^ mask[:-1], mask[:, 1:] ^ mask[:, :-1]
    return 2 * np.count_nonzero(mask) / max(1, np.pi / 4 * (np.count_nonzero(down) + np.count_nonzero(across)))
