"""A drawing as JSON and back, with its history, within a limit, and whatever the JSON holds."""

import json

import numpy as np
import pytest
from fuzz.test_browser_messages import json_values, shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.draw.test_drawing import A, B, C, drawn, message, points, positions
from ui import images
from ui.draw import strokes
from ui.draw.drawing import Drawing
from ui.store.store import MAX_VALUE_BYTES


def stored(drawing):
    """The drawing as it comes back from the store."""
    return Drawing.from_json(json.loads(json.dumps(drawing.to_json())))


def test_a_drawing_comes_back_with_its_history():
    drawing = drawn(A, B, C)
    drawing.undo()
    again = stored(drawing)
    assert again.objects == [A, B]
    assert again.canvas_content["objects"] == [A, B]
    assert again.revision > 0  # so that the canvas shows it
    again.redo()
    assert again.objects == [A, B, C]
    for left in ([A, B], [A], []):
        again.undo()
        assert again.objects == left
    np.testing.assert_array_equal(stored(drawing).image(), drawing.image())


def test_a_stroke_that_only_the_companion_knows_is_a_step_of_its_own():
    drawing = drawn(A)
    drawing.take_message(message(drawing, (2, points(B)), (3, points(C))))
    again = stored(drawing)
    assert positions(again) == [60, 140, 220]
    for left in ([60, 140], [60], []):
        again.undo()
        assert positions(again) == left


def test_a_stroke_in_many_steps_is_stored_once():
    drawing = drawn(*[strokes.make_path([(x, 60), (x, 220)], 18) for x in range(100)])
    value = drawing.to_json()
    assert len(value["objects"]) == 100
    assert len(value["past"]) == 100


def test_of_a_long_history_of_pictures_the_newest_steps_are_stored():
    rng, drawing = np.random.default_rng(0), Drawing()
    for picture in rng.integers(0, 256, (60, 240, 240), np.uint8):
        drawing.replace([{"type": "Image", "src": images.url(picture), "left": 20, "top": 20, "width": 240, "height": 240}])
    assert len(json.dumps(drawing.to_json())) < MAX_VALUE_BYTES
    again = stored(drawing)
    assert again.objects == drawing.objects
    assert 5 < len(again.past) < len(drawing.past)
    assert again.past == drawing.past[-len(again.past) :]


def test_the_largest_drawing_fits_into_the_store():
    zigzag = [[0.123456789012345 + 279 * (number % 2), number / 77] for number in range(4_990)]
    drawing = drawn(*[strokes.make_path(zigzag, 18) for _ in range(4)])
    assert len(drawing.objects) == 4
    drawing.clear()
    drawing.take_report({"objects": []})
    drawing.take_report({"objects": [strokes.make_path(zigzag[number:], 18) for number in range(4)]})
    assert len(json.dumps(drawing.to_json())) < MAX_VALUE_BYTES
    assert stored(drawing).objects == drawing.objects


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "text",
        [],
        {},
        {"objects": {}, "past": {}, "now": {}, "future": {}},
        {"objects": [A], "past": [[0]], "now": [], "future": []},
        {"objects": [A], "past": [[5]], "now": [[0]], "future": []},
        {"objects": [A], "past": [[]], "now": [[-1]], "future": []},
        {"objects": [A], "past": 7, "now": [[0]], "future": []},
        {"objects": [{"path": "text"}], "past": [], "now": [[0]], "future": []},
    ],
)
def test_anything_else_is_an_empty_drawing(value):
    drawing = Drawing.from_json(value)
    assert drawing.objects == []
    assert drawing.image() is None


def test_too_much_is_left_out():
    value = {"objects": [A] * 9_000, "past": [[0]] * 5_000, "now": [[0] * 50_000], "future": [[0] * 50_000] * 500}
    drawing = Drawing.from_json(value)
    assert len(drawing.objects) == strokes.MAX_OBJECTS
    assert len(drawing.past) <= 200
    assert len(drawing.future) <= 200
    assert all(len(step) <= strokes.MAX_OBJECTS for step in drawing.future)


steps = st.lists(st.lists(st.integers(0, 4) | json_values, max_size=4), max_size=4) | json_values
objects = st.lists(shapes, max_size=5) | json_values
drawings = st.fixed_dictionaries({"objects": objects, "past": steps, "now": steps, "future": steps})


@settings(deadline=None, max_examples=100)
@given(drawings | json_values)
def test_any_value_gives_a_drawing_that_works(value):
    drawing = Drawing.from_json(value)
    drawing.image()
    for action in (drawing.undo, drawing.redo, drawing.redo, drawing.clear, drawing.undo):
        action()
        drawing.image()
    json.dumps(drawing.to_json())
