"""``Conv2D``: applies the same small filters everywhere in an image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.checks import check_integer
from engine.initializers import INITIALIZERS
from engine.layers.base import MAX_UNITS, Layer, initializer_setting
from engine.layers.windows import batch_first, batch_last, windowed_shape, windows
from engine.setting_fields import Integer, setting


@dataclass
class Conv2D(Layer):
    """Cross-correlation with ``filters`` kernels: (N, C, H, W) -> (N, filters, H', W').

    H' is (H + 2 padding - kernel) // stride + 1, and W' likewise. Computed as one matrix product over all windows
    ("im2col": Chellapilla, Puri & Simard, 2006).
    """

    kind = "conv2d"
    label = "Convolution"
    main_setting = "filters"
    input_axes = 3
    decayed_parameters = ("W",)
    filters: int = setting(
        "Filters",
        "How many small patterns the layer looks for, everywhere in the image.",
        Integer(1, MAX_UNITS),
        usual=(8,),
        typed=True,
    )
    kernel: int = setting("Kernel", "Width and height of the patterns, in pixels.", Integer(1, 28), default=3)
    stride: int = setting("Stride", "Distance from one window to the next, in pixels.", Integer(1, 28), default=1)
    padding: int = setting(
        "Padding",
        "Width of the border of zeros around the image, in pixels. Must be less than the kernel.",
        Integer(0, 27),
        default=0,
    )
    initializer: str = initializer_setting()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("padding", self.padding, 0, self.kernel - 1)

    def summary(self) -> str:
        return f"conv {self.filters} of {self.kernel}x{self.kernel}"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.filters, *windowed_shape(input_shape, self.kernel, self.stride, self.padding)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"W": (self.filters, input_shape[0], self.kernel, self.kernel), "b": (self.filters,)}

    def working_size(self, input_shape: tuple[int, ...]) -> int:
        _, height, width = self.output_shape(input_shape)
        return (input_shape[0] * self.kernel**2 + self.filters) * height * width  # windows and outputs

    def initialize(self, rng: np.random.Generator) -> None:
        area = self.kernel**2
        fan_in, fan_out = self.W.shape[1] * area, self.filters * area
        self.W[...] = INITIALIZERS[self.initializer](rng, self.W.shape, fan_in, fan_out)
        self.b[...] = 0

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        make = self.scratch if training else lambda _, shape, dtype: np.zeros(shape, dtype)
        N, C, H, W = x.shape
        _, height, width = self.output_shape(x.shape[1:])
        p = self.padding
        x = batch_last(x)
        if p:
            padded = make("padded", (C, H + 2 * p, W + 2 * p, N), x.dtype)  # a reused array still has its border of zeros
            padded[:, p : p + H, p : p + W] = x
            x = padded
        columns = make("columns", (C, self.kernel**2, height, width, N), x.dtype)
        for position, window in enumerate(windows(x, self.kernel, self.stride, height, width)):
            columns[:, position] = window
        columns = columns.reshape(-1, height * width * N)
        y = make("y", (self.filters, height * width * N), x.dtype)
        np.matmul(self.W.reshape(self.filters, -1), columns, out=y)
        y += self.b[:, None]
        if training:
            self._columns, self._padded_shape = columns, x.shape
        return batch_first(y.reshape(self.filters, height, width, N))

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        N, _, height, width = dy.shape
        dy = batch_last(dy).reshape(self.filters, -1)
        np.matmul(dy, self._columns.T, out=self.dW.reshape(self.filters, -1))
        np.sum(dy, axis=1, out=self.db)
        if not input_gradient:
            return None
        dcolumns = self.scratch("dcolumns", self._columns.shape, dy.dtype)
        np.matmul(self.W.reshape(self.filters, -1).T, dy, out=dcolumns)
        dcolumns = dcolumns.reshape(-1, self.kernel**2, height, width, N)
        dx = self.scratch("dx", self._padded_shape, dy.dtype)
        dx[...] = 0
        for position, dwindow in enumerate(windows(dx, self.kernel, self.stride, height, width)):
            dwindow += dcolumns[:, position]
        p = self.padding
        return batch_first(dx[:, p : dx.shape[1] - p, p : dx.shape[2] - p])
