"""``Dropout``: sets random numbers to zero in training."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.layers.base import Layer
from engine.setting_fields import Number, setting


@dataclass
class Dropout(Layer):
    """Sets each number to zero with probability ``rate`` in training, and divides the others by ``1 - rate``.

    Outside training it does nothing ("inverted dropout"; Srivastava et al., 2014). A trainer sets the random generator
    ``rng``.
    """

    kind = "dropout"
    label = "Dropout"
    main_setting = "rate"
    rate: float = setting(
        "Rate",
        "The fraction of numbers that training sets to zero at random, which works against memorising.",
        Number(0, 0.95),
        default=0.5,
        usual=(0.2,),
        typed=True,
    )

    def summary(self) -> str:
        return f"dropout {self.rate:g}"

    def initialize(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        if not training:
            return x
        self._mask = self.scratch_like("mask", x)
        draws = self._mask.ravel(order="K")  # a view, in the order of the memory
        self.rng.random(out=draws, dtype=draws.dtype)
        np.greater_equal(draws, self.rate, out=draws, casting="unsafe")
        draws *= 1 / (1 - self.rate)
        return np.multiply(x, self._mask, out=self.scratch_like("y", x))

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        if input_gradient:
            return np.multiply(dy, self._mask, out=self.scratch_like("dx", self._mask))
