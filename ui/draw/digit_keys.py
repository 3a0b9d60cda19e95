"""Ten keys that say which digit the drawing is, and keep it with this label in the workspace."""

from typing import NamedTuple

import streamlit as st

from engine import BlankDrawing, InklingError
from engine.data.collection import MAX_POINTS, MAX_STROKES, LabelledDrawing, prepared
from ui import collection
from ui.class_names import with_article
from ui.components import make_component
from ui.current_drawing import update_drawing
from ui.draw.drawing import Drawing
from ui.draw.keyboard_grid import Cells
from ui.draw.prediction import Answer
from ui.draw.strokes import pen_strokes
from ui.formatting import escape_markdown
from ui.state import session
from ui.translation import _
from ui.visitor import workspace

KEY = "digit keys"
HTML = """
<div class="inkling-keys" role="group" aria-label="{which}">
  <p><span class="say"></span> <button type="button" class="undo">{undo}</button></p>
  <div role="toolbar" aria-label="{ask}"></div>
  <p class="spoken" role="status"></p>
</div>
"""


class Kept(NamedTuple):
    """The drawing that was kept last; while the ``content`` of the canvas or grid is this one, its label can be changed."""

    key: str
    label: int
    content: tuple


def show_keys(surface: Drawing | Cells, answer: Answer | None) -> None:
    """Show the keys; that of the reading is marked, and that of the label once the drawing is kept."""
    kept = session().kept
    is_kept = kept is not None and kept.content == content(surface)
    read = answer.last.digit if answer and not answer.is_number and not answer.last.is_no_digit else None
    data = {"read": read, "kept": kept.label if kept and is_kept else None, "enabled": answer is not None}
    data["texts"] = {
        "ask": _("It is a ..."),
        "kept": kept and _("Kept as {label}").format(label=kept.label),
        "not_kept": _("Not kept"),
        "keys": [_("It is {digit}").format(digit=with_article(digit)) for digit in range(10)],
    }
    html = HTML.format(which=_("Which digit it is"), undo=_("Undo keeping"), ask=_("It is a ..."))
    keys = make_component("keys", html)
    keys(data=data, key=KEY, on_label_change=lambda: _press(surface))


def content(surface: Drawing | Cells) -> tuple:
    """What is on the canvas or grid, to see whether it has changed."""
    if isinstance(surface, Cells):
        return tuple(surface.cells)
    return surface.revision, len(surface.objects) + len(surface.pending)


def labelled(surface: Drawing | Cells, label: int) -> LabelledDrawing:
    """The drawing with this label: with its strokes, or as an image if it has pictures. Raises ``BlankDrawing``."""
    strokes = pen_strokes(surface.objects + surface.pending) if isinstance(surface, Drawing) else None
    if strokes and len(strokes) <= MAX_STROKES and sum(len(stroke.points) for stroke in strokes) <= MAX_POINTS:
        return LabelledDrawing.from_strokes(label, strokes)
    image = surface.image()
    if image is None:
        raise BlankDrawing("there is nothing on the canvas: draw a digit first")
    return LabelledDrawing(label, prepared(image))


def _press(surface: Drawing | Cells) -> None:
    """Keep the drawing under the key that was pressed, change its label, or take it back: anything else is ignored."""
    update_drawing()  # with a stroke that the canvas has not reported yet
    label, kept = st.session_state[KEY].get("label"), session().kept
    is_kept = kept is not None and kept.content == content(surface)
    try:
        if label == "undo" and kept and is_kept:
            session().kept = None
            workspace().remove_drawing(kept.key)
        elif type(label) is int and 0 <= label <= 9:
            if kept and is_kept:
                workspace().relabel_drawing(kept.key, label)
                session().kept = kept._replace(label=label)
            else:
                key = collection.keep([labelled(surface, label)])[0]
                session().kept = Kept(key, label, content(surface))
    except BlankDrawing:
        pass  # the keys cannot be pressed then, but a browser may send anything
    except InklingError as error:
        st.toast(escape_markdown(_("This drawing was not kept: {error}.").format(error=error)), icon=":material/error:")
