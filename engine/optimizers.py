"""Optimizers: how a gradient moves the parameters.

Each is a dataclass of its hyperparameters, and one ``update`` of plain vector arithmetic. The vectors come in blocks
small enough to stay in the processor's cache while an update passes over them several times.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

BLOCK = 1 << 15  # floats; six such blocks fit a 1 MB cache


@dataclass
class Optimizer:
    """What all share: the state vectors named in ``slots`` and the count of steps."""

    slots: ClassVar[tuple[str, ...]] = ()
    decoupled_decay: ClassVar[bool] = False  # whether weight decay shrinks the weights instead of joining the gradient

    def start(self, parameters):
        """Begin from zero state, for a vector like ``parameters``."""
        self.steps = 0
        self.state = {name: np.zeros_like(parameters) for name in self.slots}

    def step(self, parameters, gradients, learning_rate):
        """Move ``parameters`` in place; ``gradients`` may be overwritten."""
        self.steps += 1
        for start in range(0, parameters.size, BLOCK):
            block = slice(start, start + BLOCK)
            state = (vector[block] for vector in self.state.values())
            self.update(parameters[block], gradients[block], learning_rate, *state)


@dataclass
class SGD(Optimizer):
    """``p -= lr * g``"""

    def update(self, p, g, lr):
        g *= lr
        p -= g


@dataclass
class Momentum(Optimizer):
    """``v = momentum * v - lr * g; p += v`` (Polyak, 1964)"""

    slots = ("velocity",)
    momentum: float = 0.9

    def update(self, p, g, lr, v):
        v *= self.momentum
        g *= lr
        v -= g
        p += v


@dataclass
class Nesterov(Optimizer):
    """``v = momentum * v - lr * g; p += momentum * v - lr * g`` (Nesterov, 1983; this form: Bengio et al., 2012)"""

    slots = ("velocity",)
    momentum: float = 0.9

    def update(self, p, g, lr, v):
        g *= lr
        v *= self.momentum
        v -= g
        p -= g
        p += np.multiply(v, self.momentum, out=g)


@dataclass
class RMSProp(Optimizer):
    """``s = decay * s + (1 - decay) * g^2; p -= lr * g / (sqrt(s) + eps)`` (Hinton's lecture 6e, 2012)"""

    slots = ("square",)
    decay: float = 0.99
    epsilon: float = 1e-8

    def update(self, p, g, lr, s):
        squared = g * g
        squared *= 1 - self.decay
        s *= self.decay
        s += squared
        root = np.sqrt(s, out=squared)
        root += self.epsilon
        g *= lr
        g /= root
        p -= g


@dataclass
class Adam(Optimizer):
    """``p -= lr * m / (sqrt(s) + eps)``, with bias-corrected running means m of g and s of g^2 (Kingma & Ba, 2015).

    Kept are the running sums ``m = beta1 * m + g`` and ``s = beta2 * s + g^2``. What makes them means, and unbiased ones,
    are numbers that join the rate and epsilon: each step passes over memory ten times, not sixteen.
    """

    slots = ("sum", "square_sum")
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def update(self, p, g, lr, m, s):
        mean = (1 - self.beta1) / (1 - self.beta1**self.steps)  # of g, where it multiplies the sum
        root_mean = ((1 - self.beta2) / (1 - self.beta2**self.steps)) ** 0.5  # of g^2, where it multiplies the sum's root
        m *= self.beta1
        m += g
        g *= g
        s *= self.beta2
        s += g
        root = np.sqrt(s, out=g)
        root += self.epsilon / root_mean
        np.divide(m, root, out=g)
        g *= lr * mean / root_mean
        p -= g


@dataclass
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly, apart from the gradient (Loshchilov & Hutter, 2019)"""

    decoupled_decay = True


OPTIMIZERS = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}
