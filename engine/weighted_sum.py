"""How a unit comes to its value for one image: what it weighs and adds up, what follows, and where its value goes next."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_integer
from engine.layer_outputs import activity
from engine.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D
from engine.network import IMAGE_SHAPE, Network


class Term(NamedTuple):
    """One product of a weighted sum; ``place`` is its index in ``WeightedSum.weights``."""

    place: tuple[int, ...]
    weight: float
    input: float

    @property
    def product(self) -> float:
        return self.weight * self.input


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """``sum(weights * inputs) + bias``: what a unit of a layer with weights computes.

    ``weights`` and ``inputs`` have the shape (features,), or (channels, height, width) if the inputs are an image or feature
    maps. A convolution's are those of one window, whose first row and column in the image is the ``corner``: below zero on
    the border of zeros.
    """

    weights: npt.NDArray
    inputs: npt.NDArray
    bias: float
    corner: tuple[int, int] = (0, 0)

    @property
    def products(self) -> npt.NDArray:
        return self.weights * self.inputs

    @property
    def value(self) -> float:
        return float(self.products.sum(dtype=np.float64)) + self.bias

    def largest(self, count: int) -> list[Term]:
        """The terms that are farthest from zero, farthest first; fewer than ``count`` if the others are zero."""
        products = np.nan_to_num(self.products).ravel()
        order = np.argsort(-np.abs(products), kind="stable")[:count]
        places = [tuple(map(int, np.unravel_index(i, self.weights.shape))) for i in order if products[i]]
        return [Term(place, float(self.weights[place]), float(self.inputs[place])) for place in places]


class Step(NamedTuple):
    """The ``value`` of a ``unit`` in the output of the layer at ``position`` (from 0)."""

    position: int
    unit: tuple[int, ...]
    value: float


class Outgoing(NamedTuple):
    """What a unit or a map adds to each unit or map of the next layer with weights, which is at ``position``."""

    position: int
    contributions: npt.NDArray


class Trace:
    """A network's way from an image (28, 28) in [0, 1] to its ``outputs``, and how each unit on it comes to its value."""

    def __init__(self, network: Network, image: npt.ArrayLike) -> None:
        self.network, self.outputs = network, activity(network, image)
        self.input = network.as_input(np.asarray(image)[None])[0]

    def weighted_sum(self, position: int, unit: tuple[int, ...]) -> WeightedSum:
        """The weighted sum of a unit of the layer at ``position`` (from 0).

        A ``unit`` is its index in the layer's output: (unit,), or (map, row, column). Raises ``InklingError`` for a layer
        without weights and for a unit that it does not have.
        """
        layer = self.network.layers[check_integer("position", position, 0, len(self.network.layers) - 1)]
        if not isinstance(layer, Dense | Conv2D):
            raise InklingError(f"a weighted sum needs a layer with weights, got layer {position + 1}, {layer.kind}")
        _check_unit(unit, self.outputs[position].shape)
        inputs = self.inputs(position)
        if isinstance(layer, Conv2D):
            channel, row, column = unit
            corner = (row * layer.stride - layer.padding, column * layer.stride - layer.padding)
            return WeightedSum(layer.W[channel], _windows(layer, inputs)[:, row, column], float(layer.b[channel]), corner)
        shape = self._picture_shape(position)
        return WeightedSum(layer.W[:, unit[0]].reshape(shape), inputs.reshape(shape), float(layer.b[unit[0]]))

    def steps(self, position: int, unit: tuple[int, ...]) -> list[Step]:
        """How a unit of the layer at ``position`` (from 0) comes from one weighted sum: that is the first step.

        One step for each layer from the last with weights up to ``position``, or from the first layer if none has weights.
        Before a pooling layer, it is the largest unit of the window.
        """
        _check_unit(unit, self.outputs[check_integer("position", position, 0, len(self.network.layers) - 1)].shape)
        result = []
        while True:
            result.append(Step(position, unit, float(self.outputs[position].values[unit])))
            layer = self.network.layers[position]
            if hasattr(layer, "W") or position == 0:
                return result[::-1]
            position -= 1
            if isinstance(layer, MaxPool2D | AvgPool2D):
                stride = layer.stride or layer.size
                channel, row, column = unit[0], unit[1] * stride, unit[2] * stride
                window = np.nan_to_num(
                    self.outputs[position].values[channel, row : row + layer.size, column : column + layer.size]
                )
                down, across = divmod(int(window.argmax()), layer.size)
                unit = (channel, row + down, column + across)
            elif isinstance(layer, Flatten):
                unit = tuple(map(int, np.unravel_index(unit[0], self.outputs[position].shape)))

    def map_contributions(self, position: int, channel: int) -> npt.NDArray:
        """What each input map adds to each pixel of a map of the convolution at ``position``: (input maps, height, width).

        Their sum over the input maps, and the bias, are the map.
        """
        layer = self.network.layers[position]
        if not isinstance(layer, Conv2D):
            raise InklingError(f"needs a convolution, got layer {position + 1}, {layer.kind}")
        windows = _windows(layer, self.inputs(position))
        return np.einsum("chwij,cij->chw", windows, layer.W[check_integer("channel", channel, 0, layer.filters - 1)])

    def outgoing(self, position: int, node: int) -> Outgoing | None:
        """Where the value of a unit, or of a whole map, of the layer at ``position`` (from 0) goes next.

        None if no layer with weights follows. In a convolution, a map adds something to each pixel of
        another map: here, what is farthest from zero.
        """
        following = (
            after for after in range(position + 1, len(self.network.layers)) if hasattr(self.network.layers[after], "W")
        )
        if (after := next(following, None)) is None:
            return None
        layer, inputs, shape = self.network.layers[after], self.outputs[after - 1].values, self.outputs[position].shape
        check_integer("node", node, 0, shape[0] - 1)
        if isinstance(layer, Conv2D):
            windows = _windows(layer, inputs[node : node + 1])[0]
            maps = np.einsum("hwij,fij->fhw", windows, layer.W[:, node]).reshape(layer.filters, -1)
            return Outgoing(after, np.take_along_axis(maps, np.abs(maps).argmax(axis=1)[:, None], axis=1)[:, 0])
        size = inputs.size // shape[0]  # features of a map in a row
        features = slice(node * size, (node + 1) * size)
        return Outgoing(after, inputs.ravel()[features] @ layer.W[features])

    def inputs(self, position: int) -> npt.NDArray:
        """What comes into the layer at ``position`` (from 0)."""
        return self.outputs[position - 1].values if position else self.input

    def _picture_shape(self, position: int) -> tuple[int, ...]:
        """The shape in which the inputs of a dense layer are pictures, if they come from an image or from maps."""
        for before in range(position - 1, -1, -1):
            if len(self.outputs[before].shape) == 3 or hasattr(self.network.layers[before], "W"):
                return self.outputs[before].shape
        is_image = prod(self.network.input_shape) == prod(IMAGE_SHAPE)
        return (1, *IMAGE_SHAPE) if is_image else self.network.input_shape


def _check_unit(unit: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(unit) != len(shape) or not all(0 <= index < size for index, size in zip(unit, shape, strict=True)):
        raise InklingError(f"unit must be an index in the layer's output {shape}, got {unit}")


def _windows(layer: Conv2D, x: npt.NDArray) -> npt.NDArray:
    """The windows of a convolution over x (channels, H, W): (channels, height, width, kernel, kernel)."""
    padded = np.pad(x, [(0, 0), *[(layer.padding, layer.padding)] * 2])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel, layer.kernel), axis=(1, 2))
    return windows[:, :: layer.stride, :: layer.stride]
