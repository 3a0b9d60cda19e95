"""A run of other classes than digits, on the Train page."""

import io
from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits
from pages import SEVEN, draw, open_app, session, widget

from engine import Config
from tests.ui.train.steps import evaluation, html, open_panel, open_train, run_to_end, says, start
from ui import charts, datasets, own_data
from ui.train import config_form
from ui.train.own_data_form import KEY

NAMES = ("T-shirt", "Trousers", "Pullover", "<b>Dress</b>", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
PANELS = ("Curves", "What it learned", "Map", "Predictions", "Mistakes", "Save and share")


def open_with_form():
    app = open_train()
    app.session_state["own_data_open"] = True
    return app.run()


def upload_data(app, name, content):
    app.file_uploader(key=KEY).upload(name, content).run()
    assert not app.exception


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


def test_own_data_are_trained_on_with_an_output_for_each_class(monkeypatch):
    monkeypatch.setattr(own_data, "_kept", {})
    labels = np.arange(700) % 12
    file = io.BytesIO()
    np.savez(file, images=make_digits(700).images, labels=labels)
    app = open_with_form()
    upload_data(app, "letters.npz", file.getvalue())
    assert says(app.caption, r"12 classes\: 0, 1, 2")
    assert says(app.caption, "the last layer of the network gets 12 outputs")
    start(app, Epochs=1)
    run = run_to_end(app)
    assert run.snapshot().network.output_shape == (12,)
    for panel in PANELS:
        open_panel(app, panel)
    app.session_state["source"] = "synthetic"
    app.run()
    assert not says(app.caption, "12 outputs")


def test_a_set_without_names_may_show_something_else(monkeypatch):
    monkeypatch.setattr(own_data, "_kept", {})
    file = io.BytesIO()
    np.savez(file, images=make_digits(60).images, labels=np.arange(60) % 3)
    app = open_with_form()
    upload_data(app, "pets.npz", file.getvalue())
    question = next(entry for entry in app.button_group if entry.label == "What do the images show?")
    app.session_state[question.key] = "something else"
    app.run()
    field = widget(app.text_input, "Names of the classes, from class 0 on")
    field.set_value("cat").run()
    assert "a name for each of the 3 classes" in app.error[0].value
    widget(app.text_input, "Names of the classes, from class 0 on").set_value("cat, dog, horse").run()
    assert not app.exception
    chosen = app.session_state["source"]
    assert datasets.class_names(chosen) == ("cat", "dog", "horse")
    assert session(app).own_sources == [chosen]
    assert says(app.caption, r"3 classes\: cat, dog, horse")


def test_settings_of_a_run_on_own_data_can_be_used_again():
    config = Config().for_classes(12)
    assert config_form.for_digits(config) == Config()


def test_a_file_that_holds_no_data_is_refused():
    app = open_with_form()
    upload_data(app, "letters.npz", b"no data")
    assert "letters" in app.error[0].value
    assert not app.exception
