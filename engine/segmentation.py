"""Several digits beside each other: finding each, and what the network sees of it."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from engine.components import connected_components
from engine.preprocessing import centre, crop, find_ink, scale

OVERLAP = 0.4  # of the narrower of two parts: they are one digit's if so much of it lies above or below the other
SMALL = 0.5  # of the line's height: what is lower than this is no digit of its own, but a part of the nearest one


class Digit(NamedTuple):
    """A digit in a drawing: its ``box``, (left, top, right, bottom) in the drawing's pixels, the last two exclusive, and its
    ``image``, (28, 28) float32 in [0, 1], as the network sees it."""

    box: tuple[int, int, int, int]
    image: np.ndarray


def find_digits(drawing):
    """The ``Digit``s of a drawing or photo, as ``prepare`` takes it, from left to right, as of one line of writing.

    Ink that hangs together is one digit's, and so are parts that lie above each other, as the bar of a 5 and the rest of it.
    Raises ``BlankDrawing`` where there is no ink.
    """
    ink = find_ink(drawing)
    parts = connected_components(ink > 0)
    owners, boxes = _grouped(parts.boxes)
    owner = np.append(owners, -1)[parts.labels]  # of each pixel
    width, height = drawing.size if isinstance(drawing, Image.Image) else np.shape(drawing)[1::-1]
    factors = np.array([width / ink.shape[1], height / ink.shape[0]] * 2)  # large drawings come back smaller
    return [
        Digit(tuple(np.round(box * factors).astype(int).tolist()), centre(scale(crop(np.where(owner == number, ink, 0)))))
        for number, box in enumerate(boxes)
    ]


def _grouped(boxes):
    """The number of the digit that each part (K, 4) belongs to, (K,), from left to right, and the digits' boxes."""
    heights = boxes[:, 3] - boxes[:, 1]
    large = heights >= SMALL * heights.max()
    owners, digits = np.zeros(len(boxes), int), []
    for part in np.lexsort((boxes[:, 0], ~large)):  # the large ones first, from the left
        gaps = [_gap(boxes[part], digit) for digit in digits]
        narrower = [min(boxes[part, 2] - boxes[part, 0], digit[2] - digit[0]) for digit in digits]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if large[part] and not (gaps and -gaps[nearest] >= OVERLAP * narrower[nearest]):
            owners[part] = len(digits)
            digits.append(boxes[part].copy())
            continue
        owners[part], digit = nearest, digits[nearest]
        digit[:2] = np.minimum(digit[:2], boxes[part, :2])
        digit[2:] = np.maximum(digit[2:], boxes[part, 2:])
    order = np.argsort([digit[0] for digit in digits])
    return np.argsort(order)[owners], [digits[i] for i in order]


def _gap(box, other):
    """How many pixels lie between two boxes from left to right; negative where they overlap."""
    return max(box[0], other[0]) - min(box[2], other[2])
