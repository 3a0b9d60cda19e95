"""Drawings and images that are not digits, so that networks learn to be unsure about them; their label is ``NO_DIGIT``.

Networks train on one family of kinds. The other family, which shares no kind with the first, measures how often a network
mistakes something that it has never seen for a digit. Neither has anything that could pass for a digit, such as upright
lines, single rings and most letters.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from engine.data.dataset import NO_DIGIT, Dataset
from engine.data.synthetic.skeletons import even_spline
from engine.pen import draw_many, rotation
from engine.preprocessing import prepare

TRAIN_SIZE, TEST_SIZE = 28_000, 3_000
CHUNK_SIZE = 250  # images drawn at a time, each chunk with its own seed
SHEET_SIDE = 56  # pixels: the drawings are made on this small square
MARGIN = 2  # pixels around the ink
MAX_FLAT_ANGLE = 30  # degrees: a line that rises more could be a slanted 1

Strokes = list[npt.NDArray[np.float64]]  # each (K, 2)
Maker = Callable[[np.random.Generator], Strokes | npt.NDArray[np.uint8]]  # makes strokes, or an image

PRINTED = "ACEFHKLMNPRUVWXYacdehkmnpruvwx#@%&*+=?<~"  # in Pillow's default font


def load_scribbles() -> tuple[Dataset, Dataset]:
    """Train and test sets of images that are not digits (28,000 and 3,000); the test images are of the held-out kinds."""
    return draw_scribbles(TRAINING_KINDS, TRAIN_SIZE, 0), draw_scribbles(HELD_OUT_KINDS, TEST_SIZE, 1)


def draw_scribbles(kinds: Mapping[str, Maker], count: int, seed: int) -> Dataset:
    """Draw ``count`` images, the same number of each kind in ``TRAINING_KINDS``, ``HELD_OUT_KINDS`` or some of them."""
    images = np.empty((count, 28, 28), np.uint8)
    makers = list(kinds.values())
    for start in range(0, count, CHUNK_SIZE):
        rng = np.random.default_rng([seed, start])
        chosen = [makers[i % len(makers)] for i in range(start, min(start + CHUNK_SIZE, count))]
        images[start : start + len(chosen)] = _draw(chosen, rng)
    return Dataset(images, np.full(count, NO_DIGIT, np.uint8), "scribbles")


def _draw(makers: Sequence[Maker], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """An image (28, 28) from each maker; those that look like a thick digit are drawn again."""
    images, pending = np.empty((len(makers), 28, 28), np.uint8), list(range(len(makers)))
    while pending:
        images[pending] = _draw_once([makers[i] for i in pending], rng)
        pending = [i for i in pending if _looks_like_a_thick_digit(images[i])]
    return images


def _draw_once(makers: Sequence[Maker], rng: np.random.Generator) -> Sequence[npt.NDArray]:
    """An image from each maker: images of 28 x 28 stay unchanged, larger ones and strokes are prepared."""
    drawings = [maker(rng) for maker in makers]
    sheets = iter(_draw_with_pen([drawing for drawing in drawings if isinstance(drawing, list)], rng))
    images = [next(sheets) if isinstance(drawing, list) else drawing for drawing in drawings]
    return [image if image.shape == (28, 28) else np.round(255 * prepare(image, clean=False)) for image in images]


def _looks_like_a_thick_digit(image: npt.NDArray[np.uint8]) -> bool:
    """Whether the ink is a solid bar or oval that does not lie flat, as the thickest 1s, 0s and 8s of MNIST are."""
    rows, columns = np.nonzero(image)
    ink = image[rows, columns]
    covariance = np.cov([columns, rows], aweights=ink, ddof=0)
    (short, long), axes = np.linalg.eigh(covariance)
    solidity = ink.sum() / 255 / (12 * np.sqrt(max(short * long, 1e-9)))  # of a filled rectangle it is 1
    is_flat = abs(axes[1, 1]) < np.sin(np.deg2rad(MAX_FLAT_ANGLE))
    return solidity > 0.6 and np.sqrt(long / max(short, 1e-9)) > 1.25 and not is_flat


def _draw_with_pen(drawings: Sequence[Strokes], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw strokes as large as fits on sheets (N, SHEET_SIDE, SHEET_SIDE), tilted and stretched.

    The pen may have any width that leaves some of the paper empty.
    """
    pens = np.exp(rng.uniform(np.log(0.03), np.log(0.25), len(drawings)))
    placed, widths = [], []
    for strokes, pen in zip(drawings, pens, strict=True):
        angle, stretch, lean = np.deg2rad(rng.normal(0, 10)), np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.15)
        matrix = np.array([[stretch, 0], [lean, 1]]) @ rotation(angle)
        strokes = [stroke @ matrix for stroke in strokes]
        points = np.concatenate(strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        length = sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes) / max((high - low).max(), 1e-9)
        width = (SHEET_SIDE - 2 * MARGIN) * min(pen, 0.7 / max(length, 1))
        widths.append(width)
        factor = (SHEET_SIDE - 2 * MARGIN - width) / max((high - low).max(), 1e-9)
        placed.append([(stroke - (low + high) / 2) * factor + SHEET_SIDE / 2 for stroke in strokes])
    return draw_many(placed, np.array(widths), SHEET_SIDE)


def _smooth(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A smooth curve (10 K, 2) through points (K, 2)."""
    return even_spline(len(points), 10 * len(points)) @ points


def _repeat(low: int, high: int) -> Callable[[Callable[[np.random.Generator], npt.NDArray]], Maker]:
    """Decorate a function that makes one stroke: make ``low`` to ``high`` of them."""

    def decorate(make: Callable[[np.random.Generator], npt.NDArray]) -> Maker:
        return lambda rng: [make(rng) for _ in range(rng.integers(low, high + 1))]

    return decorate


def _read_shapes(path: Path) -> dict[str, list[str]]:
    """The strokes of the shapes of each kind, from a file that explains its own format."""
    shapes: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if text := line.partition("#")[0].strip():
            kind, strokes = text.split(maxsplit=1)
            shapes.setdefault(kind, []).append(strokes)
    return shapes


SHAPES = _read_shapes(Path(__file__).with_name("shapes.txt"))


def _any_of(kind: str) -> Maker:
    """Make one of the shapes of this kind, with its points moved a little."""
    skeletons = [
        [
            (stroke.strip().startswith("~"), np.array([pair.split(",") for pair in stroke.strip(" ~").split()], float))
            for stroke in strokes.split(";")
        ]
        for strokes in SHAPES[kind]
    ]

    def write(rng: np.random.Generator) -> Strokes:
        strokes = skeletons[rng.integers(len(skeletons))]
        moved = [(smooth, points + rng.normal(0, 3.5, points.shape)) for smooth, points in strokes]
        return [_smooth(points) if smooth else points for smooth, points in moved]

    return write


@_repeat(1, 3)
def _curves(rng):
    return _smooth(rng.random((rng.integers(7, 15), 2)))


@_repeat(1, 3)
def _jagged(rng):
    return rng.random((rng.integers(6, 13), 2))


def _zigzag(rng):
    turns = rng.integers(5, 13)
    x, y = np.arange(turns) + rng.normal(0, 0.15, turns), np.arange(turns) % 2 * rng.uniform(1.5, 8)
    return [_rotated(np.stack([x, y + rng.normal(0, 0.3, turns)], axis=1), rng)]


def _waves(rng):
    t = np.linspace(0, rng.uniform(2, 6), 120)
    height = rng.uniform(0.3, 2)
    return [_rotated(np.stack([t, height * np.sin(2 * np.pi * t + rng.uniform(0, 6))], axis=1), rng)]


def _spiral(rng):
    t = np.linspace(rng.uniform(0, 0.1), 1, 200)
    angle = 2 * np.pi * (rng.uniform(2.5, 5) * t * rng.choice([-1, 1]) + rng.random())
    return [np.stack([t * np.cos(angle), t * np.sin(angle)], axis=1)]


@_repeat(3, 6)
def _arcs(rng):
    angle = np.linspace(0, np.deg2rad(rng.uniform(60, 240)), 30) + rng.uniform(0, 2 * np.pi)
    return rng.random(2) + rng.uniform(0.15, 0.5) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@_repeat(3, 8)
def _lines(rng):
    return rng.random((2, 2))


def _flat_line(rng):
    angle = np.deg2rad(rng.uniform(-25, 25))
    return [np.array([[0, 0], [np.cos(angle), np.sin(angle)]])]


def _blot(rng):
    """A dot, or a few dots that have run together."""
    return [
        np.repeat(rng.normal(0, 1e-12 if rng.random() < 0.3 else 1, (1, 2)), 2, axis=0) for _ in range(rng.integers(1, 6))
    ]


def _rotated(points, rng):
    return points @ rotation(rng.uniform(0, 2 * np.pi))


def _blob(rng):
    """A smooth shape, filled."""
    coarse = Image.fromarray(rng.random((rng.integers(3, 9),) * 2).astype(np.float32))
    field = np.asarray(coarse.resize((SHEET_SIDE, SHEET_SIDE), Image.Resampling.BICUBIC))
    return np.where(field > np.quantile(field, rng.uniform(0.5, 0.85)), 255, 0).astype(np.uint8)


def _filled(rng):
    """A rectangle of ink."""
    sheet = np.zeros((SHEET_SIDE, SHEET_SIDE), np.uint8)
    height, width = rng.integers(14, 45, 2)
    sheet[2 : 2 + height, 2 : 2 + width] = 255
    return sheet


def _uniform(rng):
    return rng.integers(0, 256, (28, 28), dtype=np.uint8)


def _noisy_canvas(rng):
    return rng.integers(0, 256, (140, 140), dtype=np.uint8)


def _salt(rng):
    return np.where(rng.random((28, 28)) < rng.uniform(0.02, 0.98), 255, 0).astype(np.uint8)


TRAINING_KINDS: dict[str, Maker] = {
    "curves": _curves,
    "jagged lines": _jagged,
    "zigzags": _zigzag,
    "waves": _waves,
    "spirals": _spiral,
    "arcs": _arcs,
    "lines": _lines,
    "flat lines": _flat_line,
    "shapes": _any_of("shape"),
    "icons": _any_of("icon"),
    "capital letters": _any_of("capital"),
    "small letters": _any_of("small_letter"),
    "brackets": _any_of("bracket"),
    "operators": _any_of("operator"),
    "punctuation": _any_of("punctuation"),
    "blots": _blot,
    "blobs": _blob,
    "filled": _filled,
    "uniform noise": _uniform,
    "noisy canvas": _noisy_canvas,
    "salt and pepper": _salt,
}


def _scrawl(rng):
    """A wandering pen: its direction is a random walk, and it turns back at the edge of the paper."""
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
    return [stroke @ rotation(angle) for stroke in strokes]


def _loops(rng):
    """A row of loops, as people draw to try a pen."""
    t = np.linspace(0, 2 * np.pi * rng.integers(4, 9), 300)
    return [np.stack([t * rng.uniform(0.12, 0.3) - np.sin(t), -np.cos(t) * rng.uniform(0.8, 2)], axis=1)]


def _printed(rng):
    sheet = Image.new("L", (2 * SHEET_SIDE, 2 * SHEET_SIDE))
    text = PRINTED[rng.integers(len(PRINTED))]
    ImageDraw.Draw(sheet).text(
        (SHEET_SIDE, SHEET_SIDE), text, 255, ImageFont.load_default(int(rng.integers(50, 90))), anchor="mm"
    )
    return np.asarray(sheet.rotate(rng.normal(0, 8), Image.Resampling.BILINEAR))


def _word(rng):
    sheet = Image.new("L", (4 * SHEET_SIDE, SHEET_SIDE))
    text = "".join(rng.choice(list(PRINTED[20:32]), rng.integers(3, 7)))
    ImageDraw.Draw(sheet).text((2 * SHEET_SIDE, SHEET_SIDE // 2), text, 255, ImageFont.load_default(30), anchor="mm")
    return np.asarray(sheet)


def _points(rng):
    """Separate dots of a pen."""
    return [np.repeat(10 * rng.random((1, 2)), 2, axis=0) for _ in range(rng.integers(3, 12))]


def _gaussian(rng):
    return np.clip(rng.normal(rng.uniform(60, 190), rng.uniform(30, 90), (28, 28)), 0, 255).astype(np.uint8)


def _stripes(rng):
    """Stripes or a chessboard, with soft or hard edges."""
    y, x = np.mgrid[:28, :28]
    period = rng.uniform(4, 12)
    wave = np.sin(2 * np.pi * x / period + rng.uniform(0, 6)) * np.sin(2 * np.pi * y / period) ** rng.integers(0, 2)
    return np.clip(127 + rng.choice([127, 2000]) * wave, 0, 255).astype(np.uint8)


HELD_OUT_KINDS: dict[str, Maker] = {
    "scrawls": _scrawl,
    "Lissajous figures": _lissajous,
    "hatching": _hatching,
    "loops": _loops,
    "other shapes": _any_of("held_out_shape"),
    "printed letters": _printed,
    "printed words": _word,
    "points": _points,
    "gaussian noise": _gaussian,
    "stripes": _stripes,
}
