"""``Dense``: every output from every input."""

from dataclasses import dataclass

import numpy as np

from engine.checks import InklingError, check_choice, check_integer
from engine.initializers import INITIALIZERS
from engine.layers.base import MAX_UNITS, Layer


@dataclass
class Dense(Layer):
    """Affine map ``y = x @ W + b``: (N, in_features) -> (N, units)."""

    kind = "dense"
    axes = 1
    decayed = ("W",)
    units: int
    initializer: str = "he_normal"

    def __post_init__(self):
        self.units = check_integer("units", self.units, 1, MAX_UNITS)
        check_choice("initializer", self.initializer, INITIALIZERS)

    def output_shape(self, input_shape):
        if len(input_shape) != 1:
            raise InklingError("takes rows of numbers (a Flatten makes rows of images)")
        return (self.units,)

    def parameter_shapes(self, input_shape):
        return {"W": (input_shape[0], self.units), "b": (self.units,)}

    def initialize(self, rng):
        fan_in, fan_out = self.W.shape
        self.W[...] = INITIALIZERS[self.initializer](rng, self.W.shape, fan_in, fan_out)
        self.b[...] = 0

    def forward(self, x, training=False):
        if not training:  # only training remembers; inference must not touch shared state
            return x @ self.W + self.b
        self._x = x
        y = np.matmul(x, self.W, out=self.scratch("y", (len(x), self.units), x.dtype))
        y += self.b
        return y

    def backward(self, dy, input_gradient=True):
        np.matmul(self._x.T, dy, out=self.dW)
        np.add.reduce(dy, axis=0, out=self.db)
        if input_gradient:
            return np.matmul(dy, self.W.T, out=self.scratch("dx", self._x.shape, dy.dtype))
