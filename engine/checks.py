"""The checks at the boundary, and the error they raise: one line, what was expected and what came."""

import numbers


class InklingError(ValueError):
    """What the person in front of the screen can put right; the message is one line for them to read."""


def shown(value):
    """``value`` as code would write it, cut to what fits a line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python refuses to print whole numbers of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 100 else f"{text[:97]}..."


def check_choice(name, value, choices):
    """Return ``value`` if it is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise InklingError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")
    return value


def check_integer(name, value, low, high):
    """Return ``value`` as an int if it is a whole number in [low, high]."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not low <= value <= high:
        raise InklingError(f"{name} must be a whole number from {low:,} to {high:,}, got {shown(value)}")
    return int(value)


def check_number(name, value, low, high, open_low=False):
    """Return ``value`` as a float if it is a finite number in [low, high], or (low, high] with ``open_low``."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or (open_low and value == low):
        raise InklingError(f"{name} must be in {'(' if open_low else '['}{low:g}, {high:g}], got {shown(value)}")
    return float(value)
