"""Draw digits instead of downloading them: take a skeleton, bend it as another hand would, and draw it with a pen.

Everything is arithmetic on whole arrays: one matrix turns the points of a skeleton into a line, so hundreds of lines are
bent and drawn at once. Every digit then goes through ``prepare``, as a user's drawing does.
"""

from contextlib import suppress

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.data.dataset import DataError, Dataset
from engine.data.idx import read_folder, write_folder
from engine.data.mnist import ProgressBar, cache_folder
from engine.data.synthetic.skeletons import SKELETONS, curve, even_spline
from engine.pen import draw_dots
from engine.preprocessing import prepare

VERSION = 6  # of the drawn digits: increase it whenever they change, so that cached ones are drawn again
TRAIN_SIZE, TEST_SIZE = 60_000, 10_000
CHUNK_SIZE = 250  # digits drawn at a time, each chunk with its own seed, so that n digits are the first n of any larger set
NUM_DOTS = 128  # of a digit: they are at most 1.2 pixels apart
SHEET_SIDE = 48  # pixels: the digit is drawn more than twice as large as it will be
MARGIN = 2  # pixels around the ink
DOTTED = 0.03  # fraction of the digits that are dotted or dashed
MIN_DASHES = 12  # of a digit, so that it can still be read
NUM_KNOTS = 12  # of the slow changes along a line: pressure and tremor


def load_synthetic(progressbar: bool | ProgressBar = False, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Drawn digits as train and test sets, of 60,000 and 10,000 images; they are drawn once and cached.

    ``progressbar`` shows the progress of drawing: True for tqdm's on stderr, or an object with tqdm's ``total``,
    ``update``, ``reset`` and ``close``.
    """
    folder = cache_folder() / f"synthetic-{VERSION}-{seed}"
    with suppress(DataError):  # not drawn yet, or damaged
        return read_folder(folder, "synthetic")
    digits = draw_digits(TRAIN_SIZE + TEST_SIZE, seed, progressbar)
    train_set, test_set = (
        Dataset(digits.images[rows], digits.labels[rows], "synthetic")
        for rows in (slice(TRAIN_SIZE), slice(TRAIN_SIZE, None))
    )
    with suppress(DataError):  # the disk is full or read-only: the digits can be drawn again
        write_folder(folder, train_set, test_set)
    return train_set, test_set


def draw_digits(count: int, seed: int = 0, progressbar: bool | ProgressBar = False) -> Dataset:
    """Draw ``count`` digits; with the same seed, a smaller count gives the first digits of a larger one."""
    images, labels = np.empty((count, 28, 28), np.uint8), np.empty(count, np.uint8)
    bar = progressbar
    if isinstance(bar, bool):
        bar = tqdm(desc="drawing digits", unit=" digits", unit_scale=True, disable=not progressbar)
    bar.total = count
    bar.reset()

    for start in range(0, count, CHUNK_SIZE):
        rows = slice(start, min(start + CHUNK_SIZE, count))
        for whole, chunk in zip((images, labels), draw_chunk(seed, start // CHUNK_SIZE), strict=True):
            whole[rows] = chunk[: rows.stop - start]
        bar.update(rows.stop - start)
    bar.close()
    return Dataset(images, labels, "synthetic")


def draw_chunk(seed: int, chunk: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The images (CHUNK_SIZE, 28, 28) and labels (CHUNK_SIZE,) of one chunk."""
    rng = np.random.default_rng([seed, chunk])
    labels = rng.integers(0, 10, CHUNK_SIZE).astype(np.uint8)
    lines = np.empty((CHUNK_SIZE, NUM_DOTS, 2))
    for digit, skeletons in SKELETONS.items():
        positions = np.flatnonzero(labels == digit)
        frequencies = np.array([skeleton.frequency for skeleton in skeletons])
        chosen = rng.choice(len(skeletons), len(positions), p=frequencies / frequencies.sum())
        for number, skeleton in enumerate(skeletons):
            lines[positions[chosen == number]] = write(skeleton.strokes, int((chosen == number).sum()), rng)
    points, radii = place_pen(bend(lines, rng), rng)
    dotted = rng.random(CHUNK_SIZE) < DOTTED
    points[dotted] = leave_gaps(points[dotted], radii[dotted], rng)
    drawings = draw_dots(points, radii, SHEET_SIDE)
    return np.stack([np.round(255 * prepare(drawing, clean=False)) for drawing in drawings]).astype(np.uint8), labels


def write(strokes: tuple[str, ...], count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """``count`` lines (count, NUM_DOTS, 2) along these strokes, with the skeleton's points moved a little at random.

    The unit is the digit's height, and the middle is at (0, 0).
    """
    skeleton, stroke_of_point, is_end, matrix = curve(strokes, NUM_DOTS)
    shape = count, len(skeleton), 2
    points = skeleton + 0.024 * rng.standard_normal(shape) + 0.03 * is_end[:, None] * rng.standard_normal(shape)
    points += 0.025 * rng.standard_normal((count, len(strokes), 2))[:, stroke_of_point]
    return matrix @ points


def bend(lines: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Bend each of the lines (N, J, 2) as another hand would: proportions, wobble, slant, rotation."""

    def normal(deviation: float, mean: float = 0.0, shape: tuple[int, ...] = ()) -> npt.NDArray[np.float64]:
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
    tremor = np.abs(normal(0.006, shape=(1,))) * rng.standard_normal((len(lines), 2 * NUM_KNOTS, 2))
    return bent + even_spline(2 * NUM_KNOTS, NUM_DOTS) @ tremor


def place_pen(
    lines: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fit the lines to the sheet and choose a pen for each: the dots (N, J, 2) and their radii (N, J), in pixels."""
    side = SHEET_SIDE - 2 * MARGIN
    width = np.clip(np.exp(rng.normal(np.log(0.11), 0.4, (len(lines), 1))), 0.036, 0.26)  # fraction of the longer side
    pressure = np.abs(rng.normal(0, 0.13, (len(lines), 1, 1))) * rng.standard_normal((len(lines), NUM_KNOTS, 1))
    radii = side / 2 * width * np.clip(1 + (even_spline(NUM_KNOTS, NUM_DOTS) @ pressure)[..., 0], 0.5, 1.5)
    low, high = lines.min(axis=1, keepdims=True), lines.max(axis=1, keepdims=True)
    room = side - 2 * radii.max(axis=1)
    points = (lines - (low + high) / 2) * (room / (high - low).max(axis=(1, 2)))[:, None, None]
    return points + SHEET_SIDE / 2, radii


def leave_gaps(
    points: npt.NDArray[np.float64], radii: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Dotted or dashed lines: the dots (N, J, 2) that would be in a gap lie on the last one before it."""
    steps = np.diff(points, axis=1, prepend=points[:, :1])
    along = np.hypot(steps[..., 0], steps[..., 1]).cumsum(axis=1)
    period = rng.uniform(3.5, 7, (len(points), 1)) * radii.mean(axis=1, keepdims=True)
    period = np.minimum(period, along[:, -1:] / MIN_DASHES)
    kept = along / period % 1 < rng.uniform(0.2, 0.4, (len(points), 1))
    last = np.maximum.accumulate(np.where(kept, np.arange(along.shape[1]), 0), axis=1)
    return np.take_along_axis(points, last[..., None], axis=1)
