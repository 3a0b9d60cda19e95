"""Connected components: which pixels of a drawing hang together."""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """The K connected parts of a mask: ``labels`` (H, W) has the number of each pixel's, -1 outside the mask; ``boxes``
    (K, 4) are left, top, right and bottom, the last two exclusive; ``areas`` (K,) in pixels."""

    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray


def connected_components(mask):
    """The ``Components`` of ``mask`` (H, W) bool, in reading order; pixels hang together by sides and corners.

    Runs of pixels are joined, rather than pixels (Rosenfeld & Pfaltz, 1966).
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    _, numbers = np.unique(_joined(len(rows), *_touching(rows, starts, ends, mask.shape[1] + 1)), return_inverse=True)
    count = numbers.max(initial=-1) + 1
    boxes = np.tile([*mask.shape[::-1], 0, 0], (count, 1))
    np.minimum.at(boxes[:, :2], numbers, np.stack([starts, rows], axis=1))
    np.maximum.at(boxes[:, 2:], numbers, np.stack([ends, rows + 1], axis=1))
    labels = np.full(mask.shape, -1)
    labels[mask] = np.repeat(numbers, ends - starts)
    return Components(labels, boxes, np.bincount(numbers, ends - starts, count).astype(int))


def _touching(rows, starts, ends, stride):
    """All pairs of runs, as two arrays, of which the first lies in the row above the second and touches it."""
    above = (rows - 1) * stride  # runs and rows as places on one line, where rows are longer than any run
    first = np.searchsorted(rows * stride + ends, above + starts)
    counts = np.searchsorted(rows * stride + starts, above + ends, "right") - first
    lower = np.repeat(np.arange(len(rows)), counts)
    return np.arange(len(lower)) - np.repeat(counts.cumsum() - counts - first, counts), lower


def _joined(count, upper, lower):
    """For each of ``count`` runs, the first run that pairs of touching ones lead it to."""
    roots = np.arange(count)
    while ((a := roots[upper]) != (b := roots[lower])).any():
        np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))
        while ((further := roots[roots]) != roots).any():
            roots = further
    return roots
