"""The grid to draw on with the keyboard: the image of its cells, and the page with the grid."""

import numpy as np
import pytest
from helpers import ROOT
from pages import ONE, answer, draw, open_app, session, widget

import engine
from engine.pen import draw_strokes
from ui.draw.keyboard_grid import KEY, Cells, cells_of
from ui.draw.prediction import predict

SEVEN = [8 * 28 + column for column in range(8, 19)] + [row * 28 + 18 - (row - 8) // 2 for row in range(9, 22)]
ZERO = (
    [6 * 28 + column for column in range(11, 17)]
    + [22 * 28 + column for column in range(11, 17)]
    + [row * 28 + column for row in range(7, 22) for column in (10, 17)]
)


@pytest.mark.parametrize(("cells", "digit"), [(SEVEN, "7"), (ZERO, "0")])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_digit_of_cells_is_read_like_a_pen_drawn_one(cells, digit, name):
    network = engine.load(ROOT / "pretrained" / f"{name}.npz")
    (prediction,) = predict(network, [engine.prepare(np.asarray(Cells(cells).image()))])
    assert prediction.symbol == digit


def test_cells_that_touch_make_a_line_as_wide_as_the_pen():
    row = [14 * 28 + column for column in range(5, 20)]
    image = np.asarray(Cells(row).image())
    assert image.shape == (280, 280)
    widths = (image > 127).sum(axis=0)[60:190]
    assert widths.min() >= 17
    assert widths.max() <= 19
    diagonal = np.asarray(Cells([k * 28 + k for k in range(5, 20)]).image())
    across = np.array([diagonal[k, k] for k in range(60, 190)])
    assert across.min() > 200


def test_no_cells_make_no_image_and_anything_else_in_a_report_is_ignored():
    cells = Cells()
    assert cells.image() is None
    cells.take_report([3, 784, -1, "x", 2.5, 3])
    assert cells.cells == [3]
    cells.take_report(range(784))
    assert (np.asarray(cells.image())[10:-10, 10:-10] == 255).all()


@pytest.mark.parametrize("report", [None, 5, "3", {"3": 3}, float("nan")])
def test_anything_else_than_a_list_of_cells_changes_nothing(report):
    cells = Cells([3])
    cells.take_report(report)
    assert cells.cells == [3]


def test_wrong_cells_are_ignored():
    cells = Cells()
    cells.take_report([[1], {}, None, True, 4.0, float("nan"), 10**400, "5", 6])
    assert cells.cells == [6]
    cells.take_report([7] * 1_000_000 + [8])
    assert cells.cells == [7]


def open_grid():
    app = open_app()
    widget(app.toggle, "Draw with keys").set_value(True).run()
    assert not app.exception
    return app


def keyboard_cells(app):
    cells = session(app).cells
    assert cells is not None
    return cells


def fill(app, cells):
    app.session_state[KEY] = {"cells": cells}
    return app.run()


def test_cells_drawn_with_keys_are_read_and_survive_a_page_switch():
    app = open_grid()
    assert "Draw a digit from 0 to 9" in answer(app)
    before = answer(fill(app, SEVEN))
    assert 'data-sure="True">7</div>' in before
    app.switch_page("ui/train/page.py").run()
    app.switch_page("ui/draw/page.py").run()
    assert not app.exception
    assert answer(app) == before
    assert keyboard_cells(app).grid_content["cells"] == sorted(SEVEN)


def test_an_empty_grid_begins_with_the_drawing_on_the_canvas_and_has_its_own_from_then_on():
    app = draw(open_app(), ONE)
    panel_of_one = answer(app)
    widget(app.toggle, "Draw with keys").set_value(True).run()
    assert not app.exception
    assert 'data-sure="True">1</div>' in answer(app)
    assert keyboard_cells(app).grid_content["cells"] == keyboard_cells(app).cells != []
    panel_of_seven = answer(fill(app, SEVEN))
    widget(app.toggle, "Draw with keys").set_value(False).run()
    assert answer(app) == panel_of_one
    widget(app.toggle, "Draw with keys").set_value(True).run()
    assert answer(app) == panel_of_seven


@pytest.mark.parametrize("width", [8, 18, 32])
def test_the_cells_of_a_drawing_look_like_it(width):
    network = engine.load(ROOT / "pretrained" / "cnn.npz")
    lines = {
        "7": [[(60, 60), (200, 60), (120, 230)]],
        "1": [[(140, 50), (140, 230)]],
        "4": [[(80, 50), (70, 150), (200, 150)], [(170, 60), (165, 240)]],
    }
    for digit, strokes in lines.items():
        cells = cells_of(draw_strokes(strokes, width=width))
        (prediction,) = predict(network, [engine.prepare(np.asarray(Cells(cells).image()))])
        assert prediction.symbol == digit
    assert cells_of(np.zeros((280, 280), np.uint8)) == []


def test_a_sample_returns_to_the_canvas():
    app = fill(open_grid(), SEVEN)
    app.button(key="sample 0").click().run()
    assert not app.exception
    assert not widget(app.toggle, "Draw with keys").value
    assert 'data-sure="True">0</div>' in answer(app)
