"""What a sweep may choose from: a range or a list of values for each setting that is searched.

The limits and the checks of the values are those of the settings themselves.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.checks import InklingError, check_choice, check_integer, shorten, shown
from engine.config import Config
from engine.layers import Activation, Dense, Dropout, Layer
from engine.network import CLASSES, dense_layers
from engine.setting_fields import NONE_TEXT, Integer, Number, Setting, settings_of

GRID_POINTS = 5  # values that a grid takes from a range
MAX_CHOICES = 100
NOT_SEARCHED = ("seed", "input_shape")


@dataclass(frozen=True)
class UnitsKind:
    """Units of the hidden layers, such as (128, 64)."""

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        return tuple(check_integer(name, units, 1, 65_536) for units in (value if isinstance(value, Sequence) else [value]))

    def to_text(self, value: tuple[int, ...]) -> str:
        return ",".join(map(str, value)) or NONE_TEXT

    def from_text(self, name: str, text: str) -> tuple[int, ...]:
        if text in ("", NONE_TEXT):
            return ()
        parts = [part.strip() for part in text.split(",")]
        return self.check(name, [int(part) if part.isdecimal() and len(part) < 8 else part for part in parts])

    def show(self, value: tuple[int, ...]) -> str:
        return self.to_text(value)


# They describe the layers of a dense network, in place of the setting ``layers``.
DENSE_SETTINGS: dict[str, Setting] = {
    "hidden": Setting("Hidden layers", "Units of each hidden layer, such as 128,64.", UnitsKind()),
    "activation": replace(settings_of(Activation)["function"], label="Activation"),
    "initializer": settings_of(Dense)["initializer"],
    "dropout": replace(settings_of(Dropout)["rate"], label="Dropout"),
}
SEARCHABLE = {name: s for name, s in settings_of(Config).items() if name not in NOT_SEARCHED} | DENSE_SETTINGS


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, whole ones for a setting of whole numbers; ``log`` spreads their logarithms."""

    name: str
    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Any) -> Any:
        """The value that Optuna's ``trial`` gets."""
        if isinstance(SEARCHABLE[self.name].kind, Integer):
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def chosen(self, parameter: Any) -> Any:
        """The value of the setting for a parameter of Optuna's."""
        return parameter

    def grid(self) -> list[Any]:
        """A few values, evenly spaced, with both ends, as Optuna's parameters."""
        values = (np.geomspace if self.log else np.linspace)(self.low, self.high, GRID_POINTS).clip(self.low, self.high)
        if isinstance(SEARCHABLE[self.name].kind, Integer):
            return sorted({round(value) for value in values.tolist()})
        return values.tolist()

    def values(self) -> list[Any]:
        """Both ends."""
        whole = isinstance(SEARCHABLE[self.name].kind, Integer)
        return [int(end) if whole else end for end in (self.low, self.high)]

    def to_text(self) -> str:
        kind = SEARCHABLE[self.name].kind
        low, high = map(kind.to_text, self.values())
        return f"{low}..{high}{':log' * self.log}"


@dataclass(frozen=True)
class Choices:
    """A list of values, as the texts that the setting reads."""

    name: str
    texts: tuple[str, ...]

    def suggest(self, trial: Any) -> Any:
        """The value that Optuna's ``trial`` gets."""
        return self.chosen(trial.suggest_categorical(self.name, self.texts))

    def chosen(self, parameter: Any) -> Any:
        """The value of the setting for a parameter of Optuna's."""
        return SEARCHABLE[self.name].from_text(self.name, parameter)

    def grid(self) -> list[Any]:
        """All of them, as Optuna's parameters."""
        return list(self.texts)

    def values(self) -> list[Any]:
        return [self.chosen(text) for text in self.texts]

    def to_text(self) -> str:
        return ",".join(f'"{text}"' if "," in text else text for text in self.texts)


Dimension = Range | Choices


def read_search(text: str) -> Dimension:
    """The dimension in ``NAME=LOW..HIGH``, ``NAME=LOW..HIGH:log`` or ``NAME=VALUE,VALUE,...``; values with commas in quotes.

    Raises ``InklingError`` for anything else, and for values that the setting does not allow.
    """
    name, equals, values = text.partition("=")
    if not equals:
        raise InklingError(f"what is searched must be NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A,B, got {shown(text)}")
    return read_dimension(name.strip().replace("-", "_"), values)


def read_dimension(name: str, values: str | Sequence[Any]) -> Dimension:
    """The dimension of the setting ``name`` in a text, as ``read_search`` takes it, or in a list of values."""
    name = {old: new for new, s in SEARCHABLE.items() for old in s.old_names}.get(name, name)
    if name in NOT_SEARCHED:
        raise InklingError(f"{name} cannot be searched: every trial has the same, so that trials can be compared")
    setting = SEARCHABLE[check_choice("what is searched", name, SEARCHABLE)]
    if isinstance(values, str) and ".." in values:
        return _read_range(name, setting, values)
    if isinstance(values, str):
        try:
            texts = [text.strip() for text in next(csv.reader([values], skipinitialspace=True), [])]
        except csv.Error:  # such as for a line break
            raise InklingError(f"{name} must be a list of values in one line, got {shown(values)}") from None
    elif isinstance(values, Sequence):
        texts = [_item_text(value) for value in values]
    else:
        texts = [_item_text(values)]
    if not 1 <= len(texts) <= MAX_CHOICES:
        raise InklingError(f"{name} must have 1 to {MAX_CHOICES} values to choose from, got {len(texts)}")
    canonical = tuple(setting.to_text(setting.from_text(name, text)) for text in texts)
    twice = [text for text in canonical if canonical.count(text) > 1]
    if twice:
        raise InklingError(
            f"{name} must have each value once, got {shorten(twice[0], 40)} twice; a value with commas needs quotes that "
            f"reach this program, as in '{name}=64,\"128,64\"'"
        )
    return Choices(name, canonical)


def _read_range(name: str, setting: Setting, text: str) -> Range:
    ends, _, scale = text.partition(":")
    if not isinstance(setting.kind, Number | Integer):
        raise InklingError(f"{name} must be a list of values to choose from, for it has no range, got {shown(text)}")
    if scale not in ("", "log"):
        raise InklingError(f"{name} must be LOW..HIGH or LOW..HIGH:log, got {shown(text)}")
    low, high = (setting.kind.from_text(name, end.strip()) for end in ends.split("..", 1))
    if not low < high:
        raise InklingError(f"{name} must go from a lower to a higher number, got {shown(text)}")
    if scale and not low > 0:
        raise InklingError(f"{name} must begin above 0 to have a log scale, got {shown(text)}")
    return Range(name, low, high, scale == "log")


def _item_text(value: Any) -> str:
    """An item of a list, such as one in TOML, as text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def dense_settings(layers: tuple[Layer, ...]) -> dict[str, Any] | None:
    """The values of ``DENSE_SETTINGS`` that make these layers; None if none do."""
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    if not dense:
        return None
    functions = [layer.function for layer in layers if isinstance(layer, Activation)]
    rates = [layer.rate for layer in layers if isinstance(layer, Dropout)]
    values = {
        "hidden": tuple(layer.units for layer in dense[:-1]),
        "activation": next(iter(functions), "relu"),
        "initializer": dense[-1].initializer,
        "dropout": next(iter(rates), 0.0),
    }
    return values if _dense_layers(values, dense[-1].units) == layers else None


def _dense_layers(values: Mapping[str, Any], classes: int = CLASSES) -> tuple[Layer, ...]:
    return dense_layers(
        values.get("hidden", (128,)),
        values.get("activation", "relu"),
        values.get("initializer", "he_normal"),
        classes,
        values.get("dropout", 0.0),
    )


def configured(base: Config, values: Mapping[str, Any]) -> Config:
    """``base`` with the settings of a trial by name; raises ``InklingError`` for a combination that cannot work."""
    of_layers = {name: values[name] for name in DENSE_SETTINGS if name in values}
    others = {name: value for name, value in values.items() if name not in DENSE_SETTINGS}
    if of_layers:
        others["layers"] = _dense_layers(of_layers)
    return replace(base, **others)
