"""``MaxPool2D`` and ``AvgPool2D``: reduce each window of an image to one number."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.layers.base import Layer
from engine.layers.windows import batch_first, batch_last, windowed_shape, windows
from engine.setting_fields import Integer, setting


@dataclass
class _Pool2D(Layer):
    """Base class of the pooling layers, with windows of ``size`` x ``size`` pixels."""

    main_setting = "size"
    input_axes = 3
    size: int = setting(
        "Window", "Width and height of the windows, in pixels. Each window becomes one number.", Integer(1, 28), default=2
    )
    stride: int | None = setting(
        "Stride",
        "Distance from one window to the next, in pixels.",
        Integer(1, 28),
        default=None,
        usual=(1, 2, 3, 4),
        none="same as window",
    )

    def summary(self) -> str:
        return f"pool {self.size}x{self.size}"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape[0], *windowed_shape(input_shape, self.size, self.stride or self.size)

    def windows(self, x: npt.NDArray) -> Iterator[npt.NDArray]:
        """``windows.windows`` with this layer's size and stride."""
        _, height, width = self.output_shape(x.shape[:3])
        return windows(x, self.size, self.stride or self.size, height, width)

    def output(self, x: npt.NDArray, training: bool) -> npt.NDArray:
        """An uninitialised array (C, H', W', N) for the outputs for x (C, H, W, N)."""
        shape = (*self.output_shape(x.shape[:3]), x.shape[3])
        return self.scratch("y", shape, x.dtype) if training else np.empty(shape, x.dtype)

    def blank_input_gradient(self, dtype: npt.DTypeLike) -> npt.NDArray:
        """Zeros in the shape (C, H, W, N) of the last inputs."""
        dx = self.scratch("dx", self._shape, dtype)
        dx[...] = 0
        return dx


@dataclass
class MaxPool2D(_Pool2D):
    """The largest number in each window. Its gradient goes to the first pixel with that number."""

    kind = "max_pool2d"
    label = "Max pooling"

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        x = batch_last(x)
        y = self.output(x, training)
        first, *others = self.windows(x)
        y[...] = first
        for window in others:
            np.maximum(y, window, out=y)
        if training:
            self._x, self._y, self._shape = x, y, x.shape
        return batch_first(y)

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        if not input_gradient:
            return None
        rest = self.scratch("rest", self._y.shape, dy.dtype)  # the gradient that is not assigned to a pixel yet
        rest[...] = batch_last(dy)
        share = self.scratch("share", self._y.shape, dy.dtype)
        dx = self.blank_input_gradient(dy.dtype)
        for window, dwindow in zip(self.windows(self._x), self.windows(dx), strict=True):
            np.multiply(rest, window == self._y, out=share)
            rest -= share
            dwindow += share
        return batch_first(dx)


@dataclass
class AvgPool2D(_Pool2D):
    """The mean of each window."""

    kind = "avg_pool2d"
    label = "Mean pooling"

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        x = batch_last(x)
        y = self.output(x, training)
        y[...] = 0
        for window in self.windows(x):
            y += window
        y *= 1 / self.size**2
        if training:
            self._shape = x.shape
        return batch_first(y)

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        if not input_gradient:
            return None
        share = batch_last(dy) * dy.dtype.type(1 / self.size**2)
        dx = self.blank_input_gradient(dy.dtype)
        for dwindow in self.windows(dx):
            dwindow += share
        return batch_first(dx)
