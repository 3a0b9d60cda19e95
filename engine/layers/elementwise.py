"""Layers that keep the shape and treat every number by itself: ``Activation`` and ``Dropout``."""

from dataclasses import dataclass

import numpy as np

from engine.activations import ACTIVATIONS
from engine.checks import InklingError, check_choice, check_number
from engine.layers.base import Layer


@dataclass
class Activation(Layer):
    """One of the activation functions; softmax, alone of them, looks at a whole row."""

    kind = "activation"
    function: str

    def __post_init__(self):
        check_choice("activation", self.function, ACTIVATIONS)

    def output_shape(self, input_shape):
        if self.function == "softmax" and len(input_shape) != 1:
            raise InklingError("takes rows of numbers (a Flatten makes rows of images)")
        return input_shape

    def forward(self, x, training=False):
        function = ACTIVATIONS[self.function]
        if not training:
            return function.forward(x)
        self._x, self._y = x, function.forward(x, self.scratch_like("y", x))
        return self._y

    def backward(self, dy, input_gradient=True):
        if input_gradient:
            return ACTIVATIONS[self.function].backward(dy, self._x, self._y, self.scratch_like("dx", self._x))


@dataclass
class Dropout(Layer):
    """Zeroes each number with probability ``rate`` in training, and makes up for it by scaling the others (inverted).

    Srivastava et al., 2014. A trainer gives the layer a random generator, ``rng``, of its own.
    """

    kind = "dropout"
    rate: float = 0.5

    def __post_init__(self):
        self.rate = check_number("rate", self.rate, 0, 0.95)

    def initialize(self, rng):
        self.rng = rng

    def forward(self, x, training=False):
        if not training:
            return x
        keep = self._keep = self.scratch_like("keep", x)
        draws = keep.ravel(order="K")  # a view: the numbers in the order that they lie in memory
        self.rng.random(out=draws, dtype=draws.dtype)
        np.greater_equal(draws, self.rate, out=draws, casting="unsafe")
        draws *= 1 / (1 - self.rate)
        return np.multiply(x, keep, out=self.scratch_like("y", x))

    def backward(self, dy, input_gradient=True):
        if input_gradient:
            return np.multiply(dy, self._keep, out=self.scratch_like("dx", self._keep))
