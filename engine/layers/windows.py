"""Sliding windows over images, for convolution and pooling.

Images are (N, C, H, W): batch, channels, height, width. In memory the batch comes last, because one operation on a pixel
then covers that pixel of all images, which are neighbours in memory.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError


def batch_last(x: npt.NDArray) -> npt.NDArray:
    """Images (N, C, H, W) as a contiguous array (C, H, W, N); a view if their memory already has this order."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def batch_first(x: npt.NDArray) -> npt.NDArray:
    """An array (C, H, W, N) as a view (N, C, H, W)."""
    return x.transpose(3, 0, 1, 2)


def windows(x: npt.NDArray, kernel: int, stride: int, height: int, width: int) -> Iterator[npt.NDArray]:
    """For each position in a kernel, a view (C, height, width, N) of x (C, H, W, N): the pixel there, of every window."""
    for i in range(kernel):
        for j in range(kernel):
            rows, columns = slice(i, i + stride * height, stride), slice(j, j + stride * width, stride)
            yield x[:, rows, columns]


def windowed_shape(input_shape: tuple[int, ...], kernel: int, stride: int, padding: int = 0) -> tuple[int, int]:
    """The number of windows (down, across) that fit into one image; raises ``InklingError`` if none does."""
    if len(input_shape) != 3:
        raise InklingError("takes images (channels, height, width)")
    height, width = (size + 2 * padding for size in input_shape[1:])
    if min(height, width) < kernel:
        raise InklingError(f"takes images of at least {kernel - 2 * padding} x {kernel - 2 * padding} pixels")
    return (height - kernel) // stride + 1, (width - kernel) // stride + 1
