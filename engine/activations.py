"""Activation functions and their derivatives. ``ACTIVATIONS`` lists them by name."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class ActivationFunction(Protocol):
    """A function of an array, and its derivative.

    ``out`` receives the result and is returned. It may be ``None``, for a new array, but must not be one of the inputs.
    ``formula`` says what ``forward`` does to a number ``z``, and ``derivative`` what ``backward`` makes of ``da``, as the
    page How it works shows them; ``total`` adds up over the last axis.
    """

    label: str
    formula: str
    derivative: str

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        """The activation ``a`` of ``z``."""
        ...

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        """dL/dz, from dL/da, the input ``z`` and the output ``a``."""
        ...


class Identity:
    """``a = z``"""

    label = "identity"
    formula = "z"
    derivative = "da"

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        return np.positive(z, out=out)

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        return np.positive(da, out=out)


class ReLU:
    """``a = max(0, z)`` (Nair & Hinton, 2010)"""

    label = "ReLU"
    formula = "max(0, z)"
    derivative = "da * (1 if a > 0 else 0)"

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        return np.maximum(z, 0, out=out)

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        return np.multiply(da, a > 0, out=out)


class LeakyReLU:
    """``a = z`` if positive, else ``0.01 z`` (Maas, Hannun & Ng, 2013)"""

    label = "leaky ReLU"
    formula = "z if z > 0 else 0.01 * z"
    derivative = "da * (1 if a > 0 else 0.01)"

    slope = 0.01

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.multiply(z, self.slope, out=out)
        return np.maximum(z, out, out=out)

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.multiply(da, self.slope, out=out)
        np.copyto(out, da, where=a > 0)
        return out


class Sigmoid:
    """``a = 1 / (1 + exp(-z))``, computed with tanh so that no ``z`` overflows"""

    label = "sigmoid"
    formula = "1 / (1 + exp(-z))"
    derivative = "da * a * (1 - a)"

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.multiply(z, 0.5, out=out)
        np.tanh(out, out=out)
        out += 1
        out *= 0.5
        return out

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.subtract(1, a, out=out)
        out *= a
        out *= da
        return out


class Tanh:
    """``a = tanh(z)``"""

    label = "tanh"
    formula = "tanh(z)"
    derivative = "da * (1 - a ** 2)"

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        return np.tanh(z, out=out)

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.multiply(a, a, out=out)
        np.subtract(1, out, out=out)
        out *= da
        return out


class GELU:
    """``a = 0.5 z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3)))`` (Hendrycks & Gimpel, 2016; their tanh approximation)"""

    label = "GELU"
    formula = "0.5 * z * (1 + tanh(0.7978845608028654 * (z + 0.044715 * z ** 3)))"
    derivative = (
        "da * (0.5 * (1 + tanh(0.7978845608028654 * (z + 0.044715 * z ** 3))) + 0.5 * z"
        " * (1 - tanh(0.7978845608028654 * (z + 0.044715 * z ** 3)) ** 2)"
        " * 0.7978845608028654 * (1 + 0.134145 * z ** 2))"
    )

    scale, cubic = 0.7978845608028654, 0.044715  # sqrt(2 / pi)

    def _tanh(self, z: npt.NDArray) -> npt.NDArray:
        return np.tanh(self.scale * (z + self.cubic * z * z * z))

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        out = np.add(self._tanh(z), 1, out=out)
        out *= z
        out *= 0.5
        return out

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        t = self._tanh(z)
        slope = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * self.scale * (1 + 3 * self.cubic * z * z)
        return np.multiply(da, slope, out=out)


class Softmax:
    """``a = exp(z) / sum(exp(z))`` over the last axis; the largest ``z`` is subtracted first, so that nothing overflows"""

    label = "softmax"
    formula = "exp(z) / total(exp(z))"
    derivative = "a * (da - total(a * da))"

    def forward(self, z: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        a = np.subtract(z, z.max(axis=-1, keepdims=True), out=out)
        np.exp(a, out=a)
        a /= a.sum(axis=-1, keepdims=True)
        return a

    def backward(self, da: npt.NDArray, z: npt.NDArray, a: npt.NDArray, out: npt.NDArray | None = None) -> npt.NDArray:
        # the Jacobian is diag(a) - a a^T, so dz = a * (da - <da, a>)
        return np.multiply(a, da - (da * a).sum(axis=-1, keepdims=True), out=out)


ACTIVATIONS: dict[str, ActivationFunction] = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "gelu": GELU(),
    "identity": Identity(),
    "softmax": Softmax(),
}
