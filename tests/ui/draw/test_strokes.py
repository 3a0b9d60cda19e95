"""Strokes and pictures as the canvas describes them, and as pixels."""

import numpy as np
import pytest
from PIL import Image

from engine import BlankDrawing
from ui.draw import strokes


def test_a_path_becomes_points_on_its_curve():
    curve = strokes.path_points({"path": [["M", 0, 0], ["Q", 50, 100, 100, 0], ["L", 100, 50]]})
    np.testing.assert_allclose(curve[0], [0, 0])
    assert np.abs(curve - [50, 50]).sum(axis=1).min() < 1e-9  # the middle of the curve
    assert np.abs(curve - [100, 0]).sum(axis=1).min() < 1e-9
    np.testing.assert_allclose(curve[-1], [100, 50])
    assert (np.hypot(*np.diff(curve, axis=0).T) < 20).all()


def test_points_become_the_path_that_the_canvas_makes_of_them():
    path = strokes.make_path([(10, 20), (30, 40), (50, 20)], 12)["path"]
    assert path == [["M", 10, 20], ["Q", 10, 20, 20, 30], ["Q", 30, 40, 40, 30], ["L", 50, 20]]


def test_a_tap_is_a_dot():
    image = strokes.render([strokes.make_path([(140, 140)], 20)])
    assert image[140, 140] == 255
    assert image.sum() / 255 == pytest.approx(np.pi * 10**2, rel=0.1)


def test_the_eraser_takes_ink_away_and_the_pen_may_draw_there_again():
    line = strokes.make_path([(40, 140), (240, 140)], 18)
    across = strokes.make_path([(140, 40), (140, 240)], 18, strokes.PAPER_COLOUR)
    drawn, erased = strokes.render([line]), strokes.render([line, across])
    assert erased[140, 140] == 0
    assert erased[140, 60] == 255
    assert erased.sum() < drawn.sum()
    np.testing.assert_array_equal(strokes.render([line, across, line]), drawn)
    np.testing.assert_array_equal(strokes.render([across], onto=drawn), erased)


@pytest.mark.parametrize("shape", [(60, 40), (28, 28), (400, 700)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_ink_of_a_picture_is_centred_and_as_large_as_people_draw(shape, dark):
    pixels = np.zeros(shape, np.uint8)
    pixels[2 : shape[0] // 2 + 2, 3 : shape[1] // 2 + 3] = 200
    image = strokes.render([strokes.make_picture(255 - pixels if dark else pixels)])
    ink = np.argwhere(image > 127)
    height, width = np.ptp(ink, axis=0) + 1
    np.testing.assert_allclose([height, width], 240 * np.array(shape) / max(shape), atol=6)
    np.testing.assert_allclose(ink.mean(axis=0), 139.5, atol=2)
    assert image.max() == 255
    assert image[0, 0] == 0


def test_a_picture_can_be_drawn_on_and_erased():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[10:18, 10:18] = 255
    shape = strokes.make_picture(Image.fromarray(pixels))
    image = strokes.render(
        [shape, strokes.make_path([(140, 140)], 18, strokes.PAPER_COLOUR), strokes.make_path([(20, 20)], 18)]
    )
    assert image[140, 140] == 0
    assert image[120, 120] == 255
    assert image[20, 20] == 255


def test_a_blank_picture_is_refused():
    with pytest.raises(BlankDrawing):
        strokes.make_picture(np.full((50, 50), 255, np.uint8))


def test_a_drawing_of_many_points_has_a_limited_number_of_dots(monkeypatch):
    drawn = []
    monkeypatch.setattr(strokes, "draw_strokes", lambda lines, *_: drawn.extend(lines) or np.zeros((280, 280), np.uint8))
    zigzag = strokes.make_path([(280 * (number % 2), number % 280) for number in range(2_000)], 18)
    strokes.render([zigzag] * 10)
    assert sum(map(len, drawn)) <= strokes.MAX_DOTS + 2 * strokes.MAX_POINTS
    drawn.clear()
    strokes.render([zigzag])
    assert len(drawn[0]) == pytest.approx(2_000 * strokes.MAX_PIECES, rel=0.01)
