"""Whatever a browser reports, the drawing and the grid go on: what is wrong is ignored."""

import json

import numpy as np
from fuzz.conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.draw import strokes
from ui.draw.drawing import Drawing
from ui.draw.keyboard_grid import Cells

numbers = st.one_of(
    st.integers(-20, 300),
    st.floats(-20, 300),
    st.sampled_from([float("nan"), float("inf"), -1e308, 10**400, -(2**63), 0, 1e-300, True, "7", None]),
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
colours = st.sampled_from([strokes.PEN_COLOUR, strokes.PAPER_COLOUR, "#000000", "", None, 5, "x" * 10_000])
widths = st.sampled_from([18, 18, 18.5, 8, 32]) | numbers
commands = st.one_of(
    st.builds(lambda x, y: ["L", x, y], st.integers(0, 280), st.floats(0, 280)),
    st.builds(lambda x, y: ["Q", x, y, y, x], st.integers(0, 280), st.floats(0, 280)),
    st.lists(st.sampled_from(["M", "L", "Q", "C", "Z", "", 5]) | numbers, max_size=7),
)
paths = st.builds(lambda x, rest: [["M", x, x], *rest], st.integers(0, 280), st.lists(commands, max_size=4)) | json_values
INK = np.zeros((28, 28), np.uint8)
INK[8:20, 9:12] = 255
SRC = strokes.make_picture(INK)["src"]
sources = st.sampled_from([SRC, SRC[:-40], SRC[:30], "data:image/png;base64,", "data:text/html,<b>", "https://example.org"])
shapes = st.one_of(
    st.fixed_dictionaries({"path": paths}, optional={"type": json_values, "stroke": colours, "strokeWidth": widths}),
    st.fixed_dictionaries({"src": sources | json_values}, optional={"left": numbers, "top": numbers}),
    json_values,
)
reports = st.fixed_dictionaries({}, optional={"objects": st.lists(shapes, max_size=5) | json_values}) | json_values
points = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=5) | json_values
live_strokes = st.fixed_dictionaries(
    {"number": st.integers(0, 6) | numbers, "points": points, "width": widths, "colour": colours}
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "sequence": st.integers(0, 9) | json_values,
        "revision": st.integers(0, 3) | json_values,
        "begun": st.integers(0, 9) | json_values,
        "strokes": st.lists(live_strokes | json_values, max_size=4) | json_values,
    },
)
events = st.one_of(
    st.tuples(st.just("take_report"), reports),
    st.tuples(st.just("take_message"), messages | json_values),
    st.tuples(st.sampled_from(["undo", "redo", "clear", "show_again"])),
)


@settings(deadline=None, max_examples=examples(400))
@given(st.lists(events, max_size=6))
def test_a_drawing_goes_on(steps):
    drawing = Drawing()
    for name, *arguments in steps:
        getattr(drawing, name)(*arguments)
        image = drawing.image()
        assert image is None or (image.shape == (280, 280) and image.dtype == np.uint8)
        json.dumps([drawing.canvas_content, drawing.sequence, drawing.num_reported], allow_nan=False)
    drawing.clear()
    live = {"number": 1, "points": [[140, 60], [140, 220]], "width": 18, "colour": strokes.PEN_COLOUR}
    expected = strokes.render([strokes.make_path(live["points"], 18)])
    drawing.take_message({"sequence": 1, "revision": drawing.revision, "begun": 1, "strokes": [live]})
    if not drawing.objects:  # the last report said nothing else about this revision
        np.testing.assert_array_equal(drawing.image(), expected)
    drawing.take_report({"objects": [strokes.make_path(live["points"], 18)]})
    np.testing.assert_array_equal(drawing.image(), expected)


@settings(deadline=None, max_examples=examples(400))
@given(json_values | st.lists(st.integers(-2, 800) | numbers | json_values, max_size=30))
def test_the_grid_goes_on(report):
    cells = Cells([30])
    cells.take_report(report)
    assert all(type(cell) is int and 0 <= cell < 784 for cell in cells.cells)
    cells.image()
    cells.show_again()
    json.dumps(cells.grid_content)
