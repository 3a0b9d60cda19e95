"""Digits as people drew them with a pen: a file of strokes, drawn again as on the app's canvas.

One JSON object a line, plain or gzip: ``{"label": 7, "writer": "a name", "strokes": [[[x, y], ...], ...]}``, y downwards, in
any unit. A writer is in one of three parts: whom networks train on, whom choices are made by, and whom they are judged by.
"""

import json
import zlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.checks import check_integer, shown
from engine.data.dataset import DataError, Dataset
from engine.data.idx import MAX_PAYLOAD, read_payload
from engine.pen import CANVAS, draw_many, draw_strokes, fit_strokes, turn
from engine.preprocessing import prepare

PARTS = {"training": 6, "validation": 8, "test": 10}  # of ten writers, up to which
RENDERINGS = 8  # of each digit to train on
MOST = 1_000  # of one writer, who would otherwise be every tenth image
CHUNK = 250  # digits at a time; each chunk has random numbers of its own
SHEET = 56  # pixels: the side of the square that is drawn on to train
FARTHEST = 1e9  # from the origin: beyond, floats have no room for the digit's own shape
MARGIN = 3  # pixels around the ink, to move about in


class PenDigit(NamedTuple):
    """A digit: its ``label``, who wrote it, and its ``strokes``, arrays (K, 2)."""

    label: int
    writer: str
    strokes: list[np.ndarray]


class Conditions(NamedTuple):
    """How digits are drawn: the ``pen``'s width in pixels of the canvas and the ``fraction`` of it that the longer side of
    the digit takes, each from - to and uniform in its logarithm; tilts and slants by up to so many degrees, uniform; the
    standard deviation of each axis's ``stretch``, in its logarithm."""

    pen: tuple[float, float]
    fraction: tuple[float, float]
    tilt: float
    slant: float = 0.0
    stretch: float = 0.0


TO_TRAIN = Conditions(pen=(7, 34), fraction=(0.35, 0.95), tilt=18, slant=8, stretch=0.08)
TO_TEST = Conditions(pen=(10, 28), fraction=(0.4, 0.9), tilt=15)


class HeldOut(NamedTuple):
    """Drawings as the app would have them: the images as a ``dataset``; who wrote each, and how wide the pen was, (M,)."""

    dataset: Dataset
    writers: np.ndarray
    widths: np.ndarray


def load_strokes(path):
    """Train and test sets from a file of strokes: the writers of the training part, and of the test part.

    To train, each digit is drawn eight times as ``TO_TRAIN`` says, at most 1,000 of a writer; to test, once, ``TO_TEST``.
    """
    parts, rng = read_strokes(path), np.random.default_rng(0)
    of_writer = defaultdict(list)
    for digit in parts["training"]:
        of_writer[digit.writer].append(digit)
    to_train = []
    for digits in of_writer.values():
        order = np.concatenate([rng.permutation(len(digits)) for _ in range(RENDERINGS)])
        to_train += [digits[i] for i in order[:MOST]]
    name = Path(path).name
    return _drawn(to_train, TO_TRAIN, 1, name), _drawn(parts["test"], TO_TEST, 2, name)


def read_strokes(path):
    """The ``PenDigit``s in the file, lists by the part that their writer is in; raises ``DataError``."""
    payload = read_payload(path, MAX_PAYLOAD)
    if len(payload) > MAX_PAYLOAD:
        raise DataError(f"{path} must hold at most {MAX_PAYLOAD:,} bytes, got more")
    parts = {part: [] for part in PARTS}
    for number, line in enumerate(payload.splitlines(), 1):
        digit = _parsed(line)
        if digit is None:
            example = '{"label": 7, "writer": "a name", "strokes": [[[0, 0], [9, 0], [4, 16]]]}'
            got = shown(line.decode(errors="replace"))
            raise DataError(f"{path} must hold digits, a line each as {example}, got {got} in line {number:,}")
        parts[part_of(digit.writer)].append(digit)
    for part in PARTS:
        if not parts[part]:
            raise DataError(f"{path} must hold digits of many writers, and none of them is for {part}")
    return parts


def _parsed(line):
    """The digit in a line of JSON, or None where it is not one."""
    try:
        value = json.loads(line)
        label, writer = check_integer("label", value["label"], 0, 9), value["writer"]
        strokes = [np.array(stroke, float) for stroke in value["strokes"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    sound = strokes and all(stroke.ndim == 2 and stroke.shape[1] == 2 and len(stroke) for stroke in strokes)
    if not sound or not isinstance(writer, str) or not all(np.abs(stroke).max() < FARTHEST for stroke in strokes):
        return None
    return PenDigit(label, writer, strokes)


def held_out(path, part, widths=(10, 18, 28), seed=0):
    """Every digit of a ``part``'s writers once with each width of the pen, drawn as the app draws: 40 to 90 % of the canvas
    in size, anywhere on it, tilted by up to 15 degrees."""
    digits, pens, images = [], [], []
    for digit, pen, drawing in drawings(path, part, widths, seed):
        digits.append(digit)
        pens.append(pen)
        images.append(np.round(255 * prepare(drawing)).astype(np.uint8))
    labels = np.array([digit.label for digit in digits], np.uint8)
    dataset = Dataset(np.array(images), labels, Path(path).name)
    return HeldOut(dataset, np.array([digit.writer for digit in digits]), np.array(pens))


def drawings(path, part, widths=(10, 18, 28), seed=0):
    """What ``held_out`` prepares, one after the other: the ``PenDigit``, the pen's width and the canvas (280, 280) uint8."""
    rng = np.random.default_rng(seed)
    for digit in read_strokes(path)[part]:
        for pen in widths:
            angle = np.deg2rad(rng.uniform(-TO_TEST.tilt, TO_TEST.tilt))
            room = CANVAS - pen  # so that all of the line is on the canvas
            fraction = rng.uniform(*TO_TEST.fraction) * CANVAS / room
            strokes = fit_strokes([stroke @ turn(angle) for stroke in digit.strokes], fraction, room, rng.random(2))
            yield digit, pen, draw_strokes([stroke + pen / 2 for stroke in strokes], CANVAS, pen)


def _drawn(digits, conditions, seed, name):
    """These digits as images, each drawn once."""
    images = np.empty((len(digits), 28, 28), np.uint8)

    for start in range(0, len(digits), CHUNK):
        block = slice(start, start + CHUNK)
        sheets = _sheets([digit.strokes for digit in digits[block]], conditions, np.random.default_rng([seed, start]))
        images[block] = [np.round(255 * prepare(sheet)) for sheet in sheets]
    return Dataset(images, np.array([digit.label for digit in digits], np.uint8), name)


def _sheets(drawings, conditions, rng):
    """The drawings, each as large as fits on a sheet (N, SHEET, SHEET): ``prepare`` does away with size and place, and what
    is left of them is how wide the pen is beside the digit."""
    placed, widths = [], []
    for strokes in drawings:
        pen, fraction = np.exp([rng.uniform(*np.log(limits)) for limits in (conditions.pen, conditions.fraction)])
        tilt, lean = np.deg2rad([rng.uniform(-most, most) for most in (conditions.tilt, conditions.slant)])
        stretch = np.exp(rng.normal(0, conditions.stretch, 2))
        strokes = [stroke * stretch @ np.array([[1, 0], [np.tan(lean), 1]]) @ turn(tilt) for stroke in strokes]
        relative = pen / (fraction * CANVAS)  # to the digit's longer side
        side = (SHEET - 2 * MARGIN) / (1 + relative)
        points = fit_strokes(strokes, 1, side)
        place = (SHEET - side) / 2 + rng.uniform(-1, 1, 2)
        placed.append([stroke + place for stroke in points])
        widths.append(relative * side)
    return draw_many(placed, widths, SHEET)


def part_of(writer):
    """The part that this writer is in, by a hash of the name: the same for every file, whoever else is in it."""
    return next(part for part, end in PARTS.items() if zlib.crc32(writer.encode(errors="replace")) % 10 < end)
