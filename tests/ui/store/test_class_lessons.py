"""How far a class is in its lessons, in the store, on both databases."""

import pytest

from engine.checks import InklingError
from ui.store import LessonReport
from ui.store.class_lessons import MAX_LESSONS, MAX_PARTS, MAX_PHONES


@pytest.fixture
def code(store, workspace):
    return store.class_collections.open(workspace)


@pytest.fixture
def lessons(store):
    return store.class_collections.lessons


def test_the_last_report_of_a_phone_is_what_its_teacher_sees(lessons, store, workspace, code, clock):
    lessons.report(code, LessonReport("one", "pixels", 1, 5, "Ada"))
    clock.now += 1
    lessons.report(code, LessonReport("two", "pixels", 0, 5))
    clock.now += 1
    lessons.report(code, LessonReport("one", "pixels", 5, 5, "Ada L"))
    lessons.report(code, LessonReport("one", "loss", 2, 6, "Ada L"))
    assert lessons.of_class(workspace, code) == [
        LessonReport("one", "pixels", 5, 5, "Ada L"),
        LessonReport("two", "pixels", 0, 5),
        LessonReport("one", "loss", 2, 6, "Ada L"),
    ]
    assert lessons.of_class(store.create(), code) == []


def test_a_phone_takes_its_reports_back_and_the_collection_takes_all_with_it(lessons, store, workspace, code):
    for phone in ("one", "two"):
        lessons.report(code, LessonReport(phone, "pixels", 1, 5))
    assert lessons.take_back(code, "one") == 1
    assert [report.phone for report in lessons.of_class(workspace, code)] == ["two"]
    store.class_collections.delete(workspace, code)
    assert lessons.take_back(code, "two") == 0
    with pytest.raises(InklingError, match="no collection"):
        lessons.report(code, LessonReport("one", "pixels", 1, 5))


def test_no_nickname_is_left_or_taken_once_they_are_deleted(lessons, store, workspace, code):
    lessons.report(code, LessonReport("one", "pixels", 1, 5, "Ada"))
    store.class_collections.anonymise(workspace, code)
    lessons.report(code, LessonReport("two", "pixels", 1, 5, "Ben"))
    assert [report.nickname for report in lessons.of_class(workspace, code)] == ["", ""]


@pytest.mark.parametrize(
    "report",
    [
        LessonReport("one", "", 1, 5),
        LessonReport("one", 61 * "x", 1, 5),
        LessonReport("one", "pixels", 6, 5),
        LessonReport("one", "pixels", -1, 5),
        LessonReport("one", "pixels", 1, MAX_PARTS + 1),
        LessonReport("one", "pixels", 1, 5, 41 * "x"),
        LessonReport("one", "pixels", 1, 5, "two\nlines"),
    ],
)
def test_what_no_page_reports_is_refused(lessons, workspace, code, report):
    with pytest.raises(InklingError):
        lessons.report(code, report)
    assert lessons.of_class(workspace, code) == []


def test_a_class_and_a_phone_have_limits(lessons, workspace, code):
    for number in range(MAX_LESSONS):
        lessons.report(code, LessonReport("one", f"lesson {number}", 1, 5))
    lessons.report(code, LessonReport("one", "lesson 0", 2, 5))
    with pytest.raises(InklingError, match=f"{MAX_LESSONS} lessons"):
        lessons.report(code, LessonReport("one", "another", 1, 5))
    for number in range(1, MAX_PHONES):
        lessons.report(code, LessonReport(f"phone {number}", "pixels", 1, 5))
    with pytest.raises(InklingError, match=f"{MAX_PHONES} phones"):
        lessons.report(code, LessonReport("one too many", "pixels", 1, 5))
