"""From a drawing or photo to the 28 x 28 that MNIST's networks expect, stage by stage.

The same as MNIST's authors did to their scans (LeCun et al., 1998, section III.A): the ink is cropped, scaled with its
aspect ratio kept into 20 x 20, and placed in 28 x 28 by its centre of mass. Size and place on the canvas are then gone.
"""

from contextlib import suppress
from functools import cache
from os import PathLike
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from engine.checks import InklingError, check_choice
from engine.photo import ink_of_photo, is_photo

SIDE, BOX, CENTRE = 28, 20, 14  # pixels; MNIST's centres of mass lie at index 14.0 in both axes
FAINTEST = 20  # of 255: less contrast than this is paper, not ink
NOISE = 0.15  # of the darkest ink: what is fainter belongs to the background
FRAME = 0.15  # of all pixels: a border colour that covers less is a frame around the paper
FLAT = 0.6  # of all pixels: where so many are exactly of the paper's brightness, no light falls unevenly on it
SAME = 40  # of 255: colours no further apart than this are one
COARSE = 70  # pixels a side that are enough to tell paper from ink
STEPS = ("crop", "scale", "centre")  # after the ink is found
LARGEST = 1024  # pixels a side: more tells nothing of a digit, and costs time and memory
BLANK = "a drawing must have ink on it, and this one is blank: draw a digit"


class BlankDrawing(InklingError):
    """There is no ink in the drawing."""


def prepare(drawing):
    """The drawing as the network sees it: (28, 28) float32 in [0, 1], ink bright on a background of 0.

    ``drawing`` is (H, W, 4), (H, W, 3) or (H, W) uint8, or a PIL image: dark on light or light on dark, or ink in the alpha
    channel alone. Raises ``BlankDrawing`` where there is no ink.
    """
    return stages(drawing).centred


class Stages(NamedTuple):
    """A drawing on its way to the network, each float32 in [0, 1]; ``centred`` (28, 28) is what the network sees."""

    ink: np.ndarray
    cropped: np.ndarray
    scaled: np.ndarray
    centred: np.ndarray


def stages(drawing, skip=()):
    """The ``Stages`` of ``prepare``; those of ``STEPS`` that are in ``skip`` give way to the plainest thing that works.

    Without "crop" the whole sheet goes on; without "scale" its longer side fills all 28 pixels; without "centre" it is put
    in the middle, wherever its ink is. Without all three a sheet is but shrunk, as if MNIST had been made so.
    """
    for step in skip:
        check_choice("a step to skip", step, STEPS)
    ink = find_ink(drawing)
    cropped = ink if "crop" in skip else crop(ink)
    scaled = scale(cropped, SIDE if "scale" in skip else BOX)
    return Stages(ink, cropped, scaled, centre(scaled, by_mass="centre" not in skip))


def read_image(file):
    """The image in ``file``, a path or an open binary file, upright, as of PIL; anything else raises ``InklingError``."""
    name = file if isinstance(file, str | PathLike) else getattr(file, "name", "the file")
    _read_heic_too()
    try:
        with Image.open(file) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise InklingError(f"{name} must be an image file, and does not exist") from None
    except Exception as error:  # a hostile file can make Pillow's many readers raise nearly anything
        reason = "is not one, or is broken" if isinstance(error, Image.UnidentifiedImageError) else f"failed: {error}"
        raise InklingError(f"{name} must be an image file that Pillow reads, and {reason}") from None


@cache
def _read_heic_too():
    """Have Pillow read a phone's HEIC photos, where the package for it is installed."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def find_ink(drawing):
    """How much ink is on each pixel, (H, W) float32 in [0, 1], whatever the polarity and however light falls on a photo.

    A drawing of more than 1,024 pixels a side, or a photo of more than 512, comes back smaller.
    """
    pixels = _pixels(drawing)
    alpha = _ink_of_alpha(pixels)
    grey = _grey(pixels) if alpha is None else alpha
    coarse = _coarse(grey)
    paper = int(_paper(coarse) if alpha is None else grey.min())
    levels = np.arange(256) - paper
    if int(coarse.sum()) < paper * coarse.size:  # the ink is darker than the paper
        levels = -levels
    strongest = max(levels[grey.min()], levels[grey.max()])
    if strongest < FAINTEST:
        raise BlankDrawing(BLANK)
    if alpha is None and np.count_nonzero(coarse == paper) < FLAT * coarse.size and is_photo(coarse):
        ink = ink_of_photo(grey)
        if not ink.any():
            raise BlankDrawing(BLANK)
        return ink
    ink = (levels / strongest).astype(np.float32)  # of each brightness
    ink[ink < NOISE] = 0
    return ink.take(grey)


def crop(ink):
    """The smallest rectangle with all the ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scale(ink, box=BOX):
    """The longer side scaled to 20 pixels, the other with it, anti-aliased."""
    height, width = ink.shape
    factor = box / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
    return small / small.max()


def centre(small, by_mass=True):
    """The scaled ink placed in 28 x 28 so that its centre of mass, or its box, lies in the middle, as far as it fits."""
    image = np.zeros((SIDE, SIDE), np.float32)
    mass = small.sum()
    corner = []
    for axis, length in enumerate(small.shape):
        middle = (small.sum(axis=1 - axis) @ np.arange(length)) / mass if by_mass else length / 2
        corner.append(min(max(round(CENTRE - middle), 0), SIDE - length))
    top, left = corner
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _pixels(drawing):
    """The drawing as a uint8 array of 2 axes, or of 3 with 3 or 4 channels, its longer side at most ``LARGEST``."""
    if isinstance(drawing, Image.Image):
        drawing = _pixels_of_image(drawing)
    try:
        drawing = np.asarray(drawing)
    except ValueError:
        raise InklingError("a drawing must be one array, got rows of different lengths") from None
    shape_fits = drawing.ndim == 2 or (drawing.ndim == 3 and drawing.shape[2] in (3, 4))
    if not shape_fits or drawing.dtype != np.uint8 or not drawing.size:
        raise InklingError(
            f"a drawing must be (H, W, 4), (H, W, 3) or (H, W) uint8 or a PIL image, got {drawing.shape} {drawing.dtype}"
        )
    factor = -(-max(drawing.shape[:2]) // LARGEST)
    return np.asarray(Image.fromarray(drawing).reduce(factor)) if factor > 1 else drawing


def _pixels_of_image(image):
    """The bytes of a PIL image of any mode."""
    try:
        if image.mode == "1" or image.mode in ("L", "RGB", "RGBA"):
            return np.asarray(image.convert("L") if image.mode == "1" else image)
        if image.mode[0] not in "IF":
            return np.asarray(image.convert("RGBA"))
        values = np.asarray(image, np.float64)  # 16 and 32 bits: Pillow's own conversion would clip them
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InklingError(f"a drawing must be an image that Pillow reads, and {error}") from None
    if not np.isfinite(values).all():
        raise InklingError("a drawing must have finite numbers as pixels, got NaN or infinite ones")
    low, span = values.min(), np.ptp(values)
    return ((values - low) * (255 / span if span else 0)).astype(np.uint8)


def _ink_of_alpha(pixels):
    """The opacity (H, W), where a drawing is ink of one colour on transparent paper; None for any other."""
    if pixels.ndim == 2 or pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return None
    inked = pixels[pixels[..., 3] > 127][:, :3]
    return pixels[..., 3] if len(inked) and np.ptp(inked, axis=0).max() <= SAME else None


def _grey(pixels):
    """Brightness (H, W) uint8 (ITU-R BT.601); transparency shows whichever of black and white sets the ink off more."""
    if pixels.ndim == 2:
        return pixels
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    if pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return grey
    alpha = pixels[..., 3] / 255
    return max((grey * alpha, grey * alpha + (255 - pixels[..., 3])), key=np.std).astype(np.uint8)


def _coarse(grey):
    """The brightness of small squares: as much light and dark as the whole has, on a few thousand pixels."""
    factor = min(grey.shape) // COARSE
    return np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey


def _paper(grey):
    """The brightness of the paper: the median, ink being the smaller part of most drawings. The border knows better where
    much is painted over, unless it is only a frame."""
    middle = _median(grey)
    border = _median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    if abs(border - middle) <= FAINTEST:
        return middle
    alike = np.mean(np.abs(grey.astype(np.int32) - border) < FAINTEST)
    return border if alike > FRAME else middle


def _median(values):
    """The upper median; NumPy's own takes longer than all the rest of a small drawing."""
    half = values.size // 2
    return int(np.partition(values, half, axis=None)[half])
