"""Settings that outlive a page switch, and being folded away: Streamlit forgets what a widget holds that is not shown.

What is written to a widget is sent to the browser, where it takes back a click that comes in the meantime. So a value is
written only for a widget that may not be on the page yet, or whose value is new; the others keep their own.
"""

from dataclasses import dataclass, field

import streamlit as st

KEPT = "kept:"  # how the widgets' keys start


@dataclass
class _Kept:
    """The values by key, and the keys of the widgets that the last complete run has shown and this run shows."""

    values: dict = field(default_factory=dict)
    shown: set = field(default_factory=set)
    showing: set = field(default_factory=set)


def begin_run(fresh):
    """At the top of every run of the script: note what the widgets say. ``fresh``: none of the page's is shown yet."""
    state, mine = st.session_state, _kept()
    if fresh:
        mine.shown = set()
    for known in [known for known in state if str(known).startswith(KEPT)]:
        mine.values[known] = state[known]
        if known not in mine.shown:
            del state[known]
    mine.showing = set()


def end_run():
    """At the end of a run that was not cut short: what it showed has reached the browser."""
    _kept().shown = _kept().showing


def key(name, default=None):
    """The key of a widget, to be shown at once, that keeps its value: ``default`` at first, or what was ``put`` there."""
    state, mine, found = st.session_state, _kept(), KEPT + name
    if found not in state:
        state[found] = mine.values.get(found, default)
    mine.values[found] = state[found]
    mine.showing.add(found)
    return found


def value(name, default=None):
    """What a widget says, shown or not."""
    return st.session_state.get(KEPT + name, _kept().values.get(KEPT + name, default))


def put(name, value):
    """Have a widget say this from when it is next shown on."""
    _kept().values[KEPT + name] = value
    st.session_state.pop(KEPT + name, None)


def forget(name):
    """Let go of all that is kept whose name begins so."""
    values = _kept().values
    for known in [known for known in values if known.startswith(KEPT + name)]:
        del values[known]
        st.session_state.pop(known, None)


def _kept():
    return st.session_state.setdefault("kept", _Kept())
