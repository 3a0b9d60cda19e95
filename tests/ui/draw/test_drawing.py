"""``Drawing``: strokes of the canvas and its companion, which may arrive late or twice, and their history."""

import numpy as np
import pytest

from engine import BlankDrawing
from ui import images
from ui.draw import strokes
from ui.draw.drawing import Drawing

A, B, C = (strokes.make_path([(x, 60), (x, 220)], 18) for x in (60, 140, 220))


def message(drawing, *through):
    """What the companion sends for strokes through these points; a stroke may also be a pair of its number and points."""
    numbered = [stroke if isinstance(stroke, tuple) else (number, stroke) for number, stroke in enumerate(through, 1)]
    return {
        "revision": drawing.revision,
        "sequence": 1,
        "begun": numbered[-1][0] if numbered else 0,
        "strokes": [
            {"number": number, "points": points, "width": 18, "colour": strokes.PEN_COLOUR} for number, points in numbered
        ],
    }


def points(stroke):
    """The two points that one of the strokes above was made of."""
    return [stroke["path"][0][1:], stroke["path"][-1][1:]]


def drawn(*objects):
    """A drawing whose canvas has reported these strokes."""
    drawing = Drawing()
    drawing.take_report({"objects": []})
    drawing.take_report({"objects": list(objects)})
    return drawing


def positions(drawing):
    """The x of each stroke, whether the canvas or the companion reported it."""
    return [round(strokes.path_points(stroke)[0][0]) for stroke in drawing.objects + drawing.pending]


def test_an_image_of_no_strokes_is_none():
    assert Drawing().image() is None
    assert np.asarray(drawn({"type": "Path", "path": [["M", 140, 140], ["L", 140, 141]]}).image()).max() == 255


def test_a_stroke_is_shown_while_it_is_drawn_and_only_once_after_its_report():
    drawing = drawn(A)
    growing = []
    for length in (1, 2):
        drawing.take_message(message(drawing, (2, points(B)[:length])))
        growing.append(int(np.asarray(drawing.image()).sum()))
    assert growing[0] < growing[1]
    drawing.take_message(message(drawing, (2, points(B))))
    assert positions(drawing) == [60, 140]
    image = drawing.image()
    drawing.take_report({"objects": [A, B]})
    assert drawing.objects == [A, B]
    assert drawing.pending == []
    np.testing.assert_array_equal(drawing.image(), image)


def test_a_report_replaces_the_live_strokes_that_it_holds_and_no_later_ones():
    drawing = drawn()
    drawing.take_message(message(drawing, points(A), points(B)))
    drawing.take_report({"objects": [A]})
    assert drawing.objects == [A]
    assert positions(drawing) == [60, 140]


def test_undo_takes_back_the_last_stroke_before_the_canvas_has_reported_it():
    drawing = drawn(A)
    drawing.take_message(message(drawing, (2, points(B))))
    drawing.undo()
    assert positions(drawing) == [60]
    drawing.redo()
    assert positions(drawing) == [60, 140]
    drawing.undo()
    drawing.undo()
    assert drawing.image() is None
    drawing.undo()  # nothing is left to take back
    assert drawing.image() is None


@pytest.mark.parametrize("action", [Drawing.undo, Drawing.clear])
def test_a_report_or_message_from_before_an_action_brings_no_ink_back(action):
    drawing = drawn(A)
    sent = message(drawing, (2, points(B)))
    drawing.take_message(sent)
    action(drawing)
    left = positions(drawing)
    assert 140 not in left
    drawing.take_report({"objects": [A, B]})  # sent before the action
    drawing.take_message(sent)
    assert positions(drawing) == left
    drawing.take_report({"objects": drawing.canvas_content["objects"]})  # the canvas shows the new revision
    drawing.take_message(message(drawing, points(C)))
    drawing.take_report({"objects": [*drawing.canvas_content["objects"], C]})
    assert positions(drawing) == [*left, 220]


def test_quick_undo_and_redo_end_at_the_last_one():
    drawing = drawn(A, B, C)
    drawing.take_message(message(drawing))
    drawing.undo()
    first = drawing.canvas_content["objects"]
    drawing.undo()
    drawing.take_report({"objects": first})  # late
    assert positions(drawing) == [60]
    drawing.redo()
    drawing.take_report({"objects": [A]})
    assert positions(drawing) == [60, 140]


def test_clear_can_be_undone_and_a_new_stroke_drops_the_steps_for_redo():
    drawing = drawn(A, B)
    drawing.clear()
    assert drawing.image() is None
    drawing.undo()
    assert positions(drawing) == [60, 140]
    drawing.undo()
    assert drawing.future
    drawing.take_message(message(drawing, points(C)))
    drawing.redo()
    assert positions(drawing) == [60, 220]
    drawing.undo()
    assert positions(drawing) == [60]


def test_clearing_nothing_is_no_step():
    drawing = Drawing()
    drawing.clear()
    assert drawing.past == []
    assert drawing.revision == 0


def test_two_strokes_in_one_report_are_undone_one_by_one():
    drawing = drawn(A, B)
    drawing.undo()
    assert positions(drawing) == [60]
    drawing.undo()
    assert positions(drawing) == []


def test_a_stroke_under_way_survives_the_canvas_being_mounted_anew():
    drawing = drawn(A)
    drawing.take_message(message(drawing, (2, points(B))))
    drawing.show_again()
    assert drawing.canvas_content["objects"] == drawing.objects
    assert positions(drawing) == [60, 140]
    drawing.undo()
    assert positions(drawing) == [60]


def test_reports_are_enough_without_a_companion():
    drawing = drawn(A)
    drawing.take_report({"objects": [A, B]})
    assert positions(drawing) == [60, 140]
    drawing.undo()
    drawing.take_report({"objects": [A, C]})  # a busy server may miss the report after Undo
    assert positions(drawing) == [60, 220]
    drawing.take_report({"objects": []})  # the canvas's own toolbar
    assert drawing.image() is None
    drawing.undo()
    assert positions(drawing) == [60, 220]


def test_a_picture_replaces_the_drawing_and_can_be_undone():
    drawing = drawn(A)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[8:20, 8:20] = 255
    drawing.replace_with_picture(pixels)
    assert [shape["type"] for shape in drawing.objects] == ["Image"]
    assert drawing.canvas_content["objects"] == drawing.objects
    assert np.asarray(drawing.image())[140, 140] == 255
    drawing.undo()
    assert positions(drawing) == [60]
    with pytest.raises(BlankDrawing):
        drawing.replace_with_picture(np.zeros((28, 28), np.uint8))
    assert positions(drawing) == [60]


def test_the_history_shares_its_strokes_and_is_limited():
    drawing = Drawing()
    for count in range(1, 260):
        report = {"objects": [{"type": "Path", "path": [["M", n, n], ["L", n, 9]]} for n in range(count)]}
        drawing.take_report(report)
    assert drawing.past[-1][0] is drawing.objects[0]
    assert len(drawing.past) == 200


SRC = strokes.make_picture(np.pad(np.full((10, 10), 255, np.uint8), 9))["src"]
NAN, HUGE = float("nan"), 10**400
WRONG_OBJECTS = [
    None,
    5,
    [],
    {},
    {"type": "Circle", "radius": 5},
    {"path": 5},
    {"path": [5]},
    {"path": [[]]},
    {"path": [["M"]]},
    {"path": [["L", 1, 2]]},
    {"path": [["Q", 1, 2, 3, 4]]},
    {"path": [["M", 1, 2], ["C", 1, 2, 3, 4, 5, 6]]},
    {"path": [["M", 1, 2], ["L", "3", 4]]},
    {"path": [["M", 1, 2], [["L"], 3, 4]]},
    {"path": [["M", NAN, 2], ["L", 3, 4]]},
    {"path": [["M", 1, float("-inf")], ["L", 3, 4]]},
    {"path": [["M", 1, HUGE], ["L", 3, 4]]},
    {**A, "strokeWidth": 5_000},
    {**A, "strokeWidth": 0},
    {**A, "strokeWidth": NAN},
    {**A, "strokeWidth": "18"},
    {**A, "stroke": None},
    {**A, "stroke": "x" * 1_000},
    {"src": 5, "left": 0, "top": 0},
    {"src": SRC},
    {"src": SRC, "left": NAN, "top": 0},
    {"src": SRC[:60], "left": 0, "top": 0},
    {"src": "https://example.org/a.png", "left": 0, "top": 0},
    {"src": images.url(np.zeros((281, 20), np.uint8)), "left": 0, "top": 0},
    {"src": images.url(np.zeros((9_000, 9_000), np.uint8)), "left": 0, "top": 0},
]


@pytest.mark.parametrize("wrong", WRONG_OBJECTS, ids=lambda wrong: str(wrong)[:40])
def test_what_is_wrong_in_a_report_is_ignored(wrong):
    drawing = drawn(A)
    drawing.take_report({"objects": [A, wrong, B]})
    assert drawing.objects == [A, B]
    assert drawing.image() is not None
    drawing.undo()
    assert positions(drawing) == [60]


@pytest.mark.parametrize("report", [None, 5, "x", [A], {"objects": 5}, {"objects": None}, {"objects": {"0": A}}])
def test_anything_else_than_a_report_changes_nothing(report):
    drawing = drawn(A)
    drawing.take_report(report)
    drawing.take_message(report)
    assert positions(drawing) == [60]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("number", "1"),
        ("number", NAN),
        ("points", 5),
        ("points", []),
        ("points", [[1, 2, 3]]),
        ("points", [[1, NAN]]),
        ("points", [[1, HUGE]]),
        ("points", [[1, "2"]]),
        ("width", 0),
        ("width", 1_000),
        ("width", None),
        ("colour", 5),
    ],
)
def test_wrong_live_strokes_are_ignored(key, wrong):
    drawing = drawn(A)
    sent = message(drawing, (2, points(B)), (3, points(C)))
    sent["strokes"][0][key] = wrong
    drawing.take_message(sent)
    assert positions(drawing) == [60, 220]
    assert drawing.image() is not None


@pytest.mark.parametrize("key", ["sequence", "revision", "begun", "strokes"])
@pytest.mark.parametrize("wrong", [None, "1", -1, NAN, [1], {}, 2**60])
def test_a_wrong_message_shows_no_strokes(key, wrong):
    drawing = drawn(A)
    drawing.take_message({**message(drawing, (2, points(B))), key: wrong})
    assert positions(drawing) == [60]
    drawing.take_message(message(drawing, (2, points(B))))
    assert positions(drawing) == [60, 140]


def test_strokes_and_points_are_limited():
    drawing = drawn(A)
    zigzag = [[280 * (number % 2), number % 280] for number in range(6_000)]
    many = strokes.make_path(zigzag, 18)
    drawing.take_report({"objects": [A, many, many, many, many, B]})
    assert len(drawing.objects) == 4
    drawing.take_message(message(drawing, *((number, zigzag) for number in range(5, 12))))
    assert len(drawing.pending) == 3
    drawing.take_report({"objects": [A] * 5_000})
    assert len(drawing.objects) == strokes.MAX_OBJECTS
    drawing.take_report({"objects": [strokes.make_picture(np.pad(np.full((9, 9), 255, np.uint8), 9))] * 50})
    assert len(drawing.objects) == strokes.MAX_PICTURES


def test_an_object_has_no_more_entries_than_the_canvas_needs():
    drawing = drawn({**A, "scaleX": 1, "shadow": None, "deep": [[[]]], "long": "x" * 10_000, "number": NAN})
    assert drawing.objects == [{**A, "scaleX": 1, "shadow": None}]


def test_reports_nested_hundreds_of_levels_deep_are_ignored():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    drawing = drawn(A)
    for _ in range(2):
        drawing.take_report({"objects": [A, {"path": nested}], "nested": nested})
    assert drawing.objects == [A]


@pytest.mark.parametrize("reported", [[A], [A, B]])
def test_a_stroke_that_was_taken_back_is_gone_from_the_canvas_and_from_the_history(reported):
    """As the first finger's, when a second one makes it a pinch: the canvas may have reported it by then."""
    drawing = drawn(A)
    drawing.take_report({"objects": reported})
    before = drawing.revision
    drawing.take_message(message(drawing) | {"begun": 2, "wrong": [2]})
    assert drawing.objects == drawing.canvas_content["objects"] == [A]
    assert drawing.revision == before + 1
    assert drawing.past == [[]]
    drawing.take_report({"objects": [A, B]})  # late
    assert drawing.objects == [A]


@pytest.mark.parametrize("reported", [[A], [A, C]])
def test_a_stroke_that_the_canvas_has_otherwise_becomes_what_was_drawn(reported):
    drawing = drawn(A)
    drawing.take_report({"objects": reported})
    drawing.take_message(message(drawing, (2, points(B))) | {"wrong": [2]})
    assert positions(drawing) == [60, 140]
    assert drawing.canvas_content["objects"] == drawing.objects
    assert len(drawing.past) == 2
    drawing.undo()
    assert drawing.objects == [A]


def test_a_right_stroke_after_a_wrong_one_stays_and_only_once():
    drawing = drawn(A, B)
    drawing.take_message(message(drawing, (2, points(B)), (3, points(C))) | {"wrong": [1]})
    assert positions(drawing) == [140, 220]
    assert [len(step) for step in drawing.past] == [0, 1]


@pytest.mark.parametrize("wrong", [None, 2, "2", [None, -1, "2", 1.5, [2], 2**60], [7]])
def test_what_is_wrong_in_the_numbers_of_wrong_strokes_is_ignored(wrong):
    drawing = drawn(A)
    drawing.take_message(message(drawing, (2, points(B))) | {"wrong": wrong})
    assert positions(drawing) == [60, 140]
