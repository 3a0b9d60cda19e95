"""Ink as the canvas describes it, in Fabric's JSON, and as pixels.

A drawing is a list of objects, each over those before it: strokes of light or, from the eraser, of dark, and pictures.
"""

import base64
import io
from functools import lru_cache
from itertools import groupby, pairwise

import numpy as np
from PIL import Image

from engine.pen import CANVAS, PEN, draw_strokes
from engine.preprocessing import crop, find_ink
from ui import pictures

LIGHT, DARK = "#FFFFFF", "#000000"  # the pen's colour, and the eraser's, which is the paper's
FITTED = 240  # pixels: the longer side of a picture on the canvas
PIECE, MOST_PIECES = 4, 16  # pixels of a straight piece of a curve, and how many make one


def path(points, width, colour=LIGHT):
    """A stroke through these points (x, y), as the canvas itself makes it of them: curves from middle to middle."""
    if len(points) == 1:  # a line of no length would show nothing
        points = [*points, (points[0][0], points[0][1] + 0.01)]
    curves = [["Q", x, y, (x + to_x) / 2, (y + to_y) / 2] for (x, y), (to_x, to_y) in pairwise(points)]
    return {
        "type": "Path",
        "path": [["M", *points[0]], *curves, ["L", *points[-1]]],
        "stroke": colour,
        "strokeWidth": width,
        "strokeLineCap": "round",
        "strokeLineJoin": "round",
        "fill": None,
    }


def points(shape):
    """The points (P, 2) of a stroke that the canvas describes as a path of ``M x y``, ``L x y`` and ``Q cx cy x y``."""
    numbers = [command[1:] for command in shape["path"] if len(command) > 2]
    ends = np.array([ends[-2:] for ends in numbers], float)  # (C, 2)
    controls = np.array([ends[:2] for ends in numbers], float)[1:]  # a line is a curve that ends at its control point
    starts, ends = ends[:-1], ends[1:]
    longest = np.hypot(*(ends - starts).T).max(initial=0)
    t = np.linspace(0, 1, int(np.clip(longest / PIECE, 1, MOST_PIECES)) + 1)[1:, None, None]
    curves = (1 - t) ** 2 * starts + 2 * t * (1 - t) * controls + t**2 * ends  # (pieces, C - 1, 2)
    return np.concatenate([starts[:1], curves.swapaxes(0, 1).reshape(-1, 2)]) if len(starts) else np.array(numbers)


def picture(image):
    """The ink of an image, of any kind that ``find_ink`` reads, as light on dark, in the middle of the canvas and as large
    as people draw. Raises ``BlankDrawing`` where there is none."""
    ink = Image.fromarray(np.round(255 * crop(find_ink(image))).astype(np.uint8))
    width, height = (max(1, round(side * FITTED / max(ink.size))) for side in ink.size)
    return {
        "type": "Image",
        "src": pictures.url(np.asarray(ink.resize((width, height), Image.Resampling.BICUBIC))),
        "originX": "left",
        "originY": "top",
        "left": (CANVAS - width) // 2,
        "top": (CANVAS - height) // 2,
        "width": width,
        "height": height,
    }


def draw(objects, onto=None):
    """An image (280, 280) uint8, ink bright on 0, of these objects ``onto`` another one, or onto nothing."""
    image = np.zeros((CANVAS, CANVAS), np.uint8) if onto is None else onto
    for kind, group in groupby(objects, _kind):
        if kind == "picture":
            for shape in group:
                image = np.maximum(image, _pixels(shape["src"], shape["left"], shape["top"]))
        elif kind is not None:
            strokes = list(group)
            layer = draw_strokes(
                [points(shape) for shape in strokes], CANVAS, [shape.get("strokeWidth", PEN) for shape in strokes]
            )
            image = np.minimum(image, 255 - layer) if kind == "dark" else np.maximum(image, layer)
    return image


def _kind(shape):
    if shape.get("path"):
        return "dark" if shape.get("stroke", LIGHT).upper() == DARK else "light"
    return "picture" if shape.get("src") else None


@lru_cache(maxsize=8)
def _pixels(src, left, top):
    """A picture in its place on an empty canvas."""
    sheet = Image.new("L", (CANVAS, CANVAS))
    with Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))) as image:
        sheet.paste(image.convert("L"), (round(left), round(top)))
    return np.asarray(sheet)
