"""The drawing surface: the strokes of this session, and the canvas they are drawn on.

The strokes are the one truth. The canvas reports them, Undo and Clear change them and hand them back, and the picture is
drawn from them here; so a page switch loses nothing, and no picture can be older than its strokes.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from engine.pen import CANVAS, PEN, draw_strokes
from engine.preprocessing import crop, find_ink
from ui import session

KEY = "canvas"
CURVE_POINTS = 4  # straight pieces for each of the canvas's short curves


@dataclass
class Drawing:
    """``objects`` are the strokes as the canvas describes them; ``given`` is what it was last told to show."""

    objects: list = field(default_factory=list)
    given: dict = field(default_factory=lambda: {"objects": [], "revision": 0})
    reported: dict | None = None
    picture: np.ndarray | None = None

    def bring(self, picture):
        """Replace what is there by the ink of a picture, a PIL image or uint8 array, fitted in the canvas."""
        ink = Image.fromarray(crop(find_ink(picture)))
        ink = ink.resize([max(1, round(side * 240 / max(ink.size))) for side in ink.size])
        self.show([])
        self.picture = np.zeros((CANVAS, CANVAS), np.uint8)
        top, left = (CANVAS - ink.height) // 2, (CANVAS - ink.width) // 2
        self.picture[top : top + ink.height, left : left + ink.width] = np.clip(255 * np.asarray(ink), 0, 255)

    def show(self, objects, picture=None):
        """Have the canvas show these strokes; it acts on a new revision only."""
        self.objects = objects
        self.picture = picture
        self.given = {"objects": objects, "revision": self.given["revision"] + 1}

    def receive(self, report):
        """Take over what the canvas says, unless it is what it said before: then it is older than what it was told."""
        if report is not None and report != self.reported:
            self.reported = report
            self.objects = report.get("objects", [])

    def image(self):
        """The strokes as an image (280, 280) uint8, white on black; None where there are none."""
        strokes = [(points(shape), shape.get("strokeWidth", PEN)) for shape in self.objects if shape.get("path")]
        if not strokes:
            return self.picture
        return draw_strokes([stroke for stroke, _ in strokes], CANVAS, [width for _, width in strokes])


def points(shape):
    """The points of a stroke that the canvas describes as a path of ``M x y``, ``L x y`` and ``Q cx cy x y``."""
    found = []
    for command, *numbers in shape["path"]:
        *control, end = np.reshape(numbers, (-1, 2)) if numbers else [None]
        if command == "Q" and found:
            t = np.linspace(0, 1, CURVE_POINTS + 1)[1:, None]
            start = np.array(found[-1])
            found += [tuple(p) for p in (1 - t) ** 2 * start + 2 * t * (1 - t) * control[0] + t**2 * end]
        elif end is not None:
            found.append(tuple(end))
    return found


def drawing_canvas(stroke_width):
    """Show the canvas and return the ``Drawing`` on it."""
    from streamlit_drawable_canvas import st_canvas  # cannot be imported outside a running app

    drawing = current()
    if session.page_switched():
        drawing.show(drawing.objects, drawing.picture)
    result = st_canvas(
        stroke_width=stroke_width,
        stroke_color="#FFFFFF",
        background_color="#000000",
        width=CANVAS,
        height=CANVAS,
        initial_drawing=drawing.given,
        key=KEY,
    )
    _companion()(data={"key": KEY}, key="companion")
    drawing.receive(result.json_data)
    return drawing


def current():
    """This session's drawing."""
    return st.session_state.setdefault("drawing", Drawing())


@st.cache_resource(show_spinner=False)
def _companion():
    js = Path(__file__).with_name("companion.js").read_text()
    return st.components.v2.component("inkling_companion", html="<span></span>", js=js, isolate_styles=False)
