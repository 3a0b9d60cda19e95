"""The keys that keep a drawing with its label, on the Draw page."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import make_digits
from pages import ONE, SEVEN, draw, draw_live, drawing, open_app, session

from engine import prepare
from engine.data.collection import render
from ui import collection
from ui.draw import digit_keys
from ui.draw.drawing import Drawing
from ui.draw.keyboard_grid import Cells
from ui.draw.strokes import make_path, pen_strokes


def keys(app):
    """What the keys show."""
    return next(
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_keys"
    )


def shown_keys(app):
    """The same without the texts."""
    return {name: value for name, value in keys(app).items() if name != "texts"}


@pytest.fixture
def pressed(monkeypatch):
    """Press a key as the browser does: in the callback of the component."""
    kept = []
    monkeypatch.setattr(digit_keys, "session", lambda: kept[0])
    monkeypatch.setattr(digit_keys.st, "session_state", state := {})

    def press_key(current, surface, label):
        kept[:] = [current]
        state[digit_keys.KEY] = {"label": label}
        digit_keys._press(surface)

    return press_key


@pytest.fixture
def current(open_workspace, monkeypatch):
    """A session in a workspace of its own."""
    opened = open_workspace()
    for module in (collection, digit_keys):
        monkeypatch.setattr(module, "workspace", lambda: opened)
    return SimpleNamespace(kept=None, workspace=opened)


def labels(workspace):
    return [record.label for record in workspace.drawings()]


def drawn(*points, **options):
    surface = Drawing()
    surface.objects = [make_path(line, 18, **options) for line in points]
    return surface


LINES = [[(60, 60), (200, 60), (120, 220)], [(90, 140), (190, 140)]]


def test_a_key_keeps_the_drawing_with_its_strokes_and_another_changes_its_label(current, pressed):
    surface = drawn(*LINES)
    pressed(current, surface, 7)
    assert labels(current.workspace) == [7]
    (kept,) = collection.with_strokes(current.workspace)
    assert len(kept.strokes) == 2
    assert np.abs(kept.image / 255 - prepare(surface.image())).max() < 0.02
    pressed(current, surface, 1)
    assert labels(current.workspace) == [1]
    surface.objects = [*surface.objects, make_path(LINES[1], 18)]  # another drawing
    pressed(current, surface, 2)
    assert labels(current.workspace) == [1, 2]


def test_keeping_can_be_undone(current, pressed):
    surface = drawn(*LINES)
    pressed(current, surface, 7)
    pressed(current, surface, "undo")
    assert labels(current.workspace) == []
    pressed(current, surface, "undo")
    assert current.kept is None


@pytest.mark.parametrize("label", ["7", 10, -1, True, 7.0, None, [7], {"a": 1}])
def test_anything_else_is_ignored(current, pressed, label):
    pressed(current, drawn(*LINES), label)
    assert labels(current.workspace) == []


def test_the_eraser_is_kept_as_a_stroke_and_a_picture_as_an_image(current, pressed):
    surface = drawn(LINES[0])
    surface.objects.append(make_path([(40, 60), (240, 60)], 30, "#000000"))
    pressed(current, surface, 1)
    (kept,) = collection.with_strokes(current.workspace)
    assert [stroke.erases for stroke in kept.strokes] == [False, True]
    assert np.abs(render(kept.strokes).astype(int) - surface.image()).mean() < 0.5

    surface.replace_with_picture(make_digits(10).images[3])
    pressed(current, surface, 3)
    kept = collection.with_strokes(current.workspace).drawings[1]
    assert kept.strokes == ()
    assert (kept.image == np.rint(255 * prepare(surface.image()))).all()


def test_what_is_on_the_grid_is_kept_as_an_image(current, pressed):
    cells = Cells([28 * row + 14 for row in range(6, 22)])
    pressed(current, cells, 1)
    (kept,) = collection.with_strokes(current.workspace)
    assert (kept.strokes, kept.label) == ((), 1)


def test_nothing_is_kept_of_an_empty_canvas_or_of_ink_that_was_erased(current, pressed):
    pressed(current, Drawing(), 7)
    surface = drawn(LINES[0])
    surface.objects.append(make_path([(60, 60), (200, 60), (120, 220)], 40, "#000000"))
    pressed(current, surface, 7)
    assert labels(current.workspace) == []


def test_a_drawing_of_too_many_points_is_kept_as_an_image(current, pressed):
    surface = drawn(*[[(60 + k % 100, 60), (200, 60 + k % 50)] for k in range(250)])
    assert len(pen_strokes(surface.objects)) == 250
    pressed(current, surface, 7)
    assert collection.with_strokes(current.workspace).drawings[0].strokes == ()


def test_without_a_store_it_says_that_nothing_was_kept(current, pressed, monkeypatch):
    said = []
    monkeypatch.setattr(digit_keys.st, "toast", lambda text, icon: said.append(text))
    current.workspace.store = None
    pressed(current, drawn(*LINES), 7)
    assert current.kept is None
    assert len(said) == 1
    assert said[0].startswith("This drawing was not kept")


def test_the_key_of_the_reading_is_marked():
    app = open_app()
    assert shown_keys(app) == {"read": None, "kept": None, "enabled": False}
    draw(app, SEVEN)
    assert shown_keys(app) == {"read": 7, "kept": None, "enabled": True}
    session(app).kept = digit_keys.Kept("key", 1, digit_keys.content(drawing(app)))
    assert keys(app.run())["kept"] == 1
    draw(app, SEVEN, ONE)
    assert keys(app)["kept"] is None


def test_a_growing_stroke_belongs_to_the_drawing():
    app = open_app()
    draw_live(app, [(60, 60), (200, 60), (120, 220)])
    assert digit_keys.content(drawing(app))[1] == 1
    assert digit_keys.labelled(drawing(app), 7).strokes[0].points[0] == (60.0, 60.0)
