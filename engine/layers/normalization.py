"""``BatchNorm``: normalises each feature to mean 0 and variance 1 over the batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.layers.base import Layer
from engine.setting_fields import Number, setting


@dataclass
class BatchNorm(Layer):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, for each feature of a row or each channel of an image.

    Ioffe & Szegedy, 2015. Training uses the mean and variance of the batch, and moves the running mean and variance towards
    them by ``momentum``. Outside training, and in a frozen layer, the running mean and variance are used.
    """

    kind = "batch_norm"
    label = "Batch norm"
    momentum: float = setting(
        "Momentum",
        "How fast the running mean and variance follow those of each batch: 0 is never, 1 at once.",
        Number(0, 1),
        default=0.1,
    )
    epsilon: float = setting(
        "Epsilon", "Added to the variance, to avoid a division by zero.", Number(0, 1, open_low=True), default=1e-5
    )

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) not in (1, 3):
            raise InklingError("takes rows of numbers or images (channels, height, width)")
        return input_shape

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"gamma": (input_shape[0],), "beta": (input_shape[0],)}

    def buffer_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"mean": (input_shape[0],), "variance": (input_shape[0],)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.gamma[...] = self.variance[...] = 1
        self.beta[...] = self.mean[...] = 0

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        axes, along = self._layout(x)
        if not training or self.frozen:
            scale = self.gamma / np.sqrt(self.variance + self.epsilon)
            y = x * along(scale) + along(self.beta - self.mean * scale)
            if training:
                self._x_hat = (x - along(self.mean)) * along(1 / np.sqrt(self.variance + self.epsilon))
                self._scale = scale
            return y
        count = x.size // len(self.mean)
        mean = x.mean(axis=axes)
        x_hat = np.subtract(x, along(mean), out=self.scratch_like("x_hat", x))
        squared = np.multiply(x_hat, x_hat, out=self.scratch_like("y", x))
        variance = squared.mean(axis=axes)
        inverse = 1 / np.sqrt(variance + self.epsilon)
        x_hat *= along(inverse)
        self._x_hat, self._scale = x_hat, self.gamma * inverse
        momentum = self.momentum if count > 1 else 0  # the variance of a single number is unknown
        self.mean += momentum * (mean - self.mean)
        self.variance += momentum * (variance * (count / max(count - 1, 1)) - self.variance)  # the unbiased estimate
        y = np.multiply(x_hat, along(self.gamma), out=squared)
        y += along(self.beta)
        return y

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        axes, along = self._layout(dy)
        count = dy.size // len(self.mean)
        product = np.multiply(dy, self._x_hat, out=self.scratch_like("product", self._x_hat))
        np.sum(product, axis=axes, out=self.dgamma)
        np.sum(dy, axis=axes, out=self.dbeta)
        if not input_gradient:
            return None
        if self.frozen:
            return dy * along(self._scale)
        # the mean and the variance depend on every x, too: subtract their share of the gradient
        dx = np.multiply(self._x_hat, along(self.dgamma / -count), out=product)
        dx += dy
        dx -= along(self.dbeta / count)
        dx *= along(self._scale)
        return dx

    @staticmethod
    def _layout(x: npt.NDArray) -> tuple[Any, Callable[[npt.NDArray], npt.NDArray]]:
        """The axes to average over, and a function that shapes a vector of features so that it broadcasts with x."""
        if x.ndim == 2:
            return 0, lambda v: v
        return (0, 2, 3), lambda v: v[:, None, None]
