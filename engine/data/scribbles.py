"""Drawings and images that are no digits, so that networks learn what to be unsure of; labelled ``NO_DIGIT``.

There are two families that have no kind in common: what networks train on, and other kinds, held out to measure how often a
network is taken in by what it has never met. What could pass for a digit is in neither: upright lines, single rings, most
letters.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.data.dataset import NO_DIGIT, Dataset
from engine.data.skeletons import spline
from engine.pen import draw_many, turn
from engine.preprocessing import prepare

TRAIN_SIZE, TEST_SIZE = 16_000, 3_000
CHUNK = 250  # images at a time; each chunk has random numbers of its own
SHEET = 56  # pixels: the side of the square that is drawn on
MARGIN = 2  # pixels around the ink
FLAT = 30  # degrees: a line that rises more could be a slanted one

# Strokes of straight lines between points x,y, in percent and with y downwards; those that begin with ~ are smooth curves.
LETTERS = (
    "0,100 40,0 80,100; 15,65 65,65",  # A
    "70,0 0,0 0,100 70,100; 0,50 60,50",  # E
    "70,0 0,0 0,100; 0,48 55,48",  # F
    "0,0 0,100; 75,0 75,100; 0,50 75,50",  # H
    "0,0 0,100; 65,0 0,55 70,100",  # K
    "0,0 0,100 60,100",  # L
    "0,100 10,0 45,70 80,0 90,100",  # M
    "0,100 0,0 70,100 70,0",  # N
    "0,0 0,100; ~0,2 40,2 58,26 40,50 0,52",  # P
    "0,0 0,100; ~0,2 40,2 56,26 40,48 0,50; 15,50 62,100",  # R
    "0,0 38,100 76,0",  # V
    "0,0 20,100 45,30 70,100 90,0",  # W
    "0,0 70,100; 70,0 0,100",  # X
    "0,0 0,100; 50,35 0,70 55,100",  # k
    "0,0 0,100; ~0,62 25,40 50,55 52,100",  # h
    "0,35 0,100; ~0,55 25,36 45,50 46,100; ~46,55 70,36 90,50 92,100",  # m
    "0,10 95,5; 28,9 20,100; 66,8 70,100",  # pi
    "55,0 55,100; ~52,50 30,38 2,62 20,96 54,80",  # d
    "30,0 20,100; 70,0 60,100; 0,35 95,30; 0,68 90,64",  # a hash
    "50,0 50,100; 5,25 95,75; 95,25 5,75",  # an asterisk
    "0,0 80,0; 0,40 80,40",  # an equals sign
    "50,0 50,100; 0,50 100,50",  # plus
    "70,0 0,50 70,100",  # less than
    "~72,18 44,0 8,24 8,74 44,100 74,82",  # C
    "0,0 80,0; 40,0 40,100",  # T
    "~0,0 2,60 20,96 45,96 66,60 68,0",  # U
    "~4,52 60,50 56,12 30,0 4,30 6,76 34,98 66,84",  # e
    "0,30 0,100; ~0,60 24,32 48,46 50,100",  # n
    "~0,30 4,80 24,98 44,84 50,32; 50,30 52,100",  # u
    "~60,8 40,0 26,20 24,60 22,104; 0,42 56,42",  # f
    "~26,0 24,60 30,92 50,96 64,84; 0,32 56,32",  # t
)
SHAPES = (
    "0,0 100,0 100,100 0,100 0,0",  # a box
    "50,0 100,90 0,90 50,0",  # a triangle
    "50,0 80,95 0,35 100,35 20,95 50,0",  # a star of five points
    "0,60 30,100 100,0",  # a check mark
    "~50,30 30,0 0,25 15,60 50,100; ~50,30 70,0 100,25 85,60 50,100",  # a heart
    "50,0 100,50 50,100 0,50 50,0",  # a diamond
    "0,50 100,50; 70,20 100,50 70,80",  # an arrow
    "0,0 100,0 100,70 0,70 0,0; 0,0 100,70; 100,0 0,70",  # an envelope
    "0,0 90,0; 0,45 90,45; 0,90 90,90",  # three bars
    "0,0 100,0 100,30 40,30 40,100 0,100 0,0",  # a corner
    "~50,30 70,40 70,60 50,70 30,60 30,40 50,30; 50,0 50,18; 50,82 50,100; 0,50 18,50; 82,50 100,50",  # a sun
    "~50,0 60,12 50,24 40,12 50,0; 50,24 50,65; 20,40 80,40; 50,65 25,100; 50,65 75,100",  # a person
    "~10,70 0,55 14,42 26,24 46,22 58,34 78,34 90,50 80,70 50,72 10,70",  # a cloud
    "0,100 30,30 50,70 75,0 110,100 0,100",  # mountains
    "~0,50 20,12 50,0 80,12 100,50; 0,50 100,50; 50,50 50,90; ~50,90 42,100 34,92",  # an umbrella
    "0,0 10,100 60,100 70,0 0,0; ~66,20 90,25 88,60 62,70",  # a cup
    "0,0 0,120; 0,0 80,25 0,50",  # a flag
    "20,0 20,100; 60,0 60,100; 20,20 60,20; 20,45 60,45; 20,70 60,70",  # a ladder
)
OTHER_SHAPES = (
    "50,0 62,36 100,38 70,60 82,98 50,76 18,98 30,60 0,38 38,36 50,0",  # the outline of a star
    "0,50 50,0 100,50 100,110 0,110 0,50 100,50",  # a house
    "33,0 33,100; 67,0 67,100; 0,33 100,33; 0,67 100,67",  # a grid
    "~50,0 100,20 100,80 50,100 0,80 0,20 50,0; 32,32 32,42; 68,32 68,42; ~25,65 50,82 75,65",  # a face
    "50,0 90,60 10,60 50,0; 50,30 100,110 0,110 50,30; 50,110 50,140",  # a tree
    "~0,50 50,15 100,50 50,85 0,50; ~100,50 120,20 125,80 100,50",  # a fish
    "0,0 100,0 0,100 100,100 0,0",  # an hourglass
    "50,0 50,100; 10,40 50,0 90,40; 10,60 50,100 90,60",  # an arrow up and down
    "~0,40 20,0 50,30 80,0 100,40 50,100 0,40; 0,100 100,0",  # a heart struck out
    "~0,40 30,10 60,40 90,10 120,40; ~0,90 30,60 60,90 90,60 120,90",  # water
)
PRINTED = "ACEFHKLMNPRUVWXYacdehkmnpruvwx#@%&*+=?<~"  # in Pillow's own typeface


def load_scribbles():
    """What is no digit, as train and test sets (16,000 and 3,000): the test images are of the held-out kinds."""
    return draw_scribbles(TRAINED, TRAIN_SIZE, 0), draw_scribbles(HELD_OUT, TEST_SIZE, 1)


def draw_scribbles(kinds, count, seed):
    """``count`` images of these ``kinds``, a dict as ``TRAINED`` and ``HELD_OUT``, as a ``Dataset``; as many of each."""
    images = np.empty((count, 28, 28), np.uint8)
    makers = list(kinds.values())

    for start in range(0, count, CHUNK):
        rng = np.random.default_rng([seed, start])
        chosen = [makers[i % len(makers)] for i in range(start, min(start + CHUNK, count))]
        images[start : start + len(chosen)] = _draw(chosen, rng)
    return Dataset(images, np.full(count, NO_DIGIT, np.uint8), "scribbles")


def _draw(makers, rng):
    """An image (28, 28) uint8 from each maker, drawn again as often as it could be a thick digit."""
    images, again = np.empty((len(makers), 28, 28), np.uint8), range(len(makers))
    while len(again):
        images[again] = _draw_once([makers[i] for i in again], rng)
        again = [i for i in again if _like_a_thick_digit(images[i])]
    return images


def _draw_once(makers, rng):
    """What each maker gives: an image of 28 x 28 as it is, strokes and larger images prepared."""
    made = [maker(rng) for maker in makers]
    strokes = [drawing for drawing in made if isinstance(drawing, list)]
    drawn = iter(_with_a_pen(strokes, rng))
    sheets = [next(drawn) if isinstance(drawing, list) else drawing for drawing in made]
    return [sheet if sheet.shape == (28, 28) else np.round(255 * prepare(sheet)) for sheet in sheets]


def _like_a_thick_digit(image):
    """Whether the ink is a solid bar or oval that does not lie flat, as MNIST's thickest ones, zeros and eights are."""
    rows, columns = np.nonzero(image)
    ink = image[rows, columns]
    covariance = np.cov([columns, rows], aweights=ink, ddof=0)
    (short, long), axes = np.linalg.eigh(covariance)
    solidity = ink.sum() / 255 / (12 * np.sqrt(max(short * long, 1e-9)))  # of a rectangle it is 1
    flat = abs(axes[1, 1]) < np.sin(np.deg2rad(FLAT))
    return solidity > 0.6 and np.sqrt(long / max(short, 1e-9)) > 1.25 and not flat


def _with_a_pen(drawings, rng):
    """The sheets (N, SHEET, SHEET) with these drawings on them: as large as fits, tilted and stretched, with any pen that
    leaves some of the paper white."""
    pens = np.exp(rng.uniform(np.log(0.03), np.log(0.25), len(drawings)))
    placed, widths = [], []
    for strokes, pen in zip(drawings, pens, strict=True):
        angle, stretch, lean = np.deg2rad(rng.normal(0, 10)), np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.15)
        shape = np.array([[stretch, 0], [lean, 1]]) @ turn(angle)
        strokes = [stroke @ shape for stroke in strokes]
        points = np.concatenate(strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        length = sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes) / max((high - low).max(), 1e-9)
        width = (SHEET - 2 * MARGIN) * min(pen, 0.7 / max(length, 1))
        widths.append(width)
        factor = (SHEET - 2 * MARGIN - width) / max((high - low).max(), 1e-9)
        placed.append([(stroke - (low + high) / 2) * factor + SHEET / 2 for stroke in strokes])
    return draw_many(placed, np.array(widths), SHEET)


@lru_cache(maxsize=64)
def _curve(knots):
    return spline(np.arange(knots), np.linspace(0, knots - 1, 10 * knots))


def _smooth(points):
    """A smooth curve (10 K, 2) through K points."""
    return _curve(len(points)) @ points


def _some(low, high):
    """So many strokes, from ``low`` to ``high`` of them, each made by the function below this."""

    def repeat(make):
        return lambda rng: [make(rng) for _ in range(rng.integers(low, high + 1))]

    return repeat


def _of(texts):
    """One of these skeletons, its points a little off."""
    skeletons = [
        [
            (part.strip().startswith("~"), np.array([pair.split(",") for pair in part.strip(" ~").split()], float))
            for part in text.split(";")
        ]
        for text in texts
    ]

    def write(rng):
        strokes = skeletons[rng.integers(len(skeletons))]
        moved = [(smooth, points + rng.normal(0, 3.5, points.shape)) for smooth, points in strokes]
        return [_smooth(points) if smooth else points for smooth, points in moved]

    return write


@_some(1, 3)
def _curves(rng):
    return _smooth(rng.random((rng.integers(7, 15), 2)))


@_some(1, 3)
def _jagged(rng):
    return rng.random((rng.integers(6, 13), 2))


def _zigzag(rng):
    turns = rng.integers(5, 13)
    x, y = np.arange(turns) + rng.normal(0, 0.15, turns), np.arange(turns) % 2 * rng.uniform(1.5, 8)
    return [_turned(np.stack([x, y + rng.normal(0, 0.3, turns)], axis=1), rng)]


def _waves(rng):
    t = np.linspace(0, rng.uniform(2, 6), 120)
    height = rng.uniform(0.3, 2)
    return [_turned(np.stack([t, height * np.sin(2 * np.pi * t + rng.uniform(0, 6))], axis=1), rng)]


def _spiral(rng):
    t = np.linspace(rng.uniform(0, 0.1), 1, 200)
    angle = 2 * np.pi * (rng.uniform(2.5, 5) * t * rng.choice([-1, 1]) + rng.random())
    return [np.stack([t * np.cos(angle), t * np.sin(angle)], axis=1)]


@_some(3, 6)
def _arcs(rng):
    angle = np.linspace(0, np.deg2rad(rng.uniform(60, 240)), 30) + rng.uniform(0, 2 * np.pi)
    return rng.random(2) + rng.uniform(0.15, 0.5) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@_some(3, 8)
def _lines(rng):
    return rng.random((2, 2))


def _flat_line(rng):
    angle = np.deg2rad(rng.uniform(-25, 25))
    return [np.array([[0, 0], [np.cos(angle), np.sin(angle)]])]


def _blot(rng):
    """A dot, or a blot of some dots run together."""
    return [
        np.repeat(rng.normal(0, 1e-12 if rng.random() < 0.3 else 1, (1, 2)), 2, axis=0) for _ in range(rng.integers(1, 6))
    ]


def _turned(points, rng):
    return points @ turn(rng.uniform(0, 2 * np.pi))


def _blob(rng):
    """A smooth shape, filled."""
    coarse = Image.fromarray(rng.random((rng.integers(3, 9),) * 2).astype(np.float32))
    field = np.asarray(coarse.resize((SHEET, SHEET), Image.Resampling.BICUBIC))
    return np.where(field > np.quantile(field, rng.uniform(0.5, 0.85)), 255, 0).astype(np.uint8)


def _filled(rng):
    """A rectangle of ink."""
    sheet = np.zeros((SHEET, SHEET), np.uint8)
    height, width = rng.integers(14, 45, 2)
    sheet[2 : 2 + height, 2 : 2 + width] = 255
    return sheet


def _uniform(rng):
    return rng.integers(0, 256, (28, 28), dtype=np.uint8)


def _noisy_canvas(rng):
    return rng.integers(0, 256, (140, 140), dtype=np.uint8)


def _salt(rng):
    return np.where(rng.random((28, 28)) < rng.uniform(0.02, 0.98), 255, 0).astype(np.uint8)


TRAINED = {
    "curves": _curves,
    "jagged lines": _jagged,
    "zigzags": _zigzag,
    "waves": _waves,
    "spirals": _spiral,
    "arcs": _arcs,
    "lines": _lines,
    "flat lines": _flat_line,
    "shapes": _of(SHAPES),
    "letters": _of(LETTERS),
    "blots": _blot,
    "blobs": _blob,
    "filled": _filled,
    "uniform noise": _uniform,
    "noisy canvas": _noisy_canvas,
    "salt and pepper": _salt,
}


def _scrawl(rng):
    """A pen that wanders: its direction is a random walk, and it turns back at the paper's edge."""
    steps = rng.integers(150, 500)
    heading = np.cumsum(rng.normal(0, rng.uniform(0.1, 0.5), steps)) + rng.uniform(0, 6)
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) / rng.uniform(15, 40)
    return [np.abs((path + rng.random(2)) % 2 - 1)]


def _lissajous(rng):
    t = np.linspace(0, 2 * np.pi, 300)
    across, down = rng.choice([(3, 5), (5, 3), (4, 5), (5, 4), (7, 4), (5, 6)])
    return [np.stack([np.sin(across * t + rng.uniform(0.4, 1.2)), np.sin(down * t)], axis=1)]


def _hatching(rng):
    """Parallel strokes within a circle."""
    strokes = []
    for x in np.linspace(-0.9, 0.9, rng.integers(5, 10)):
        reach = np.sqrt(1 - x**2)
        strokes.append(np.array([[x, -reach], [x, reach]]) + rng.normal(0, 0.04, (2, 2)))
    angle = np.deg2rad(rng.choice([30, 45, 135, 150]) + rng.normal(0, 8))
    return [stroke @ turn(angle) for stroke in strokes]


def _loops(rng):
    """A row of loops, as people try a pen."""
    t = np.linspace(0, 2 * np.pi * rng.integers(4, 9), 300)
    return [np.stack([t * rng.uniform(0.12, 0.3) - np.sin(t), -np.cos(t) * rng.uniform(0.8, 2)], axis=1)]


def _printed(rng):
    sheet = Image.new("L", (2 * SHEET, 2 * SHEET))
    text = PRINTED[rng.integers(len(PRINTED))]
    ImageDraw.Draw(sheet).text((SHEET, SHEET), text, 255, ImageFont.load_default(rng.integers(50, 90)), anchor="mm")
    return np.asarray(sheet.rotate(rng.normal(0, 8), Image.Resampling.BILINEAR))


def _word(rng):
    sheet = Image.new("L", (4 * SHEET, SHEET))
    text = "".join(rng.choice(list(PRINTED[20:32]), rng.integers(3, 7)))
    ImageDraw.Draw(sheet).text((2 * SHEET, SHEET // 2), text, 255, ImageFont.load_default(30), anchor="mm")
    return np.asarray(sheet)


def _points(rng):
    """Some dots of a pen, here and there."""
    return [np.repeat(10 * rng.random((1, 2)), 2, axis=0) for _ in range(rng.integers(3, 12))]


def _gaussian(rng):
    return np.clip(rng.normal(rng.uniform(60, 190), rng.uniform(30, 90), (28, 28)), 0, 255).astype(np.uint8)


def _stripes(rng):
    """Stripes or a chessboard, of soft or hard edges."""
    y, x = np.mgrid[:28, :28]
    period = rng.uniform(4, 12)
    wave = np.sin(2 * np.pi * x / period + rng.uniform(0, 6)) * np.sin(2 * np.pi * y / period) ** rng.integers(0, 2)
    return np.clip(127 + rng.choice([127, 2000]) * wave, 0, 255).astype(np.uint8)


HELD_OUT = {
    "scrawls": _scrawl,
    "Lissajous figures": _lissajous,
    "hatching": _hatching,
    "loops": _loops,
    "other shapes": _of(OTHER_SHAPES),
    "printed letters": _printed,
    "printed words": _word,
    "points": _points,
    "gaussian noise": _gaussian,
    "stripes": _stripes,
}
