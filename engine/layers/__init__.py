"""The layers a network is made of, one file a concept."""

from dataclasses import fields

from engine.checks import InklingError, check_choice, shown
from engine.layers.base import Layer
from engine.layers.dense import Dense
from engine.layers.elementwise import Activation, Dropout
from engine.layers.images import AvgPool2D, Conv2D, Flatten, MaxPool2D
from engine.layers.normalization import BatchNorm

LAYERS = {layer.kind: layer for layer in (Dense, Activation, Conv2D, MaxPool2D, AvgPool2D, Flatten, BatchNorm, Dropout)}

__all__ = ["LAYERS", "Layer", "layer_from_json", *sorted(layer.__name__ for layer in LAYERS.values())]


def layer_from_json(value):
    """The layer that ``Layer.to_json`` wrote; anything else raises ``InklingError``."""
    if not isinstance(value, dict):
        raise InklingError(f"a layer must be a dict with the key 'layer', got {type(value).__name__}")
    kind = LAYERS[check_choice("layer", value.get("layer"), LAYERS)]
    arguments = {name: v for name, v in value.items() if name != "layer"}
    known = {field.name for field in fields(kind)}
    if not arguments.keys() <= known:
        raise InklingError(f"{value['layer']} takes {', '.join(sorted(known))}, got {shown(sorted(map(str, arguments)))}")
    if not isinstance(arguments.get("frozen", False), bool):
        raise InklingError(f"frozen must be true or false, got {shown(arguments['frozen'])}")
    try:
        return kind(**arguments)
    except TypeError as error:  # a field is missing
        raise InklingError(f"{value['layer']} cannot be made from {arguments}: {error}") from None
