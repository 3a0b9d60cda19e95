"""Teaching a network on the page My handwriting."""

import time

import numpy as np
import pytest
from helpers import make_digits
from pages import button, open_app, session, widget

from engine import Network
from engine.finetuning import FineTuned, ScoresByClass
from engine.layers import Dense
from engine.metrics import Score
from ui import HANDWRITING_PAGE
from ui.handwriting import teaching
from ui.store import DrawingRecord

WAIT = 60  # seconds after which a short fine-tuning hangs


def fill(app, count):
    digits = make_digits(count, 3)
    records = [
        (DrawingRecord(f"{k:032x}", int(digits.labels[k]), 1.0 + k, digits.images[k].tobytes()), []) for k in range(count)
    ]
    session(app).workspace.add_drawings(records)


@pytest.fixture
def app(sets):
    app = open_app(str(HANDWRITING_PAGE))
    network = Network([Dense(10)], (784,), rng=np.random.default_rng(0))
    session(app).workspace.add_network("tiny", network)
    app.session_state["handwriting part"] = "Teach"
    return app.run()


def finish(app):
    lesson, deadline = session(app).teachings["mine"], time.monotonic() + WAIT
    while not lesson.tuning.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return app.run()


def html(app):
    return " ".join(element.proto.body for element in app.get("html"))


def test_with_few_drawings_the_page_asks_for_more(app):
    fill(app, 9)
    assert app.run().info[0].value.startswith("Collect at least 10 drawings first.")


def test_a_network_learns_and_is_kept_once(app):
    fill(app, 30)
    app.run()
    widget(app.selectbox, "Network to teach").set_value("Uploaded: tiny").run()
    button(app, "Start").click().run()
    assert not app.exception
    finish(app)
    assert not app.exception
    shown = html(app)
    assert "Uploaded: tiny was taught your hand" in shown
    assert "of 30 right before" in shown
    assert "cross-validation" in shown
    assert "The same drawings before and after" in shown
    lesson = session(app).teachings["mine"]
    teaching_workspace = session(app).workspace
    button(app, "Draw with this network").click().run()
    assert not app.exception
    assert [*teaching_workspace.networks] == ["tiny", "taught my hand"]
    assert app.session_state["network"] == "Uploaded: taught my hand"
    assert lesson.name == "taught my hand"
    assert (lesson.tuning.network.parameters == teaching_workspace.networks["taught my hand"].parameters).all()


def test_a_network_that_knew_all_drawings_has_nothing_to_compare(app, monkeypatch):
    fill(app, 20)
    app.run()
    widget(app.selectbox, "Network to teach").set_value("Uploaded: tiny").run()
    monkeypatch.setattr(teaching, "readings", lambda _, records: {record.key: record.label for record in records})
    button(app, "Start").click().run()
    finish(app)
    assert not app.exception
    assert "20 of 20 drawings were read right before and after." in [caption.value for caption in app.caption]


def test_a_lesson_can_be_stopped(app):
    fill(app, 12)
    app.run()
    button(app, "Start").click().run()
    session(app).teachings["mine"].tuning.stop()
    app.run()
    assert not app.exception
    assert any("so the network is as it was" in caption.value for caption in app.caption)
    assert button(app, "Start")


@pytest.mark.parametrize(
    ("more", "said"), [(0, "as many are wrong as before"), (3, "3 more are wrong"), (-3, "3 fewer are wrong")]
)
def test_what_is_forgotten_is_said_for_each_digit(more, said):
    before = ScoresByClass(Score(190, 200), (Score(90, 100), Score(100, 100)))
    after = ScoresByClass(Score(190 - more, 200), (Score(90 - more, 100), Score(100, 100)))
    text = teaching.forgetting(FineTuned(Score(1, 1), None, before, after, 1.0))
    assert f"Of 200 test images, {said}." in text
    assert f"<td>{10 + more}</td><td>0</td>" in text
