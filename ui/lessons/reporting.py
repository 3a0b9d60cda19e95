"""A phone that has joined a class reports how far it is, unless its owner switches that off."""

from contextlib import suppress
from time import monotonic

import streamlit as st

from engine import InklingError
from engine.data.collection import check_writer
from ui.class_collection import visit
from ui.class_collection.join import PARAMETER
from ui.formatting import escape_markdown
from ui.lessons.course import open_lesson
from ui.lessons.progress import current_progress, store_progress
from ui.state import keep, session, set_value
from ui.store import LessonReport
from ui.translation import _

RETRY_SECONDS = 10.0  # after a report that could not be stored
NICKNAME, SHARES = "lesson nickname", "lesson shares"  # keys of widgets


def open_link() -> None:
    """Join the class of the address, which stands beside the lesson's name."""
    if code := st.query_params.pop(PARAMETER, None):
        try:
            visit.join(code)
        except InklingError as error:
            st.toast(escape_markdown(f"{error}."), icon=":material/link_off:")


def current_class() -> str:
    """The code of the class that this phone is in, also after a reload; empty if it is in none."""
    progress, code = current_progress(), visit.current().code
    has_left = not code and visit.current().has_agreed is False
    if (code and code != progress.code) or (has_left and progress.code):
        if has_left:
            _take_back(progress.code)
        progress.code, session().lesson_report = code, None
        store_progress()
    return progress.code


def report() -> None:
    """Report how far the open lesson is, if that is new."""
    progress, code, opened = current_progress(), current_class(), open_lesson()
    if not code or not progress.shares or not opened:
        return
    lesson, of_lesson = opened
    nickname = progress.nickname or visit.current().nickname or ""
    new = code, LessonReport(visit.phone(code), lesson.name, of_lesson.num_done, lesson.num_parts, nickname)
    last, since = session().lesson_report or (None, 0.0)
    if new == last or (last is None and monotonic() - since < RETRY_SECONDS):
        return
    session().lesson_report = None, monotonic()
    with suppress(InklingError):
        visit.classes().lessons.report(*new)
        session().lesson_report = new, 0.0


def show_sharing() -> None:
    """A line that says what the teacher sees, and the switch."""
    progress, code = current_progress(), current_class()
    if not code:
        return
    with st.container(key="lesson class"):
        st.toggle(
            _("My teacher sees how far I am (class {code})").format(code=code),
            on_change=_switch,
            **keep(SHARES, progress.shares),
        )
        if progress.shares and _keeps_names(code):
            st.text_input(
                _("Nickname for my teacher (you may leave this empty)"),
                max_chars=40,
                autocomplete="off",
                on_change=_rename,
                **keep(NICKNAME, progress.nickname),
            )


def _keeps_names(code: str) -> bool:
    with suppress(InklingError):
        collection = visit.classes().find(code)
        return bool(collection and collection.keeps_names)
    return False


def _switch() -> None:
    progress = current_progress()
    progress.shares, session().lesson_report = st.session_state[SHARES], None
    if not progress.shares:
        _take_back(progress.code)
    store_progress()


def _rename() -> None:
    progress = current_progress()
    try:
        progress.nickname = check_writer(st.session_state[NICKNAME].strip())
        store_progress()
    except InklingError:
        set_value(NICKNAME, progress.nickname)


def _take_back(code: str) -> None:
    with suppress(InklingError):
        visit.classes().lessons.take_back(code, visit.phone(code))
