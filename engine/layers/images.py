"""Layers over images: ``Conv2D``, ``MaxPool2D``, ``AvgPool2D``, and ``Flatten``, which ends them.

Images are (N, channels, height, width). In memory the batch comes last: whatever a layer does with one pixel it then does
with that pixel of every image in one contiguous run, and no caller has to know.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from engine.checks import InklingError, check_choice, check_integer
from engine.initializers import INITIALIZERS
from engine.layers.base import MAX_UNITS, Layer


def batch_last(x):
    """Images (N, C, H, W) as a contiguous array (C, H, W, N); free where they lie so already."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def batch_first(x):
    """The view (N, C, H, W) of an array (C, H, W, N)."""
    return x.transpose(3, 0, 1, 2)


def windows(x, kernel, stride, height, width):
    """For each place in a kernel, the view of x (C, H, W, N) that it has from all windows: (C, height, width, N)."""
    for i in range(kernel):
        for j in range(kernel):
            rows, columns = slice(i, i + stride * height, stride), slice(j, j + stride * width, stride)
            yield x[:, rows, columns]


def windowed_shape(input_shape, kernel, stride, padding=0):
    """The shape (height, width) of a map of windows over one image; raises where none fits."""
    if len(input_shape) != 3:
        raise InklingError("takes images (channels, height, width)")
    height, width = (size + 2 * padding for size in input_shape[1:])
    if min(height, width) < kernel:
        raise InklingError(f"takes images of at least {kernel - 2 * padding} x {kernel - 2 * padding} pixels")
    return (height - kernel) // stride + 1, (width - kernel) // stride + 1


@dataclass
class Conv2D(Layer):
    """Cross-correlation with ``filters`` kernels: (N, C, H, W) -> (N, filters, H', W').

    H' is (H + 2 padding - kernel) // stride + 1, and W' likewise. Written as one matrix product over all
    windows ("im2col": Chellapilla, Puri & Simard, 2006).
    """

    kind = "conv2d"
    axes = 3
    decayed = ("W",)
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    initializer: str = "he_normal"

    def __post_init__(self):
        self.filters = check_integer("filters", self.filters, 1, MAX_UNITS)
        self.kernel = check_integer("kernel", self.kernel, 1, 28)
        self.stride = check_integer("stride", self.stride, 1, 28)
        self.padding = check_integer("padding", self.padding, 0, self.kernel - 1)
        check_choice("initializer", self.initializer, INITIALIZERS)

    def output_shape(self, input_shape):
        return self.filters, *windowed_shape(input_shape, self.kernel, self.stride, self.padding)

    def parameter_shapes(self, input_shape):
        return {"W": (self.filters, input_shape[0], self.kernel, self.kernel), "b": (self.filters,)}

    def working_size(self, input_shape):
        _, height, width = self.output_shape(input_shape)
        return (input_shape[0] * self.kernel**2 + self.filters) * height * width  # its windows, and what it makes of them

    def initialize(self, rng):
        area = self.kernel**2
        fan_in, fan_out = self.W.shape[1] * area, self.filters * area
        self.W[...] = INITIALIZERS[self.initializer](rng, self.W.shape, fan_in, fan_out)
        self.b[...] = 0

    def forward(self, x, training=False):
        make = self.scratch if training else lambda _, shape, dtype: np.zeros(shape, dtype)
        N, C, H, W = x.shape
        _, height, width = self.output_shape(x.shape[1:])
        p = self.padding
        x = batch_last(x)
        if p:
            padded = make("padded", (C, H + 2 * p, W + 2 * p, N), x.dtype)  # its border stays zero
            padded[:, p : p + H, p : p + W] = x
            x = padded
        columns = make("columns", (C, self.kernel**2, height, width, N), x.dtype)
        for place, seen in enumerate(windows(x, self.kernel, self.stride, height, width)):
            columns[:, place] = seen
        columns = columns.reshape(-1, height * width * N)
        y = make("y", (self.filters, height * width * N), x.dtype)
        np.matmul(self.W.reshape(self.filters, -1), columns, out=y)
        y += self.b[:, None]
        if training:
            self._columns, self._seen_shape = columns, x.shape
        return batch_first(y.reshape(self.filters, height, width, N))

    def backward(self, dy, input_gradient=True):
        N, _, height, width = dy.shape
        dy = batch_last(dy).reshape(self.filters, -1)
        np.matmul(dy, self._columns.T, out=self.dW.reshape(self.filters, -1))
        np.sum(dy, axis=1, out=self.db)
        if not input_gradient:
            return None
        dcolumns = self.scratch("dcolumns", self._columns.shape, dy.dtype)
        np.matmul(self.W.reshape(self.filters, -1).T, dy, out=dcolumns)
        dcolumns = dcolumns.reshape(-1, self.kernel**2, height, width, N)
        dx = self.scratch("dx", self._seen_shape, dy.dtype)
        dx[...] = 0
        for place, seen in enumerate(windows(dx, self.kernel, self.stride, height, width)):
            seen += dcolumns[:, place]
        p = self.padding
        return batch_first(dx[:, p : dx.shape[1] - p, p : dx.shape[2] - p])


@dataclass
class _Pool2D(Layer):
    """What both poolings share: windows of ``size`` x ``size``, moved by ``stride`` (None: by their size)."""

    axes = 3
    size: int = 2
    stride: int | None = None

    def __post_init__(self):
        self.size = check_integer("size", self.size, 1, 28)
        if self.stride is not None:
            self.stride = check_integer("stride", self.stride, 1, 28)

    def output_shape(self, input_shape):
        return input_shape[0], *windowed_shape(input_shape, self.size, self.stride or self.size)

    def windows(self, x):
        """The views of x (C, H, W, N) from every window."""
        _, height, width = self.output_shape(x.shape[:3])
        return windows(x, self.size, self.stride or self.size, height, width)

    def output(self, x, training):
        """An array (C, H', W', N) to write the outputs for x (C, H, W, N) into."""
        shape = (*self.output_shape(x.shape[:3]), x.shape[3])
        return self.scratch("y", shape, x.dtype) if training else np.empty(shape, x.dtype)

    def blank_input_gradient(self, dtype):
        """Zeros in the shape of the last inputs, (C, H, W, N)."""
        dx = self.scratch("dx", self._shape, dtype)
        dx[...] = 0
        return dx


@dataclass
class MaxPool2D(_Pool2D):
    """The largest number in each window; its gradient goes to the first place that has it."""

    kind = "max_pool2d"

    def forward(self, x, training=False):
        x = batch_last(x)
        y = self.output(x, training)
        first, *others = self.windows(x)
        y[...] = first
        for seen in others:
            np.maximum(y, seen, out=y)
        if training:
            self._x, self._y, self._shape = x, y, x.shape
        return batch_first(y)

    def backward(self, dy, input_gradient=True):
        if not input_gradient:
            return None
        left = self.scratch("left", self._y.shape, dy.dtype)  # the gradient that has not found its place yet
        left[...] = batch_last(dy)
        share = self.scratch("share", self._y.shape, dy.dtype)
        dx = self.blank_input_gradient(dy.dtype)
        for seen, dseen in zip(self.windows(self._x), self.windows(dx), strict=True):
            np.multiply(left, seen == self._y, out=share)
            left -= share
            dseen += share
        return batch_first(dx)


@dataclass
class AvgPool2D(_Pool2D):
    """The mean of each window."""

    kind = "avg_pool2d"

    def forward(self, x, training=False):
        x = batch_last(x)
        y = self.output(x, training)
        y[...] = 0
        for seen in self.windows(x):
            y += seen
        y *= 1 / self.size**2
        if training:
            self._shape = x.shape
        return batch_first(y)

    def backward(self, dy, input_gradient=True):
        if not input_gradient:
            return None
        share = batch_last(dy) * dy.dtype.type(1 / self.size**2)
        dx = self.blank_input_gradient(dy.dtype)
        for dseen in self.windows(dx):
            dseen += share
        return batch_first(dx)


@dataclass
class Flatten(Layer):
    """Each input as one row of numbers: (N, ...) -> (N, D)."""

    kind = "flatten"

    def output_shape(self, input_shape):
        return (prod(input_shape),)

    def forward(self, x, training=False):
        if training:
            self._shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy, input_gradient=True):
        if input_gradient:
            return dy.reshape(self._shape)
