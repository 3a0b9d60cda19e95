"""The one truth of what is drawn, and the races of those that tell of it."""

import numpy as np
import pytest

from engine import BlankDrawing
from ui import strokes
from ui.drawing import Drawing

A, B, C = (strokes.path([(x, 60), (x, 220)], 18) for x in (60, 140, 220))


def told(drawing, *through):
    """What the companion says of strokes through these points, or pairs of a number and points."""
    numbered = [stroke if isinstance(stroke, tuple) else (number, stroke) for number, stroke in enumerate(through, 1)]
    return {
        "revision": drawing.revision,
        "sequence": 1,
        "begun": numbered[-1][0] if numbered else 0,
        "strokes": [
            {"number": number, "points": points, "width": 18, "colour": strokes.LIGHT} for number, points in numbered
        ],
    }


def points(stroke):
    """Those that one of the strokes above was made of."""
    return [stroke["path"][0][1:], stroke["path"][-1][1:]]


def drawn(*objects):
    """A drawing whose canvas has reported these strokes."""
    drawing = Drawing()
    drawing.receive({"objects": []})
    drawing.receive({"objects": list(objects)})
    return drawing


def seen(drawing):
    """The strokes, whoever told of them, by where they are."""
    return [round(strokes.points(stroke)[0][0]) for stroke in drawing.objects + drawing.pending]


def test_an_image_of_no_strokes_is_none():
    assert Drawing().image() is None
    assert drawn({"type": "Path", "path": [["M", 140, 140], ["L", 140, 141]]}).image().max() == 255


def test_a_stroke_is_there_while_it_is_drawn_and_once_after_it_was_reported():
    drawing = drawn(A)
    growing = []
    for length in (1, 2):
        drawing.follow(told(drawing, (2, points(B)[:length])))
        growing.append(int(drawing.image().sum()))
    assert growing[0] < growing[1]
    drawing.follow(told(drawing, (2, points(B))))
    assert seen(drawing) == [60, 140]
    image = drawing.image()
    drawing.receive({"objects": [A, B]})
    assert drawing.objects == [A, B]
    assert drawing.pending == []
    np.testing.assert_array_equal(drawing.image(), image)


def test_a_report_settles_the_strokes_it_holds_and_no_later_one():
    drawing = drawn()
    drawing.follow(told(drawing, points(A), points(B)))
    drawing.receive({"objects": [A]})
    assert drawing.objects == [A]
    assert seen(drawing) == [60, 140]


def test_undo_takes_the_last_stroke_though_the_canvas_has_not_reported_it():
    drawing = drawn(A)
    drawing.follow(told(drawing, (2, points(B))))
    drawing.undo()
    assert seen(drawing) == [60]
    drawing.redo()
    assert seen(drawing) == [60, 140]
    drawing.undo()
    drawing.undo()
    assert drawing.image() is None
    drawing.undo()  # nothing is left to take back
    assert drawing.image() is None


@pytest.mark.parametrize("action", [Drawing.undo, Drawing.clear])
def test_a_report_or_message_from_before_an_action_brings_no_ink_back(action):
    drawing = drawn(A)
    message = told(drawing, (2, points(B)))
    drawing.follow(message)
    action(drawing)
    left = seen(drawing)
    assert 140 not in left
    drawing.receive({"objects": [A, B]})  # was on its way
    drawing.follow(message)
    assert seen(drawing) == left
    drawing.receive({"objects": drawing.given["objects"]})  # the canvas has heard
    drawing.follow(told(drawing, points(C)))
    drawing.receive({"objects": [*drawing.given["objects"], C]})
    assert seen(drawing) == [*left, 220]


def test_undo_and_redo_quickly_after_each_other_end_where_the_last_says():
    drawing = drawn(A, B, C)
    drawing.follow(told(drawing))
    drawing.undo()
    first = drawing.given["objects"]
    drawing.undo()
    drawing.receive({"objects": first})  # late
    assert seen(drawing) == [60]
    drawing.redo()
    drawing.receive({"objects": [A]})
    assert seen(drawing) == [60, 140]


def test_clear_can_be_undone_and_a_new_stroke_drops_what_could_be_redone():
    drawing = drawn(A, B)
    drawing.clear()
    assert drawing.image() is None
    drawing.undo()
    assert seen(drawing) == [60, 140]
    drawing.undo()
    assert drawing.future
    drawing.follow(told(drawing, points(C)))
    drawing.redo()
    assert seen(drawing) == [60, 220]
    drawing.undo()
    assert seen(drawing) == [60]


def test_clearing_nothing_is_no_step():
    drawing = Drawing()
    drawing.clear()
    assert drawing.past == []
    assert drawing.revision == 0


def test_two_strokes_in_one_report_are_undone_one_by_one():
    drawing = drawn(A, B)
    drawing.undo()
    assert seen(drawing) == [60]
    drawing.undo()
    assert seen(drawing) == []


def test_a_stroke_under_way_survives_the_canvas_being_mounted_anew():
    drawing = drawn(A)
    drawing.follow(told(drawing, (2, points(B))))
    drawing.show()
    assert drawing.given["objects"] == drawing.objects
    assert seen(drawing) == [60, 140]
    drawing.undo()
    assert seen(drawing) == [60]


def test_where_the_companion_is_silent_the_reports_are_enough():
    drawing = drawn(A)
    drawing.receive({"objects": [A, B]})
    assert seen(drawing) == [60, 140]
    drawing.undo()
    drawing.receive({"objects": [A, C]})  # a busy server may miss that the canvas showed what it was told to
    assert seen(drawing) == [60, 220]
    drawing.receive({"objects": []})  # the canvas's own toolbar
    assert drawing.image() is None
    drawing.undo()
    assert seen(drawing) == [60, 220]


def test_a_brought_picture_takes_the_place_of_what_is_drawn_and_can_be_undone():
    drawing = drawn(A)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[8:20, 8:20] = 255
    drawing.bring(pixels)
    assert [shape["type"] for shape in drawing.objects] == ["Image"]
    assert drawing.given["objects"] == drawing.objects
    assert drawing.image()[140, 140] == 255
    drawing.undo()
    assert seen(drawing) == [60]
    with pytest.raises(BlankDrawing):
        drawing.bring(np.zeros((28, 28), np.uint8))
    assert seen(drawing) == [60]


def test_the_history_shares_its_strokes_and_has_an_end():
    drawing = Drawing()
    for count in range(1, 260):
        report = {"objects": [{"type": "Path", "path": [["M", n, n], ["L", n, 9]]} for n in range(count)]}
        drawing.receive(report)
    assert drawing.past[-1][0] is drawing.objects[0]
    assert len(drawing.past) == 200
