"""Checks of values that come from outside. Their error is one line that says what was expected and what came."""

import numbers
from collections.abc import Collection
from typing import Any


class InklingError(ValueError):
    """An error that the user can correct; its message is one line, written for the user."""


def shown(value: object) -> str:
    """``value`` as Python code, shortened to fit into an error message."""
    try:
        return shorten(repr(value), 100)
    except ValueError:  # Python refuses to print whole numbers of more than 4,300 digits
        return "a number of thousands of digits"


def shorten(text: object, limit: int) -> str:
    """The text in one line of at most ``limit`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise InklingError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")
    return value


def check_integer(name: str, value: Any, low: int, high: int) -> int:
    """Return ``value`` as an int if it is a whole number in [low, high]."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or not low <= value <= high:  # pyright: ignore[reportOperatorIssue]
        raise InklingError(f"{name} must be a whole number from {low:,} to {high:,}, got {shown(value)}")
    return int(value)


def check_number(name: str, value: Any, low: float, high: float, open_low: bool = False) -> float:
    """Return ``value`` as a float if it is a finite number in [low, high], or in (low, high] with ``open_low``."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_real or not low <= value <= high or (open_low and value == low):  # pyright: ignore[reportOperatorIssue]
        raise InklingError(f"{name} must be in {'(' if open_low else '['}{low:g}, {high:g}], got {shown(value)}")
    return float(value)
