"""The pages, and the row of links to them at the top of each.

Streamlit's own navigation becomes a sidebar on a phone, which stays open over the page that a tap has led to.
"""

from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import (
    BROKEN_PAGE,
    CLASS_PAGE,
    DRAW_PAGE,
    HANDWRITING_PAGE,
    HOW_PAGE,
    LESSONS_PAGE,
    PATHS,
    SWEEPS_PAGE,
    TRAIN_PAGE,
    WORK_PAGE,
    language,
    presentation,
)
from ui.components import make_component
from ui.translation import _

APART = (PATHS[BROKEN_PAGE], PATHS[SWEEPS_PAGE])  # pages that only other pages lead to


def choose_page() -> tuple[StreamlitPage, list[StreamlitPage]]:
    """The page that the address names, and all pages."""
    pages = [
        st.Page(DRAW_PAGE, title=_("Draw"), icon=":material/draw:", default=True),
        st.Page(TRAIN_PAGE, title=_("Train"), icon=":material/model_training:", url_path=PATHS[TRAIN_PAGE]),
        st.Page(HOW_PAGE, title=_("How it works"), icon=":material/network_node:", url_path=PATHS[HOW_PAGE]),
        st.Page(LESSONS_PAGE, title=_("Lessons"), icon=":material/school:", url_path=PATHS[LESSONS_PAGE]),
        st.Page(HANDWRITING_PAGE, title=_("My handwriting"), icon=":material/signature:", url_path=PATHS[HANDWRITING_PAGE]),
        st.Page(CLASS_PAGE, title=_("Class"), icon=":material/groups:", url_path=PATHS[CLASS_PAGE]),
        st.Page(
            BROKEN_PAGE,
            title=_("Broken networks"),
            icon=":material/build:",
            url_path=PATHS[BROKEN_PAGE],
            visibility="hidden",
        ),
        st.Page(SWEEPS_PAGE, title=_("Sweeps"), icon=":material/tune:", url_path=PATHS[SWEEPS_PAGE], visibility="hidden"),
        st.Page(WORK_PAGE, title=_("My work"), icon=":material/folder:", url_path=PATHS[WORK_PAGE]),
    ]
    return st.navigation(pages, position="hidden"), pages


def show_links(current: StreamlitPage, pages: Sequence[StreamlitPage]) -> None:
    """A link to each page that is not ``APART``, of which the current one is marked, and the switch to presentation mode."""
    with st.container(key="pages", horizontal=True, vertical_alignment="center", gap="small"):
        for page in [page for page in pages if page.url_path not in APART]:
            st.page_link(page, label=page.title, width="content")
        make_component("pages", "<span></span>")(data={"current": current.title}, key="current_page")
        presentation.show_switch()
        language.show_menu("language")
