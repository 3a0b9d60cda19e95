"""The layers of a network, one concept a file, and lists of layers as text. ``LAYERS`` has the classes by name."""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from engine.activations import ACTIVATIONS
from engine.checks import InklingError, check_choice, shown
from engine.layers.activation import Activation
from engine.layers.base import Layer
from engine.layers.convolution import Conv2D
from engine.layers.dense import Dense
from engine.layers.dropout import Dropout
from engine.layers.flatten import Flatten
from engine.layers.normalization import BatchNorm
from engine.layers.pooling import AvgPool2D, MaxPool2D
from engine.setting_fields import settings_of

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer for layer in (Dense, Activation, Conv2D, MaxPool2D, AvgPool2D, Flatten, BatchNorm, Dropout)
}

MAX_LAYERS = 100  # of a network


def check_num_layers(number: int) -> None:
    """Raise ``InklingError`` if these are too many layers for a network, before any of them is made."""
    if number > MAX_LAYERS:
        raise InklingError(f"a network must have at most {MAX_LAYERS} layers, got {number:,}")


def layers_from_json(value: Any) -> tuple[Layer, ...]:
    """The layers of a network from a list of what ``Layer.to_json`` wrote; raises ``InklingError`` for anything else."""
    if not isinstance(value, list | tuple):
        raise InklingError(f"layers must be a list, got {type(value).__name__}")
    check_num_layers(len(value))
    return tuple(map(layer_from_json, value))


def layer_from_json(value: Any) -> Layer:
    """The layer that ``Layer.to_json`` wrote; raises ``InklingError`` for anything else."""
    if not isinstance(value, dict):
        raise InklingError(f"a layer must be a dict with the key 'layer', got {type(value).__name__}")
    return _make(value.get("layer"), {name: v for name, v in value.items() if name != "layer"})


def _make(kind: Any, arguments: dict[str, Any]) -> Layer:
    cls = LAYERS[check_choice("layer", kind, LAYERS)]
    known = {field.name for field in fields(cls)}
    if not arguments.keys() <= known:
        raise InklingError(f"{kind} takes {', '.join(sorted(known))}, got {shown(sorted(map(str, arguments)))}")
    try:
        return cls(**arguments)
    except TypeError as error:  # a required setting is missing
        raise InklingError(f"{kind} cannot be made from {shown(arguments)}: {error}") from None


def summary(layers: tuple[Layer, ...] | list[Layer]) -> str:
    """A one-line description of a network for people, such as ``128 ReLU → 10``."""
    parts: list[str] = []
    for layer in layers:
        text = layer.summary() + (" (frozen)" if layer.frozen else "")
        if isinstance(layer, Activation) and parts:
            parts[-1] += f" {text}"
        else:
            parts.append(text)
    return " → ".join(parts)


@dataclass(frozen=True)
class LayersKind:
    """The kind of setting whose values are tuples of layers, written as ``conv2d:8:kernel=5,relu,flatten,dense:10``.

    A layer's main setting is written without its name, settings with their default value are omitted, and an activation is
    written as the name of its function.
    """

    def check(self, name: str, value: Any) -> tuple[Layer, ...]:
        if isinstance(value, list | tuple):
            check_num_layers(len(value))
        if not isinstance(value, list | tuple) or not all(isinstance(layer, Layer) for layer in value):
            raise InklingError(f"{name} must be a tuple of layers, got {shown(value)}")
        return tuple(value)

    def to_text(self, value: tuple[Layer, ...]) -> str:
        return ",".join(map(_layer_to_text, value))

    def from_text(self, name: str, text: str) -> tuple[Layer, ...]:
        check_num_layers(text.count(",") + 1)
        return tuple(_layer_from_text(name, part) for part in text.split(","))

    def show(self, value: tuple[Layer, ...]) -> str:
        return summary(value)


def _layer_to_text(layer: Layer) -> str:
    if isinstance(layer, Activation) and layer.function not in LAYERS and not layer.frozen:
        return layer.function
    parts = [layer.kind]
    defaults = {field.name: field.default for field in fields(layer)}
    settings = settings_of(type(layer))
    for name in sorted(settings, key=lambda name: name != layer.main_setting):
        value = getattr(layer, name)
        if value != defaults[name]:
            text = settings[name].to_text(value)
            parts.append(text if name == layer.main_setting else f"{name}={text}")
    return ":".join(parts)


def _layer_from_text(name: str, text: str) -> Layer:
    kind, *parts = text.split(":")
    if kind in ACTIVATIONS and kind not in LAYERS and not parts:
        return Activation(kind)
    check_choice(name, kind, [*LAYERS, *ACTIVATIONS])
    cls = LAYERS[check_choice(name, kind, LAYERS)]
    arguments = {}
    for part in parts:
        field, equals, value = part.partition("=")
        if not equals:
            field, value = cls.main_setting or "", part
        if field not in settings_of(cls) or field in arguments:
            raise InklingError(f"{name}: {kind} takes each of {', '.join(settings_of(cls))} once, got {shown(part)}")
        arguments[field] = settings_of(cls)[field].from_text(f"{name}: {field}", value)
    if cls.main_setting and cls.main_setting not in arguments and _is_required(cls, cls.main_setting):
        raise InklingError(f"{name}: {kind} needs {cls.main_setting}, as in {kind}:64")
    return _make(kind, arguments)


def _is_required(cls: type[Layer], name: str) -> bool:
    return next(field.default for field in fields(cls) if field.name == name) is MISSING
