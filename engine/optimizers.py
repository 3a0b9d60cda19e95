"""Optimizers: how a gradient changes the parameters. ``OPTIMIZERS`` lists them by name.

Each optimizer is a dataclass of its hyperparameters with one ``update`` of plain vector arithmetic.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 15  # floats; six such blocks fit a 1 MB cache


@dataclass
class Optimizer:
    """Base class of the optimizers: holds a state vector for each name in ``slots``, and counts the steps.

    ``formula`` says what ``update`` does, one assignment a line, as the page How it works shows it. Its names are
    ``weight``, ``gradient``, ``learning_rate``, ``steps`` (counted from 1), the slots and the hyperparameters.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    label: ClassVar[str]
    formula: ClassVar[tuple[str, ...]]
    usual_learning_rate: ClassVar[float]
    decoupled_decay: ClassVar[bool] = False  # if True, weight decay shrinks the weights instead of joining the gradient

    def start(self, parameters: npt.NDArray) -> None:
        """Reset the state to zeros, in the size and dtype of ``parameters``."""
        self.steps = 0
        self.state = {name: np.zeros_like(parameters) for name in self.slots}

    def step(self, parameters: npt.NDArray, gradients: npt.NDArray, learning_rate: float) -> None:
        """Update ``parameters`` in place; ``gradients`` may be overwritten."""
        self.steps += 1
        for start in range(0, parameters.size, BLOCK):  # a block stays in the cache while ``update`` passes over it
            block = slice(start, start + BLOCK)
            state = (vector[block] for vector in self.state.values())
            self.update(parameters[block], gradients[block], learning_rate, *state)

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float, *state: npt.NDArray) -> None:
        """Update a block of parameters ``p`` and of each state vector in place; may overwrite the gradients ``g``."""
        raise NotImplementedError


@dataclass
class SGD(Optimizer):
    """``p -= lr * g``"""

    label = "SGD"
    formula = ("weight = weight - learning_rate * gradient",)
    usual_learning_rate = 0.2

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float) -> None:
        g *= lr
        p -= g


@dataclass
class Momentum(Optimizer):
    """``v = momentum * v - lr * g; p += v`` (Polyak, 1964)"""

    label = "Momentum"
    formula = ("velocity = momentum * velocity - learning_rate * gradient", "weight = weight + velocity")
    usual_learning_rate = 0.05
    slots = ("velocity",)
    momentum: float = 0.9

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float, v: npt.NDArray) -> None:
        v *= self.momentum
        g *= lr
        v -= g
        p += v


@dataclass
class Nesterov(Optimizer):
    """``v = momentum * v - lr * g; p += momentum * v - lr * g`` (Nesterov, 1983; this form: Bengio et al., 2012)"""

    label = "Nesterov"
    formula = (
        "velocity = momentum * velocity - learning_rate * gradient",
        "weight = weight + momentum * velocity - learning_rate * gradient",
    )
    usual_learning_rate = 0.05
    slots = ("velocity",)
    momentum: float = 0.9

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float, v: npt.NDArray) -> None:
        g *= lr
        v *= self.momentum
        v -= g
        p -= g
        p += np.multiply(v, self.momentum, out=g)


@dataclass
class RMSProp(Optimizer):
    """``s = decay * s + (1 - decay) * g^2; p -= lr * g / (sqrt(s) + eps)`` (Hinton's lecture 6e, 2012)"""

    label = "RMSProp"
    formula = (
        "square = decay * square + (1 - decay) * gradient ** 2",
        "weight = weight - learning_rate * gradient / (sqrt(square) + epsilon)",
    )
    usual_learning_rate = 0.001
    slots = ("square",)
    decay: float = 0.99
    epsilon: float = 1e-8

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float, s: npt.NDArray) -> None:
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

    The state has the running sums ``m = beta1 * m + g`` and ``s = beta2 * s + g^2``. The factors that turn them into
    bias-corrected means are applied to the learning rate and epsilon: a step then passes over memory ten times, not sixteen.
    """

    label = "Adam"
    formula = (
        "sum = beta1 * sum + gradient",
        "square_sum = beta2 * square_sum + gradient ** 2",
        "weight = weight - learning_rate * (sum * (1 - beta1) / (1 - beta1 ** steps))"
        " / (sqrt(square_sum * (1 - beta2) / (1 - beta2 ** steps)) + epsilon)",
    )
    usual_learning_rate = 0.002
    slots = ("sum", "square_sum")
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def update(self, p: npt.NDArray, g: npt.NDArray, lr: float, m: npt.NDArray, s: npt.NDArray) -> None:
        mean = (1 - self.beta1) / (1 - self.beta1**self.steps)  # mean * m is the bias-corrected mean of g
        root_mean = ((1 - self.beta2) / (1 - self.beta2**self.steps)) ** 0.5  # root_mean * sqrt(s): the root of that of g^2
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
    """Adam with weight decay that shrinks the weights directly, not through the gradient (Loshchilov & Hutter, 2019)"""

    label = "AdamW"
    usual_learning_rate = 0.002
    decoupled_decay = True


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}
