"""The layers a network is made of.

A layer is a dataclass of what describes it (``Dense(128, initializer="he_normal")``), so that it compares, prints and
goes to JSON by its fields. ``Network`` works on copies that it has bound to their place in its flat vectors: a bound
layer has each parameter ``P`` as an array and its gradient as ``dP``.
"""

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np

from engine.activations import ACTIVATIONS
from engine.checks import InklingError, check_choice, check_integer
from engine.initializers import INITIALIZERS

MAX_UNITS = 65_536


@dataclass
class Layer:
    """What every layer can do; one without parameters need only say how it goes forward and back."""

    decayed: ClassVar[tuple[str, ...]] = ()  # the parameters that weight decay applies to

    def output_shape(self, input_shape):
        """The shape of one output, given the shape of one input; raises ``InklingError`` where the two do not fit."""
        return input_shape

    def parameter_shapes(self, input_shape):
        """The shape of each parameter by name."""
        return {}

    def initialize(self, rng):
        """Fill the bound parameters with what they are before training."""

    def forward(self, x, training=False):
        """The outputs for a batch of inputs; remembers what ``backward`` needs only when ``training``."""
        raise NotImplementedError

    def backward(self, dy, input_gradient=True):
        """Fill the parameters' gradients from dL/dy; return dL/dx, or None where ``input_gradient`` is not wanted."""
        raise NotImplementedError

    def scratch(self, name, shape, dtype):
        """An array to overwrite, the same one at every step of a training: what spares each step its allocations."""
        arrays = self.__dict__.setdefault("_scratch", {})
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = arrays[name] = np.empty(shape, dtype)
        return array

    def to_json(self):
        """The layer as a dict of its kind and fields, which ``layer_from_json`` reads."""
        return {"layer": KINDS[type(self)], **asdict(self)}


@dataclass
class Dense(Layer):
    """Affine map ``y = x @ W + b``: (N, in_features) -> (N, units)."""

    decayed = ("W",)
    units: int
    initializer: str = "he_normal"

    def __post_init__(self):
        self.units = check_integer("units", self.units, 1, MAX_UNITS)
        check_choice("initializer", self.initializer, INITIALIZERS)

    def output_shape(self, input_shape):
        if len(input_shape) != 1:
            raise InklingError(f"Dense({self.units}) takes one row of numbers for each input, got shape {input_shape}")
        return (self.units,)

    def parameter_shapes(self, input_shape):
        return {"W": (input_shape[0], self.units), "b": (self.units,)}

    def initialize(self, rng):
        fan_in, fan_out = self.W.shape
        self.W[...] = INITIALIZERS[self.initializer](rng, self.W.shape, fan_in, fan_out)
        self.b[...] = 0

    def forward(self, x, training=False):
        if not training:  # only training remembers; inference must not touch shared state
            return x @ self.W + self.b
        self._x = x
        y = np.matmul(x, self.W, out=self.scratch("y", (len(x), self.units), x.dtype))
        y += self.b
        return y

    def backward(self, dy, input_gradient=True):
        np.matmul(self._x.T, dy, out=self.dW)
        np.sum(dy, axis=0, out=self.db)
        if input_gradient:
            return np.matmul(dy, self.W.T, out=self.scratch("dx", self._x.shape, dy.dtype))


@dataclass
class Activation(Layer):
    """One of the activation functions, applied to every number by itself (softmax: to each row)."""

    function: str

    def __post_init__(self):
        check_choice("activation", self.function, ACTIVATIONS)

    def forward(self, x, training=False):
        function = ACTIVATIONS[self.function]
        if not training:
            return function.forward(x)
        self._x, self._y = x, function.forward(x, self.scratch("y", x.shape, x.dtype))
        return self._y

    def backward(self, dy, input_gradient=True):
        if input_gradient:
            function = ACTIVATIONS[self.function]
            return function.backward(dy, self._x, self._y, self.scratch("dx", dy.shape, dy.dtype))


LAYERS = {"dense": Dense, "activation": Activation}
KINDS = {kind: name for name, kind in LAYERS.items()}


def layer_from_json(value):
    """The layer that ``Layer.to_json`` wrote; anything else raises ``InklingError``."""
    if not isinstance(value, dict):
        raise InklingError(f"a layer must be a dict with the key 'layer', got {type(value).__name__}")
    kind = LAYERS[check_choice("layer", value.get("layer"), LAYERS)]
    arguments = {name: v for name, v in value.items() if name != "layer"}
    known = {field.name for field in fields(kind)}
    if not arguments.keys() <= known:
        raise InklingError(f"{value['layer']} takes {', '.join(sorted(known))}, got {', '.join(map(str, arguments))}")
    try:
        return kind(**arguments)
    except TypeError as error:  # a field is missing
        raise InklingError(f"{value['layer']} cannot be made from {arguments}: {error}") from None
