"""Settings, differences, numbers and lengths of time as text for the page."""

import re
from datetime import datetime
from functools import cache
from typing import Any

from babel.dates import format_date
from babel.numbers import get_decimal_symbol, get_group_symbol

from engine.config import Config
from engine.setting_fields import Integer, Number, Setting, settings_of
from ui.translation import _, language

SETTINGS = settings_of(Config)
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")  # characters that Streamlit's Markdown may give a meaning


def escape_markdown(text: object) -> str:
    """Text from outside, for Markdown to show unchanged: names of runs and files, and messages that quote them."""
    return MARKDOWN.sub(r"\\\1", str(text))


def number(value: float, form: str = ",") -> str:
    """A number with the visitor's decimal and thousands signs; ``form`` is Python's, as ``,.2f``."""
    return _with_signs(format(value, form))


def _with_signs(text: str) -> str:
    """A number that Python has written, with the visitor's decimal and thousands signs."""
    code = language()
    return text if code == "en" else text.translate(_signs(code))


@cache
def _signs(code: str) -> dict[int, str]:
    return {ord("."): get_decimal_symbol(code), ord(","): get_group_symbol(code)}


@cache
def vega_locale(code: str) -> dict[str, Any]:
    """How Vega writes numbers in this language."""
    signs = {"decimal": get_decimal_symbol(code), "thousands": get_group_symbol(code)}
    return {"number": {**signs, "grouping": [3], "currency": ["", ""]}}


def show_setting(setting: Setting, value: Any) -> str:
    """The value of a setting in the visitor's language."""
    text = setting.show(value)
    if value is not None and isinstance(setting.kind, Integer | Number):
        return _with_signs(text)
    return _(text)


def label_in_sentence(setting: Setting) -> str:
    """The label of a setting as it stands in the middle of a sentence: in German, its nouns stay capitalised."""
    label = _(setting.label)
    if language() == "de" or setting.label_in_sentence == setting.label:
        return label
    return label[0].lower() + label[1:]


def setting_value(name: str, value: Any) -> str:
    """The value of a setting of ``Config``."""
    return show_setting(SETTINGS[name], value)


def differences(before: Config, after: Config) -> str:
    """What changed between two configurations, as ``learning rate 0.002 → 0.01, epochs 6 → 9``; empty if nothing did."""
    return ", ".join(_change(name, *pair) for name, pair in before.differences(after).items())


def _change(name: str, before: Any, after: Any) -> str:
    old, new = setting_value(name, before), setting_value(name, after)
    if name == "layers":
        return _("details of the layers") if old == new else _("layers {new}").format(new=new)
    return f"{label_in_sentence(SETTINGS[name])} {old} → {new}"


def changes(values: dict[str, Any]) -> str:
    """What was changed in the middle of a training, as ``learning rate changed to 0.01``."""
    return ", ".join(
        _("{setting} changed to {value}").format(setting=label_in_sentence(SETTINGS[name]), value=setting_value(name, value))
        for name, value in values.items()
    )


def loss(value: float) -> str:
    """A loss with as many digits as matter."""
    if 0 < value < 0.001:
        return number(value, ".1e")
    return number(value, ".4f" if value < 100 else ",.0f" if value < 1e9 else ".1e")


def day(moment: datetime) -> str:
    """The day of a moment, as ``27 December 2026``."""
    code = language()
    return format_date(moment, "long", locale="en_GB" if code == "en" else code)


def duration(seconds: float) -> str:
    """A length of time in the unit that fits it."""
    if is_short(seconds):
        return _("less than {duration}").format(duration=f"{number(0.1)} s")
    if seconds < 10:
        return f"{number(seconds, '.1f')} s"
    if seconds < 100:
        return f"{number(seconds, '.0f')} s"
    return f"{number(seconds / 60, '.0f')} min" if seconds < 6000 else f"{number(seconds / 3600, '.1f')} h"


def is_short(seconds: float) -> bool:
    """Whether ``duration`` calls it less than something."""
    return 0 < seconds < 0.05


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction in percent, as ``97.5 %``."""
    return f"{number(100 * fraction, f'.{digits}f')} %"


def confidence(probability: float, is_short: bool = False) -> str:
    """A probability in percent, which never says 100 % unless it is 1: ``more than 99.9 %``, or in short ``>99.9 %``."""
    if not 0.9995 <= probability < 1:
        return percent(probability)
    return f">{percent(0.999)}" if is_short else _("more than {percent}").format(percent=percent(0.999))
