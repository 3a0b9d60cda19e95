"""The panel of a lesson beside the pages, from a link to the end."""

import pytest
from helpers import ROOT
from pages import SEVEN, button, draw, open_app, session, widget
from streamlit.testing.v1 import AppTest

from ui import CLASS_PAGE, LESSONS_PAGE, TRAIN_PAGE
from ui.class_collection import guesses, visit
from ui.lessons import teacher
from ui.lessons.lesson import ENGLISH, TEXTS, load_lessons
from ui.store import LessonReport

PIXELS = load_lessons(TEXTS, ENGLISH)["pixels"]
FOUR = [["M", 100, 50], ["L", 60, 150], ["L", 200, 150]], [["M", 150, 90], ["L", 150, 230]]


@pytest.fixture(autouse=True)
def _own_guesses(monkeypatch):
    monkeypatch.setattr(visit, "ALL", guesses.Guesses())


def open_lesson(name="pixels", **parameters):
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20)
    for key, value in {"lesson": name, **parameters}.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def text(app):
    html = [element.proto.body for element in app.get("html")]
    return " ".join([*html, *(element.value for element in [*app.markdown, *app.success, *app.info, *app.caption])])


def labels(app):
    return [one.label for one in app.button]


def look(app):
    """Run the page as its fragment does by itself, until it has seen the same drawing twice."""
    return app.run().run()


def test_a_link_opens_a_lesson_and_leaves_the_address():
    app = open_lesson()
    assert "lesson" not in app.query_params
    assert PIXELS.steps[0].do in text(app)
    assert PIXELS.introduction in text(app)
    assert session(app).lessons.name == "pixels"


def test_a_lesson_begins_on_its_page_with_its_settings():
    app = open_lesson("learning-rate")
    assert app.title[0].value == "Train a network"
    assert app.session_state["learning_rate"] == 0.00001
    assert app.session_state["epochs"] == 1


def test_an_unknown_lesson_opens_nothing():
    app = open_lesson("how-to-cheat")
    assert session(app).lessons.name == ""
    assert any("no lesson" in toast.value for toast in app.toast)


def test_the_page_notices_a_step_shows_what_it_means_and_stays_there_through_a_reload():
    app = open_lesson()
    draw(app, SEVEN)
    look(app)
    assert "Next step" not in labels(app)
    draw(app, *FOUR)
    look(app)
    assert PIXELS.steps[0].then in text(app)
    button(app, "Next step").click().run()
    assert PIXELS.steps[1].do in text(app)
    workspace = session(app).workspace
    workspace.store_changes()
    again = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20)
    again.query_params["w"] = workspace.id
    again.run()
    assert PIXELS.steps[1].do in text(again)
    assert session(again).lessons.lessons["pixels"].done == [0]


def test_the_panel_stays_on_other_pages_and_a_lesson_can_be_closed():
    app = open_lesson()
    app.switch_page(str(TRAIN_PAGE)).run()
    assert PIXELS.steps[0].do in text(app)
    assert "To the page of this step" in [link.proto.label for link in app.get("page_link")]
    button(app, "Close the lesson").click().run()
    assert not app.exception
    assert PIXELS.steps[0].do not in text(app)


def test_steps_can_be_skipped_and_the_question_is_answered_only_rightly():
    app = open_lesson()
    for _ in PIXELS.steps:
        button(app, "Skip this step").click().run()
    question = widget(app.radio, PIXELS.question.ask)
    wrong = next(number for number in range(3) if number != PIXELS.question.right)
    question.set_value(wrong).run()
    assert "Not quite" in text(app)
    assert PIXELS.question.answer not in text(app)
    widget(app.radio, PIXELS.question.ask).set_value(PIXELS.question.right).run()
    assert PIXELS.question.answer in text(app)
    assert session(app).lessons.lessons["pixels"].num_done == 1  # what is skipped is not done
    button(app, "Next lesson: One neuron").click().run()
    assert session(app).lessons.name == "neuron"
    assert app.title[0].value == "Train a network"


def test_the_page_lists_all_lessons_with_their_links():
    app = open_app(str(LESSONS_PAGE))
    assert labels(app).count("Begin") == 8
    assert [code.value.partition("?")[2] for code in app.code][:2] == ["lesson=pixels", "lesson=neuron"]
    app.button("begin pixels").click().run()
    assert not app.exception
    assert session(app).lessons.name == "pixels"


def open_class():
    app = open_app(str(CLASS_PAGE))
    button(app, "Open a collection").click().run()
    opened = session(app).workspace
    return app, opened, opened.store.class_collections.of_workspace(opened.id)[0].code


def test_a_teacher_sees_how_far_a_phone_is_until_its_owner_switches_that_off():
    app, opened, code = open_class()
    lessons = opened.store.class_collections.lessons
    app.switch_page(str(LESSONS_PAGE)).run()
    assert app.code[0].value.partition("?")[2] == f"lesson=pixels&c={code}"
    app.session_state["lessons part"] = "How far is the class?"
    assert "No phone of this class has begun a lesson yet" in text(app.run())
    phone = open_lesson(c=code)
    assert [(report.lesson, report.done, report.total) for report in lessons.of_class(opened.id, code)] == [("pixels", 0, 6)]
    assert "My teacher sees how far I am" in widget(phone.toggle, f"My teacher sees how far I am (class {code})").label
    widget(phone.text_input, "Nickname for my teacher (you may leave this empty)").set_value("Ada <b>").run()
    draw(phone, *FOUR)
    look(phone)
    assert [(report.done, report.nickname) for report in lessons.of_class(opened.id, code)] == [(1, "Ada <b>")]
    app.run()
    assert "Phone 1" in text(app)
    assert "Ada" not in text(app)
    opened.store.class_collections.show_names(opened.id, code, True)
    app.run()
    assert "Ada &lt;b&gt;" in text(app)
    assert "1 of 6" in text(app)
    widget(phone.toggle, f"My teacher sees how far I am (class {code})").set_value(False).run()
    assert lessons.of_class(opened.id, code) == []
    button(phone, "Next step").click().run()
    assert lessons.of_class(opened.id, code) == []


def test_a_phone_that_leaves_the_class_takes_its_progress_back():
    _, opened, code = open_class()
    lessons = opened.store.class_collections.lessons
    phone = open_lesson(c=code)
    assert len(lessons.of_class(opened.id, code)) == 1
    phone.switch_page(str(CLASS_PAGE)).run()
    button(phone, "Leave").click().run()
    assert lessons.of_class(opened.id, code) == []
    assert session(phone).lessons.code == ""


def test_phones_have_numbers_and_nicknames_only_if_they_are_shown():
    reports = [
        LessonReport("a", "pixels", 1, 6, "Ada"),
        LessonReport("b", "pixels", 6, 6),
        LessonReport("c", "neuron", 2, 6, "Ada"),
        LessonReport("a", "neuron", 2, 6, "Ada"),
    ]
    assert teacher.phone_names(reports, False) == {"a": "Phone 1", "b": "Phone 2", "c": "Phone 3"}
    assert teacher.phone_names(reports, True) == {"a": "Ada", "b": "Phone 2", "c": "Ada (3)"}
