"""Straight marks: ruled lines, frames and underlines are told from digits, and taken away without them."""

import numpy as np
import pytest

from engine.pen import draw_strokes
from engine.preprocessing import prepare, separate_ink
from engine.ruling import box_of, frame, frame_at_edges, straight_lines, straight_marks, underline

SIDE = 280
SEVEN = [[(90, 50), (190, 50), (130, 200)]]
TWO = [[(100, 80), (130, 50), (170, 60), (175, 90), (100, 200), (190, 200)]]
ONE_WITH_FOOT = [[(110, 90), (140, 50), (140, 200)], [(100, 200), (180, 200)]]
ONE_WITH_LOOSE_FOOT = [[(110, 90), (140, 50), (140, 185)], [(100, 198), (180, 198)]]
FIVE_WITH_LOOSE_BAR = [[(100, 70), (100, 120), (150, 115), (170, 150), (150, 195), (95, 190)], [(110, 45), (180, 45)]]
ZERO = [[(140, 50), (95, 80), (90, 150), (130, 200), (170, 190), (185, 120), (170, 70), (140, 50)]]
EIGHT = [[(140, 120), (105, 90), (140, 50), (175, 85), (140, 120), (100, 160), (140, 205), (180, 165), (140, 120)]]
DIGITS = {"7": SEVEN, "2": TWO, "5": FIVE_WITH_LOOSE_BAR, "0": ZERO, "8": EIGHT}
RECTANGLE = [[(60, 20), (220, 25), (222, 245), (58, 240), (60, 20)]]


def draw(*strokes, pen=14):
    return draw_strokes(strokes, SIDE, pen)


@pytest.mark.parametrize("tilt", [-8, 0, 8])
@pytest.mark.parametrize("name", DIGITS)
def test_an_underline_is_left_out(name, tilt):
    line = [(70, 235 + tilt), (140, 236), (215, 235 - tilt)]
    ink = separate_ink(draw(*DIGITS[name], line))
    np.testing.assert_array_equal(ink.strength, separate_ink(draw(*DIGITS[name])).strength)
    (box,) = ink.left_out
    np.testing.assert_allclose(box, (63, 228 - abs(tilt), 222, 242 + abs(tilt)), atol=3)


def test_an_underline_may_touch_the_digit():
    for strokes in (SEVEN, [[(x + 20, y) for x, y in SEVEN[0]]]):
        (box,) = separate_ink(draw(*strokes, [(70, 212), (225, 212)])).left_out
        assert box[1] > 195
        assert np.abs(prepare(draw(*strokes, [(70, 212), (225, 212)])) - prepare(draw(*strokes))).mean() < 0.05


def test_several_digits_may_share_an_underline():
    small = [[(x / 2 + shift, y) for x, y in stroke] for shift in (10, 80, 150) for stroke in SEVEN]
    (box,) = separate_ink(draw(*small, [(40, 240), (250, 240)], pen=8)).left_out
    assert box[1] > 230


@pytest.mark.parametrize("pen", [8, 14, 22])
@pytest.mark.parametrize("strokes", [*DIGITS.values(), ONE_WITH_FOOT, ONE_WITH_LOOSE_FOOT, [[(60, 140), (220, 140)]]])
def test_digits_are_left_alone(strokes, pen):
    for turned in (strokes, [[(y, x) for x, y in stroke] for stroke in strokes]):
        canvas = draw(*turned, pen=pen)
        left, top, right, bottom = box_of(canvas > 0)
        assert underline(canvas[top:bottom, left:right] > 0) is None or turned is not strokes
        assert frame(canvas[top:bottom, left:right] > 0) is None
        assert frame_at_edges(canvas > 0) is None


def test_hardly_any_drawing_of_a_validation_writer_is_changed(pen_canvases):
    changed = [label for label, canvas in pen_canvases if straight_marks(canvas > 38)]
    assert len(changed) <= 0.005 * len(pen_canvases)


@pytest.fixture
def pen_canvases(strokes):
    from engine.data.synthetic.strokes import part_of
    from engine.pen import fit_strokes

    rng = np.random.default_rng(0)
    digits = [digit for digit in strokes if part_of(digit["writer"]) == "validation"][::3]
    placed = [[s + 9 for s in fit_strokes(digit["strokes"], 0.6, SIDE - 18, rng.random(2))] for digit in digits]
    return [(digit["label"], draw(*lines, pen=18)) for digit, lines in zip(digits, placed, strict=True)]


@pytest.mark.parametrize("name", DIGITS)
def test_a_frame_round_the_digit_is_left_out(name):
    strokes = [[((x - 140) * 0.6 + 140, (y - 125) * 0.6 + 130) for x, y in stroke] for stroke in DIGITS[name]]
    ink = separate_ink(draw(*strokes, *RECTANGLE, pen=8))
    np.testing.assert_array_equal(ink.strength, separate_ink(draw(*strokes, pen=8)).strength)
    (box,) = ink.left_out
    np.testing.assert_allclose(box, (54, 16, 226, 249), atol=3)


def test_a_rectangle_with_nothing_in_it_is_ink():
    assert separate_ink(draw(*RECTANGLE)).left_out == []
    assert separate_ink(draw(*RECTANGLE, [(140, 130), (141, 130)])).left_out == []  # a square zero with a dot


@pytest.mark.parametrize("sides", [("left", "right"), ("top", "bottom", "left", "right"), ("bottom",)])
def test_pale_lines_along_the_edges_of_a_small_scan_are_left_out(sides):
    expected = prepare(draw(*TWO))
    small = np.zeros((36, 36), np.uint8)
    small[4:32, 4:32] = np.round(255 * expected)
    framed = small.copy()
    for side in sides:
        edge = {"left": np.s_[:, 0], "right": np.s_[:, -1], "top": np.s_[0], "bottom": np.s_[-1]}[side]
        framed[edge] = 70
    ink = separate_ink(framed)
    assert len(ink.left_out) == 1
    np.testing.assert_array_equal(ink.strength, separate_ink(small).strength)


def test_the_strokes_of_a_tightly_cropped_digit_are_no_frame():
    for strokes in (*DIGITS.values(), ONE_WITH_FOOT):
        canvas = draw(*strokes, pen=20)
        left, top, right, bottom = box_of(canvas > 0)
        assert separate_ink(canvas[top:bottom, left:right]).left_out == []


@pytest.mark.parametrize("slope", [-0.06, 0, 0.06])
@pytest.mark.parametrize("upright", [False, True])
def test_a_ruled_line_is_taken_away_but_not_the_strokes_that_cross_it(slope, upright):
    x = np.arange(400)
    line = np.zeros((300, 400), bool)
    for thickness in range(3):
        line[np.round(150 + slope * (x - 200)).astype(int) + thickness, x] = True
    stroke = np.zeros_like(line)
    stroke[80:230, 190:198] = True
    mask, strength = line | stroke, np.where(stroke, 0.6, 0.3 * line).astype(np.float32)
    if upright:
        mask, strength, stroke = (np.ascontiguousarray(image.T) for image in (mask, strength, stroke))
    (only,) = [found for found in straight_lines(mask, strength) if found.length > 300]
    rest = mask.copy()
    rest.ravel()[only.pixels] = False
    np.testing.assert_array_equal(rest, stroke)
    assert only.thickness == pytest.approx(3, abs=1)


@pytest.mark.parametrize("step", [(22, None), (22, 22)], ids=["ruled", "squared"])
def test_the_ruled_lines_of_a_flat_scan_are_left_out(step):
    writing = draw(*SEVEN, pen=8)
    sheet, (down, across) = writing.copy(), step
    sheet[10::down] = 255
    if across:
        sheet[:, 15::across] = 255
    ink = separate_ink(255 - sheet)
    assert len(ink.left_out) >= 13 * (2 if across else 1)
    assert np.mean((ink.strength > 0) != (writing > 0)) < 0.01


def test_a_loose_line_close_under_the_digit_may_be_its_foot():
    two = [[(90, 100), (120, 60), (170, 70), (165, 130), (100, 195)]]
    canvas = draw(*two, [(80, 225), (200, 225)], pen=12)
    with_underline = separate_ink(canvas).with_underline
    assert with_underline is not None
    np.testing.assert_array_equal(with_underline > 0, canvas >= 0.15 * 255)
    assert separate_ink(draw(*two, [(80, 262), (200, 262)], pen=12)).with_underline is None


def test_an_empty_mask_has_no_lines():
    assert straight_lines(np.zeros((30, 40), bool), np.zeros((30, 40), np.float32)) == []
