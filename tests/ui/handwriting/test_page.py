"""The page My handwriting: collecting, the wall, and how well networks read what was drawn."""

import io
from collections import Counter
from itertools import islice, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from pages import ONE, SEVEN, button, open_app, session, widget

from engine import Network
from engine.data.collection import Collection, LabelledDrawing, PenStroke
from engine.data.collection_files import FORMATS, read_collection
from engine.layers import Dense
from ui import HANDWRITING_PAGE, collection
from ui.handwriting import collecting, files, judging, wall
from ui.workspace import workspaces

SEVEN_LINE = PenStroke(((60.0, 60.0), (200.0, 60.0), (120.0, 220.0)))


def draw(app, *paths):
    """Report these strokes as the canvas of the page does."""
    objects = [{"type": "Path", "strokeWidth": 18, "path": path} for path in paths]
    app.session_state[collecting.CANVAS] = {"drawing": {"raw": {"objects": objects}, "data": ""}}
    return app.run()


def text(app):
    return " ".join(element.proto.body for element in app.get("html"))


def labels(app):
    return [record.label for record in session(app).workspace.drawings()]


@pytest.fixture
def app():
    return open_app(str(HANDWRITING_PAGE))


def open_part(app, name):
    app.session_state["handwriting part"] = name
    return app.run()


def test_digits_are_asked_for_in_random_order_and_each_equally_often():
    digits = list(islice(collecting.digits_to_draw(3), 500))
    assert set(Counter(digits).values()) == {50}
    assert all(sorted(digits[start : start + 10]) == list(range(10)) for start in range(0, 500, 10))
    assert all(one != other for one, other in pairwise(digits))
    assert digits == list(islice(collecting.digits_to_draw(3), 500))
    assert digits != list(islice(collecting.digits_to_draw(4), 500))


def test_next_keeps_the_drawing_and_asks_for_another(app):
    asked = session(app).collecting.asked
    assert f"Draw a{'n' * (asked == 8)} {asked}" in text(app)
    assert "No drawing yet" in text(app)
    draw(app, SEVEN)
    button(app, "Next").click().run()
    assert not app.exception
    assert labels(app) == [asked]
    assert session(app).collecting.asked != asked
    assert session(app).collecting.drawing.image() is None
    assert not session(app).collecting.drawing.past  # of another digit
    assert f"Kept as {asked}" in text(app)
    assert "1 drawing<" in text(app)
    assert session(app).drawing.objects == []  # that of the Draw page
    button(app, "Take it back").click().run()
    assert labels(app) == []


def test_nothing_is_kept_of_an_empty_canvas(app):
    asked = session(app).collecting.asked
    button(app, "Next").click().run()
    assert labels(app) == []
    assert session(app).collecting.asked == asked
    assert "first, or press Skip." in text(app)
    button(app, "Skip").click().run()
    assert session(app).collecting.asked != asked
    assert "first, or press Skip." not in text(app)


def test_a_stroke_can_be_undone_and_all_cleared(app):
    draw(app, SEVEN, ONE)
    button(app, "Undo").click().run()
    assert len(session(app).collecting.drawing.objects) == 1
    button(app, "Clear").click().run()
    assert session(app).collecting.drawing.image() is None


@pytest.mark.parametrize("state", [{"drawing": 5}, {"drawing": None}, {"message": 7}, {"drawing": {"raw": 3}}, 3])
@pytest.mark.parametrize("key", [collecting.CANVAS, collecting.COMPANION])
def test_a_wrong_state_of_a_component_is_ignored(app, key, state):
    app.session_state[key] = state
    assert not app.run().exception


def test_the_pages_say_what_to_do_while_there_is_no_drawing(app):
    for part in ("My drawings", "Test"):
        open_part(app, part)
        assert not app.exception
        assert app.info[0].value.startswith("No drawing yet.")


@pytest.fixture
def filled(app):
    """The page, with a seven and a one that is labelled as a five."""
    opened = session(app).workspace
    seven = LabelledDrawing.from_strokes(7, [SEVEN_LINE])
    one = LabelledDrawing.from_strokes(5, [PenStroke(((140.0, 50.0), (140.0, 230.0)))])
    for number, drawing in enumerate((seven, one)):
        record = wall.DrawingRecord(str(number) * 32, drawing.label, 1.0 + number, drawing.image.tobytes())
        opened.add_drawings([(record, drawing.to_json()["strokes"])])
    return app


def pick(app, key):
    session(app).wall = wall.Wall(picked=key)
    return app.run()


def test_a_drawing_can_be_relabelled_removed_and_brought_back(filled):
    open_part(filled, "My drawings")
    pick(filled, "1" * 32)
    assert "Your drawing of a 5" in text(filled)
    keys = filled.segmented_control if hasattr(filled, "segmented_control") else filled.button_group
    widget(keys, "It is a ...").set_value(1).run()
    assert not filled.exception
    assert sorted(labels(filled)) == [1, 7]
    button(filled, "Remove").click().run()
    assert labels(filled) == [7]
    assert "Removed a 1." in text(filled)
    button(filled, "Bring it back").click().run()
    assert sorted(labels(filled)) == [1, 7]
    strokes = session(filled).workspace.strokes()
    assert [len(strokes[key]) for key in sorted(strokes)] == [1, 1]


def test_each_network_is_measured_and_what_it_misreads_is_shown(filled):
    open_part(filled, "Test")
    shown = text(filled)
    assert not filled.exception
    assert shown.count("1 of 2 right.") == 2  # the one with a wrong label
    assert shown.count("For many more drawings we would expect 9 to 91 %.") == 2
    assert shown.count("your 5, read as 1") == 4  # title and alternative text


def test_only_new_drawings_are_read(monkeypatch):
    monkeypatch.setattr(judging, "session", lambda: SimpleNamespace(readings=known))
    known, network = judging.Readings(), Network([Dense(10)], (784,), rng=np.random.default_rng(0))
    seen = []
    predict_proba = network.predict_proba
    monkeypatch.setattr(network, "predict_proba", lambda images: seen.append(len(images)) or predict_proba(images))
    records = [wall.DrawingRecord(str(k), 7, float(k), bytes([k % 256]) * 784) for k in range(250)]
    first = dict(judging.readings(network, records[:230]))
    assert seen == [100, 100, 30]
    assert judging.readings(network, records).items() >= first.items()
    assert seen == [100, 100, 30, 20]


def test_while_the_database_is_away_the_page_says_so(app, monkeypatch):
    opened = session(app).workspace
    opened.store, opened._drawings = None, None
    app.run()
    assert not app.exception
    assert "Your drawings cannot be shown" in app.warning[0].value
    workspaces().forget(opened)


def test_drawings_are_downloaded_and_uploaded(filled):
    open_part(filled, "My drawings")
    filled.session_state["drawings as files"] = True
    filled.run()
    assert not filled.exception
    assert len(filled.get("download_button")) == len(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_downloaded_can_be_added_again(form, open_workspace, monkeypatch):
    opened = open_workspace()
    monkeypatch.setattr(collection, "workspace", lambda: opened)
    drawing = LabelledDrawing.from_strokes(7, [SEVEN_LINE])
    collection.keep([drawing, drawing])
    file = io.BytesIO(files._packed(opened, form))
    file.name = f"drawings{FORMATS[form].suffix}"
    assert files.add(read_collection(file)) == "Added 2 drawings."
    assert [(kept.image == drawing.image).all() for kept in collection.with_strokes(opened)] == 4 * [True]
    strokes = [kept.strokes for kept in collection.with_strokes(opened)]
    assert strokes == 2 * [drawing.strokes] + 2 * [drawing.strokes if form == "zip" else ()]


def test_what_is_left_out_is_said(open_workspace, monkeypatch):
    opened = open_workspace()
    monkeypatch.setattr(collection, "workspace", lambda: opened)
    image = np.full((28, 28), 255, np.uint8)
    drawings = tuple(LabelledDrawing(label, image) for label in (3, 10, 11))
    said = files.add(Collection(drawings, skipped=("a.png is blank", "b.png is broken", "c.png is blank", "d")))
    assert said == (
        "Added 1 drawing. Left out 2 drawings of letters: this page is for digits. "
        "Left out 4 more: a.png is blank; b.png is broken; c.png is blank; and others."
    )
    assert [drawing.label for drawing in collection.with_strokes(opened)] == [3]
