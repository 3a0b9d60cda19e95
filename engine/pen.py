"""Draw strokes, given as lists of points, with a round pen: one drawing at a time, or many at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

CANVAS, PEN = 280, 18  # pixels: the side of the canvas and the usual width of the pen
OVERSAMPLING = 4  # Pillow's lines have no anti-aliasing, so they are drawn this much larger and scaled down
BLOCK_SIZE = 32  # drawings at a time, so that their work arrays fit into the processor's cache
SUBPIXELS = 64  # distances are in 1/64 pixel: they fit into 16 bits, which the processor handles twice as fast as 32
MAX_DISTANCE = 16_000  # in 1/64 pixel: whatever is farther from the line is black anyway

Stroke = Sequence[Sequence[float]] | npt.NDArray[np.floating]  # (K, 2)


def draw_strokes(strokes: Sequence[Stroke], size: int = CANVAS, width: npt.ArrayLike = PEN) -> npt.NDArray[np.uint8]:
    """Draw white strokes on a black image (size, size) uint8.

    Each stroke is points (x, y) in pixels. ``width`` is a number of pixels, or one number for each stroke.
    """
    widths = np.broadcast_to(width, len(strokes))
    image = Image.new("L", (size * OVERSAMPLING, size * OVERSAMPLING))
    draw = ImageDraw.Draw(image)
    for stroke, pen in zip(strokes, widths, strict=True):
        points = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in stroke]
        radius = pen * OVERSAMPLING / 2
        draw.line(points, fill=255, width=round(2 * radius))
        for x, y in points:  # round caps and joints
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(OVERSAMPLING))


def draw_dots(points: npt.NDArray[np.floating], radii: npt.NDArray[np.floating], size: int) -> npt.NDArray[np.uint8]:
    """Draw N images (N, size, size) uint8 of J round dots each.

    ``points`` (N, J, 2) are x and y in pixels, ``radii`` are (N, J). Dots that are at most about a radius apart make a
    line, whose width may change along the way.
    """
    images = np.empty((len(points), size, size), np.uint8)
    centres = np.arange(size, dtype=np.float32) + 0.5
    for start in range(0, len(points), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        x, y = np.moveaxis(points[block].astype(np.float32), (2, 1), (0, 1))[..., None]  # (J, n, 1) each
        r = radii[block].T.astype(np.float32)[..., None]
        # ((px - x)^2 + (py - y)^2 - r^2) / 2r is the distance from the edge, near it, and a sum of one term for each axis
        across = np.clip(((centres - x) ** 2 - r**2) * (SUBPIXELS / (2 * r)), -MAX_DISTANCE, MAX_DISTANCE).astype(np.int16)
        down = np.clip((centres - y) ** 2 * (SUBPIXELS / (2 * r)), 0, MAX_DISTANCE).astype(np.int16)
        nearest = np.full((x.shape[1], size, size), MAX_DISTANCE, np.int16)
        distance = np.empty_like(nearest)
        for dot_across, dot_down in zip(across, down, strict=True):
            np.add(dot_across[:, None, :], dot_down[:, :, None], out=distance)
            np.minimum(nearest, distance, out=nearest)
        images[block] = np.clip((SUBPIXELS / 2 - nearest) * (255 / SUBPIXELS), 0, 255)
    return images


def fit_strokes(
    strokes: Sequence[Stroke], fraction: float, size: float = CANVAS, place: npt.ArrayLike = (0.5, 0.5)
) -> list[npt.NDArray[np.float64]]:
    """Scale the strokes so that the longer side of their bounding box is ``fraction`` of the canvas.

    ``place`` says where the box lies on the canvas: (0, 0) is the top left corner, (1, 1) the bottom right.
    """
    points = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    factor = fraction * size / max(extent.max(), 1e-9)
    corner = (size - extent * factor) * np.asarray(place)
    return [(np.asarray(stroke, float) - low) * factor + corner for stroke in strokes]


def rotation(angle: float) -> npt.NDArray[np.float64]:
    """The matrix (2, 2) that rotates points, as rows, clockwise by an angle in radians (y points down)."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def draw_many(drawings: Sequence[Sequence[Stroke]], widths: npt.ArrayLike, size: int) -> npt.NDArray[np.uint8]:
    """Draw N drawings at once, with one pen width each: (N, size, size) uint8.

    The lines are those of ``draw_strokes``; on small images this is many times faster.
    """
    widths = np.asarray(widths)
    # with dots this close, the edge of a line is wavy by at most 1/16 pixel
    dotted = [_dots(strokes, np.sqrt(width) / 2) for strokes, width in zip(drawings, widths, strict=True)]
    order = np.argsort([len(dots) for dots in dotted])  # a block holds drawings of about as many dots
    images = np.empty((len(drawings), size, size), np.uint8)
    for block in np.split(order, range(BLOCK_SIZE, len(order), BLOCK_SIZE)):
        points = np.empty((len(block), max((len(dotted[i]) for i in block), default=1), 2))
        for row, i in zip(points, block, strict=True):
            row[: len(dotted[i])], row[len(dotted[i]) :] = dotted[i], dotted[i][-1]
        radii = np.broadcast_to(widths[block, None] / 2, points.shape[:2])
        images[block] = draw_dots(points, radii, size)
    return images


def _dots(strokes: Sequence[Stroke], spacing: float) -> npt.NDArray[np.float64]:
    """Points (J, 2) along all strokes, at most ``spacing`` pixels apart."""
    dots = []
    for stroke in strokes:
        points = np.asarray(stroke, float)
        along = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
        places = np.linspace(0, along[-1], int(along[-1] / spacing) + 2)
        dots.append(np.stack([np.interp(places, along, axis) for axis in points.T], axis=1))
    return np.concatenate(dots)
