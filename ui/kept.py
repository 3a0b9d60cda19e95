"""Settings that outlive a page switch, and being folded away: Streamlit forgets what a widget holds that is not shown.

What is written to a widget is sent to the browser, where it takes back a click that comes in the meantime. So a value is
written only for a widget that may not be on the page yet, or whose value is new; the others keep their own.

The browser holds the choice of a select box as its label, so one that is kept must have labels that do not change.
"""

from dataclasses import dataclass, field

import streamlit as st

KEPT = "kept:"  # how the widgets' keys start


@dataclass
class _Kept:
    """The values by key. Keys of widgets: ``shown`` by the last complete run of the script and by fragments since,
    ``showing`` in the run under way, ``due`` to say what was put there, which no complete run has told the browser yet."""

    values: dict = field(default_factory=dict)
    shown: set = field(default_factory=set)
    showing: set = field(default_factory=set)
    due: set = field(default_factory=set)


def begin_run():
    """At the top of every run of the script: note what the widgets say, and let those not on the page be told it anew."""
    mine = _kept()
    for known in note():
        if known in mine.due or known not in mine.shown:
            del st.session_state[known]
    mine.showing = set()


def note():
    """Note what the widgets say, and return their keys; at the top of a fragment too, which may not show all of them."""
    state, mine = st.session_state, _kept()
    known = [known for known in state if str(known).startswith(KEPT)]
    mine.values |= {one: state[one] for one in known if one not in mine.due}
    return known


def end_run():
    """At the end of a run that was not cut short: what it showed has reached the browser."""
    mine = _kept()
    mine.shown = mine.showing  # one set from here on: what fragments show is added to both
    mine.due = set()


def key(name, default=None):
    """The key of a widget, to be shown at once, that keeps its value: ``default`` at first, or what was ``put`` there."""
    state, mine, found = st.session_state, _kept(), KEPT + name
    if found in state:
        mine.due.discard(found)
    else:
        state[found] = mine.values.get(found, default)
    mine.values[found] = state[found]
    mine.showing.add(found)
    return found


def value(name, default=None):
    """What a widget says, shown or not."""
    return st.session_state.get(KEPT + name, _kept().values.get(KEPT + name, default))


def put(name, value):
    """Have a widget say this from when it is next shown on: to be called in a callback, or before the widget is shown."""
    _kept().values[KEPT + name] = value
    _kept().due.add(KEPT + name)
    st.session_state.pop(KEPT + name, None)


def forget(name):
    """Let go of all that is kept whose name begins so."""
    values = _kept().values
    for known in [known for known in values if known.startswith(KEPT + name)]:
        del values[known]
        st.session_state.pop(known, None)


def _kept():
    return st.session_state.setdefault("kept", _Kept())
