"""The drawing surface: the canvas, and the companion that tells of a stroke while it is drawn."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from engine.pen import CANVAS
from ui import session
from ui.drawing import Drawing
from ui.strokes import DARK, LIGHT

KEY, COMPANION = "canvas", "companion"


class Pen(NamedTuple):
    """What a stroke is drawn with; ``width`` in pixels."""

    width: int
    erases: bool = False

    @property
    def colour(self):
        return DARK if self.erases else LIGHT


def drawing_canvas(pen):
    """Show the canvas and return the ``Drawing`` on it."""
    from streamlit_drawable_canvas import st_canvas  # cannot be imported outside a running app

    drawing = current()
    if session.page_switched():
        drawing.show()
    result = st_canvas(
        stroke_width=pen.width,
        stroke_color=pen.colour,
        background_color=DARK,
        width=CANVAS,
        height=CANVAS,
        initial_drawing=drawing.given,
        key=KEY,
    )
    drawing.receive(result.json_data)
    return drawing


def companion(pen):
    """Listen to strokes under way on the canvas: every message reruns the fragment that this is called in."""
    drawing = current()
    data = {
        "canvas": KEY,
        "size": CANVAS,
        "width": pen.width,
        "colour": pen.colour,
        "revision": drawing.revision,
        "settled": drawing.settled,
        "sequence": drawing.sequence,
    }
    _companion()(data=data, key=COMPANION, default={"message": None}, on_message_change=lambda: None)


def current():
    """This session's drawing, up to the last that the companion and the canvas said."""
    drawing = st.session_state.setdefault("drawing", Drawing())
    drawing.receive(st.session_state.get(KEY, {}).get("drawing", {}).get("raw"))
    drawing.follow(st.session_state.get(COMPANION, {}).get("message"))
    return drawing


@st.cache_resource(show_spinner=False)
def _companion():
    js = Path(__file__).with_name("companion.js").read_text()
    return st.components.v2.component("inkling_companion", html="<span></span>", js=js, isolate_styles=False)
