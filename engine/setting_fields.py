"""Settings that describe themselves: each field of a configuration says once its name, what it does and its values.

The checks, the command line, the page, links and the estimator's documentation all read these descriptions. The kinds of
values also read what an environment variable says.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, Protocol

from engine.checks import InklingError, check_choice, check_integer, check_number, shown

NONE_TEXT = "none"


class Kind(Protocol):
    """What values a setting takes: how they are checked, written as text, read from text and shown to people."""

    def check(self, name: str, value: Any) -> Any:
        """Return the value in its own type, or raise ``InklingError``."""

    def to_text(self, value: Any) -> str: ...

    def from_text(self, name: str, text: str) -> Any: ...

    def show(self, value: Any) -> str: ...


@dataclass(frozen=True)
class Number:
    """A finite float in [low, high], or in (low, high] with ``open_low``."""

    low: float
    high: float
    open_low: bool = False

    def check(self, name: str, value: Any) -> float:
        return check_number(name, value, self.low, self.high, self.open_low)

    def to_text(self, value: float) -> str:
        return repr(float(value)).removesuffix(".0")

    def from_text(self, name: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise InklingError(f"{name} must be a number from {self.low:g} to {self.high:g}, got {shown(text)}") from None
        return self.check(name, number)

    def show(self, value: float) -> str:
        return f"{value:g}"


@dataclass(frozen=True)
class Integer:
    """A whole number in [low, high]."""

    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        return check_integer(name, value, self.low, self.high)

    def to_text(self, value: int) -> str:
        return str(value)

    def from_text(self, name: str, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            message = f"{name} must be a whole number from {self.low:,} to {self.high:,}, got {shown(text)}"
            raise InklingError(message) from None
        return self.check(name, number)

    def show(self, value: int) -> str:
        return f"{value:,}"


@dataclass(frozen=True)
class Flag:
    """On or off."""

    def check(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InklingError(f"{name} must be True or False, got {shown(value)}")
        return value

    def to_text(self, value: bool) -> str:
        return "on" if value else "off"

    def from_text(self, name: str, text: str) -> bool:
        return check_choice(name, text, ("on", "off")) == "on"

    def show(self, value: bool) -> str:
        return self.to_text(value)


@dataclass(frozen=True)
class Choice:
    """A key of a registry, whose entries may carry a ``label``."""

    registry: Mapping[str, Any]

    def check(self, name: str, value: Any) -> str:
        return check_choice(name, value, self.registry)

    def to_text(self, value: str) -> str:
        return value

    def from_text(self, name: str, text: str) -> str:
        return self.check(name, text)

    def show(self, value: str) -> str:
        return getattr(self.registry[value], "label", value)


@dataclass(frozen=True)
class Setting:
    """The description of a setting. ``usual`` are values worth offering. ``none`` says in words what None means, and is None
    if None is not allowed. ``applies``, given all settings by name, says whether this one has an effect. ``old_names`` are
    still read in files, links and flags."""

    label: str
    help: str
    kind: Kind
    usual: tuple[Any, ...] = ()
    typed: bool = False  # whether people type a value rather than choose a usual one
    none: str | None = None
    applies: Callable[[Mapping[str, Any]], bool] = lambda values: True
    old_names: tuple[str, ...] = ()

    @property
    def label_in_sentence(self) -> str:
        """The label as it stands in the middle of a sentence: "learning rate", but "L1"."""
        is_abbreviation = self.label[1:2].isupper() or self.label[1:2].isdigit()
        return self.label if is_abbreviation else self.label[0].lower() + self.label[1:]

    def check(self, name: str, value: Any) -> Any:
        """Return ``value`` in its own type if it is allowed; raise ``InklingError`` otherwise."""
        return None if value is None and self.none is not None else self.kind.check(name, value)

    def show(self, value: Any) -> str:
        """``value`` as people read it."""
        return str(self.none) if value is None else self.kind.show(value)

    def to_text(self, value: Any) -> str:
        """``value`` as text that ``from_text`` reads, for links and the command line."""
        return NONE_TEXT if value is None else self.kind.to_text(value)

    def from_text(self, name: str, text: str) -> Any:
        """The value that the text stands for; raises ``InklingError`` for any other text."""
        return None if text == NONE_TEXT and self.none is not None else self.kind.from_text(name, text)


def setting(label: str, help: str, kind: Kind, *, default: Any = MISSING, repr: bool = True, **details: Any) -> Any:
    """A dataclass field with its ``Setting``; without a ``default`` the field is required."""
    return field(default=default, repr=repr, metadata={"setting": Setting(label, help, kind, **details)})


@cache
def seed_setting() -> Any:
    """The field of a seed."""
    return setting(
        "Seed",
        "The start of all random numbers: the same seed gives the same network.",
        Integer(0, 2**63 - 1),
        default=0,
    )


def settings_of(cls: type) -> dict[str, Setting]:
    """The ``Setting`` of each field of a dataclass that has one, by name."""
    return {f.name: f.metadata["setting"] for f in fields(cls) if "setting" in f.metadata}


def check_settings(instance: Any) -> None:
    """Check every setting of a dataclass, frozen or not, and store the checked value."""
    for name, description in settings_of(type(instance)).items():
        object.__setattr__(instance, name, description.check(name, getattr(instance, name)))


def current_names(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` by name, with the old names of settings replaced by today's. If both are given, today's name wins."""
    today = {old: name for name, description in settings_of(cls).items() for old in description.old_names}
    renamed = {today[name]: value for name, value in values.items() if name in today}
    return renamed | {name: value for name, value in values.items() if name not in today}


def environment_value(variable: str, kind: Kind, default: Any) -> Any:
    """The value in an environment variable, or ``default`` if it is not set or blank; raises ``InklingError`` for others."""
    text = os.environ.get(variable, "").strip()
    return kind.from_text(variable, text) if text else default
