"""Pages run through ``AppTest``, from ``streamlit_app.py`` as a visitor comes in."""

import base64
import io
import json

from helpers import ROOT
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.canvas import COMPANION, KEY

SEVEN = [["M", 60, 60], ["Q", 200, 60, 200, 60], ["L", 120, 220]]
ONE = [["M", 140, 50], ["L", 140, 230]]


def open_app(page=None):
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20).run()
    return app.switch_page(page).run() if page else app


def draw(app, *paths):
    """Report these strokes as the canvas does."""
    picture = io.BytesIO()
    Image.new("RGBA", (280, 280)).save(picture, "PNG")
    objects = [{"type": "Path", "strokeWidth": 18, "path": path} for path in paths]
    url = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    app.session_state[KEY] = {"drawing": {"raw": {"objects": objects}, "data": url}}
    return app.run()


def under_way(app, *strokes):
    """Tell of these strokes, as lists of points, as the companion does while they are drawn."""
    told = [
        {"number": number, "points": points, "width": 18, "colour": "#FFFFFF"} for number, points in enumerate(strokes, 1)
    ]
    revision = app.session_state["drawing"].revision
    app.session_state[COMPANION] = {"message": {"revision": revision, "sequence": 1, "begun": len(told), "strokes": told}}
    return app.run()


def answer(app):
    """The HTML of the answer."""
    return next(
        json.loads(element.proto.json)["html"]
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_live"
    )


def button(app, label):
    return next(b for b in app.button if b.label == label)


def widget(widgets, label):
    return next(w for w in widgets if w.label == label)
