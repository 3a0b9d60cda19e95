"""Pages run through ``AppTest``, from ``streamlit_app.py`` as a visitor opens it."""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from helpers import ROOT
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.current_drawing import CANVAS, COMPANION
from ui.draw.drawing import Drawing
from ui.state import Session

SEVEN = [["M", 60, 60], ["Q", 200, 60, 200, 60], ["L", 120, 220]]
ONE = [["M", 140, 50], ["L", 140, 230]]


def open_app(page: str | None = None) -> AppTest:
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20).run()
    return app.switch_page(page).run() if page else app


def session(app: AppTest) -> Session:
    return app.session_state["session"]


def drawing(app: AppTest) -> Drawing:
    drawing = session(app).drawing
    assert drawing is not None
    return drawing


def draw(app: AppTest, *paths: list) -> AppTest:
    """Report these strokes as the canvas does."""
    picture = io.BytesIO()
    Image.new("RGBA", (280, 280)).save(picture, "PNG")
    objects = [{"type": "Path", "strokeWidth": 18, "path": path} for path in paths]
    url = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    app.session_state[CANVAS] = {"drawing": {"raw": {"objects": objects}, "data": url}}
    return app.run()


def press(app: AppTest, *actions: str) -> AppTest:
    """Press Undo, Redo or Clear, one after the other."""
    number, token = drawing(app).num_presses, drawing(app).token
    presses = [[number + place, action] for place, action in enumerate(actions, 1)]
    app.session_state["history"] = {"presses": {"drawing": token, "list": presses}}
    return app.run()


def draw_live(app: AppTest, *strokes: Sequence) -> AppTest:
    """Send these strokes, lists of points, as the companion does while they are drawn."""
    numbered = [
        {"number": number, "points": points, "width": 18, "colour": "#FFFFFF"} for number, points in enumerate(strokes, 1)
    ]
    message = {"revision": drawing(app).revision, "sequence": 1, "begun": len(numbered), "strokes": numbered}
    app.session_state[COMPANION] = {"message": message}
    return app.run()


def answer(app: AppTest) -> str:
    """The HTML of the prediction panel."""
    return next(
        json.loads(element.proto.json)["html"]
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_morph"
    )


def button(app: AppTest, label: str) -> Any:
    return next(b for b in app.button if b.label == label)


def widget(widgets: Iterable[Any], label: str) -> Any:
    return next(w for w in widgets if w.label == label)
