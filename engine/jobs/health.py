"""The health of each layer in a training: how strong a gradient reaches it, how far a step moves it, and what that means."""

from collections.abc import Iterable
from enum import StrEnum
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.network import plan
from engine.training import Trainer

EXPLODING_RATIO = 0.5  # of a layer's size that a step moves it by: 0.001 to 0.03 is usual, and training survives 0.3
VANISHING_RATIO = 1e-4  # of the largest gradient that a layer gets
STUCK_RATIO, STUCK_SHARE = 1e-5, 1e-2  # of a layer's size that a step moves it by, and of the ratio of the fastest layer


class Problem(StrEnum):
    """What can be wrong with a layer."""

    NONE = ""
    FROZEN = "frozen"
    EXPLODING = "exploding"
    VANISHING = "vanishing gradient"
    DEAD = "dead"


class LayerHealth(NamedTuple):
    """One layer with parameters, at its ``position`` in the network (from 0).

    ``gradient_norm`` is the length of the loss's gradient, before it is clipped or regularised. ``update_ratio`` is the
    length of the last step divided by that of the parameters before it (0 if those were all zero). ``details`` explains
    the ``problem``.
    """

    position: int
    label: str
    gradient_norm: float
    update_ratio: float
    problem: Problem
    details: str


def layer_health(trainer: Trainer) -> tuple[LayerHealth, ...]:
    """A ``LayerHealth`` for each layer with parameters, from a step that ``trainer`` took with ``keep_gradient``."""
    network = trainer.network
    before = network.copy()  # so that its layers have the arrays before the step, as the network's have those after it
    before.state_vector[:], before.gradients[:] = trainer.previous_state, trainer.gradient
    measured = []
    with np.errstate(all="ignore"):
        for position, row in enumerate(plan(network.layers, network.input_shape)):
            if row.parameters:
                layer, earlier = network.layers[position], before.layers[position]
                gradient = _length(getattr(earlier, "d" + name) for name in row.parameters)
                move = _length(getattr(layer, name) - getattr(earlier, name) for name in row.parameters)
                size = _length(getattr(earlier, name) for name in row.parameters)
                measured.append((position, layer, gradient, move / size if size else 0.0))
    largest, fastest = (max((row[column] for row in measured if not row[1].frozen), default=0.0) for column in (2, 3))
    return tuple(
        LayerHealth(position, layer.label, 0.0, 0.0, Problem.FROZEN, "keeps its weights")
        if layer.frozen
        else LayerHealth(position, layer.label, gradient, ratio, *_diagnose(gradient, ratio, largest, fastest))
        for position, layer, gradient, ratio in measured
    )


def _diagnose(gradient: float, ratio: float, largest: float, fastest: float) -> tuple[Problem, str]:
    if not np.isfinite(gradient) or not np.isfinite(ratio):
        return Problem.EXPLODING, "the gradient or the weights overflowed (NaN or infinity)"
    if ratio >= EXPLODING_RATIO:
        return Problem.EXPLODING, f"one step changes its weights by {100 * ratio:,.0f} % of their size"
    if gradient == 0:
        return Problem.DEAD, "no gradient reaches it"
    if gradient < VANISHING_RATIO * largest:
        times = f"{largest / gradient:,.0f}" if largest < 1e6 * gradient else "more than a million"
        return Problem.VANISHING, f"its gradient is {times} times smaller than the largest"
    if 0 < ratio < min(STUCK_RATIO, STUCK_SHARE * fastest):
        return Problem.VANISHING, f"one step changes its weights by only {100 * ratio:.1g} % of their size"
    return Problem.NONE, ""


def _length(arrays: Iterable[npt.NDArray]) -> float:
    """The Euclidean length of all these numbers; infinite from 1e19 on, where their squares overflow float32."""
    return sqrt(sum(float(np.vdot(array, array)) for array in arrays))
