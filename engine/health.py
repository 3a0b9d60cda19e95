"""The health of a training's layers: how strong a gradient reaches each, how far a step moves it, and what that means."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from engine.network import plan

EXPLODING = 0.5  # of its size that a step moves a layer by: 0.001 to 0.03 is usual, and 0.3 is still made good for
STARVED = 1e-4  # of the gradient of the layer that gets most


class LayerHealth(NamedTuple):
    """One layer with parameters, at its ``position`` in the network (from 0).

    ``gradient_norm`` is the length of the loss's gradient, before it is clipped or regularised. ``update_ratio`` is the
    length of the last step by that of the parameters before it (0 where those were all zero). ``verdict`` says in words
    what is wrong, or is empty.
    """

    position: int
    name: str
    gradient_norm: float
    update_ratio: float
    verdict: str


def layer_health(trainer):
    """A ``LayerHealth`` for each layer with parameters, from a step that ``trainer`` took with ``keeps_gradient``."""
    network = trainer.network
    before = network.copy()  # its layers then view the step's beginning by name, as the network's view its end
    before.values[:], before.gradients[:] = trainer.previous, trainer.gradient
    found = []
    with np.errstate(all="ignore"):
        for position, row in enumerate(plan(network.layers, network.input_shape)):
            if row.parameters:
                here, there = network.layers[position], before.layers[position]
                gradient = _length(getattr(there, "d" + name) for name in row.parameters)
                move = _length(getattr(here, name) - getattr(there, name) for name in row.parameters)
                size = _length(getattr(there, name) for name in row.parameters)
                found.append((position, here, gradient, move / size if size else 0.0))
    most = max((gradient for _, layer, gradient, _ in found if not layer.frozen), default=0.0)
    return tuple(
        LayerHealth(position, layer.kind, 0.0, 0.0, "frozen: it keeps its weights")
        if layer.frozen
        else LayerHealth(position, layer.kind, gradient, ratio, _verdict(gradient, ratio, most))
        for position, layer, gradient, ratio in found
    )


def _verdict(gradient, ratio, most):
    if not np.isfinite(gradient) or not np.isfinite(ratio):
        return "exploding: its gradient or its weights are beyond counting"
    if ratio >= EXPLODING:
        return f"exploding: a step moves its weights by {ratio:.0%} of their size"
    if gradient == 0:
        return "dead: no gradient reaches it"
    if gradient < STARVED * most:
        times = f"{most / gradient:,.0f}" if most < 1e6 * gradient else "more than a million"
        return f"starved: the gradient that reaches it is {times} times smaller than the largest"
    return ""


def _length(arrays):
    """The Euclidean length of all of these numbers; infinite from 1e19 on, where their squares leave float32."""
    return sqrt(sum(float(np.vdot(array, array)) for array in arrays))
