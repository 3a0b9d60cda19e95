"""Presentation mode: a page for a projector, which fills the screen and can be read from the back of a room."""

from pathlib import Path

import streamlit as st

from ui import ASSETS
from ui.state import session
from ui.translation import _

PARAMETER = "present"  # of the page's address
STYLE = ASSETS / "presentation.css"


def is_on() -> bool:
    """Whether this session presents: as the switch was set last, or else as the address says."""
    if session().is_presenting is None:
        session().is_presenting = st.query_params.get(PARAMETER, "0") not in ("", "0")
    return bool(session().is_presenting)


def styles() -> list[Path]:
    """The style sheet of presentation mode, while it is on. The address says so, too, also after a link to another page."""
    if not is_on():
        st.query_params.pop(PARAMETER, None)
        return []
    if st.query_params.get(PARAMETER) != "1":
        st.query_params[PARAMETER] = "1"
    return [STYLE]


def show_switch() -> None:
    """The button that begins or ends presentation mode."""
    if is_on():
        st.button(_("End presentation"), icon=":material/close:", key="end_presentation", shortcut="Esc", on_click=_switch)
    else:
        st.button(_("Present"), icon=":material/present_to_all:", key="present", type="tertiary", on_click=_switch)


def _switch() -> None:
    session().is_presenting = not is_on()
