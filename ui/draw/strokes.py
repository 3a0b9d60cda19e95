"""Strokes and pictures as the canvas describes them, in Fabric.js's JSON, and as pixels.

A drawing is a list of objects; each covers those before it. The eraser's strokes are strokes in the colour of the paper.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.pen import CANVAS, PEN, draw_strokes
from engine.preprocessing import crop, find_ink
from ui import images

PEN_COLOUR, PAPER_COLOUR = "#FFFFFF", "#000000"
PICTURE_SIZE = 240  # pixels: the longer side of a picture on the canvas
PIECE_LENGTH, MAX_PIECES = 4, 16  # a curve is drawn as straight pieces of about this many pixels, at most so many


def make_path(points: Sequence[Sequence[float]], width: float, colour: str = PEN_COLOUR) -> dict[str, Any]:
    """A stroke through these points (x, y). As on the canvas, its curves run from the middle of one piece to the next."""
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


def path_points(stroke: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Points (P, 2) along a stroke, whose path is made of ``M x y``, ``L x y`` and ``Q cx cy x y``."""
    numbers = [command[1:] for command in stroke["path"] if len(command) > 2]
    ends = np.array([coordinates[-2:] for coordinates in numbers], float)  # (C, 2)
    controls = np.array([coordinates[:2] for coordinates in numbers], float)[1:]  # a line's control point is its end
    starts, ends = ends[:-1], ends[1:]
    longest = np.hypot(*(ends - starts).T).max(initial=0)
    t = np.linspace(0, 1, int(np.clip(longest / PIECE_LENGTH, 1, MAX_PIECES)) + 1)[1:, None, None]
    curves = (1 - t) ** 2 * starts + 2 * t * (1 - t) * controls + t**2 * ends  # (pieces, C - 1, 2)
    return np.concatenate([starts[:1], curves.swapaxes(0, 1).reshape(-1, 2)]) if len(starts) else np.array(numbers)


def make_picture(image: Image.Image | npt.NDArray[np.uint8]) -> dict[str, Any]:
    """The ink of an image, white on black, in the middle of the canvas and as large as people draw.

    The image is what ``find_ink`` accepts. Raises ``BlankDrawing`` if it shows no ink.
    """
    ink = Image.fromarray(np.round(255 * crop(find_ink(image))).astype(np.uint8))
    width, height = (max(1, round(side * PICTURE_SIZE / max(ink.size))) for side in ink.size)
    return {
        "type": "Image",
        "src": images.url(np.asarray(ink.resize((width, height), Image.Resampling.BICUBIC))),
        "originX": "left",
        "originY": "top",
        "left": (CANVAS - width) // 2,
        "top": (CANVAS - height) // 2,
        "width": width,
        "height": height,
    }


def render(objects: Iterable[dict[str, Any]], onto: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """The objects as an image (280, 280), white on black, drawn over the image ``onto`` if given."""
    image = np.zeros((CANVAS, CANVAS), np.uint8) if onto is None else onto
    for kind, group in groupby(objects, _kind):
        if kind == "picture":
            for picture in group:
                image = np.maximum(image, _picture_pixels(picture["src"], picture["left"], picture["top"]))
        elif kind is not None:
            strokes = list(group)
            widths = [stroke.get("strokeWidth", PEN) for stroke in strokes]
            layer = draw_strokes([path_points(stroke) for stroke in strokes], CANVAS, widths)
            image = np.minimum(image, 255 - layer) if kind == "eraser" else np.maximum(image, layer)
    return image


def _kind(shape: dict[str, Any]) -> str | None:
    if shape.get("path"):
        return "eraser" if shape.get("stroke", PEN_COLOUR).upper() == PAPER_COLOUR else "pen"
    return "picture" if shape.get("src") else None


@lru_cache(maxsize=8)
def _picture_pixels(src: str, left: float, top: float) -> npt.NDArray[np.uint8]:
    """A picture in its place on an empty canvas."""
    sheet = Image.new("L", (CANVAS, CANVAS))
    with Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))) as image:
        sheet.paste(image.convert("L"), (round(left), round(top)))
    return np.asarray(sheet)
