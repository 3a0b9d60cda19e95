"""Bilinear look-up of many images at once, in whole numbers.

Positions are rounded to 1/256 pixel, so a weighted mean of 8-bit pixels fits into 32-bit integers. This is eight times as
fast as ``scipy.ndimage.map_coordinates``; ``sample_reference`` computes the same in floating point.
"""

import math
import threading
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

SUBPIXELS = 256  # positions per pixel along each axis


def sample(padded: npt.NDArray[np.uint16], positions: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """Write the pixels in [0, 1] at ``positions`` of the images into ``out`` (N, H, W); everything outside is black.

    ``padded`` (N, H + 2, W + 2) comes from ``pad``. ``positions`` (2, N, H, W) are x and y in 1/256 pixel of the padded
    images; fractions are cut off, and the array is overwritten.

    Each pixel and the one below it share one 32-bit number: half as many look-ups and multiplications.
    """
    count, height, width = out.shape
    stride = width + 2
    x, y = fine = scratch("fine", positions.shape, np.uint32)
    np.copyto(fine.view(np.int32), positions, casting="unsafe")
    starts, border = layout(count, height, width)
    np.minimum(fine, border, out=fine)  # negative positions are huge as unsigned numbers: they move to the border, too

    flat = padded.reshape(-1)
    pairs = scratch("pairs", flat.shape, np.uint32)  # a pixel in the lower 16 bits, the one below it in the upper 16
    np.copyto(pairs, flat)
    pairs[:-stride] |= np.left_shift(pairs, 16, out=scratch("below", flat.shape, np.uint32))[stride:]

    column, row = whole = positions.view(np.uint32)  # reuses the memory: less of the processor's cache is needed
    np.right_shift(fine, 8, out=whole)
    row *= stride
    row += column
    row += starts
    index = scratch("index", out.shape, np.intp)
    np.copyto(index, row)

    fine &= SUBPIXELS - 1
    left, right = whole
    np.take(pairs, index, out=left, mode="wrap")  # the fastest mode; pixels past the end have a weight of 0
    np.take(pairs[1:], index, out=right, mode="wrap")
    mix(left, right, x)
    upper = np.bitwise_and(left, 0xFFFF, out=right)
    left >>= 16
    mix(upper, left, y)
    np.copyto(out, upper.view(np.int32))
    out /= 255 * SUBPIXELS**2


def sample_reference(padded: npt.NDArray[np.uint16], positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return what ``sample`` writes, computed plainly in floating point; the arguments stay unchanged."""
    last = np.array(padded.shape[:0:-1]).reshape(2, 1, 1, 1) - 1  # the last column and row, which are black
    positions = np.clip(np.floor(positions) / SUBPIXELS, 0, last)
    (left, top), (x, y) = positions.astype(int), positions % 1
    right, bottom = np.minimum(left + 1, last[0]), np.minimum(top + 1, last[1])
    pixels, image = padded / 255, np.arange(len(padded))[:, None, None]
    upper = (1 - x) * pixels[image, top, left] + x * pixels[image, top, right]
    lower = (1 - x) * pixels[image, bottom, left] + x * pixels[image, bottom, right]
    return (1 - y) * upper + y * lower


def pad(images: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """The images (N, H, W) as 8-bit numbers with a border of 0: (N, H + 2, W + 2), overwritten by the next call.

    ``images`` are uint8, or float in [0, 1].
    """
    count, height, width = images.shape
    padded = scratch("padded", (count, height + 2, width + 2), np.uint16)
    padded[:] = 0
    padded[:, 1:-1, 1:-1] = images if images.dtype == np.uint8 else np.rint(images * 255)
    return padded


@lru_cache(maxsize=16)
def layout(count: int, height: int, width: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Where each pixel's padded image starts (N, H, W), and the last position along each axis (2, 1, H, W).

    These are full arrays because NumPy combines two arrays several times faster than an array and a number.
    """
    starts = np.arange(count, dtype=np.uint32) * (height + 2) * (width + 2)
    starts = np.repeat(starts, height * width).reshape(count, height, width)
    border = np.full((height, width, 2), [width + 1, height + 1], np.uint32).transpose(2, 0, 1)
    return starts, np.ascontiguousarray(SUBPIXELS * border[:, None])


def mix(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], weight: npt.NDArray[np.uint32]) -> None:
    """``a = (256 - weight) * a + weight * b`` in both halves of the 32-bit numbers; ``b`` is overwritten."""
    b -= a
    b *= weight
    a <<= 8
    a += b


class Scratch(threading.local):
    """Work arrays that later calls in the same thread reuse: new memory would take as much time as the arithmetic."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        size = math.prod(shape)
        array = self._arrays.get(name)
        if array is None or array.size < size:
            array = self._arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)


scratch = Scratch()
