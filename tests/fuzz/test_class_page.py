"""Whatever a browser sends to the page Class, it goes on: what is wrong is ignored, or refused in one line."""

import re

import pytest
from fuzz.conftest import examples
from fuzz.test_browser_messages import json_values, messages, paths, reports
from helpers import outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import button, open_app, session, widget

from engine.checks import InklingError
from ui import CLASS_PAGE
from ui.class_collection import guesses, visit
from ui.store import Donation, DrawingRecord, class_collections
from ui.workspace import workspaces

FEW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
good_reports = st.builds(lambda path: {"objects": [{"type": "Path", "path": path, "strokeWidth": 18}]}, paths)
states = st.one_of(
    st.builds(lambda report: {"drawing": {"raw": report, "data": ""}}, reports | good_reports),
    st.builds(lambda message: {"message": message}, messages),
    json_values,
)
phone_events = st.one_of(
    st.tuples(st.sampled_from(["donate-canvas", "donate-companion"]), states),
    st.tuples(st.sampled_from(["Next", "Next", "Undo", "Clear", "Skip", "Take it back"])),
)
names = st.text(max_size=60) | st.sampled_from(["<b>", "\u2028", "\0", "a" * 41, "**", "$x$", "\ud800", "writer 1"])
codes = (
    st.text(max_size=30) | st.from_regex(class_collections.CODE, fullmatch=True) | st.sampled_from(["' OR 1=1", "B" * 99])
)
image_bytes = st.binary(max_size=10) | st.binary(min_size=784, max_size=784)


@pytest.fixture
def board(monkeypatch):
    """The teacher's page with a new collection."""
    monkeypatch.setattr(visit, "ALL", guesses.Guesses())
    app = open_app(str(CLASS_PAGE))
    button(app, "Open a collection").click().run()
    return app


@pytest.fixture
def code(board):
    opened = session(board).workspace
    (collection,) = opened.store.class_collections.of_workspace(opened.id)
    return collection.code


@pytest.fixture
def phone(code):
    """A phone that has joined the collection."""
    app = open_app()
    app.query_params["c"] = code
    app.switch_page(str(CLASS_PAGE)).run()
    button(app, "I agree: let me draw").click().run()
    return app


@settings(max_examples=examples(30), **FEW)
@given(steps=st.lists(phone_events, min_size=1, max_size=5))
def test_a_phone_goes_on(board, code, phone, steps):
    for name, *state in steps:
        if state:
            phone.session_state[name] = state[0]
        elif pressed := [found for found in phone.button if found.label == name]:
            pressed[0].click()
        assert not phone.run().exception
    opened = session(board).workspace
    for donation in opened.store.class_collections.drawings(opened.id, code):
        assert len(donation.record.image) == 784
        assert any(donation.record.image)
        assert donation.record.label in range(10)


@settings(max_examples=examples(20), **FEW)
@given(state=json_values | st.builds(lambda key: {"picked": key}, json_values))
def test_the_wall_goes_on(board, state):
    board.session_state["class-wall"] = state
    assert not board.run().exception


@settings(max_examples=examples(25), **FEW)
@given(typed=codes, nickname=names)
def test_any_text_is_a_code_or_a_name_or_is_refused_in_a_line(code, typed, nickname):
    typed, nickname = (text.encode(errors="replace").decode() for text in (typed, nickname))  # as a browser can send it
    app = open_app(str(CLASS_PAGE))
    session(app).class_visit.guesses = guesses.OwnGuesses()
    widget(app.text_input, "Code").set_value(typed[:20])
    button(app, "Join").click().run()
    assert not app.exception
    assert session(app).class_visit.code == ""
    assert session(app).class_visit.problem
    app.query_params["c"] = code
    assert not app.run().exception
    field = [found for found in app.text_input if found.label.startswith("Nickname")]
    field[0].set_value(nickname[:40])
    button(app, "I agree: let me draw").click().run()
    assert not app.exception
    visited = session(app).class_visit
    assert visited.nickname is None or re.fullmatch(r"[^\0\n\u2028\u2029]{0,40}", visited.nickname)


@settings(max_examples=examples(150), **FEW)
@given(label=st.integers(-3, 300), image=image_bytes, nickname=names, strokes=st.lists(json_values, max_size=3))
def test_a_donation_is_sound_or_refused_in_a_line(board, code, label, image, nickname, strokes):
    opened = session(board).workspace
    classes = opened.store.class_collections
    donation = Donation(DrawingRecord("0" * 32, label, 0, image), "phone", nickname)
    _, refusal = outcome(InklingError, classes.donate, code, donation, strokes)
    if refusal is not None:
        assert "\n" not in refusal
        assert len(refusal) < 300
        return
    (kept,) = classes.drawings(opened.id, code)
    assert (kept.record.label, kept.record.image, kept.nickname) == (label, image, nickname)
    assert label in range(10)
    assert len(image) == 784
    classes.take_back(code, "phone")


def teardown_module():
    for workspace in [*workspaces()._open]:
        workspaces().forget(workspace)
