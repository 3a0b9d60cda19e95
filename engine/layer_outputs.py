"""The outputs of a network's layers for one image, and which pixels its most active units respond to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.attribution import differentiable, input_gradients
from engine.checks import InklingError, check_integer
from engine.network import Network


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """The output of one layer for one image: ``name`` is ``Layer.kind``, ``values`` are (units,) or (channels, H, W)."""

    name: str
    shape: tuple[int, ...]
    values: npt.NDArray


@dataclass(frozen=True, eq=False)
class Unit:
    """A unit of a layer: its ``index``, its ``value`` for an image, and the ``weights`` (28, 28) of the image's pixels."""

    index: int
    value: float
    weights: npt.NDArray


def activity(network: Network, image: npt.ArrayLike) -> list[LayerActivity]:
    """The output of each layer for an image (28, 28) in [0, 1]."""
    x = network.as_input(np.asarray(image)[None]).astype(network.state_vector.dtype, copy=False)
    outputs = []
    for layer in network.layers:
        x = layer.forward(x)
        outputs.append(LayerActivity(layer.kind, x.shape[1:], x[0]))
    return outputs


def strongest_units(network: Network, image: npt.ArrayLike, position: int, count: int = 8) -> list[Unit]:
    """The ``count`` units with the largest values for an image, largest first, in the layer at ``position`` (from 0).

    Raises ``InklingError`` for a layer of feature maps.
    """
    values = activity(network, image)[check_integer("position", position, 0, len(network.layers) - 1)].values
    if values.ndim != 1:
        raise InklingError(f"units are those of a row, got layer {position + 1} with feature maps of shape {values.shape}")
    return units(network, image, position, np.argsort(-values, kind="stable")[:count])


def units(network: Network, image: npt.ArrayLike, position: int, indices: npt.ArrayLike) -> list[Unit]:
    """These units of the layer at ``position`` (from 0); of a layer of feature maps the ``indices`` count all their pixels.

    A unit's weights are the gradient of its value by the pixels. In the first dense layer these are the unit's own weights.
    In later layers they combine the weights of all layers up to there, and depend on the image.
    """
    values = activity(network, image)[check_integer("position", position, 0, len(network.layers) - 1)].values
    chosen = [check_integer("index", index, 0, values.size - 1) for index in np.asarray(indices).tolist()]
    inputs = np.repeat(network.as_input(np.asarray(image)[None]), len(chosen), axis=0)
    outputs = np.zeros((len(chosen), values.size))
    outputs[np.arange(len(chosen)), chosen] = 1
    gradients = input_gradients(differentiable(network, position + 1), inputs, outputs.reshape(-1, *values.shape))
    return [
        Unit(index, float(values.flat[index]), gradient.reshape(np.shape(image)))
        for index, gradient in zip(chosen, gradients, strict=True)
    ]
