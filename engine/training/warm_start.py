"""Starting a training from the weights of another network."""

import numpy.typing as npt

from engine.checks import InklingError
from engine.network import Network


def starting_state(network: Network, start: Network) -> npt.NDArray:
    """The state vector of ``start``, for ``network`` to begin with; raises ``InklingError`` if their layers differ."""
    if network.input_shape != start.input_shape or len(network.layers) != len(start.layers):
        raise InklingError(
            f"a network to begin with must have {len(network.layers)} layers for inputs {network.input_shape}, "
            f"got {len(start.layers)} for {start.input_shape}"
        )
    for position, (layer, other) in enumerate(zip(network.layers, start.layers, strict=True), start=1):
        if layer.to_json() | {"initializer": None} != other.to_json() | {"initializer": None}:
            raise InklingError(f"a network to begin with must have {layer} as layer {position}, got {other}")
    return start.state_vector
