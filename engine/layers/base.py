"""``Layer``: what every layer is, whatever it computes."""

from dataclasses import asdict, dataclass, field
from math import prod
from typing import ClassVar

import numpy as np

MAX_UNITS = 65_536


@dataclass
class Layer:
    """A dataclass of what describes the layer, so that it compares, prints and goes to JSON by its fields.

    ``Network`` works on copies that it has bound to their place in its flat vectors: a bound layer has each parameter ``P``
    as an array, its gradient as ``dP``, and each of its statistics as an array. A layer without parameters need only say how
    it goes forward and back. A ``frozen`` layer keeps its parameters while the others train.
    """

    kind: ClassVar[str]  # its name in ``LAYERS`` and in JSON
    axes: ClassVar[int | None] = None  # of one input: 1 for rows of numbers, 3 for images, None for either
    decayed: ClassVar[tuple[str, ...]] = ()  # the parameters that weight decay applies to

    frozen: bool = field(default=False, kw_only=True, repr=False)

    def output_shape(self, input_shape):
        """The shape of one output; raises ``InklingError("takes ...")`` for an input that does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape):
        """The shape of each parameter by name."""
        return {}

    def working_size(self, input_shape):
        """How many numbers one input takes on its way through: what bounds how many can go at once."""
        return prod(input_shape) + prod(self.output_shape(input_shape))

    def statistic_shapes(self, input_shape):
        """The shape of each array by name that the layer gathers in training but that has no gradient."""
        return {}

    def initialize(self, rng):
        """Fill the bound parameters and statistics with what they are before training."""

    def forward(self, x, training=False):
        """The outputs for a batch of inputs; remembers what ``backward`` needs only when ``training``."""
        raise NotImplementedError

    def backward(self, dy, input_gradient=True):
        """Fill the parameters' gradients from dL/dy; return dL/dx, or None where ``input_gradient`` is not wanted."""
        raise NotImplementedError

    def scratch(self, name, shape, dtype):
        """An array to overwrite, zero at first and the same one at every step: spares each step its allocations."""
        return self._reused(name, (shape, dtype), lambda: np.zeros(shape, dtype))

    def scratch_like(self, name, other):
        """The same, in the shape and the memory layout of ``other``, and not zero."""
        return self._reused(name, (other.shape, other.strides, other.dtype), lambda: np.empty_like(other))

    def _reused(self, name, kind, make):
        arrays = self.__dict__.setdefault("_scratch", {})
        if name not in arrays or arrays[name][0] != kind:
            arrays[name] = kind, make()
        return arrays[name][1]

    def to_json(self):
        """The layer as a dict of its kind and fields, which ``layer_from_json`` reads."""
        return {"layer": self.kind, **asdict(self)}
