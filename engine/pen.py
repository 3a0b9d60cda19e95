"""A pen: strokes, as lists of points, drawn as round-capped lines of light on a dark square."""

import numpy as np
from PIL import Image, ImageDraw

CANVAS, PEN = 280, 18  # pixels: the side of the canvas and the width of the line
OVERSAMPLING = 4  # draw this much larger, then scale down: Pillow's lines have no anti-aliasing of their own


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


def fit_strokes(strokes, fraction, size=CANVAS, place=(0.5, 0.5)):
    """The strokes scaled so that the longer side of their bounding box is ``fraction`` of the canvas.

    ``place`` is where the box lies in the room that is left: (0, 0) the top left corner, (1, 1) the bottom right.
    """
    points = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    factor = fraction * size / max(extent.max(), 1e-9)
    corner = (size - extent * factor) * np.asarray(place)
    return [(np.asarray(stroke, float) - low) * factor + corner for stroke in strokes]
