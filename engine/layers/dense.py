"""``Dense``: connects every input with every output."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.initializers import INITIALIZERS
from engine.layers.base import MAX_UNITS, Layer, initializer_setting
from engine.setting_fields import Integer, setting


@dataclass
class Dense(Layer):
    """Affine map ``y = x @ W + b``: (N, in_features) -> (N, units)."""

    kind = "dense"
    label = "Dense"
    main_setting = "units"
    input_axes = 1
    decayed_parameters = ("W",)
    units: int = setting(
        "Units", "How many features this layer can look for at once.", Integer(1, MAX_UNITS), usual=(64,), typed=True
    )
    initializer: str = initializer_setting()

    def summary(self) -> str:
        return str(self.units)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) != 1:
            raise InklingError("takes rows of numbers (Flatten turns images into rows)")
        return (self.units,)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"W": (input_shape[0], self.units), "b": (self.units,)}

    def initialize(self, rng: np.random.Generator) -> None:
        fan_in, fan_out = self.W.shape
        self.W[...] = INITIALIZERS[self.initializer](rng, self.W.shape, fan_in, fan_out)
        self.b[...] = 0

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        if not training:  # a network in use is shared by threads: only training stores anything
            return x @ self.W + self.b
        self._x = x
        y = np.matmul(x, self.W, out=self.scratch("y", (len(x), self.units), x.dtype))
        y += self.b
        return y

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        np.matmul(self._x.T, dy, out=self.dW)
        np.add.reduce(dy, axis=0, out=self.db)
        if input_gradient:
            return np.matmul(dy, self.W.T, out=self.scratch("dx", self._x.shape, dy.dtype))
