"""A run of other classes than digits, on the Train page."""

from dataclasses import replace

import pytest
from helpers import make_digits
from pages import SEVEN, draw, open_app

from tests.ui.train.steps import evaluation, html, open_panel, run_to_end, says, start
from ui import charts, datasets

NAMES = ("T-shirt", "Trousers", "Pullover", "<b>Dress</b>", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
PANELS = ("Curves", "What it learned", "Predictions", "Mistakes", "Save and share")


@pytest.fixture
def clothes(monkeypatch):
    sets = tuple(replace(make_digits(count, seed), class_names=NAMES) for count, seed in ((1200, 1), (300, 2)))
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    return sets


def test_classes_are_named_in_every_panel(clothes):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    start(app, Epochs=2)
    run = run_to_end(app)
    assert run.snapshot().network.class_names == NAMES
    for panel in PANELS:
        open_panel(app, panel)
    open_panel(app, "Predictions")
    assert "read as Sneaker" in html(app, "inkling-digits")
    assert any(says(app.caption, f"It reads **{name}") for name in ("Sneaker", "Bag", "T\\-shirt", "Sandal", "Coat"))
    open_panel(app, "Mistakes")
    table = next(frame.value for frame in app.dataframe if "Class" in frame.value)
    assert list(table["Class"]) == list(NAMES)
    assert evaluation(run).images == 300
    gallery = html(app, "inkling-digits")
    assert "<b>Dress" not in gallery
    assert "“" in gallery
    assert says(app.caption, " that it reads as ")


def test_a_matrix_and_a_recorded_drawing_have_the_names():
    spec = charts.confusion_matrix(False, names=NAMES)
    assert '"Ankle boot"' in spec["encoding"]["x"]["axis"]["labelExpr"]
    assert spec["encoding"]["y"]["title"] == "True class"
    assert charts.confusion_matrix(False)["encoding"]["y"]["title"] == "True digit"
    many = tuple(f"class {number}" for number in range(62))
    assert charts.confusion_matrix(False, names=many)["height"] > 900
    areas = charts.probabilities([0, 8], NAMES)
    assert areas["encoding"]["color"]["scale"]["domain"] == ["0", "8"]
    assert '"Bag"' in areas["encoding"]["color"]["legend"]["labelExpr"]
