"""The Draw page: a canvas, and what a network predicts while a digit is being drawn."""

from typing import Any

import streamlit as st

from engine import Network
from engine.data.dataset import DIGITS
from engine.pen import PEN
from ui import networks, state
from ui.class_names import reads_digits
from ui.draw import canvas, challenges, digit_keys, image_input, keyboard_grid, network_view, picture, prediction, share
from ui.draw.drawing import Drawing
from ui.draw.history import show_history
from ui.draw.panels.drawing_map import move_point
from ui.draw.panels.tabs import show_panels
from ui.formatting import escape_markdown
from ui.translation import N_, _, language
from ui.visitor import workspace
from ui.welcome import show_welcome

TOOLS = {N_("Pen"): ":material/edit:", N_("Eraser"): ":material/ink_eraser:"}


def page() -> None:
    share.open_link()
    show_welcome()
    for problem in networks.shipped_networks()[1]:
        st.warning(escape_markdown(problem))
    state.session().welcomed_with = _chosen_above()
    drawing_and_prediction()


@st.fragment
def drawing_and_prediction() -> None:
    """Everything below the title; only this runs again when a stroke has ended or a button was pressed."""
    if _chosen_above() != state.session().welcomed_with:
        st.rerun()
    above = st.container(key="picture sheet")
    with st.container(key="draw", horizontal=True):
        pen = show_surface()
        panel = st.container(width="stretch")
        keys = st.container(key="keys")
    with st.container(key="toolbar", horizontal=True, vertical_alignment="center"):
        if pen is not None:
            show_pen()
        image_input.show_picture_menu()
        keyboard_grid.switch()
        with st.container(key="choice", horizontal=True, vertical_alignment="center", width="stretch"):
            chosen = choose_network()
    if chosen and chosen.status:
        st.caption(f"{escape_markdown(chosen.label)}: {chosen.status}")
    network = chosen and chosen.network
    with above:
        picture.show_picture(network)
    state.session().shown_with = _chosen()
    with panel:
        show_prediction(network, pen)
    surface = current_surface()
    store_drawing(surface)
    if network is None or reads_digits(network):
        with keys:
            digit_keys.show_keys(surface, prediction.answer(network, surface.image()) if network else None)
    image_input.show_samples()
    challenges.show_rail(network)
    show_panels(network)
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def current_surface() -> Drawing | keyboard_grid.Cells:
    """What is drawn on the canvas or the grid, whichever is in use."""
    return keyboard_grid.current_cells() if keyboard_grid.is_on() else canvas.current_drawing()


def show_surface() -> canvas.Pen | None:
    """Show the canvas with its history, or the grid. Returns the canvas's pen, or None for the grid."""
    if state.session().surface_changed:
        state.session().surface_changed = False
        current_surface().show_again()
    if keyboard_grid.is_on():
        keyboard_grid.show_grid()
        return None
    pen = canvas.Pen(state.value("pen width", PEN), state.value("tool", "Pen") == "Eraser")
    with st.container(key="sheet", horizontal=True, width="content"):
        canvas.show_canvas(pen)
        show_history(canvas.current_drawing())
    return pen


def show_pen() -> None:
    """Show the choice of pen or eraser, and its width."""
    with st.container(key="pen", horizontal=True, width="content"):
        st.segmented_control(
            _("Tool"),
            TOOLS,
            format_func=lambda tool: f"{TOOLS[tool]} {_(tool)}",
            label_visibility="collapsed",
            required=True,
            **state.keep("tool", "Pen"),
        )
        st.slider(_("Pen width"), 8, 32, label_visibility="collapsed", **state.keep("pen width", PEN))


@st.fragment
def show_prediction(network: Network | None, pen: canvas.Pen | None) -> None:
    """The prediction and the network; only this runs again while a stroke is being drawn."""
    surface = current_surface()
    if _chosen() != state.session().shown_with:
        st.rerun()
    answer = prediction.answer(network, surface.image()) if network else None
    with st.container(key="answer"):
        spoken = answer.text if answer and not surface.pending else ""
        prediction.show_panel(answer, spoken, network.class_names if network else DIGITS)
        network_view.show_network(network, answer and answer.seen)
    move_point(answer, bool(surface.pending))
    if pen is not None:
        store_drawing(surface)
        canvas.run_companion(pen)  # last: once this has run, the companion sends its next message


def _chosen_above() -> tuple[Any, ...]:
    """What buttons above the canvas change.

    The browser sends a press and a stroke that come at the same time as one message, which runs only a part of the page.
    """
    return language(), state.session().is_presenting, state.session().explains


def _chosen() -> tuple[Any, ...]:
    """What buttons and choices outside ``show_prediction`` change."""
    current = state.session()
    revision = None if keyboard_grid.is_on() else canvas.current_drawing().revision
    choices = (state.value(key) for key in ("network", "tool", "pen width"))
    return revision, current.kept, current.sample_seed, {**current.open_parts}, *_chosen_above(), *choices


def store_drawing(surface: Drawing | keyboard_grid.Cells) -> None:
    """Have what is drawn stored soon, to be there again after a reload, a lost connection or a restart."""
    name = "drawing" if isinstance(surface, Drawing) else "cells"
    if surface.has_changed():  # another tab may have stored its own drawing meanwhile
        workspace().set_value(name, surface.to_json)


def choose_network() -> networks.Candidate | None:
    """Show the choice of a network; returns None if there is none to choose. The Train page can set it, too."""
    candidates = networks.candidates()
    if not candidates:
        st.info(_("There is no network yet. Train one on the Train page."))
        return None
    names = list(candidates)
    if state.value("network") not in candidates:
        state.set_value("network", names[0])
    name = st.selectbox(
        _("Network"),
        names,
        format_func=lambda name: candidates[name].label,
        label_visibility="collapsed",
        **state.keep("network"),
    )
    return candidates[name]


page()
