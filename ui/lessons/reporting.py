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
from ui.state import keep, report_error, session, set_value
from ui.store import ClassRecord, LessonReport
from ui.translation import _

RETRY_SECONDS = 10.0  # after a report that could not be stored
NICKNAME, SHARES = "lesson nickname", "lesson shares"  # keys of widgets


def open_link() -> None:
    """Join the class of the address, which stands beside the lesson's name."""
    if code := st.query_params.pop(PARAMETER, None):
        try:
            visit.join(code)
            _report_to(visit.current().code)
        except InklingError as error:
            st.toast(escape_markdown(f"{error}."), icon=":material/link_off:")


def current_class() -> str:
    """The code of the class whose link has opened a lesson, also after a reload; empty if there is none or it was left."""
    progress, joined = current_progress(), visit.current()
    if progress.code and not joined.code and joined.has_agreed is False:
        with suppress(InklingError):  # then the next run tries again
            _report_to("")
    return progress.code


def _report_to(code: str) -> None:
    """Report to this class from now on, or to none, and take back what another one was told."""
    progress = current_progress()
    if code == progress.code:
        return
    if progress.code:
        _take_back(progress.code)
    progress.code, session().lesson_report = code, None
    store_progress()


def report() -> None:
    """Report how far the open lesson is, if that is new."""
    progress, code, opened = current_progress(), current_class(), open_lesson()
    if not code or not progress.shares or not opened:
        return
    lesson, of_lesson = opened
    new = code, LessonReport(visit.phone(code), lesson.name, of_lesson.num_done, lesson.num_parts, progress.nickname)
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
    collection = _find(code) if code else None
    if collection is None:
        return
    with st.container(key="lesson class"):
        st.toggle(
            _("My teacher sees how far I am (class {code})").format(code=code),
            on_change=_switch,
            **keep(SHARES, progress.shares),
        )
        if progress.shares and collection.keeps_names:
            st.text_input(
                _("Nickname for my teacher (you may leave this empty)"),
                max_chars=40,
                autocomplete="off",
                on_change=_rename,
                **keep(NICKNAME, progress.nickname),
            )


def _find(code: str) -> ClassRecord | None:
    with suppress(InklingError):
        return visit.classes().find(code)
    return None


def _switch() -> None:
    progress, shares = current_progress(), st.session_state[SHARES]
    try:
        if not shares:
            _take_back(progress.code)
    except InklingError as error:
        set_value(SHARES, progress.shares)
        report_error(error)
        return
    progress.shares, session().lesson_report = shares, None
    store_progress()


def _rename() -> None:
    progress = current_progress()
    try:
        progress.nickname = check_writer(st.session_state[NICKNAME].strip())
        store_progress()
    except InklingError:
        set_value(NICKNAME, progress.nickname)


def _take_back(code: str) -> None:
    visit.classes().lessons.take_back(code, visit.phone(code))
