"""How far a visitor is, as it is stored."""

import pytest

from ui.lessons.progress import LessonProgress, Progress

FULL = Progress("pixels", {"pixels": LessonProgress(2, [0, 1], False, 7)}, "BCDFGHJK", False, "Ada")


def test_progress_is_read_as_it_was_stored():
    assert Progress.from_json(FULL.to_json()) == FULL


@pytest.mark.parametrize("value", [None, 5, [], {"name": 5, "lessons": 7, "code": "low", "nickname": None, "shares": None}])
def test_what_is_no_progress_is_none(value):
    assert Progress.from_json(value) == Progress()


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": True},
        {"step": 99},
        {"done": [9]},
        {"done": 5},
        {"is_answered": 1},
        {"more": 1},
        {"since": 0.5},
    ],
)
def test_a_lesson_with_something_wrong_begins_anew(change):
    value = FULL.to_json()
    value["lessons"]["pixels"] |= change
    assert Progress.from_json(value).lessons == {}
