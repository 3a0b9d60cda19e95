"""The page My handwriting: collect own drawings, look at them, see how well networks read them, and teach one."""

import streamlit as st

from engine import InklingError
from ui import state
from ui.formatting import escape_markdown
from ui.handwriting import collecting, files, judging, teaching, wall
from ui.translation import N_, _
from ui.visitor import workspace


def show_drawings() -> None:
    """The wall, and the drawings as files."""
    wall.show()
    files.show()


TABS = {
    N_("Collect"): collecting.show,
    N_("My drawings"): show_drawings,
    N_("Test"): judging.show,
    N_("Teach"): teaching.show,
}


def page() -> None:
    st.title(_("My handwriting"), anchor=False)
    show_parts()


@st.fragment
def show_parts() -> None:
    """Everything below the title: the canvas, too, reports to this fragment, so that no press is lost."""
    state.show_error()
    try:
        workspace().drawings()
    except InklingError as error:
        text = _("Your drawings cannot be shown: {reason}.").format(reason=error)
        st.warning(escape_markdown(text), icon=":material/cloud_off:")
        return
    parts = state.tabs(list(TABS), key="handwriting part")
    for part, show in zip(parts, TABS.values(), strict=True):
        if part.open:
            with part:
                show()
        elif show is collecting.show and state.session().collecting:
            collecting.current().is_shown = False
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


page()
