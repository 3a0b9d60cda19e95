"""The widget for one setting, chosen by the values that it takes."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from engine.setting_fields import Choice, Flag, Integer, Number, Setting
from ui.formatting import show_setting
from ui.state import keep
from ui.translation import _

NOTHING = ""  # stands for None: a select box shows None as if nothing were chosen
MAX_INTEGER = 2**53 - 1  # whole numbers beyond this are rounded by the browser
SMALLEST = 1e-9  # instead of 0, where only numbers above it are allowed


def to_widget(value: Any) -> Any:
    """A setting's value as its widget holds it."""
    return NOTHING if value is None else value


def from_widget(value: Any) -> Any:
    """The setting's value that a widget's value stands for."""
    return None if value == NOTHING else value


def options(setting: Setting, *others: Any) -> list[Any]:
    """What to choose from, as the widget holds it: the usual values of a setting and ``others``, sorted, with None last."""
    values = sorted({value for value in (*setting.usual, *others) if value is not None})
    return values if setting.none is None else [*values, NOTHING]


def setting_widget(
    setting: Setting, key: str, default: Any, others: Iterable[Any] = (), slider: bool = False, **look: Any
) -> Any:
    """Show a widget that keeps its value, ``default`` at first, and return the setting's value.

    ``others`` are values to offer besides the usual ones. ``look`` goes to the Streamlit widget.
    """
    kind = setting.kind
    look = {"help": _(setting.help), **keep(key, to_widget(default)), **look}
    if isinstance(kind, Flag):
        return st.toggle(_(setting.label), **look)
    if isinstance(kind, Integer) and (setting.typed or not setting.usual):
        return st.number_input(_(setting.label), kind.low, min(kind.high, MAX_INTEGER), **look)
    if isinstance(kind, Number) and (setting.typed or not setting.usual):
        low, high = SMALLEST if kind.open_low else float(kind.low), float(kind.high)
        step = 0.05 if high <= 1 else 0.5
        return st.number_input(_(setting.label), low, high, step=step, format="%g", **look)
    choices = list(kind.registry) if isinstance(kind, Choice) else options(setting, default, *others)
    select = st.select_slider if slider else st.selectbox
    label = _(setting.label)
    chosen = select(label, choices, format_func=lambda value: show_setting(setting, from_widget(value)), **look)
    return from_widget(chosen)
