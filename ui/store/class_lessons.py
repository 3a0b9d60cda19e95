"""How far the phones of a class are in their lessons. It is deleted with the class's collection."""

from collections.abc import Callable

import sqlalchemy as sa

from engine.checks import InklingError
from engine.data.collection import check_writer
from ui.store.database import transaction
from ui.store.schema import CLASS_LESSONS, CLASSES, LessonReport

MAX_LESSONS = 50  # of a phone
MAX_NAME = 60  # characters of a lesson's name
MAX_PARTS = 20  # of a lesson
MAX_PHONES = 100  # in a collection
REPORT_COLUMNS = [CLASS_LESSONS.c[name] for name in LessonReport.__dataclass_fields__]


class ClassLessons:
    """The reports of all classes of one database; ``ClassCollections.lessons`` is one."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def report(self, code: str, report: LessonReport) -> None:
        """Store how far a phone is, in place of what it reported before; its other reports get the same nickname."""
        if not 0 < len(report.lesson) <= MAX_NAME or not 0 <= report.done <= report.total <= MAX_PARTS:
            raise InklingError(f"a report must name a lesson and at most {MAX_PARTS} parts")
        nickname, now, table = check_writer(report.nickname), self._clock(), CLASS_LESSONS
        own = (table.c.collection == code) & (table.c.phone == report.phone)
        with transaction(self._engine) as connection:
            keeps_names = connection.scalar(sa.select(CLASSES.c.keeps_names).where(CLASSES.c.code == code).with_for_update())
            if keeps_names is None:
                raise InklingError("there is no collection with this code any more")
            known = {row.lesson: row for row in connection.execute(sa.select(table).where(own))}
            phones = sa.select(sa.func.count(table.c.phone.distinct())).where(table.c.collection == code)
            if not known and (connection.scalar(phones) or 0) >= MAX_PHONES:
                raise InklingError(f"a class has room for {MAX_PHONES} phones")
            if report.lesson not in known and len(known) >= MAX_LESSONS:
                raise InklingError(f"a phone can report {MAX_LESSONS} lessons")
            before = known.get(report.lesson)
            done = max(report.done, before.done) if before and before.total == report.total else report.done  # if done again
            values = {"done": done, "total": report.total, "updated": now}
            if report.lesson in known:
                connection.execute(sa.update(table).where(own & (table.c.lesson == report.lesson)).values(**values))
            else:
                row = {"collection": code, "phone": report.phone, "lesson": report.lesson, "begun": now, "nickname": ""}
                connection.execute(sa.insert(table).values(**row, **values))
            connection.execute(sa.update(table).where(own).values(nickname=nickname if keeps_names else ""))

    def of_class(self, workspace: str, code: str) -> list[LessonReport]:
        """All reports of a collection that this workspace has opened, those of the first phone first."""
        is_own = (CLASSES.c.code == code) & (CLASSES.c.workspace == workspace)
        query = sa.select(*REPORT_COLUMNS).join(CLASSES).where(is_own).order_by(CLASS_LESSONS.c.begun, CLASS_LESSONS.c.phone)
        with transaction(self._engine, write=False) as connection:
            return [LessonReport(**row) for row in connection.execute(query).mappings()]

    def take_back(self, code: str, phone: str) -> int:
        """Delete what a phone has reported; return how many lessons these were."""
        own = (CLASS_LESSONS.c.collection == code) & (CLASS_LESSONS.c.phone == phone)
        with transaction(self._engine) as connection:
            return connection.execute(sa.delete(CLASS_LESSONS).where(own)).rowcount
