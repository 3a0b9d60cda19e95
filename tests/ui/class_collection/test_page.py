"""The page Class: a teacher with a projector, and phones, each in a session of its own."""

import io
import json
import time
from itertools import count

import numpy as np
import pytest
from helpers import make_digits
from pages import SEVEN, button, open_app, session, widget

from engine import Network
from engine.data.collection_files import FORMATS, read_collection
from engine.layers import Dense
from ui import CLASS_PAGE
from ui.class_collection import fairness, guesses, leaving_out, teacher, visit
from ui.class_collection.fairness import by_writer
from ui.handwriting.collecting import CANVAS
from ui.store import Donation, DrawingRecord
from ui.workspace import workspaces

NUMBERS = count()  # the page ignores a report that repeats the last one


@pytest.fixture(autouse=True)
def _own_guesses(monkeypatch):
    monkeypatch.setattr(visit, "ALL", guesses.Guesses())


@pytest.fixture
def board():
    """The teacher's page with a new collection."""
    app = open_app(str(CLASS_PAGE))
    button(app, "Open a collection").click().run()
    assert not app.exception
    return app


def codes(app):
    opened = session(app).workspace
    return [collection.code for collection in opened.store.class_collections.of_workspace(opened.id)]


def text(app):
    parts = [element.proto.body for element in app.get("html")]
    return " ".join([*parts, *(element.value for element in [*app.markdown, *app.info, *app.error, *app.text])])


def phone(code, nickname="", agrees=True):
    """A phone that has scanned the code."""
    app = open_app()
    app.query_params["c"] = code
    app.switch_page(str(CLASS_PAGE)).run()
    if agrees:
        widget(app.text_input, "Nickname (you may leave this empty)").set_value(nickname)
        button(app, "I agree: let me draw").click().run()
        assert not app.exception
    return app


def give(app):
    """Draw a digit and press Next; return the digit that was asked for."""
    asked = session(app).class_visit.collecting.asked
    objects = [{"type": "Path", "strokeWidth": 18, "path": [*SEVEN[:-1], ["L", 120 + next(NUMBERS), 220]]}]
    app.session_state["donate-canvas"] = {"drawing": {"raw": {"objects": objects}, "data": ""}}
    app.run()
    button(app, "Next").click().run()
    assert not app.exception
    return asked


def wall(app):
    """The number of drawings of each digit on the wall."""
    component = next(e for e in app.run().get("bidi_component") if e.proto.component_name == "inkling_wall")
    return {group["digit"]: group["total"] for group in json.loads(component.proto.json)["groups"] if group["total"]}


def open_part(app, name):
    app.session_state["class part"] = name
    return app.run()


def test_without_a_collection_one_can_join_or_open():
    app = open_app(str(CLASS_PAGE))
    assert not app.exception
    assert [header.value for header in app.header] == ["Join with a code", "Open a collection"]


def test_the_teacher_sees_code_and_digits_arrive(board):
    (code,) = codes(board)
    assert f">{code[:4]}-{code[4:]}</p>" in text(board)
    assert "QR code" in text(board)
    ada = phone(code, "Ada")
    first, second = give(ada), give(ada)
    assert wall(board) == {first: 1, second: 1}
    assert "From 1 phone." in text(board)
    assert "2 drawings" in text(board)
    assert "Ada" not in text(board)
    assert CANVAS not in ada.session_state


def test_nothing_is_given_before_the_phone_agrees(board):
    app = phone(codes(board)[0], agrees=False)
    assert "You can take your drawings back" in text(app)
    assert all(b.label != "Next" for b in app.button)
    assert wall(board) == {}


def test_a_phone_takes_its_drawings_back(board):
    (code,) = codes(board)
    one, two = phone(code, "Ada"), phone(code)
    give(one)
    other = give(two)
    button(one, "Delete them").click().run()
    assert not one.exception
    assert wall(board) == {other: 1}
    assert "You can take your drawings back" in text(one)  # to give new ones, one agrees again
    give(two)
    button(two, "Take it back").click().run()
    assert sum(wall(board).values()) == 1


def test_a_phone_is_known_again_after_a_reload(board):
    (code,) = codes(board)
    first = phone(code, "Ada")
    give(first)
    again = open_app()
    session(again).workspace = session(first).workspace
    again.query_params["c"] = code
    again.switch_page(str(CLASS_PAGE)).run()
    assert "Draw a" in text(again)
    assert "**Ada**" in text(again)


def test_after_leave_somebody_else_is_asked_again(board):
    (code,) = codes(board)
    app = phone(code, "Ada")
    give(app)
    button(app, "Leave").click().run()
    widget(app.text_input, "Code").set_value(code)
    button(app, "Join").click().run()
    assert "You can take your drawings back" in text(app)
    assert "Draw a" not in text(app)


def test_a_nickname_stays_text(board):
    (code,) = codes(board)
    name = "<b>*x*</b> :smile: $a$"
    app = phone(code, name)
    give(app)
    assert "\\<b\\>\\*x\\*" in text(app)
    open_part(board, "Manage")
    button(board, "Show nicknames").click().run()
    (table,) = board.dataframe
    assert table.value["Nickname"].tolist() == [name]
    open_part(board, "Whose hand is read worst?")
    assert "&lt;b&gt;*x*" in text(board)
    assert name not in text(board)
    app = phone(code, "a\u2028b")
    assert "Choose another nickname" in text(app)


def test_without_names_the_worst_read_hand_has_no_name(board):
    (code,) = codes(board)
    ada = phone(code, "Ada")
    give(ada)
    open_part(board, "Whose hand is read worst?")
    assert not board.exception
    assert "Hand 1" in text(board)
    assert "Ada" not in text(board)


def test_a_closed_collection_takes_nothing_and_can_be_opened_again(board):
    (code,) = codes(board)
    app = phone(code)
    give(app)
    open_part(board, "Manage")
    button(board, "Close: take no more drawings").click().run()
    assert "Closed" in text(board)
    asked = session(app).class_visit.collecting.asked
    app.run()
    assert "The collection is closed" in text(app)
    assert any(b.label == "Delete them" for b in app.button)
    button(board, "Open again").click().run()
    app.run()
    assert session(app).class_visit.collecting.asked == asked
    give(app)


def test_the_teacher_removes_drawings_and_deletes_all(board):
    (code,) = codes(board)
    app = phone(code)
    for _ in range(3):
        give(app)
    store = session(board).workspace.store.class_collections
    key = store.drawings(session(board).workspace.id, code)[0].record.key
    session(board).class_visit.picked = key
    board.run()
    button(board, "Remove").click().run()
    assert sum(wall(board).values()) == 2
    session(board).class_visit.picked = store.drawings(session(board).workspace.id, code)[0].record.key
    board.run()
    button(board, "Remove all 2 of this phone").click().run()
    assert wall(board) == {}
    open_part(board, "Manage")
    button(board, "Delete all of it").click().run()
    assert codes(board) == []
    assert "Join with a code" in [header.value for header in board.header]
    app.run()
    assert "it was deleted, with all of its drawings" in text(app)
    button(app, "Leave").click().run()
    assert "Join with a code" in [header.value for header in app.header]


def test_deleting_nicknames_is_for_good(board):
    (code,) = codes(board)
    ada = phone(code, "Ada")
    give(ada)
    open_part(board, "Manage")
    button(board, "Show nicknames").click().run()
    button(board, "Delete the nicknames").click().run()
    assert not board.exception
    assert "The nicknames are deleted" in text(board)
    give(ada)
    opened = session(board).workspace
    assert {d.nickname for d in opened.store.class_collections.drawings(opened.id, code)} == {""}


@pytest.mark.parametrize("form", FORMATS)
def test_a_download_has_all_drawings_and_keeps_the_collection_longer(board, form):
    (code,) = codes(board)
    for name in ("Ada", "Ben"):
        give(phone(code, name))
    opened = session(board).workspace
    store = opened.store.class_collections
    file = io.BytesIO(teacher.packed(store, opened.id, store.find(code), form))
    file.name = f"class{FORMATS[form].suffix}"
    drawings = read_collection(file)
    assert len(drawings) == 2
    if form != "idx":
        assert set(drawings.by_writer()) == {"writer 1", "writer 2"}
    assert store.find(code).downloaded
    store.show_names(opened.id, code, True)
    named = io.BytesIO(teacher.packed(store, opened.id, store.find(code), "zip"))
    assert set(read_collection(named).by_writer()) == {"Ada", "Ben"}


def test_wrong_codes_are_limited(board):
    app = open_app(str(CLASS_PAGE))
    widget(app.text_input, "Code").set_value("no code")
    button(app, "Join").click().run()
    assert "A code has 8 letters" in text(app).replace("\\", "")
    for _ in range(3):
        widget(app.text_input, "Code").set_value("bcdf-ghjk")
        button(app, "Join").click().run()
        assert "There is no collection with this code" in text(app)
    widget(app.text_input, "Code").set_value(codes(board)[0])
    button(app, "Join").click().run()
    assert "Too many wrong codes were tried" in text(app)
    assert session(app).class_visit.code == ""


def test_a_code_may_be_typed_in_small_letters_with_spaces(board):
    (code,) = codes(board)
    app = open_app(str(CLASS_PAGE))
    widget(app.text_input, "Code").set_value(f" {code[:3].lower()} {code[3:]} ")
    button(app, "Join").click().run()
    assert session(app).class_visit.code == code
    assert "You can take your drawings back" in text(app)


@pytest.mark.parametrize("state", [{"drawing": 5}, {"drawing": None}, {"message": 7}, {"picked": ["x"]}, 3])
@pytest.mark.parametrize("key", ["donate-canvas", "donate-companion"])
def test_a_wrong_state_of_a_component_is_ignored(board, key, state):
    app = phone(codes(board)[0])
    app.session_state[key] = state
    assert not app.run().exception


@pytest.mark.parametrize("state", [{"picked": ["x"]}, {"picked": "no key"}, {"picked": 7}, 3])
def test_a_wrong_state_of_the_wall_is_ignored(board, state):
    give(phone(codes(board)[0]))
    board.session_state["class-wall"] = state
    assert not board.run().exception
    assert sum(wall(board).values()) == 1


def test_while_the_database_is_away_the_page_says_so(board):
    opened = session(board).workspace
    store, opened.store = opened.store, None
    board.run()
    assert not board.exception
    assert "The class cannot be shown" in board.warning[-1].value
    opened.store = store
    workspaces().forget(opened)


def give_digits(board, phones, of_each=10):
    """Donations of digits that a network can learn, as if these phones had drawn them; return the collection's code."""
    (code,), opened = codes(board), session(board).workspace
    digits = make_digits(len(phones) * of_each, 5)
    for place, (label, image) in enumerate(zip(digits.labels, digits.images, strict=True)):
        name = phones[place % len(phones)]
        record = DrawingRecord(f"{place:032x}", int(label), 0, image.tobytes())
        opened.store.class_collections.donate(code, Donation(record, f"secret {name}", name), [])
    return code


@pytest.fixture
def board_with_network(board, sets, monkeypatch):
    """The teacher's page, with a small network that learns in a moment, and a known speed."""
    monkeypatch.setattr(leaving_out, "seconds_per_epoch", lambda *_, **__: 2.0)
    network = Network([Dense(10)], (784,), rng=np.random.default_rng(0))
    session(board).workspace.add_network("tiny", network)
    return board.run()


def finish(app, work):
    deadline = time.monotonic() + 60
    while not work.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return app.run()


def test_a_network_learns_the_hands_of_the_class_and_is_drawn_with(board_with_network):
    board = board_with_network
    open_part(board, "Teach")
    assert "When there are 10 drawings" in text(board)
    code = give_digits(board, ["Ada", "Ben"])
    board.run()
    widget(board.selectbox, "Network to teach").set_value("Uploaded: tiny").run()
    button(board, "Start").click().run()
    assert not board.exception
    lesson = session(board).teachings[code]
    assert not lesson.tuning.error
    finish(board, lesson.tuning)
    assert not board.exception
    assert "Uploaded: tiny was taught the hands of the class" in text(board)
    assert "New drawings of the same hands: " in text(board)
    own = session(board).workspace
    button(board, "Draw with this network").click().run()
    assert not board.exception
    assert [*own.networks] == ["tiny", f"taught class {code}"]


def test_each_hand_is_left_out_and_only_shown_names_are_named(board_with_network):
    board = board_with_network
    code = give_digits(board, ["Ada", "Ben", "Eve"])
    open_part(board, "Whose hand is read worst?")
    widget(board.selectbox, "Network").set_value("Uploaded: tiny").run()
    board.session_state["class test"] = fairness.LEFT_OUT
    board.run()
    assert "3 hands, which takes about 6.0 s" in text(board)
    button(board, "Start").click().run()
    assert not board.exception
    test = session(board).class_visit.test
    finish(board, test.work)
    assert not board.exception
    assert sorted(result.writer for result in test.work.tested) == ["secret Ada", "secret Ben", "secret Eve"]
    assert "Hand 3" in text(board)
    assert " right before the network learned" in text(board)
    assert "Measured with Uploaded: tiny, on 3 of 3 hands." in text(board).replace("\\", "") + captions(board)
    assert "Since then" not in captions(board)
    assert all(name not in text(board) + captions(board) for name in ("Ada", "Ben", "Eve", "secret"))
    own = session(board).workspace
    own.store.class_collections.show_names(own.id, code, True)
    assert "Ada" in text(board.run())
    own.store.class_collections.take_back(code, "secret Ada")
    board.run()
    assert "Ada" not in text(board)
    assert "Since then the collection has changed." in captions(board)


def captions(app):
    return " ".join(caption.value for caption in app.caption).replace("\\", "")


def test_leaving_out_can_be_stopped_and_needs_two_hands(board_with_network, monkeypatch):
    board = board_with_network
    give_digits(board, ["Ada"])
    open_part(board, "Whose hand is read worst?")
    board.session_state["class test"] = fairness.LEFT_OUT
    assert "This needs two hands" in text(board.run())
    give(phone(codes(board)[0]))
    monkeypatch.setattr(leaving_out, "SETTINGS", leaving_out.replace(leaving_out.SETTINGS, steps=10_000))
    board.run()
    assert "Hands with fewer than 5 drawings are not tested" in captions(board)
    button(board, "Start").click().run()
    test = session(board).class_visit.test
    assert test.work.writers == ("secret Ada",)
    test.work.stop()
    board.run()
    assert not board.exception
    assert test.work.tested == ()
    assert button(board, "Start")


def test_hands_are_tested_as_long_as_there_is_time():
    given = [donation(f"{phone}", label) for phone in range(60) for label in range(5 + phone % 2)]
    given += [donation("new", 1)]
    plan = leaving_out.make_plan(given, None)
    assert (len(plan.hands), plan.seconds, plan.num_small, plan.is_capped) == (40, None, 1, True)
    plan = leaving_out.make_plan(given, 30.0)
    assert (len(plan.hands), plan.seconds, plan.is_capped) == (20, 600.0, True)
    assert all(int(hand) % 2 for hand in plan.hands)  # those with the most drawings
    assert len(leaving_out.make_plan(given, 1e9).hands) == 2
    assert not leaving_out.make_plan(given[:20], 1.0).is_capped


def donation(phone, label, nickname=""):
    return Donation(DrawingRecord(f"{phone}{label}", label, 0, bytes(784)), phone, nickname)


def test_the_hand_that_is_read_worst_comes_first():
    given = [donation(phone, label) for phone in "ab" for label in range(4)]
    read = {d.record.key: d.record.label if d.phone == "a" else 0 for d in given}
    assert [(w.name, *w.score) for w in by_writer(given, read, {})] == [("Hand 1", 1, 4), ("Hand 2", 4, 4)]
    assert [w.name for w in by_writer(given, read, {"a": "Ada", "b": "<i>"})] == ["<i>", "Ada"]
    assert "&lt;i&gt;" in fairness.rows_html(by_writer(given, read, {"b": "<i>"}))


def test_digits_with_few_drawings_are_missing():
    assert teacher.missing([]) == list(range(10))
    given = [donation(str(k), label) for label in range(10) for k in range(1 if label == 4 else 5)]
    assert teacher.missing(given) == [4]


def test_each_phone_has_a_name_of_its_own():
    given = [donation("a", 1, "Ada"), donation("b", 1, "Ada"), donation("c", 1), donation("a", 2, "Eve")]
    assert visit.writers(given, True) == {"a": "Eve", "b": "Ada", "c": "writer 3"}
    assert visit.writers(given[:3], True) == {"a": "Ada", "b": "Ada (2)", "c": "writer 3"}
    assert set(visit.writers(given, False).values()) == {"writer 1", "writer 2", "writer 3"}
    long = visit.writers([donation(phone, 1, "x" * 40) for phone in "abc"], True)
    assert len(set(long.values())) == 3
    assert max(map(len, long.values())) == 40
    for nicknames in (["writer 2", ""], ["Ada (3)", "Ada", "Ada"], ["x" * 40, "x" * 30 + " (3)", "x" * 40]):
        given = [donation(str(place), 1, nickname) for place, nickname in enumerate(nicknames)]
        assert len(set(visit.writers(given, True).values())) == len(nicknames)
