"""What goes on inside a network as it reads one image: each layer's output, and what the units that answer most look for."""

from typing import NamedTuple

import numpy as np

from engine.attribution import differentiable, input_gradients
from engine.checks import InklingError, check_integer


class LayerActivity(NamedTuple):
    """What a layer gives for one image: its ``name`` (``Layer.kind``), and its ``values``, (units,) or (channels, H, W)."""

    name: str
    shape: tuple[int, ...]
    values: np.ndarray


class Unit(NamedTuple):
    """A unit of a layer: its ``index``, its ``value`` for the image, and its ``weights``, (28, 28), for each pixel."""

    index: int
    value: float
    weights: np.ndarray


def activity(network, image):
    """The ``LayerActivity`` of each layer for an image (28, 28) in [0, 1]."""
    x, found = network.as_input(np.asarray(image)[None]).astype(network.values.dtype, copy=False), []
    for layer in network.layers:
        x = layer.forward(x)
        found.append(LayerActivity(layer.kind, x.shape[1:], x[0]))
    return found


def strongest_units(network, image, position, count=8):
    """The ``Unit``s that answer most to the image, strongest first, of the layer at ``position`` (from 0), a row of units.

    A unit's weights are the slopes of its value by each pixel: in the first dense layer its own incoming weights; further
    on what all the layers before it, as this image sets them, make of theirs.
    """
    values = activity(network, image)[check_integer("position", position, 0, len(network.layers) - 1)].values
    if values.ndim != 1:
        raise InklingError(f"units are those of a row, got layer {position + 1} with feature maps of shape {values.shape}")
    strongest = np.argsort(-values, kind="stable")[:count]
    inputs = np.repeat(network.as_input(np.asarray(image)[None]), len(strongest), axis=0)
    slopes = input_gradients(differentiable(network, position + 1), inputs, np.eye(len(values))[strongest])
    return [
        Unit(int(i), float(values[i]), slope.reshape(np.shape(image))) for i, slope in zip(strongest, slopes, strict=True)
    ]
