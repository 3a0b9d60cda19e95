"""Digits drawn, not stored: each is a skeleton, bent as one more hand would and drawn with a pen; they need no network.

All of it is arithmetic over whole arrays: a line is one matrix away from the points of its skeleton, so that hundreds are
bent and drawn at once. Each then goes through the same ``prepare`` as a drawing.
"""

from contextlib import suppress
from functools import cache

import numpy as np
from tqdm import tqdm

from engine.data.dataset import DataError, Dataset
from engine.data.idx import read_folder, write_folder
from engine.data.mnist import cache_folder
from engine.data.skeletons import SKELETONS, curve, spline
from engine.pen import draw_dots
from engine.preprocessing import prepare

VERSION = 5  # of what is drawn: a change in skeletons or hands makes what is in the cache stale
TRAIN_SIZE, TEST_SIZE = 60_000, 10_000
CHUNK = 250  # digits at a time; each chunk has random numbers of its own, so that fewer digits are the first of more
DOTS = 128  # a digit: at most 1.2 pixels apart
SHEET = 48  # pixels: the side of the square that a digit is drawn on; more than twice what is kept of it
MARGIN = 2  # pixels around the ink
KNOTS = 12  # of the slow changes along a line: pressure, tremor


def load_synthetic(progressbar=False, seed=0):
    """Drawn digits as train and test sets, (60,000 and 10,000), from the cache, or drawn now and kept there.

    ``progressbar``: True for tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset`` and ``close``.
    """
    folder = cache_folder() / f"synthetic-{VERSION}-{seed}"
    with suppress(DataError):  # not drawn yet, or broken
        return read_folder(folder, "synthetic")
    digits = draw_digits(TRAIN_SIZE + TEST_SIZE, seed, progressbar)
    sets = tuple(
        Dataset(digits.images[part], digits.labels[part], "synthetic")
        for part in (slice(TRAIN_SIZE), slice(TRAIN_SIZE, None))
    )
    with suppress(DataError):  # no room, or no right to write there: they can be drawn again
        write_folder(folder, *sets)
    return sets


def draw_digits(count, seed=0, progressbar=False):
    """``count`` drawn digits as a ``Dataset``; the same seed gives the same digits, and fewer of them its first ones."""
    images, labels = np.empty((count, 28, 28), np.uint8), np.empty(count, np.uint8)
    bar = progressbar
    if isinstance(progressbar, bool):
        bar = tqdm(desc="drawing digits", unit=" digits", unit_scale=True, disable=not progressbar)
    bar.total = count
    bar.reset()

    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        for whole, chunk in zip((images, labels), draw_chunk(seed, start // CHUNK), strict=True):
            whole[rows] = chunk[: rows.stop - start]
        bar.update(rows.stop - start)
    bar.close()
    return Dataset(images, labels, "synthetic")


def draw_chunk(seed, chunk):
    """The images (CHUNK, 28, 28) uint8 and labels (CHUNK,) uint8 of one chunk."""
    rng = np.random.default_rng([seed, chunk])
    labels = rng.integers(0, 10, CHUNK).astype(np.uint8)
    lines = np.empty((CHUNK, DOTS, 2))
    for digit, ways in SKELETONS.items():
        places = np.flatnonzero(labels == digit)
        shares = np.array([way.share for way in ways])
        chosen = rng.choice(len(ways), len(places), p=shares / shares.sum())
        for number, way in enumerate(ways):
            lines[places[chosen == number]] = write(way.strokes, np.count_nonzero(chosen == number), rng)
    points, radii = pen(bend(lines, rng), rng)
    drawings = draw_dots(points, radii, SHEET)
    return np.stack([np.round(255 * prepare(drawing)) for drawing in drawings]).astype(np.uint8), labels


def write(strokes, count, rng):
    """``count`` lines (count, DOTS, 2) along these strokes, each through points a little off the skeleton's; heights are 1,
    the middle is (0, 0)."""
    skeleton, stroke_of, ends, line = curve(strokes, DOTS)
    shape = count, len(skeleton), 2
    points = skeleton + 0.024 * rng.standard_normal(shape) + 0.03 * ends[:, None] * rng.standard_normal(shape)
    points += 0.025 * rng.standard_normal((count, len(strokes), 2))[:, stroke_of]
    return line @ points


def bend(lines, rng):
    """The lines (N, J, 2) as so many hands would have them: other proportions, wobble, slant, rotation."""

    def normal(deviation, mean=0.0, shape=()):
        return rng.normal(mean, deviation, (len(lines), *shape, 1))

    x, y = lines[..., 0], lines[..., 1]
    y = y + normal(0.065) * (1 - 4 * y**2)  # the waist up or down
    x = x * (1 + normal(0.25) * y)  # wider above or below
    x = x + normal(0.07) * (4 * y**2 - 0.5)  # bowed
    y = y + normal(0.08) * x  # rising or falling
    for _ in range(3):  # a slow wave across the paper
        phase = 2 * np.pi * (normal(0.5) * x + normal(0.5) * y + rng.random((len(lines), 1)))
        x, y = x + normal(0.018) * np.sin(phase), y + normal(0.018) * np.sin(phase + 2)
    x = x * np.exp(normal(0.29, mean=0.12))
    x = x - y * np.tan(np.deg2rad(np.clip(normal(13, mean=8), -35, 50)))
    angle = np.deg2rad(normal(6))
    bent = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=-1)
    tremor = np.abs(normal(0.006, shape=(1,))) * rng.standard_normal((len(lines), 2 * KNOTS, 2))
    return bent + _slow(2 * KNOTS) @ tremor


def pen(lines, rng):
    """Where the dots of these lines lie on the sheet, (N, J, 2) in pixels, and their radii (N, J)."""
    side = SHEET - 2 * MARGIN
    width = np.clip(np.exp(rng.normal(np.log(0.11), 0.4, (len(lines), 1))), 0.036, 0.26)  # part of the longer side
    pressure = np.abs(rng.normal(0, 0.13, (len(lines), 1, 1))) * rng.standard_normal((len(lines), KNOTS, 1))
    radii = side / 2 * width * np.clip(1 + (_slow(KNOTS) @ pressure)[..., 0], 0.5, 1.5)
    low, high = lines.min(axis=1, keepdims=True), lines.max(axis=1, keepdims=True)
    room = side - 2 * radii.max(axis=1)
    points = (lines - (low + high) / 2) * (room / (high - low).max(axis=(1, 2)))[:, None, None]
    return points + SHEET / 2, radii


@cache
def _slow(knots):
    """The matrix (DOTS, knots) of smooth curves through so many values along a line."""
    return spline(np.arange(knots), np.linspace(0, knots - 1, DOTS))
