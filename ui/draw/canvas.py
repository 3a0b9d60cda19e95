"""The drawing canvas, and its companion, which sends a stroke while it is being drawn."""

from contextlib import suppress
from typing import NamedTuple

from engine.pen import CANVAS as SIZE
from ui.components import make_component
from ui.current_drawing import CANVAS, COMPANION, update_drawing
from ui.draw.drawing import Drawing
from ui.draw.strokes import PAPER_COLOUR, PEN_COLOUR
from ui.state import session
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


def show_canvas(pen: Pen) -> None:
    """Show the canvas with the current drawing, and take over what it reports."""
    from streamlit_drawable_canvas import st_canvas  # can only be imported in a running app

    drawing = current_drawing()
    with suppress(AttributeError, KeyError, TypeError):  # the canvas believes what the browser sends, which may be anything
        result = st_canvas(
            stroke_width=pen.width,
            stroke_color=pen.colour,
            background_color=PAPER_COLOUR,
            width=SIZE,
            height=SIZE,
            initial_drawing=drawing.canvas_content,
            key=CANVAS,
        )
        drawing.take_report(result.json_data)


def run_companion(pen: Pen) -> None:
    """Listen to growing strokes on the canvas: each message reruns the fragment that calls this."""
    drawing = current_drawing()
    data = {
        "canvas": CANVAS,
        "size": SIZE,
        "width": pen.width,
        "colour": pen.colour,
        "revision": drawing.revision,
        "reported": drawing.num_reported,
        "sequence": drawing.sequence,
    }
    companion = make_component("companion", "<span></span>")
    companion(data=data, key=COMPANION, default={"message": None}, on_message_change=lambda: None)
