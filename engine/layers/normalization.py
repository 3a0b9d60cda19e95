"""``BatchNorm``: each feature brought to mean 0 and variance 1 over the batch."""

from dataclasses import dataclass

import numpy as np

from engine.checks import InklingError, check_number
from engine.layers.base import Layer


@dataclass
class BatchNorm(Layer):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, for each feature of a row or each channel of an image.

    Ioffe & Szegedy, 2015. Training uses the batch's own mean and variance, and moves the running ones towards them by
    ``momentum``; everything else, a frozen layer too, uses the running ones.
    """

    kind = "batch_norm"
    momentum: float = 0.1
    epsilon: float = 1e-5

    def __post_init__(self):
        self.momentum = check_number("momentum", self.momentum, 0, 1)
        self.epsilon = check_number("epsilon", self.epsilon, 0, 1, open_low=True)

    def output_shape(self, input_shape):
        if len(input_shape) not in (1, 3):
            raise InklingError("takes rows of numbers or images (channels, height, width)")
        return input_shape

    def parameter_shapes(self, input_shape):
        return {"gamma": (input_shape[0],), "beta": (input_shape[0],)}

    def statistic_shapes(self, input_shape):
        return {"mean": (input_shape[0],), "variance": (input_shape[0],)}

    def initialize(self, rng):
        self.gamma[...] = self.variance[...] = 1
        self.beta[...] = self.mean[...] = 0

    def forward(self, x, training=False):
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
        momentum = self.momentum if count > 1 else 0  # one number has no variance to learn from
        self.mean += momentum * (mean - self.mean)
        self.variance += momentum * (variance * (count / max(count - 1, 1)) - self.variance)  # the unbiased estimate
        y = np.multiply(x_hat, along(self.gamma), out=squared)
        y += along(self.beta)
        return y

    def backward(self, dy, input_gradient=True):
        axes, along = self._layout(dy)
        count = dy.size // len(self.mean)
        product = np.multiply(dy, self._x_hat, out=self.scratch_like("product", self._x_hat))
        np.sum(product, axis=axes, out=self.dgamma)
        np.sum(dy, axis=axes, out=self.dbeta)
        if not input_gradient:
            return None
        if self.frozen:
            return dy * along(self._scale)
        # the batch's mean and variance depend on every x: their part of the gradient is taken off
        dx = np.multiply(self._x_hat, along(self.dgamma / -count), out=product)
        dx += dy
        dx -= along(self.dbeta / count)
        dx *= along(self._scale)
        return dx

    @staticmethod
    def _layout(x):
        """The axes to average over, and a function that lays a vector of features along x."""
        if x.ndim == 2:
            return 0, lambda v: v
        return (0, 2, 3), lambda v: v[:, None, None]
