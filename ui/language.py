"""Which language a visitor's pages have: the choice in the address, or in the workspace, or the browser's own language."""

import streamlit as st

from ui import state
from ui.components import make_component
from ui.translation import CHOICE, LANGUAGES, _, language
from ui.visitor import workspace

PARAMETER = "lang"  # of the page's address
STORED = "language"  # the name of the workspace's value


def begin_run() -> None:
    """At the top of every run, once the workspace is open. A link to another page drops the choice from the address."""
    if CHOICE not in st.session_state:
        wanted = st.query_params.get(PARAMETER, "").lower(), workspace().value(STORED)
        known = [code for code in wanted if isinstance(code, str) and code in LANGUAGES]  # both may be anything
        st.session_state[CHOICE] = known[0] if known else None
    chosen = st.session_state[CHOICE]
    if chosen and st.query_params.get(PARAMETER) != chosen:
        st.query_params[PARAMETER] = chosen
    make_component("language", "<span></span>")(data={"language": language()}, key="page_language")


def show_menu(key: str) -> None:
    """A menu of the languages, each named in itself. ``key`` names its place: the style sheet shows the one that fits."""
    st.menu_button(
        LANGUAGES[language()],
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key=key,
        help=_("Language"),
        icon=":material/translate:",
        type="tertiary",
        on_click=_choose,
        args=(key,),
    )


def _choose(key: str) -> None:
    code = st.session_state[key]
    state.keep_through_new_labels()
    st.session_state[CHOICE] = code
    workspace().set_value(STORED, lambda: code)
