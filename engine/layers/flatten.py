"""``Flatten``: turns images into rows of numbers."""

from dataclasses import dataclass
from math import prod

import numpy.typing as npt

from engine.layers.base import Layer


@dataclass
class Flatten(Layer):
    """Turns each input into one row of numbers: (N, ...) -> (N, D)."""

    kind = "flatten"
    label = "Flatten"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (prod(input_shape),)

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        if training:
            self._shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        if input_gradient:
            return dy.reshape(self._shape)
