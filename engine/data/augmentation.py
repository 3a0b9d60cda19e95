"""Random changes that leave a digit what it is: moved, turned, stretched, bent, thickened, noisy.

All movements are one map from each new pixel to the place in the old image that it shows, and one bilinear look-up there,
so that an image is blurred once however many changes it meets.
"""

import math
import threading
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from engine.checks import check_number

BLOCK = 64  # images changed at a time: what they take then stays in the processor's cache
FINE = 256  # places are whole 1/256 pixel: then a weighted mean of 8-bit pixels is whole-number arithmetic
LIMITS = {
    "shift": (0, 100),
    "rotation": (0, 180),
    "scale": (0, 0.9),
    "shear": (0, 60),
    "elastic": (0, 20),
    "smoothness": (1, 100),
    "thickness": (0, 2),
    "noise": (0, 1),
    "untouched": (0, 1),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes, drawn anew for every image: ``augmentation(images, rng)``. A field of 0 leaves its change out.

    ``shift``: pixels, uniform in [-shift, shift] along each axis. ``rotation``: degrees, uniform, either way. ``scale``:
    each axis is stretched by a factor uniform in [1 - scale, 1 + scale]. ``shear``: degrees by which uprights lean, uniform.
    ``elastic``: standard deviation, in pixels, of the displacement along each axis, a random field smoothed by a gaussian of
    ``smoothness`` pixels (Simard, Steinkraus & Platt, 2003). ``thickness``: strokes get wider or thinner by up to so many
    pixels. ``noise``: standard deviation of gaussian noise, where white is 1. ``untouched``: the part of the images that are
    left as they are; a moved image is a little blurred, and a network that sees nothing else is at a loss with a sharp one
    (He et al., "Data augmentation revisited", 2019).
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0
    thickness: float = 0.0
    noise: float = 0.0
    untouched: float = 0.0

    def __post_init__(self):
        for field in fields(self):
            value = check_number(field.name, getattr(self, field.name), *LIMITS[field.name])
            object.__setattr__(self, field.name, value)

    def __call__(self, images, rng):
        """New images (N, H, W) float32 in [0, 1] from images uint8, or float in [0, 1], which are rounded to 8 bits."""
        count, height, width = images.shape
        # How many numbers are drawn depends on the shape and the fields alone, so that a seed fixes all that follow.
        moves = rng.random((7, count), np.float32) * 2 - 1
        affine, pixels = self._affine(moves[:6], height, width), self.thickness * moves[6]
        changed = np.empty(images.shape, np.float32)
        for start in range(0, count, BLOCK):
            block = slice(start, start + BLOCK)
            padded = pad(images[block])
            if self.thickness:
                thicken(padded, pixels[block])
            sample(padded, self._places(affine[..., block], height, width, rng), changed[block])
        if self.noise:
            changed += self.noise * rng.standard_normal(changed.shape, np.float32)
            np.clip(changed, 0, 1, out=changed)
        if self.untouched:
            left = rng.random(count) < self.untouched
            changed[left] = pad(images[left])[:, 1:-1, 1:-1] / np.float32(255)
        return changed

    def _affine(self, moves, height, width):
        """The maps from new to old places, from ``moves`` (6, N) in [-1, 1]: (2, 3, N), for x and y the place that the
        centre shows and what a step right and a step down change, in pixels of the padded image."""
        shift_x, shift_y, angle, stretch_x, stretch_y, lean = moves
        shift_x, shift_y = self.shift * shift_x, self.shift * shift_y
        angle, lean = np.deg2rad(self.rotation) * angle, np.tan(np.deg2rad(self.shear) * lean)
        stretch_x, stretch_y = 1 + self.scale * stretch_x, 1 + self.scale * stretch_y
        cos, sin = np.cos(angle), np.sin(angle)
        # A digit is stretched, sheared, turned, then shifted; the way back is the inverse of each, in the other order.
        affine = np.empty((2, 3, moves.shape[1]), np.float32)
        affine[0, 1], affine[0, 2] = (cos - lean * sin) / stretch_x, -(sin + lean * cos) / stretch_x
        affine[1, 1], affine[1, 2] = sin / stretch_y, cos / stretch_y
        affine[:, 0] = np.array([[width + 1], [height + 1]]) / 2 - affine[:, 1] * shift_x - affine[:, 2] * shift_y
        return affine

    def _places(self, affine, height, width, rng):
        """The places that the new pixels show, x and y (2, N, H, W), in 1/256 pixel of the padded image.

        Affine part and elastic field alike are sums of products of a function of the row and a function of the column:
        coefficients between two matrices.
        """
        smoothness = self.smoothness if self.elastic else None
        over_rows, over_columns = basis(height, smoothness), basis(width, smoothness)
        rows, columns, count = over_rows.shape[1], over_columns.shape[1], affine.shape[-1]
        coefficients = np.zeros((2, rows, columns, count), np.float32)
        coefficients[:, 0, 0], coefficients[:, 0, 1], coefficients[:, 1, 0] = FINE * affine.transpose(1, 0, 2)
        coefficients[:, 0, 0] += 0.5  # places are cut to whole 1/256: this makes it rounding
        if self.elastic:
            shape = 2, rows - 2, columns - 2, count
            uniform = np.frombuffer(rng.bytes(2 * math.prod(shape)), "<i2").reshape(shape)
            deviation = 2**15 / math.sqrt(3)  # of a number uniform in [-2**15, 2**15]
            np.multiply(uniform, np.float32(FINE * self.elastic / deviation), out=coefficients[:, 2:, 2:])
        along_columns = over_rows @ coefficients.reshape(2, rows, -1)  # (2, H, columns * N)
        along_columns = along_columns.reshape(2, height, columns, count).swapaxes(2, 3)
        places = scratch("places", (2, count, height, width), np.float32)
        np.matmul(along_columns, over_columns.T, out=places.swapaxes(1, 2))
        return places


@lru_cache(maxsize=16)
def basis(size, smoothness):
    """Functions of the positions along an axis, the columns of (size, K) float32: 1; the distance from the centre; and,
    unless ``smoothness`` is None, gaussians that mix independent random numbers to a smooth one of the same variance."""
    position = np.arange(size) - (size - 1) / 2
    functions = np.stack([np.ones(size), position], axis=1)
    if smoothness is not None:
        step = 1.5 * smoothness  # wider, and one would see where the centres lie
        steps = np.ceil((size - 1) / 2 / step + 0.5)
        centres = step * np.arange(0.5 - steps, steps)
        bells = np.exp(-((position[:, None] - centres) ** 2) / (2 * smoothness**2))
        functions = np.hstack([functions, bells / np.linalg.norm(bells, axis=1, keepdims=True)])
    return functions.astype(np.float32)


def pad(images):
    """The images (N, H, W) as 8-bit numbers with a border of 0 (N, H + 2, W + 2) uint16, to be changed in place."""
    count, height, width = images.shape
    padded = scratch("padded", (count, height + 2, width + 2), np.uint16)
    padded[:] = 0
    padded[:, 1:-1, 1:-1] = images if images.dtype == np.uint8 else np.rint(images * 255)
    return padded


def thicken(padded, pixels):
    """Widen the strokes of each padded image by its number of ``pixels`` (N,) in [-2, 2], in place.

    Each pixel goes some of the way to the brightest of its neighbours and itself; all the way would be a pixel on both
    sides of a stroke. Below 0 the background is widened instead.
    """
    height, width = padded.shape[1:]
    negative = np.where(pixels < 0, 255, 0).astype(np.uint16)[:, None, None]
    share = np.rint(np.abs(pixels) * (FINE / 2)).astype(np.uint16)[:, None, None]
    padded ^= negative
    flat, rise = padded.reshape(-1), scratch("rise", (padded.size,), np.uint16)
    np.copyto(rise, flat)
    for step in (1, width):  # right and left, below and above
        np.maximum(rise[step:], flat[:-step], out=rise[step:])
        np.maximum(rise[:-step], flat[step:], out=rise[:-step])
    rise -= flat
    rise = rise.reshape(padded.shape)
    rise *= share
    rise >>= 8
    padded += rise
    padded ^= negative
    padded[:, :: height - 1] = 0
    flat[::width] = flat[width - 1 :: width] = 0


def sample(padded, places, out):
    """Bilinear look-up of ``out`` (N, H, W) at ``places`` (2, N, H, W) in ``padded``; ``places`` is spent.

    In whole numbers, a pixel and the one below it side by side in 32 bits: half as many look-ups and products.
    """
    count, height, width = out.shape
    stride = width + 2
    x, y = fine = scratch("fine", places.shape, np.uint32)
    np.copyto(fine.view(np.int32), places, casting="unsafe")
    starts, border = layout(count, height, width)
    np.minimum(fine, border, out=fine)  # beyond the border is as the border, 0; so is below 0, a huge number here

    # Each pixel in the lower half of 32 bits, the one below it in the upper half.
    flat = padded.reshape(-1)
    pairs = scratch("pairs", flat.shape, np.uint32)
    np.copyto(pairs, flat)
    pairs[:-stride] |= np.left_shift(pairs, 16, out=scratch("below", flat.shape, np.uint32))[stride:]

    column, row = whole = places.view(np.uint32)  # in the same bytes: the cache is small
    np.right_shift(fine, 8, out=whole)
    row *= stride
    row += column
    row += starts
    index = scratch("index", out.shape, np.intp)
    np.copyto(index, row)

    fine &= FINE - 1
    left, right = whole
    np.take(pairs, index, out=left, mode="wrap")  # wrap is the fastest mode; what lies past the end counts nothing
    np.take(pairs[1:], index, out=right, mode="wrap")
    mix(left, right, x)
    upper = np.bitwise_and(left, 0xFFFF, out=right)
    left >>= 16
    mix(upper, left, y)
    np.copyto(out, upper.view(np.int32))
    out /= 255 * FINE**2


@lru_cache(maxsize=16)
def layout(count, height, width):
    """For ``sample``: where each pixel's padded image starts (N, H, W), and the last place along each axis (2, 1, H, W).

    Written out in full, since NumPy adds and compares two arrays several times faster than an array and a number.
    """
    starts = np.arange(count, dtype=np.uint32) * (height + 2) * (width + 2)
    starts = np.repeat(starts, height * width).reshape(count, height, width)
    border = np.full((height, width, 2), [width + 1, height + 1], np.uint32).transpose(2, 0, 1)
    return starts, np.ascontiguousarray(FINE * border[:, None])


def mix(a, b, share):
    """``a = (256 - share) * a + share * b``, in both halves of the numbers at once; ``b`` is spent."""
    b -= a
    b *= share
    a <<= 8
    a += b


class Scratch(threading.local):
    """Arrays to work in, kept from one call to the next: fetching fresh memory would take as long as the arithmetic."""

    def __init__(self):
        self._arrays = {}

    def __call__(self, name, shape, dtype):
        size = math.prod(shape)
        array = self._arrays.get(name)
        if array is None or array.size < size:
            array = self._arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)


scratch = Scratch()

_STRONG = Augmentation(shift=1.5, rotation=10, scale=0.12, shear=8, elastic=1.0, smoothness=4, thickness=0.8)

AUGMENTATIONS = {
    "none": None,
    "light": Augmentation(shift=1.5, rotation=8, scale=0.08),
    "strong": _STRONG,
    "half": replace(_STRONG, untouched=0.5),
}
