"""``Drawing``: strokes of the canvas and its companion, which may arrive late or twice, and their history."""

import numpy as np
import pytest

from engine import BlankDrawing
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
