"""Strokes and pictures as the canvas describes them, in Fabric.js's JSON, and as pixels.

A drawing is a list of objects; each covers those before it. The eraser's strokes are strokes in the colour of the paper.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.data.collection import PenStroke
from engine.pen import CANVAS, PEN, draw_strokes
from engine.preprocessing import crop, find_ink
from ui import images

Objects = list[dict[str, Any]]  # strokes and pictures in Fabric.js's JSON

PEN_COLOUR, PAPER_COLOUR = "#FFFFFF", "#000000"
PICTURE_SIZE = 240  # pixels: the longer side of a picture on the canvas
PIECE_LENGTH, MAX_PIECES = 4, 16  # a curve is drawn as straight pieces of about this many pixels, at most so many
MAX_DOTS = 100_000  # in one image: if there would be more, curves are drawn of fewer pieces

# What is accepted from a browser; the rest is ignored.
MAX_OBJECTS, MAX_POINTS, MAX_PICTURES = 1_000, 20_000, 4  # in one drawing
MAX_WIDTH = 40  # pixels; the page offers 8 to 32
MAX_COORDINATE = 10_000  # pixels from the corner of the canvas: a stroke may go beyond its edge
MAX_SRC_LENGTH = 250_000  # characters: a picture as large as the canvas has fewer
MAX_ENTRIES, MAX_TEXT_LENGTH = 100, 200  # of an object
NUM_COORDINATES = {"M": 2, "L": 2, "Q": 4}  # of each command of a path
PNG_URL = "data:image/png;base64,"


def is_number(value: object, low: float = -MAX_COORDINATE, high: float = MAX_COORDINATE) -> TypeGuard[float]:
    """Whether the value is a number from ``low`` to ``high``, not NaN."""
    return type(value) in (int, float) and low <= value <= high  # pyright: ignore[reportOperatorIssue]


def is_count(value: object) -> TypeGuard[int]:
    """Whether the value is a whole number that JavaScript can count to."""
    return type(value) is int and 0 <= value < 2**53


def valid_objects(objects: object) -> Objects:
    """The valid strokes and pictures of what a browser reports, without what is wrong or too much."""
    valid, num_points, num_pictures = [], 0, 0
    for shape in objects[: 2 * MAX_OBJECTS] if isinstance(objects, list) else []:
        if not isinstance(shape, dict):
            continue
        is_path = bool(shape.get("path"))
        if not (_is_path(shape) if is_path else num_pictures < MAX_PICTURES and _is_picture(shape)):
            continue
        num_points += len(shape["path"]) if is_path else 0
        num_pictures += not is_path
        if num_points > MAX_POINTS or len(valid) == MAX_OBJECTS:
            break
        valid.append({key: value for key, value in list(shape.items())[:MAX_ENTRIES] if _is_entry(key, value)})
    return valid


def valid_live_strokes(live_strokes: object) -> Objects:
    """The valid strokes of a message of the companion, without what is wrong or too much."""
    valid, num_points = [], 0
    for stroke in live_strokes[: 2 * MAX_OBJECTS] if isinstance(live_strokes, list) else []:
        if not isinstance(stroke, dict) or not _is_live_stroke(stroke):
            continue
        num_points += len(stroke["points"])
        if num_points > MAX_POINTS or len(valid) == MAX_OBJECTS:
            break
        valid.append({key: stroke[key] for key in ("number", "points", "width", "colour")})
    return valid


def valid_numbers(numbers: object) -> set[int]:
    """The numbers of strokes in a message of the companion, without what is wrong or too much."""
    return {number for number in numbers[: 2 * MAX_OBJECTS] if is_count(number)} if isinstance(numbers, list) else set()


def _is_entry(key: object, value: object) -> bool:
    """Whether an entry of a valid object is a command list, a picture, or something short."""
    if key in ("path", "src"):
        return True
    is_short = len(value) <= MAX_TEXT_LENGTH if isinstance(value, str) else value is None or isinstance(value, bool)
    return isinstance(key, str) and len(key) <= MAX_TEXT_LENGTH and (is_short or is_number(value))


def _is_path(shape: dict[str, Any]) -> bool:
    path, colour = shape["path"], shape.get("stroke", PEN_COLOUR)
    return (
        isinstance(path, list)
        and len(path) <= MAX_POINTS
        and all(isinstance(command, list) and command and _is_command(*command[:6]) for command in path)
        and path[0][0] == "M"
        and is_number(shape.get("strokeWidth", PEN), 0.1, MAX_WIDTH)
        and isinstance(colour, str)
        and len(colour) <= MAX_TEXT_LENGTH
    )


def _is_command(kind: object, *coordinates: object) -> bool:
    known = isinstance(kind, str) and NUM_COORDINATES.get(kind) == len(coordinates)
    return known and all(is_number(value) for value in coordinates)


def _is_picture(shape: dict[str, Any]) -> bool:
    src, left, top = shape.get("src"), shape.get("left"), shape.get("top")
    if not isinstance(src, str) or not src.startswith(PNG_URL) or len(src) > MAX_SRC_LENGTH:
        return False
    if not is_number(left) or not is_number(top):
        return False
    try:
        _picture_pixels(src, left, top)
    except Exception:  # a hostile file can make Pillow raise nearly anything
        return False
    return True


def _is_live_stroke(stroke: dict[str, Any]) -> bool:
    points, colour = stroke.get("points"), stroke.get("colour")
    return (
        is_count(stroke.get("number"))
        and isinstance(points, list)
        and 0 < len(points) <= MAX_POINTS
        and all(isinstance(point, list | tuple) and len(point) == 2 and all(map(is_number, point)) for point in points)
        and is_number(stroke.get("width"), 0.1, MAX_WIDTH)
        and isinstance(colour, str)
        and len(colour) <= MAX_TEXT_LENGTH
    )


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


def path_points(stroke: dict[str, Any], max_pieces: int = MAX_PIECES) -> npt.NDArray[np.float64]:
    """Points (P, 2) along a stroke, whose path is made of ``M x y``, ``L x y`` and ``Q cx cy x y``.

    Each curve is made of at most ``max_pieces`` straight pieces.
    """
    numbers = [command[1:] for command in stroke["path"] if len(command) > 2]
    ends = np.array([coordinates[-2:] for coordinates in numbers], float)  # (C, 2)
    controls = np.array([coordinates[:2] for coordinates in numbers], float)[1:]  # a line's control point is its end
    starts, ends = ends[:-1], ends[1:]
    longest = np.hypot(*(ends - starts).T).max(initial=0)
    t = np.linspace(0, 1, int(np.clip(longest / PIECE_LENGTH, 1, max_pieces)) + 1)[1:, None, None]
    curves = (1 - t) ** 2 * starts + 2 * t * (1 - t) * controls + t**2 * ends  # (pieces, C - 1, 2)
    return np.concatenate([starts[:1], curves.swapaxes(0, 1).reshape(-1, 2)]) if len(starts) else np.array(numbers)


def pen_strokes(objects: Objects) -> list[PenStroke] | None:
    """The strokes of a drawing as lines, to a tenth of a pixel; None if there are pictures among its objects."""
    if any(_kind(shape) not in ("pen", "eraser") for shape in objects):
        return None
    return [
        PenStroke(
            tuple((float(x), float(y)) for x, y in path_points(shape).round(1).tolist()),
            float(shape.get("strokeWidth", PEN)),
            _kind(shape) == "eraser",
        )
        for shape in objects
    ]


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
            max_pieces = min(MAX_PIECES, 1 + MAX_DOTS // sum(len(stroke["path"]) for stroke in strokes))
            layer = draw_strokes([path_points(stroke, max_pieces) for stroke in strokes], CANVAS, widths)
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
    with Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2])), formats=["PNG"]) as image:
        if max(image.size) > CANVAS:
            raise ValueError(f"a picture must have at most {CANVAS} pixels a side, got {image.width} x {image.height}")
        sheet.paste(image.convert("L"), (round(left), round(top)))
    return np.asarray(sheet)
