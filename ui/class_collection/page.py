"""The page Class: a teacher opens a collection, and phones donate digits to it."""

from functools import partial

import streamlit as st

from engine import InklingError
from ui import state
from ui.class_collection import join, teacher
from ui.class_collection.visit import classes, current
from ui.formatting import escape_markdown
from ui.translation import _
from ui.visitor import workspace

REFRESH_SECONDS = 2.0  # between two looks at what has arrived
START, JOINED, TEACHER = "start", "joined", "teacher"


def page() -> None:
    st.title(_("Class"), anchor=False)
    join.open_link()
    part = current_part()
    st.fragment(show_part, run_every=REFRESH_SECONDS if part == TEACHER else None)(part)


def current_part() -> str:
    """What the page shows."""
    if current().code:
        return JOINED
    try:
        return TEACHER if classes().of_workspace(workspace().id) else START
    except InklingError:
        return TEACHER  # which says what is wrong


def show_part(part: str) -> None:
    """Everything below the title: the canvas, too, reports to this fragment, so that no press is lost."""
    state.show_error()
    if current_part() != part:
        st.rerun()
    show = {START: show_start, JOINED: partial(join.show, current().code), TEACHER: teacher.show}[part]
    try:
        show()
    except InklingError as error:
        text = _("The class cannot be shown: {reason}.").format(reason=error)
        st.warning(escape_markdown(text), icon=":material/cloud_off:")
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def show_start() -> None:
    """Join a collection, or open one."""
    with st.container(key="class-start", horizontal=True):
        with st.container(width="stretch"):
            st.header(_("Join with a code"), anchor=False)
            st.markdown(_("The code is on the screen in front of you. You can scan the square code there instead."))
            join.show_field()
        with st.container(width="stretch"):
            st.header(_("Open a collection"), anchor=False)
            st.markdown(
                _(
                    "For teachers: a class makes a data set of its own handwriting. Everyone draws digits on a phone, "
                    "without an account, and the screen shows them arrive."
                )
            )
            teacher.show_open_button()


page()
