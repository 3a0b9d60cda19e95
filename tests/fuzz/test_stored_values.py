"""Whatever the store holds as a drawing, a grid or settings, a page shows it or begins anew; it can be stored again."""

import json

import streamlit
from fuzz.conftest import examples
from fuzz.damage import damaged_json, json_values
from fuzz.test_browser_messages import shapes
from fuzz.workspaces import workspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config import Config
from ui.draw import strokes
from ui.draw.drawing import Drawing
from ui.draw.keyboard_grid import Cells
from ui.state import session, value
from ui.store.store import MAX_VALUE_BYTES
from ui.train import config_form, network_builder

VALUES = workspace().values
MANY = settings(deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])


def sound_or_damaged(name):
    return damaged_json(VALUES[name], at_most=3) | json_values


steps = st.lists(st.lists(st.integers(-1, 4), max_size=5), max_size=3)
drawings = sound_or_damaged("drawing") | st.fixed_dictionaries(
    {"objects": st.lists(shapes, max_size=5), "past": steps, "now": steps, "future": steps}
)


def check_stored(value):
    """The value fits into the store, and comes back as it is."""
    content = json.dumps(value, allow_nan=False)
    assert len(content) <= MAX_VALUE_BYTES
    assert json.loads(content) == value
    return value


@MANY
@given(drawings)
def test_any_stored_drawing_can_be_shown_undone_and_stored_again(content):
    drawing = Drawing.from_json(content)
    drawing.image()
    again = Drawing.from_json(check_stored(drawing.to_json()))
    assert again.objects == drawing.objects
    assert again.past == drawing.past
    assert again.future == drawing.future
    assert again.to_json() == drawing.to_json()
    for step in (drawing.undo, drawing.undo, drawing.redo, drawing.redo):
        step()
        check_stored(drawing.canvas_content)
        drawing.image()
    drawing.take_report({"objects": [*drawing.objects, strokes.make_path([[140, 60], [140, 220]], 18)]})
    assert drawing.image() is not None


@MANY
@given(sound_or_damaged("cells") | st.lists(st.integers(-2, 800) | json_values, max_size=20))
def test_any_stored_grid_can_be_shown_and_stored_again(content):
    cells = Cells()
    cells.take_report(content)
    cells.show_again()
    cells.image()
    again = Cells()
    again.take_report(check_stored(cells.to_json()))
    assert again.cells == cells.cells


@MANY
@given(sound_or_damaged("settings"))
def test_any_stored_settings_fill_the_form(monkeypatch, content):
    monkeypatch.setattr(streamlit, "session_state", {})
    config_form._restore(content)
    config = Config(
        layers=network_builder.current_layers(), augmentation=config_form._augmentation(), **config_form._values()
    )
    check_stored([config.to_json(), session().preset[1].to_json(), value("source"), value("num_seeds"), value("preset")])
    assert session().preset[0]
