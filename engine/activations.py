"""Activation functions and their derivatives.

Each is a class of two functions over arrays. ``forward(z, out)`` writes the activation of ``z`` into ``out`` and
returns it. ``backward(da, z, a, out)`` writes dL/dz into ``out``, given dL/da, the input ``z`` and the output ``a``.
``out`` may be ``None`` (a new array) but never one of the inputs.
"""

import numpy as np


class Identity:
    """``z``"""

    @staticmethod
    def forward(z, out=None):
        return np.positive(z, out=out)

    @staticmethod
    def backward(da, z, a, out=None):
        return np.positive(da, out=out)


class ReLU:
    """``max(0, z)`` (Nair & Hinton, 2010)"""

    @staticmethod
    def forward(z, out=None):
        return np.maximum(z, 0, out=out)

    @staticmethod
    def backward(da, z, a, out=None):
        return np.multiply(da, a > 0, out=out)


class LeakyReLU:
    """``z`` where positive, ``0.01 z`` elsewhere (Maas, Hannun & Ng, 2013)"""

    slope = 0.01

    @classmethod
    def forward(cls, z, out=None):
        out = np.multiply(z, cls.slope, out=out)
        return np.maximum(z, out, out=out)

    @classmethod
    def backward(cls, da, z, a, out=None):
        out = np.multiply(da, cls.slope, out=out)
        np.copyto(out, da, where=a > 0)
        return out


class Sigmoid:
    """``1 / (1 + exp(-z))``, written with tanh so that no ``z`` overflows"""

    @staticmethod
    def forward(z, out=None):
        out = np.multiply(z, 0.5, out=out)
        np.tanh(out, out=out)
        out += 1
        out *= 0.5
        return out

    @staticmethod
    def backward(da, z, a, out=None):
        out = np.subtract(1, a, out=out)
        out *= a
        out *= da
        return out


class Tanh:
    """``tanh(z)``"""

    @staticmethod
    def forward(z, out=None):
        return np.tanh(z, out=out)

    @staticmethod
    def backward(da, z, a, out=None):
        out = np.multiply(a, a, out=out)
        np.subtract(1, out, out=out)
        out *= da
        return out


class GELU:
    """``0.5 z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3)))`` (Hendrycks & Gimpel, 2016, the tanh form)"""

    scale, cubic = 0.7978845608028654, 0.044715  # sqrt(2 / pi)

    @classmethod
    def _tanh(cls, z):
        return np.tanh(cls.scale * (z + cls.cubic * z * z * z))

    @classmethod
    def forward(cls, z, out=None):
        out = np.add(cls._tanh(z), 1, out=out)
        out *= z
        out *= 0.5
        return out

    @classmethod
    def backward(cls, da, z, a, out=None):
        t = cls._tanh(z)
        slope = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * cls.scale * (1 + 3 * cls.cubic * z * z)
        return np.multiply(da, slope, out=out)


class Softmax:
    """``exp(z) / sum(exp(z))`` over the last axis, shifted by its largest ``z`` so that nothing overflows"""

    @staticmethod
    def forward(z, out=None):
        out = np.subtract(z, z.max(axis=-1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=-1, keepdims=True)
        return out

    @staticmethod
    def backward(da, z, a, out=None):
        # the Jacobian is diag(a) - a a^T, so dz = a * (da - <da, a>)
        return np.multiply(a, da - (da * a).sum(axis=-1, keepdims=True), out=out)


ACTIVATIONS = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "gelu": GELU,
    "identity": Identity,
    "softmax": Softmax,
}
