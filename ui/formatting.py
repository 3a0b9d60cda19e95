"""Settings, differences, numbers and lengths of time as text for the page."""

import re
from typing import Any

from engine.config import Config
from engine.setting_fields import settings_of

SETTINGS = settings_of(Config)
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")  # characters that Streamlit's Markdown may give a meaning


def escape_markdown(text: object) -> str:
    """Text from outside, for Markdown to show unchanged: names of runs and files, and messages that quote them."""
    return MARKDOWN.sub(r"\\\1", str(text))


def setting_value(name: str, value: Any) -> str:
    """The value of a setting of ``Config``."""
    return SETTINGS[name].show(value)


def differences(before: Config, after: Config) -> str:
    """What changed between two configurations, as ``learning rate 0.002 → 0.01, epochs 6 → 9``; empty if nothing did."""
    return ", ".join(_change(name, *pair) for name, pair in before.differences(after).items())


def _change(name: str, before: Any, after: Any) -> str:
    old, new = setting_value(name, before), setting_value(name, after)
    if name == "layers":
        return "details of the layers" if old == new else f"layers {new}"
    return f"{SETTINGS[name].label_in_sentence} {old} → {new}"


def changes(values: dict[str, Any]) -> str:
    """What was changed in the middle of a training, as ``learning rate changed to 0.01``."""
    return ", ".join(
        f"{SETTINGS[name].label_in_sentence} changed to {setting_value(name, value)}" for name, value in values.items()
    )


def loss(number: float) -> str:
    """A loss with as many digits as matter."""
    if 0 < number < 0.001:
        return f"{number:.1e}"
    return f"{number:.4f}" if number < 100 else f"{number:,.0f}" if number < 1e9 else f"{number:.1e}"


def duration(seconds: float) -> str:
    """A length of time in the unit that fits it."""
    if 0 < seconds < 0.05:
        return "less than 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction in percent, as ``97.5 %``."""
    return f"{100 * fraction:.{digits}f} %"


def confidence(probability: float, more_than: str = "more than ") -> str:
    """A probability in percent, which never says 100 % unless it is 1."""
    return f"{more_than}99.9 %" if 0.9995 <= probability < 1 else percent(probability)
