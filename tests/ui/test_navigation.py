"""The row of links to the pages, and presentation mode in the address."""

import pytest
from helpers import ROOT
from pages import button, open_app, session
from streamlit.testing.v1 import AppTest

from ui import BROKEN_PAGE, CLASS_PAGE, HANDWRITING_PAGE, HOW_PAGE, LESSONS_PAGE, PATHS, SWEEPS_PAGE, TRAIN_PAGE, WORK_PAGE
from ui.navigation import APART
from ui.presentation import STYLE


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")][: len(PATHS) + 1 - len(APART)]


@pytest.mark.parametrize(
    "page", [None, TRAIN_PAGE, HOW_PAGE, LESSONS_PAGE, HANDWRITING_PAGE, CLASS_PAGE, BROKEN_PAGE, SWEEPS_PAGE, WORK_PAGE]
)
def test_each_page_has_a_link_to_every_page(page):
    app = open_app(page and str(page))
    assert links(app) == ["Draw", "Train", "How it works", "Lessons", "My handwriting", "Class", "My work"]
    paths = [link.proto.page for link in app.get("page_link")][: len(PATHS) + 1 - len(APART)]
    assert paths == ["", *(path for path in PATHS.values() if path not in APART)]


def is_presented(app: AppTest) -> bool:
    return any(STYLE.read_text().strip() in element.proto.body for element in app.get("html"))


def test_presentation_mode_is_in_the_address_and_stays_through_a_link():
    app = open_app()
    assert not is_presented(app)
    assert "present" not in app.query_params
    button(app, "Present").click().run()
    assert is_presented(app)
    assert app.query_params["present"] == "1"
    app.query_params.pop("present")  # as a link to a page does
    app.switch_page(str(TRAIN_PAGE)).run()
    assert is_presented(app)
    assert app.query_params["present"] == "1"
    button(app, "End presentation").click().run()
    assert not is_presented(app)
    assert "present" not in app.query_params


@pytest.mark.parametrize(("value", "is_on"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_address_begins_presentation_mode(value, is_on):
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20)
    app.query_params["present"] = value
    app.run()
    assert session(app).is_presenting is is_on
    assert is_presented(app) is is_on
