"""Digits that people drew with a pen, read from a file of strokes and drawn again as on the app's canvas.

The file has one JSON object per line and may be compressed with gzip:
``{"label": 7, "writer": "a name", "strokes": [[[x, y], ...], ...]}``, with y downwards, in any unit. Each writer belongs to
one part: to train on, to make choices with (validation), or to measure the result (test).
"""

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.checks import check_integer, shown
from engine.data.dataset import DataError, Dataset
from engine.data.idx import MAX_PAYLOAD, FilePath, read_payload
from engine.pen import CANVAS, draw_many, draw_strokes, fit_strokes, rotation
from engine.preprocessing import prepare

PARTS = {"training": 6, "validation": 8, "test": 10}  # of ten writers, six are in the first part, the next two in the second
RENDERINGS = 8  # of each digit to train on
MAX_DIGITS_PER_WRITER = 1_000  # otherwise every tenth image would be by the same writer
CHUNK_SIZE = 250  # digits drawn at a time, each chunk with its own seed
SHEET_SIDE = 56  # pixels: training images are drawn on this small square
MARGIN = 3  # pixels around the ink, for moving it
MAX_COORDINATE = 1e9  # farther from the origin, floats cannot resolve the shape of the digit
EXAMPLE = '{"label": 7, "writer": "a name", "strokes": [[[0, 0], [9, 0], [4, 16]]]}'


@dataclass(frozen=True, eq=False)
class PenDigit:
    """A digit: its ``label``, who wrote it, and its ``strokes``, each (K, 2)."""

    label: int
    writer: str
    strokes: Sequence[npt.NDArray[np.float64]]


class Conditions(NamedTuple):
    """How digits are drawn; each range is (low, high).

    ``pen`` is the range of the pen's width, in pixels of the canvas; ``fraction`` that of the digit's longer side, as a
    fraction of the canvas; both are uniform in the logarithm. ``tilt`` and ``slant`` are the largest angles in degrees,
    uniform. ``stretch`` is the standard deviation of the logarithm of each axis's stretching factor.
    """

    pen: tuple[float, float]
    fraction: tuple[float, float]
    tilt: float
    slant: float = 0.0
    stretch: float = 0.0


MAX_LINE = 500_000  # bytes of one digit
TRAINING_CONDITIONS = Conditions(pen=(7, 34), fraction=(0.35, 0.95), tilt=18, slant=8, stretch=0.08)
TEST_CONDITIONS = Conditions(pen=(10, 28), fraction=(0.4, 0.9), tilt=15)


@dataclass(frozen=True, eq=False)
class HeldOutDrawings:
    """Prepared drawings as a ``dataset``, with the ``writers`` (M,) and the ``widths`` of the pen (M,) in pixels."""

    dataset: Dataset
    writers: npt.NDArray[np.str_]
    widths: npt.NDArray[np.integer]


def load_strokes(path: FilePath) -> tuple[Dataset, Dataset]:
    """Train and test sets from a file of strokes: digits of the training writers, and of the test writers.

    For training, each digit is drawn eight times under ``TRAINING_CONDITIONS``, but at most 1,000 images per writer. For
    testing, it is drawn once under ``TEST_CONDITIONS``. Raises ``DataError`` if the file cannot be used.
    """
    parts, rng = read_strokes(path), np.random.default_rng(0)
    digits_of_writer = defaultdict(list)
    for digit in parts["training"]:
        digits_of_writer[digit.writer].append(digit)
    training_digits = []
    for digits in digits_of_writer.values():
        order = np.concatenate([rng.permutation(len(digits)) for _ in range(RENDERINGS)])
        training_digits += [digits[i] for i in order[:MAX_DIGITS_PER_WRITER]]
    name = Path(path).name
    return _draw(training_digits, TRAINING_CONDITIONS, 1, name), _draw(parts["test"], TEST_CONDITIONS, 2, name)


def read_strokes(path: FilePath) -> dict[str, list[PenDigit]]:
    """The digits in a file of strokes, by the part that their writer belongs to; raises ``DataError``."""
    payload = read_payload(path, MAX_PAYLOAD)
    if len(payload) > MAX_PAYLOAD:
        raise DataError(f"{path} must hold at most {MAX_PAYLOAD:,} bytes, got more")
    parts = {part: [] for part in PARTS}
    for digit in parse_strokes(payload, str(path)):
        parts[part_of(digit.writer)].append(digit)
    for part, digits in parts.items():
        if not digits:
            raise DataError(f"{path} must hold digits of many writers, got none for {part}")
    return parts


def parse_strokes(content: bytes, name: str) -> Iterator[PenDigit]:
    """The digits in the content of a file of strokes, one after the other; raises ``DataError`` that names the file."""
    for number, line in enumerate(BytesIO(content), 1):
        digit = _parse(line) if len(line) <= MAX_LINE else None
        if digit is None:
            got = shown(line[:200].decode(errors="replace"))
            raise DataError(f"{name} must hold one digit per line, such as {EXAMPLE}, got {got} in line {number:,}")
        yield digit


def _parse(line: bytes) -> PenDigit | None:
    """The digit in a line of JSON, or None if the line is not one."""
    try:
        value = json.loads(line)
        label, writer = check_integer("label", value["label"], 0, 9), value["writer"]
        strokes = [np.array(stroke, float) for stroke in value["strokes"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    shapes_fit = strokes and all(stroke.ndim == 2 and stroke.shape[1] == 2 and len(stroke) for stroke in strokes)
    if not shapes_fit or not isinstance(writer, str) or not all(np.abs(s).max() < MAX_COORDINATE for s in strokes):
        return None
    return PenDigit(label, writer, strokes)


def held_out_drawings(path: FilePath, part: str, widths: Sequence[int] = (10, 18, 28), seed: int = 0) -> HeldOutDrawings:
    """Every digit of the writers of one part, prepared from a drawing on the app's canvas with each width of the pen."""
    digits, pens, images = [], [], []
    for digit, pen, canvas in canvases(path, part, widths, seed):
        digits.append(digit)
        pens.append(pen)
        images.append(np.round(255 * prepare(canvas, clean=False)).astype(np.uint8))
    labels = np.array([digit.label for digit in digits], np.uint8)
    dataset = Dataset(np.array(images), labels, Path(path).name)
    return HeldOutDrawings(dataset, np.array([digit.writer for digit in digits]), np.array(pens))


def canvases(
    path: FilePath, part: str, widths: Sequence[int] = (10, 18, 28), seed: int = 0
) -> Iterator[tuple[PenDigit, int, npt.NDArray[np.uint8]]]:
    """Draw the digits of one part on the app's canvas (280, 280) uint8, one after the other, with each width of the pen.

    Under ``TEST_CONDITIONS``: 40 to 90 % of the canvas in size, anywhere on it, tilted by up to 15 degrees.
    """
    rng = np.random.default_rng(seed)
    for digit in read_strokes(path)[part]:
        for pen in widths:
            angle = np.deg2rad(rng.uniform(-TEST_CONDITIONS.tilt, TEST_CONDITIONS.tilt))
            room = CANVAS - pen  # so that the whole line is on the canvas
            fraction = rng.uniform(*TEST_CONDITIONS.fraction) * CANVAS / room
            strokes = fit_strokes([stroke @ rotation(angle) for stroke in digit.strokes], fraction, room, rng.random(2))
            yield digit, pen, draw_strokes([stroke + pen / 2 for stroke in strokes], CANVAS, pen)


def _draw(digits: Sequence[PenDigit], conditions: Conditions, seed: int, name: str) -> Dataset:
    images = np.empty((len(digits), 28, 28), np.uint8)
    for start in range(0, len(digits), CHUNK_SIZE):
        block = slice(start, start + CHUNK_SIZE)
        sheets = _sheets([digit.strokes for digit in digits[block]], conditions, np.random.default_rng([seed, start]))
        images[block] = [np.round(255 * prepare(sheet, clean=False)) for sheet in sheets]
    return Dataset(images, np.array([digit.label for digit in digits], np.uint8), name)


def _sheets(
    drawings: Sequence[Sequence[npt.NDArray[np.float64]]], conditions: Conditions, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw each digit as large as fits on a small sheet: (N, SHEET_SIDE, SHEET_SIDE) uint8.

    ``prepare`` removes size and place, so only the width of the pen, relative to the digit, must be right.
    """
    placed, widths = [], []
    for strokes in drawings:
        pen, fraction = np.exp([rng.uniform(*np.log(limits)) for limits in (conditions.pen, conditions.fraction)])
        tilt, slant = np.deg2rad([rng.uniform(-limit, limit) for limit in (conditions.tilt, conditions.slant)])
        stretch = np.exp(rng.normal(0, conditions.stretch, 2))
        strokes = [stroke * stretch @ np.array([[1, 0], [np.tan(slant), 1]]) @ rotation(tilt) for stroke in strokes]
        relative_width = pen / (fraction * CANVAS)  # to the digit's longer side
        side = (SHEET_SIDE - 2 * MARGIN) / (1 + relative_width)
        corner = (SHEET_SIDE - side) / 2 + rng.uniform(-1, 1, 2)
        placed.append([stroke + corner for stroke in fit_strokes(strokes, 1, side)])
        widths.append(relative_width * side)
    return draw_many(placed, widths, SHEET_SIDE)


def part_of(writer: str) -> str:
    """The part that a writer belongs to, by a hash of the name: the same in every file."""
    return next(part for part, end in PARTS.items() if zlib.crc32(writer.encode(errors="replace")) % 10 < end)
