"""A pen: strokes, as lists of points, drawn as round-capped lines of light on a dark square; one drawing, or many."""

import numpy as np
from PIL import Image, ImageDraw

CANVAS, PEN = 280, 18  # pixels: the side of the canvas and the width of the line
OVERSAMPLING = 4  # draw this much larger, then scale down: Pillow's lines have no anti-aliasing of their own
BLOCK = 32  # drawings at a time: what they take then stays in the processor's cache
FINE = 64  # distances are whole 1/64 pixel: 16 bits are enough, and twice as many go through the processor as of 32
FAR = 16_000  # in these: further from the line than this makes no difference


def draw_strokes(strokes, size=CANVAS, width=PEN):
    """An image (size, size) uint8 of white strokes on black; each stroke is points (x, y) in pixels, ``width`` a number or
    one for each stroke."""
    widths = np.broadcast_to(width, len(strokes))
    image = Image.new("L", (size * OVERSAMPLING, size * OVERSAMPLING))
    draw = ImageDraw.Draw(image)
    for stroke, pen in zip(strokes, widths, strict=True):
        points = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in stroke]
        radius = pen * OVERSAMPLING / 2
        draw.line(points, fill=255, width=round(2 * radius))
        for x, y in points:  # round caps and round joints
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(OVERSAMPLING))


def draw_dots(points, radii, size):
    """Images (N, size, size) uint8 of N drawings of J round dots each: ``points`` (N, J, 2) in pixels, as x and y, and their
    ``radii`` (N, J). Dots no further apart than about a radius make a line, whose width may change on the way."""
    images = np.empty((len(points), size, size), np.uint8)
    middles = np.arange(size, dtype=np.float32) + 0.5
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        x, y = np.moveaxis(points[block].astype(np.float32), (2, 1), (0, 1))[..., None]  # (J, n, 1) each
        r = radii[block].T.astype(np.float32)[..., None]
        # ((px - x)^2 + (py - y)^2 - r^2) / 2r: at the edge, the distance from it, and a sum of one term for each axis
        across = np.clip(((middles - x) ** 2 - r**2) * (FINE / (2 * r)), -FAR, FAR).astype(np.int16)
        down = np.clip((middles - y) ** 2 * (FINE / (2 * r)), 0, FAR).astype(np.int16)
        nearest = np.full((x.shape[1], size, size), FAR, np.int16)
        distance = np.empty_like(nearest)
        for dot_across, dot_down in zip(across, down, strict=True):
            np.add(dot_across[:, None, :], dot_down[:, :, None], out=distance)
            np.minimum(nearest, distance, out=nearest)
        images[block] = np.clip((FINE / 2 - nearest) * (255 / FINE), 0, 255)
    return images


def fit_strokes(strokes, fraction, size=CANVAS, place=(0.5, 0.5)):
    """The strokes scaled so that the longer side of their bounding box is ``fraction`` of the canvas.

    ``place`` is where the box lies in the room that is left: (0, 0) the top left corner, (1, 1) the bottom right.
    """
    points = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    factor = fraction * size / max(extent.max(), 1e-9)
    corner = (size - extent * factor) * np.asarray(place)
    return [(np.asarray(stroke, float) - low) * factor + corner for stroke in strokes]


def turn(angle):
    """The matrix (2, 2) that turns points, as rows, by so many radians, clockwise on the page."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def draw_many(drawings, widths, size):
    """Images (N, size, size) uint8 of N drawings, each of them strokes as for ``draw_strokes``, of a width each; the same
    lines, and on small squares many times faster."""
    # dots no further apart than this wave a line's edge by 1/16 pixel
    dotted = [_dots(strokes, np.sqrt(width) / 2) for strokes, width in zip(drawings, widths, strict=True)]
    order = np.argsort([len(dots) for dots in dotted])  # drawings of as many dots go together
    images = np.empty((len(drawings), size, size), np.uint8)
    for block in np.split(order, range(BLOCK, len(order), BLOCK)):
        points = np.empty((len(block), max((len(dotted[i]) for i in block), default=1), 2))
        for row, i in zip(points, block, strict=True):
            row[: len(dotted[i])], row[len(dotted[i]) :] = dotted[i], dotted[i][-1]
        radii = np.broadcast_to(np.asarray(widths)[block, None] / 2, points.shape[:2])
        images[block] = draw_dots(points, radii, size)
    return images


def _dots(strokes, spacing):
    """Points (J, 2) along all of the strokes, at most ``spacing`` pixels apart."""
    parts = []
    for stroke in strokes:
        points = np.asarray(stroke, float)
        along = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
        places = np.linspace(0, along[-1], int(along[-1] / spacing) + 2)
        parts.append(np.stack([np.interp(places, along, axis) for axis in points.T], axis=1))
    return np.concatenate(parts)
