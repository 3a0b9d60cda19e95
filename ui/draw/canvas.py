"""The drawing canvas, and its companion, which sends a stroke while it is being drawn."""

from contextlib import suppress
from typing import NamedTuple

from engine.pen import CANVAS as SIZE
from ui.components import make_component
from ui.current_drawing import CANVAS, COMPANION, update_drawing
from ui.draw.drawing import Drawing
from ui.draw.strokes import PAPER_COLOUR, PEN_COLOUR
from ui.state import session
from ui.translation import _
from ui.visitor import workspace


class Pen(NamedTuple):
    """What a stroke is drawn with; ``width`` in pixels."""

    width: int
    erases: bool = False

    @property
    def colour(self) -> str:
        return PAPER_COLOUR if self.erases else PEN_COLOUR


def current_drawing() -> Drawing:
    """This session's drawing, with the latest strokes from the canvas and its companion."""
    if session().drawing is None:
        session().drawing = Drawing.from_json(workspace().value("drawing"))
    update_drawing()
    return session().drawing  # pyright: ignore[reportReturnType]


def show_canvas(pen: Pen, drawing: Drawing | None = None, key: str = CANVAS) -> None:
    """Show the canvas with the current drawing, or another canvas with another one, and take over what it reports."""
    from streamlit_drawable_canvas import st_canvas  # can only be imported in a running app

    drawing = drawing or current_drawing()
    with suppress(AttributeError, KeyError, TypeError):  # the canvas believes what the browser sends, which may be anything
        result = st_canvas(
            stroke_width=pen.width,
            stroke_color=pen.colour,
            background_color=PAPER_COLOUR,
            width=SIZE,
            height=SIZE,
            initial_drawing=drawing.canvas_content,
            key=key,
        )
        drawing.take_report(result.json_data)


def run_companion(
    pen: Pen, drawing: Drawing | None = None, canvas: str = CANVAS, key: str = COMPANION, is_live: bool = True
) -> None:
    """Listen to growing strokes on the canvas: each message reruns the fragment that calls this.

    Unless it ``is_live``, a message comes only when something is pressed before the canvas has reported the last stroke.
    """
    drawing = drawing or current_drawing()
    data = {
        "canvas": canvas,
        "live": is_live,
        "size": SIZE,
        "width": pen.width,
        "colour": pen.colour,
        "revision": drawing.revision,
        "reported": drawing.num_reported,
        "sequence": drawing.sequence,
        "label": _("Canvas to draw on with mouse, finger or pen"),
    }
    companion = make_component("companion", "<span></span>")
    companion(data=data, key=key, default={"message": None}, on_message_change=lambda: None)
