"""Photos of handwritten numbers, simulated by seed: what they show, and where the ink is, are known.

A camera sees the light on the paper times the fraction that the paper reflects. Then come the lens (blur), the sensor
(noise) and JPEG. Digits are written with the generator's skeletons, or with strokes that are given.
"""

import io
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from engine.data.synthetic.generator import NUM_DOTS, bend, write
from engine.data.synthetic.skeletons import SKELETONS, curve
from engine.pen import draw_strokes

PENS = {  # (fraction of the light that the ink absorbs, width of the line as a fraction of the digits' height)
    "pencil": ((0.22, 0.42), (0.035, 0.06)),
    "ballpoint": ((0.45, 0.75), (0.04, 0.07)),
    "faint": ((0.14, 0.22), (0.04, 0.06)),
    "marker": ((0.75, 0.9), (0.1, 0.17)),
}
SIZES = {  # width and height of the picture, and height of the digits, in pixels
    "line": ((800, 1400), (400, 900), (60, 130)),
    "small": ((900, 1300), (180, 400), (30, 42)),
    "strip": ((1000, 1500), (120, 200), (42, 60)),
    "tight": ((120, 300), (120, 300), (100, 250)),
    "single": ((500, 1300), (500, 1300), (220, 420)),
}
KINDS = {  # size, pens, and what else is in the picture
    "ballpoint": ("line", "ballpoint", ()),
    "pencil": ("line", "pencil", ()),
    "small": ("small", "ballpoint", ()),
    "strip": ("strip", "ballpoint", ()),
    "single": ("single", "marker", ("crumbs",)),
    "shadow": ("line", "ballpoint", ("shadow",)),
    "dark corner": ("line", "pencil", ("corner",)),
    "ruled": ("line", "ballpoint", ("ruled",)),
    "squared": ("line", "ballpoint", ("squared",)),
    "pencil on ruled": ("line", "pencil", ("ruled",)),
    "table edge": ("line", "ballpoint", ("edge",)),
    "underlined": ("line", "ballpoint", ("underline",)),
    "frame": ("line", "ballpoint", ("frame",)),
    "crumbs": ("line", "ballpoint", ("crumbs",)),
    "faint": ("line", "faint", ("grain",)),
    "poor camera": ("line", "ballpoint", ("poor",)),
    "chalk": ("line", "marker", ("board",)),
    "cells": ("line", "ballpoint", ("cells",)),
    "boxed": ("single", "marker", ("frame",)),
    "single underlined": ("single", "marker", ("underline", "shadow")),
    "tight": ("tight", "marker", ("corner",)),
    "everything": ("line", "pencil", ("squared", "shadow", "edge", "crumbs", "grain", "underline")),
}


class Photo(NamedTuple):
    """``pixels`` (H, W) uint8; the ``text``; the ``boxes`` of its digits; and how much of it covers each pixel (H, W)."""

    pixels: np.ndarray
    text: str
    boxes: list[tuple[int, int, int, int]]
    ink: np.ndarray


def simulate(seed, kind, write_digit=None):
    """The pixels (H, W) uint8, the text and the boxes of its digits, by a seed and one of ``KINDS``."""
    return take_photo(seed, kind, write_digit)[:3]


def write_skeleton(digit, rng):
    """The strokes of a digit as another hand would write it, from the generator's skeletons."""
    skeletons = SKELETONS[digit]
    frequencies = np.array([skeleton.frequency for skeleton in skeletons])
    strokes = skeletons[rng.choice(len(skeletons), p=frequencies / frequencies.sum())].strokes
    _, stroke_of_point, _, matrix = curve(strokes, NUM_DOTS)
    line = bend(write(strokes, 1, rng), rng)[0]
    stroke_of_dot = stroke_of_point[np.abs(matrix).argmax(axis=1)]
    return [line[stroke_of_dot == number] for number in range(len(strokes))]


def take_photo(seed, kind, write_digit=None):
    """A ``Photo``; ``write_digit`` (digit, rng) returns strokes (K, 2) in any unit."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    size, pen, extras = KINDS[kind]
    width, height, side = (int(rng.integers(*limits)) for limits in SIZES[size])
    absorbs, line_width = (rng.uniform(*limits) for limits in PENS[pen])
    line_width = max(line_width * side, 1.6)
    if size in ("single", "tight"):
        side = min(side, int((0.6 if size == "single" else 0.8) * min(width, height)))
    ink, text, boxes = _write(rng, (height, width), side, line_width, write_digit or write_skeleton, size)
    marks = np.zeros_like(ink)
    left, top, right, bottom = (np.array(boxes).min(axis=0)[:2].tolist()) + (np.array(boxes).max(axis=0)[2:].tolist())
    strokes = []
    if "underline" in extras:
        y, tilt = bottom + rng.uniform(0.2, 0.5) * side, rng.uniform(-0.05, 0.05) * (right - left)
        strokes.append([(left - side / 3, y + tilt), (right + side / 3, y - tilt)])
    if "frame" in extras:
        x, y = rng.uniform(0.3, 0.6, 2) * side
        corners = [(left - x, top - y), (right + x, top - y), (right + x, bottom + y), (left - x, bottom + y)]
        strokes.append([*(np.array(corners) + rng.normal(0, 0.03 * side, (4, 2))), corners[0]])
    if strokes:
        marks = _draw(strokes, line_width, ink.shape)
    if "crumbs" in extras:
        for _ in range(6):
            radius = rng.uniform(0.2, 0.5) * line_width
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            marks = np.maximum(marks, _draw([[(x, y), (x + radius, y + radius)]], 2 * radius, ink.shape))
    if "cells" in extras:
        marks = _cells(boxes, side, ink.shape)
    paper = rng.uniform(0.8, 0.95) * (1 - absorbs * np.maximum(ink, marks))
    if "board" in extras:
        paper = rng.uniform(0.1, 0.25) + absorbs * 0.8 * ink
    if "grain" in extras:  # of rough paper
        paper *= 1 + _blur(rng.normal(0, 0.08, ink.shape), 2)
    if {"ruled", "squared"} & set(extras):
        paper *= 1 - _ruling(rng, ink.shape, side, "squared" in extras)
    if "edge" in extras:
        paper = _on_table(rng, paper, boxes, side)
    light = _light(rng, ink.shape, extras)
    image = Image.fromarray((250 * light * paper).astype(np.float32))
    blur, noise = ((1.2, 2), (7, 12)) if "poor" in extras else ((0.5, 1.1), (1.5, 5))
    seen = _blur(np.asarray(image), rng.uniform(*blur)) + rng.normal(0, rng.uniform(*noise), ink.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(60, 95)))
    return Photo(np.asarray(Image.open(file)), text, boxes, ink)


def _write(rng, shape, side, line_width, write_digit, size):
    """The ink, the text and the boxes of digits side by side."""
    ink, boxes, text, strokes_of_digit = np.zeros(shape), [], "", []
    x, gap = 0.0, rng.uniform(0.3, 0.6) if size != "strip" else rng.uniform(0.8, 1.5)
    for _ in range(1 if size in ("single", "tight") else int(rng.integers(3, 11))):
        digit = int(rng.integers(10))
        strokes = [np.asarray(stroke, float) for stroke in write_digit(digit, rng)]
        points = np.concatenate(strokes)
        low, extent = points.min(axis=0), np.ptp(points, axis=0)
        factor = side * rng.uniform(0.85, 1.1) / max(extent[1], extent[0] / 1.5)
        placed = [(stroke - low) * factor + (x, rng.uniform(-0.1, 0.1) * side) for stroke in strokes]
        end = x + extent[0] * factor
        if boxes and end + side > shape[1]:
            break
        strokes_of_digit.append(placed)
        boxes.append(end)
        text += str(digit)
        x = end + gap * side * rng.uniform(0.7, 1.3)
    room = np.array([shape[1] - boxes[-1], shape[0] - 1.3 * side])
    corner = room * rng.uniform(0.3, 0.7, 2) + (0, 0.1 * side)
    boxes = []
    for placed in strokes_of_digit:
        digit_ink = _draw([stroke + corner for stroke in placed], line_width, shape)
        rows, columns = np.flatnonzero(digit_ink.any(axis=1)), np.flatnonzero(digit_ink.any(axis=0))
        boxes.append((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
        ink = np.maximum(ink, digit_ink)
    return ink, text, boxes


def _draw(strokes, width, shape):
    """The ink of strokes in pixels, (H, W) in [0, 1]."""
    points = np.concatenate([np.asarray(stroke) for stroke in strokes])
    room = int(width) + 2
    left, top = np.floor(points.min(axis=0)).astype(int) - room
    side = int(np.ptp(points, axis=0).max()) + 2 * room + 2
    patch = draw_strokes([np.asarray(stroke) - (left, top) for stroke in strokes], side, width) / 255
    ink = np.zeros(shape)
    rows, columns = slice(max(top, 0), max(top + side, 0)), slice(max(left, 0), max(left + side, 0))
    part = ink[rows, columns]
    part[:] = patch[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    return ink


def _cells(boxes, side, shape):
    """A table's frame with a cell for each digit."""
    top, bottom = min(box[1] for box in boxes) - side / 5, max(box[3] for box in boxes) + side / 5
    ends = [boxes[0][0] - side / 5, *((a[2] + b[0]) / 2 for a, b in pairwise(boxes)), boxes[-1][2] + side / 5]
    lines = [[(ends[0], y), (ends[-1], y)] for y in (top, bottom)] + [[(x, top), (x, bottom)] for x in ends]
    return _draw(lines, 2, shape)


def _ruling(rng, shape, side, squared):
    """How much of the light the printed lines absorb, (H, W): up to 4 degrees tilted, a little wavy."""
    image = Image.new("F", shape[::-1])
    draw = ImageDraw.Draw(image)
    step, tilt, absorbs = rng.uniform(1.2, 2) * side, rng.uniform(-0.07, 0.07), rng.uniform(0.12, 0.35)
    if squared:
        step *= rng.uniform(0.3, 0.6)
    width, bow = int(rng.integers(1, 4)), rng.uniform(-0.01, 0.01)
    for flat in (True, False) if squared else (True,):
        length = shape[1] if flat else shape[0]
        along = np.linspace(0, length, 20)
        for start in np.arange(-length, max(shape) + length, step) + rng.uniform(0, step):
            across = start + (tilt if flat else -tilt) * along + bow * along * (along / length - 1)
            draw.line(np.stack([along, across] if flat else [across, along], 1).ravel().tolist(), float(absorbs), width)
    return np.asarray(image)


def _on_table(rng, paper, boxes, side):
    """The sheet ends inside the picture, on one side or two: beyond it is a darker or brighter table with a grain."""
    height, width = paper.shape
    y, x = np.mgrid[:height, :width]
    left, top = np.array(boxes).min(axis=0)[:2]
    right, bottom = np.array(boxes).max(axis=0)[2:]
    tilt = rng.uniform(-0.05, 0.05)
    room = 0.3 * side
    edges = [x + tilt * y < rng.uniform(0, 0.8) * (left - room), y + tilt * x < rng.uniform(0, 0.8) * (top - room)]
    edges += [x - right - room > rng.uniform(0.2, 1) * (width - right - room) + tilt * y]
    edges += [y - bottom - room > rng.uniform(0.2, 1) * (height - bottom - room) + tilt * x]
    table = np.zeros(paper.shape, bool)
    for number in rng.choice(4, rng.integers(1, 3), replace=False):
        table |= edges[number]
    grain = 1 + 0.1 * np.sin(y / rng.uniform(3, 20) + rng.uniform(0, 0.2) * x)
    return np.where(table, rng.uniform(0.1, 0.6) * grain, paper)


def _light(rng, shape, extras):
    """The light (H, W) in [0, 1]: from one side, with a shadow that has an edge, or with a dark corner."""
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    dimmest = rng.uniform(0.5, 0.9)
    light = rng.uniform(0.5, 1) * (dimmest + (1 - dimmest) * (along - along.min()) / np.ptp(along))
    if "shadow" in extras:  # such as a hand's
        middle_y, middle_x = shape[0] / max(shape) / 2, shape[1] / max(shape) / 2
        across = np.cos(angle + 1) * (x - middle_x) + np.sin(angle + 1) * (y - middle_y)
        light = light * (1 - rng.uniform(0.3, 0.6) / (1 + np.exp(-rng.uniform(40, 150) * across)))
    if "corner" in extras:
        corner = rng.integers(0, 2, 2) * (x.max(), y.max())
        light = light * (1 - rng.uniform(0.4, 0.8) * np.exp(-((np.hypot(x - corner[0], y - corner[1]) / 0.3) ** 2)))
    return light


def _blur(pixels, sigma):
    from scipy import ndimage

    return ndimage.gaussian_filter(pixels, sigma)
