"""What is drawn in this session. The Draw page shows it; the Train page follows it through a training."""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import streamlit as st

import engine
from ui import compat, state

if TYPE_CHECKING:
    from ui.draw.drawing import Drawing

CANVAS, COMPANION = "canvas", "companion"  # keys of the two components that report strokes
HISTORY = "history"  # key of Undo, Redo and Clear
DRAW_WITH_KEYS = "draw with keys"  # key of the switch between the canvas and the grid


def update_drawing() -> None:
    """Pass the latest from the canvas, its companion, and Undo, Redo and Clear to the session's ``Drawing``."""
    if drawing := state.session().drawing:
        update(drawing, CANVAS, COMPANION)
        with suppress(AttributeError):
            drawing.take_presses(st.session_state.get(HISTORY, {}).get("presses"))


def update(drawing: "Drawing", canvas: str, companion: str) -> None:
    """Pass the latest from the components with these keys to a drawing."""
    with suppress(AttributeError):  # the browser may send something else than a report
        drawing.take_report(compat.canvas_report(canvas))
    with suppress(AttributeError):
        drawing.take_message(st.session_state.get(companion, {}).get("message"))


def current_image() -> npt.NDArray[np.uint8] | None:
    """The drawing on the canvas or the grid, whichever is in use, (280, 280), white on black; None if it is empty."""
    update_drawing()
    surface = state.session().cells if state.value(DRAW_WITH_KEYS, False) else state.session().drawing
    return surface.image() if surface else None


def network_input(image: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.float32] | None:
    """The image as a network sees it, (28, 28) in [0, 1]; None if it shows no ink."""
    try:
        return None if image is None else engine.prepare(image)
    except engine.BlankDrawing:
        return None
