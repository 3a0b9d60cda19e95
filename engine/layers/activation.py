"""``Activation``: applies an activation function."""

from dataclasses import dataclass

import numpy.typing as npt

from engine.activations import ACTIVATIONS
from engine.checks import InklingError
from engine.layers.base import Layer
from engine.setting_fields import Choice, setting


@dataclass
class Activation(Layer):
    """Applies one of ``ACTIVATIONS`` to each number; softmax, to each row."""

    kind = "activation"
    label = "Activation"
    main_setting = "function"
    function: str = setting(
        "Function", "How each unit turns the sum of its inputs into its output.", Choice(ACTIVATIONS), usual=("relu",)
    )

    def summary(self) -> str:
        return ACTIVATIONS[self.function].label

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.function == "softmax" and len(input_shape) != 1:
            raise InklingError("takes rows of numbers (Flatten turns images into rows)")
        return input_shape

    def forward(self, x: npt.NDArray, training: bool = False) -> npt.NDArray:
        function = ACTIVATIONS[self.function]
        if not training:
            return function.forward(x)
        self._x, self._y = x, function.forward(x, self.scratch_like("y", x))
        return self._y

    def backward(self, dy: npt.NDArray, input_gradient: bool = True) -> npt.NDArray | None:
        if input_gradient:
            return ACTIVATIONS[self.function].backward(dy, self._x, self._y, self.scratch_like("dx", self._x))
