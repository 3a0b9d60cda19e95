"""How far a visitor is: which lesson is open, and what is done in each. The workspace stores it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ui.lessons.lesson import MAX_STEPS, Lesson
from ui.state import session
from ui.store.class_collections import CODE
from ui.visitor import workspace

VALUE = "lessons"  # of the workspace
MAX_LESSONS = 100
MAX_RUN = 10**9


@dataclass
class LessonProgress:
    """``step`` is the one to do, from 0; after the last one comes the question. ``since`` is the number of the newest run
    at the beginning: only runs that began later count."""

    step: int = 0
    done: list[int] = field(default_factory=list)  # steps that the page has noticed
    is_answered: bool = False  # rightly
    since: int = 0

    @property
    def is_step_done(self) -> bool:
        """Whether the step to do is done, and its lesson to be read."""
        return self.step in self.done

    @property
    def num_done(self) -> int:
        """Steps that are done, and the question."""
        return len(self.done) + self.is_answered

    def is_over(self, lesson: Lesson) -> bool:
        return self.step >= len(lesson.steps) and self.is_answered


@dataclass
class Progress:
    """``name`` is that of the open lesson, or empty. ``shares`` says whether the teacher of the class ``code`` sees it."""

    name: str = ""
    lessons: dict[str, LessonProgress] = field(default_factory=dict)
    code: str = ""
    shares: bool = True
    nickname: str = ""

    @classmethod
    def from_json(cls, value: Any) -> "Progress":
        """What ``to_json`` wrote, without what is wrong."""
        progress = cls()
        if not isinstance(value, dict):
            return progress
        name, code, nickname = (value.get(key) for key in ("name", "code", "nickname"))
        progress.name = name if isinstance(name, str) else ""
        progress.code = code if isinstance(code, str) and CODE.fullmatch(code) else ""
        progress.nickname = nickname[:40] if isinstance(nickname, str) else ""
        progress.shares = value.get("shares") is not False
        stored = value.get("lessons")
        for lesson, entry in [*stored.items()][:MAX_LESSONS] if isinstance(stored, dict) else []:
            if of_lesson := _of_lesson(entry):
                progress.lessons[str(lesson)] = of_lesson
        return progress

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _of_lesson(value: Any) -> LessonProgress | None:
    if not isinstance(value, dict) or set(value) != set(LessonProgress.__dataclass_fields__):
        return None
    done = value["done"]
    if not isinstance(done, list) or not isinstance(value["is_answered"], bool):
        return None
    limits = [(value["step"], MAX_STEPS), (value["since"], MAX_RUN), *((step, MAX_STEPS - 1) for step in done)]
    is_right = all(type(number) is int and 0 <= number <= limit for number, limit in limits)
    return LessonProgress(value["step"], sorted(set(done)), value["is_answered"], value["since"]) if is_right else None


def current_progress() -> Progress:
    """This session's, as it was stored last."""
    if session().lessons is None:
        session().lessons = Progress.from_json(workspace().value(VALUE))
    return session().lessons  # pyright: ignore[reportReturnType]


def store_progress() -> None:
    """Have it stored soon."""
    workspace().set_value(VALUE, current_progress().to_json)
