"""What happens to pictures on their way to a network: noise, specks, blur, thin and broken lines, few pixels, a square box.

Blur, scaling and few pixels are sums over the pixels of each column, then of each row: two products with a matrix.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Images = npt.NDArray[np.float32]  # (N, H, W) in [0, 1]

MAX_NOISE = 0.25  # standard deviation
MAX_SPECKS = 0.11  # fraction of the pixels
MAX_BLUR = 1.4  # pixels: standard deviation
FAINT = 0.15  # of the strongest ink: ``prepare`` takes fainter pixels for paper
SHRUNK = 1.4  # how much smaller ``prepare`` makes a digit of MNIST if specks fill its image: 28 pixels become 20
FEWEST_PIXELS, MOST_PIXELS = 0.5, 0.85  # of the pixels along an axis
MAX_WIDENING, MAX_HEIGHTENING = 3, 1.25  # an upright 1 that fills a square box would be a black square
BOX = 20 / 28  # of the side: the box that a digit fills


def damage(images: Images, fraction: float, rng: np.random.Generator) -> None:
    """Damage this fraction of the images, in place; each gets one kind of ``DAMAGES`` by chance, of random strength."""
    kinds, damaged = rng.integers(len(DAMAGES), size=len(images)), rng.random(len(images)) < fraction
    for number, kind in enumerate(DAMAGES):
        rows = np.flatnonzero(damaged & (kinds == number))
        if len(rows):
            images[rows] = np.clip(kind(images[rows], rng), 0, 1)


def noisy(images: Images, rng: np.random.Generator) -> Images:
    """Gaussian noise on each pixel."""
    deviations = rng.uniform(0.05, MAX_NOISE, (len(images), 1, 1)).astype(np.float32)
    noisy = np.clip(images + deviations * rng.standard_normal(images.shape, np.float32), 0, 1)
    return _perhaps_shrunk(noisy.astype(np.float32), rng, 0.25)


def specked(images: Images, rng: np.random.Generator) -> Images:
    """Pixels that are black or white by chance (impulse noise), on half of the images as ``prepare`` leaves them."""
    limits = rng.uniform(0.01, MAX_SPECKS, (len(images), 1, 1)) / 2
    chances = rng.random(images.shape)
    specked = np.where(chances < limits, 0, np.where(chances > 1 - limits, 1, images)).astype(np.float32)
    return _perhaps_shrunk(specked, rng, 0.5)


def blurred(images: Images, rng: np.random.Generator) -> Images:
    """Out of focus, and on half of the images with the contrast that ``prepare`` gives them."""
    deviations = rng.uniform(0.4, MAX_BLUR, (len(images), 1, 1))
    stretch = rng.uniform(1, 1.15, (len(images), 1))  # blurred ink fills a larger box, which is made smaller
    matrices = []
    for size in images.shape[1:]:
        middle = (size - 1) / 2
        places = middle + stretch * (np.arange(size) - middle)
        weights = np.exp(-((places[..., None] - np.arange(size)) ** 2) / (2 * deviations**2))
        matrices.append(weights / np.maximum(weights.sum(axis=-1, keepdims=True), 2 * deviations))
    blurred = _mapped(images, *matrices)
    return np.where(rng.random((len(images), 1, 1)) < 0.5, _contrasted(blurred), blurred)


def thinned(images: Images, rng: np.random.Generator) -> Images:
    """Lines of about one pixel: what is thicker is eroded once or twice, and what erosion would erase stays."""
    from scipy import ndimage

    def thinner(images: Images) -> Images:
        eroded = ndimage.grey_erosion(images, footprint=cross)
        return np.maximum(eroded, images - ndimage.grey_dilation(eroded, footprint=cross))

    cross = ndimage.generate_binary_structure(2, 1)[None]
    once = thinner(images)
    twice = thinner(once)
    amounts = rng.uniform(0.4, 2, (len(images), 1, 1)).astype(np.float32)
    first, second = np.minimum(amounts, 1), np.maximum(amounts - 1, 0)
    return _contrasted(images + first * (once - images) + second * (twice - once))


def broken(images: Images, rng: np.random.Generator) -> Images:
    """Dotted and dashed lines: holes on a turned grid, which no straight line can follow."""
    count, height, width = images.shape
    angle, period, phase_x, phase_y, level = rng.random((5, count, 1, 1), np.float32)
    angle, frequency = np.pi * angle, 2 * np.pi / (3 + 3 * period)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across = np.cos(frequency * (x * np.cos(angle) + y * np.sin(angle)) + 2 * np.pi * phase_x)
    down = np.cos(frequency * (y * np.cos(angle) - x * np.sin(angle)) + 2 * np.pi * phase_y)
    return _contrasted(images * np.clip(2 * (across + down) + 0.9 + 1.1 * level, 0, 1))


def coarse(images: Images, rng: np.random.Generator) -> Images:
    """As if seen with fewer pixels; on half of the images each of them is either black or white."""
    fewer = rng.uniform(FEWEST_PIXELS, MOST_PIXELS)
    down, up = zip(*(_resampling(size, max(1, round(fewer * size))) for size in images.shape[1:]), strict=True)
    small = _mapped(images, *down)
    bitmap = small > rng.uniform(0.25, 0.5, (len(images), 1, 1))
    return _mapped(np.where(rng.random((len(images), 1, 1)) < 0.5, bitmap, small).astype(np.float32), *up)


def squared(images: Images, rng: np.random.Generator) -> Images:
    """Widened or made higher until the digit fills a square box, as far as it still can be read, and often coarse."""
    matrices = []
    for axis, limit in ((2, MAX_HEIGHTENING), (1, MAX_WIDENING)):
        size = images.shape[3 - axis]
        inked = images.max(axis=axis) > FAINT  # (N, size)
        first, last = inked.argmax(axis=1), size - 1 - inked[:, ::-1].argmax(axis=1)
        factors = np.clip(rng.uniform(0.8, 1, len(images)) * BOX * size / (last - first + 1), 0.75, limit)
        matrices.append(_scaling(size, (first + last) / 2, 1 / factors))
    squared = _mapped(images, *matrices)
    return coarse(squared, rng) if rng.random() < 0.5 else squared


DAMAGES = (noisy, specked, blurred, thinned, broken, coarse, squared)


def _perhaps_shrunk(images: Images, rng: np.random.Generator, chance: float) -> Images:
    """Some of the images as ``prepare`` leaves those whose every corner has specks: smaller, centred by mass, contrasted."""
    mass = np.maximum(images.sum(axis=(1, 2)), 1e-6)
    matrices = []
    for axis in (2, 1):
        size = images.shape[3 - axis]
        middle = images.sum(axis=axis) @ np.arange(size) / mass
        matrices.append(_scaling(size, np.rint(middle) + 0.5, np.full(len(images), SHRUNK)))
    shrunk = _contrasted(_mapped(np.where(images < FAINT, 0, images), *matrices))
    return np.where(rng.random((len(images), 1, 1)) < chance, shrunk, images)


def _scaling(size: int, middles: npt.NDArray[np.floating], steps: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Matrices (N, size, size) to an axis in whose middle is the old place ``middles``, ``steps`` old pixels a pixel."""
    places = middles[:, None] + steps[:, None] * (np.arange(size) - (size - 1) / 2)
    support = np.maximum(steps, 1)[:, None, None]
    weights = np.maximum(1 - np.abs(places[..., None] - np.arange(size)) / support, 0)
    inside = np.abs(places - (size - 1) / 2) <= size / 2
    return weights * (inside / np.maximum(weights.sum(axis=-1), 1e-6))[..., None]


@lru_cache(maxsize=64)
def _resampling(size: int, fewer: int) -> tuple[Images, Images]:
    """The matrices (fewer, size) and (size, fewer) with which Pillow makes an axis smaller and larger again."""
    down, up = (
        np.asarray(Image.fromarray(np.eye(old, dtype=np.float32)).resize((old, new), Image.Resampling.BILINEAR))
        for old, new in ((size, fewer), (fewer, size))
    )
    return down, up


def _mapped(images: Images, rows: npt.NDArray[np.floating], columns: npt.NDArray[np.floating]) -> Images:
    mapped = rows.astype(np.float32) @ images @ columns.astype(np.float32).swapaxes(-1, -2)
    return mapped.astype(np.float32, copy=False)


def _contrasted(images: npt.NDArray[np.floating]) -> Images:
    """With white as the strongest ink and without faint pixels, as ``prepare`` does it."""
    strongest = images.max(axis=(1, 2), keepdims=True)
    contrasted = images / np.maximum(strongest, 1e-6)
    return np.where(contrasted < FAINT, 0, contrasted).astype(np.float32)
