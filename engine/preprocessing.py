"""Turn a drawing or photo into the 28 x 28 pixels that networks trained on MNIST expect, stage by stage.

This is what MNIST's authors did to their scans (LeCun et al., 1998, section III.A): the ink is cropped, scaled to fit into
20 x 20 pixels without changing its proportions, and placed in 28 x 28 pixels by its centre of mass. After that, it no
longer matters how large the digit was and where it was drawn.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.checks import InklingError, check_choice
from engine.decimal_point import decimal_points
from engine.image_file import Drawing, pixels_of
from engine.photo import ink_of_photo, is_photo
from engine.ruling import Box, box_of, boxes_of, label_pieces, may_be_foot, ruled_lines, straight_marks

SIDE, BOX, CENTRE = 28, 20, 14  # pixels; the centre of mass of MNIST's digits lies at index 14.0 in both axes
STEPS = ("crop", "scale", "centre")  # the steps that can be left out
MIN_CONTRAST = 20  # of 255: a smaller difference in brightness is not ink
MIN_INK = 0.15  # of the darkest ink: what is fainter belongs to the background
MIN_BORDER_FRACTION = 0.15  # of all pixels: a border colour that covers less is a frame around the paper
FLAT_FRACTION = 0.6  # of all pixels: if so many have exactly the paper's brightness, the light is even
MAX_COLOUR_DIFFERENCE = 40  # of 255: colours that differ by at most this much count as the same
MIN_SPECKLE_ROWS = 64  # rows that are enough to see whether there are any speckles
MAX_SPECKLES = 0.005  # of all pixels: if more differ from all eight neighbours, the picture has impulse noise
SPECKLE_CONTRAST = 100  # of 255: a speckle differs by more than this from at least seven of the eight pixels around it
MIN_PIECE = 0.2  # of the longest piece of ink: on paper that is not smooth, shorter ones are dirt
MIN_NOTICED = 0.08  # of the longest piece of ink: shorter dirt is not worth a word
MIN_PIECE_INK = 0.4  # of the darkest ink: the same for pieces that are fainter everywhere
COARSE_SIDE = 70  # pixels that are enough to tell paper from ink
BLANK = "a drawing must have ink on it, and this one is blank: draw a digit"


class BlankDrawing(InklingError):
    """There is no ink in the drawing."""


@dataclass(frozen=True, eq=False)
class Ink:
    """The writing, ``strength`` (H, W) float32 in [0, 1], and the boxes of the marks that were left out of it.

    A box is (left, top, right, bottom) in the pixels of ``strength``, the last two exclusive. Left out are ruled lines,
    frames, underlines, the edges of the paper, and dirt that is large enough to notice. ``with_underline`` (H, W) is the
    writing with an underline that touches it or is close, and may be the foot of a 2; its box is the last one. None
    without one.
    """

    strength: npt.NDArray[np.float32]
    left_out: list[Box]
    with_underline: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of a drawing on its way to the network, float32 in [0, 1]; ``centred`` (28, 28) is what it sees."""

    ink: npt.NDArray[np.float32]
    cropped: npt.NDArray[np.float32]
    scaled: npt.NDArray[np.float32]
    centred: npt.NDArray[np.float32]


def prepare(drawing: Drawing, clean: bool = True) -> npt.NDArray[np.float32]:
    """The drawing as the network sees it: (28, 28) float32 in [0, 1], with bright ink on a background of 0.

    ``drawing`` is (H, W, 4), (H, W, 3) or (H, W) uint8, or a PIL image. The ink may be dark on light, light on dark, or in
    the alpha channel alone. Unless it must be ``clean``, lines, frames and speckles on drawings count as ink, too; on
    photos, ruled lines and frames are left out all the same. Raises ``BlankDrawing`` if there is no ink, ``InklingError``
    for anything that is not a drawing.
    """
    return fit(separate_ink(drawing, clean).strength)


def stages(drawing: Drawing, skip: Collection[str] = ()) -> Stages:
    """The ``Stages`` of ``prepare``, without the ``STEPS`` in ``skip``.

    Without "crop", the whole sheet is used. Without "scale", the longer side fills all 28 pixels. Without "centre", the
    middle of the box is in the middle of the image. Without all three, the sheet is only made smaller.
    """
    for step in skip:
        check_choice("a step to skip", step, STEPS)
    ink = find_ink(drawing)
    cropped = ink if "crop" in skip else crop(ink)
    scaled = scale(cropped, SIDE if "scale" in skip else BOX)
    return Stages(ink, cropped, scaled, centre(scaled, by_mass="centre" not in skip))


def fit(ink: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Ink as the network sees it, (28, 28): cropped, scaled and centred."""
    return centre(scale(crop(ink)))


def find_ink(drawing: Drawing) -> npt.NDArray[np.float32]:
    """The ``strength`` of ``separate_ink``."""
    return separate_ink(drawing).strength


def separate_ink(drawing: Drawing, clean: bool = True) -> Ink:
    """How much ink of the writing is on each pixel, for dark and bright ink, and for photos in uneven light.

    Unless it must be ``clean``, lines, frames and speckles on drawings count as ink; on photos, ruled lines and frames are
    left out all the same. A drawing with more than
    1,600 pixels on a side is made smaller; more than 50 million pixels are refused. Raises ``BlankDrawing`` if there is no
    ink.
    """
    pixels, is_dirty = pixels_of(drawing), False
    alpha = _ink_in_alpha(pixels)
    original = _grey(pixels) if alpha is None else alpha
    grey = _without_speckles(original) if clean else original
    coarse = _coarse(grey)
    paper = int(_paper(coarse) if alpha is None else grey.min())
    darkest, brightest = int(grey.min()), int(grey.max())
    if brightest - darkest < MIN_CONTRAST:
        raise BlankDrawing(BLANK)
    is_flat = alpha is not None or np.count_nonzero(coarse == paper) >= FLAT_FRACTION * coarse.size
    if not is_flat and is_photo(coarse):
        strength, left_out = ink_of_photo(grey)
        if not strength.any():
            raise BlankDrawing(BLANK)
    else:
        contrast = np.arange(256) - paper  # of each brightness
        if int(coarse.sum()) < paper * coarse.size:  # the ink is darker than the paper
            contrast = -contrast
        strongest = max(contrast[darkest], contrast[brightest])
        if strongest < MIN_CONTRAST:
            raise BlankDrawing(BLANK)
        ink = (contrast / strongest).astype(np.float32)
        ink[ink < MIN_INK] = 0
        strength, left_out = ink.take(grey), []
        is_dirty = grey is not original or not is_flat
        lines = ruled_lines(strength) if clean else []
        if lines:
            rest = strength.copy()
            for line in lines:
                rest.ravel()[line.pixels] = 0
            if rest.any():
                strength, left_out = rest, [line.box for line in lines]
    if not clean:
        return Ink(strength, left_out)
    with_underline = None
    for mark in straight_marks(strength > 0):
        with_underline = strength.copy() if may_be_foot(mark, strength > 0) else None
        strength[mark] = 0
        left_out.append(box_of(mark))
    if is_dirty:
        strength, dirt = _large_pieces(strength)
        left_out = dirt + left_out  # the underline stays the last one
    return Ink(strength, left_out, with_underline)


def crop(ink: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The smallest rectangle that holds all ink."""
    left, top, right, bottom = box_of(ink > 0)
    return ink[top:bottom, left:right]


def scale(ink: npt.NDArray[np.float32], box: int = BOX) -> npt.NDArray[np.float32]:
    """Scale the longer side to ``box`` pixels and the other one in proportion, with anti-aliasing."""
    height, width = ink.shape
    factor = box / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
    return small / small.max()


def centre(small: npt.NDArray[np.float32], by_mass: bool = True) -> npt.NDArray[np.float32]:
    """Place the scaled ink in 28 x 28 pixels, with its centre of mass or its box in the middle, as far as it fits."""
    image = np.zeros((SIDE, SIDE), np.float32)
    mass = small.sum()
    corner = []
    for axis, length in enumerate(small.shape):
        middle = (small.sum(axis=1 - axis) @ np.arange(length)) / mass if by_mass else length / 2
        corner.append(min(max(round(CENTRE - middle), 0), SIDE - length))
    top, left = corner
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _ink_in_alpha(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """The opacity (H, W) if the drawing is ink of one colour on transparent paper, else None."""
    if pixels.ndim == 2 or pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return None
    opaque = pixels[pixels[..., 3] > 127][:, :3]
    return pixels[..., 3] if len(opaque) and np.ptp(opaque, axis=0).max() <= MAX_COLOUR_DIFFERENCE else None


def _grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Brightness (H, W) uint8 (ITU-R BT.601); behind transparent pixels is black or white, whichever has more contrast."""
    if pixels.ndim == 2:
        return pixels
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    if pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return grey
    alpha = pixels[..., 3] / 255
    return max((grey * alpha, grey * alpha + (255 - pixels[..., 3])), key=np.std).astype(np.uint8)


def _without_speckles(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture without impulse noise, if it has some: pixels unlike those around them get the median of these."""
    middle, step = (int(grey.min()) + int(grey.max())) // 2, max(1, len(grey) // MIN_SPECKLE_ROWS)
    above, here, below = (grey[first : len(grey) - 2 + first : step, :] > middle for first in range(3))
    inner = here[:, 1:-1]
    is_speckle = (inner ^ here[:, :-2]) & (inner ^ here[:, 2:])
    for row in (above, below):
        is_speckle &= (inner ^ row[:, :-2]) & (inner ^ row[:, 1:-1]) & (inner ^ row[:, 2:])
    if np.count_nonzero(is_speckle) <= MAX_SPECKLES * here.size:
        return grey
    for _ in range(2):  # two speckles may lie side by side
        height, width = grey.shape
        padded = np.pad(grey, 1, mode="edge").astype(np.int16)
        around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
        median = np.median(around, axis=0)
        num_similar = sum(np.abs(neighbour - grey) <= SPECKLE_CONTRAST for neighbour in around)
        is_odd = (num_similar <= 1) & (np.abs(median - grey) > SPECKLE_CONTRAST)
        grey = np.where(is_odd, median, grey).astype(np.uint8)
    return grey


def _large_pieces(strength: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], list[Box]]:
    """The ink without what is left of speckles or of the paper's grain: pieces that are faint, or small beside others.

    And the boxes of those that are large enough to notice. A decimal point is writing.
    """
    labels = label_pieces(strength > 0)
    boxes = boxes_of(labels)
    lengths = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    is_strong = np.zeros(len(lengths), bool)
    is_strong[labels[strength > MIN_PIECE_INK]] = True
    is_kept = is_strong & (lengths >= MIN_PIECE * lengths[is_strong].max(initial=0))
    if not is_kept.any():
        return strength, []
    is_kept |= decimal_points(labels, boxes, is_kept, is_strong)
    is_noticed = is_strong & ~is_kept & (lengths >= MIN_NOTICED * lengths[is_strong].max())
    return np.where(is_kept[labels], strength, 0), [tuple(box) for box in boxes[is_noticed].tolist()]


def _coarse(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture made smaller: its shorter side has 70 to 140 pixels, if it had so many."""
    factor = min(grey.shape) // COARSE_SIDE
    return np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey


def _paper(grey: npt.NDArray[np.uint8]) -> int:
    """The brightness of the paper: the median, because ink covers less than half of most drawings.

    If it covers more, the border shows the paper, unless the border is only a frame.
    """
    middle = _median(grey)
    border = _median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    if abs(border - middle) <= MIN_CONTRAST:
        return middle
    fraction = np.mean(np.abs(grey.astype(np.int32) - border) < MIN_CONTRAST)
    return border if fraction > MIN_BORDER_FRACTION else middle


def _median(values: npt.NDArray[np.uint8]) -> int:
    """The upper median; ``np.median`` takes longer than everything else together for a small drawing."""
    half = values.size // 2
    return int(np.partition(values, half, axis=None)[half])
