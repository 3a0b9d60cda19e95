"""Split a drawing of several digits, written side by side, into single digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.image_file import Drawing
from engine.preprocessing import find_ink, fit

MIN_OVERLAP = 0.4  # of the narrower one's width: connected ink that overlaps a digit horizontally by this much belongs to it
MIN_DIGIT_HEIGHT = 0.5  # of the highest connected ink: what is lower is a part of the nearest digit


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of a drawing.

    ``box`` is (left, top, right, bottom) in the drawing's pixels, the last two exclusive. ``image`` (28, 28) float32 in
    [0, 1] is what the network sees.
    """

    box: tuple[int, int, int, int]
    image: npt.NDArray[np.float32]


def find_digits(drawing: Drawing) -> list[Digit]:
    """Return the digits of one line of writing, from left to right.

    ``drawing`` is anything that ``prepare`` accepts. Connected ink belongs to one digit, and so do pieces of ink above each
    other, such as the bar of a 5 and the rest of it. Raises ``BlankDrawing`` if there is no ink.
    """
    width, height = drawing.size if isinstance(drawing, Image.Image) else np.asarray(drawing).shape[1::-1]
    ink = find_ink(drawing)
    return digits_of(ink, (width / ink.shape[1], height / ink.shape[0]))


def digits_of(ink: npt.NDArray[np.float32], factors: tuple[float, float] = (1, 1)) -> list[Digit]:
    """The digits of ``ink`` (H, W), as ``find_ink`` returns it; the boxes are in its pixels times ``factors`` (x, y)."""
    from scipy import ndimage  # slow to import: the page is there first

    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    corner = np.array([columns[0], rows[0]] * 2)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    labels = np.empty(ink.shape, np.int32)
    ndimage.label(ink > 0, np.ones((3, 3)), output=labels)
    pieces = [(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in ndimage.find_objects(labels)]
    digit_of_piece, digit_boxes = _group(np.array(pieces))
    digit_of_pixel = np.append(-1, digit_of_piece)[labels] if len(digit_boxes) > 1 else None
    digits = []
    for number, box in enumerate(digit_boxes):
        left, top, right, bottom = np.round((box + corner) * np.array([*factors] * 2)).astype(int).tolist()
        alone = ink if digit_of_pixel is None else np.where(digit_of_pixel == number, ink, 0)
        digits.append(Digit((left, top, right, bottom), fit(alone)))
    return digits


def _group(boxes: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.integer], Sequence[npt.NDArray[np.integer]]]:
    """Join pieces of ink to digits: the number, from left to right, of the digit that each box (K, 4) belongs to, and the
    digits' boxes."""
    heights = boxes[:, 3] - boxes[:, 1]
    is_high = heights >= MIN_DIGIT_HEIGHT * heights.max()
    digit_of_piece, digits = np.zeros(len(boxes), int), []
    for piece in np.lexsort((boxes[:, 0], ~is_high)):  # the high ones first, from left to right
        gaps = [_gap(boxes[piece], digit) for digit in digits]
        narrower = [min(boxes[piece, 2] - boxes[piece, 0], digit[2] - digit[0]) for digit in digits]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if is_high[piece] and not (gaps and -gaps[nearest] >= MIN_OVERLAP * narrower[nearest]):
            digit_of_piece[piece] = len(digits)
            digits.append(boxes[piece].copy())
            continue
        digit_of_piece[piece], digit = nearest, digits[nearest]
        digit[:2] = np.minimum(digit[:2], boxes[piece, :2])
        digit[2:] = np.maximum(digit[2:], boxes[piece, 2:])
    order = np.argsort([digit[0] for digit in digits])
    return np.argsort(order)[digit_of_piece], [digits[i] for i in order]


def _gap(box: npt.NDArray[np.integer], other: npt.NDArray[np.integer]) -> int:
    """How many pixels lie between two boxes horizontally; negative if they overlap."""
    return max(box[0], other[0]) - min(box[2], other[2])
