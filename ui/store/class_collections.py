"""Class collections: a teacher opens one under a short code, and phones donate drawings to it without an account."""

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from engine.checks import InklingError
from engine.data.collection import check_writer
from ui.store.class_lessons import ClassLessons
from ui.store.database import transaction
from ui.store.schema import (
    CLASS_DRAWINGS,
    CLASS_LESSONS,
    CLASSES,
    WORKSPACES,
    ClassRecord,
    Donation,
    DrawingRecord,
)
from ui.store.sizes import workspace_size

ALPHABET = "BCDFGHJKMNPQRTVWXZ"  # no two that look alike, and no vowels, so that no code is a word
CODE_LENGTH = 8  # 11,000 million codes
CODE = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")
KEEP_SECONDS = 30 * 24 * 3600  # from the opening, or from the last download
MAX_COLLECTIONS = 5  # of a workspace
MAX_DRAWINGS = 5_000  # in a collection
MAX_PHONES = 100  # in a collection
MAX_OF_PHONE = 300  # drawings
MAX_A_MINUTE = 30  # drawings of a phone
SIZE_EVERY = 50  # drawings, after which the workspace's size is looked at: that takes longer than a donation
MAX_STROKE_BYTES = 10_000  # of a drawing; a digit has about 2,000
RECORD_COLUMNS = [CLASSES.c[name] for name in ClassRecord.__dataclass_fields__]
DRAWING_COLUMNS = [
    CLASS_DRAWINGS.c[name]
    for name in (*DrawingRecord.__dataclass_fields__, *Donation.__dataclass_fields__)
    if name in CLASS_DRAWINGS.c
]


class ClassCollections:
    """All class collections of one database; ``Store.class_collections`` is one, and its rules hold here, too.

    Methods that take a ``workspace`` are the teacher's: they reach a collection only from the workspace that opened it.
    Those that take a ``phone`` see the drawings of that phone only.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float], max_bytes: int) -> None:
        """``max_bytes`` are those of a workspace, in which class collections count."""
        self._engine, self._clock, self._max_bytes = engine, clock, max_bytes
        self.lessons = ClassLessons(engine, clock)

    def find(self, code: str) -> ClassRecord | None:
        """The collection with this code, unless it has expired. Whoever calls this for a guess has to limit the guesses."""
        if not isinstance(code, str) or not CODE.fullmatch(code):
            return None
        with transaction(self._engine, write=False) as connection:
            return self._find(connection, CLASSES.c.code == code)

    def clean(self) -> None:
        """Delete the collections that have expired."""
        with transaction(self._engine) as connection:
            connection.execute(sa.delete(CLASSES).where(sa.not_(self._is_kept())))

    # The teacher

    def open(self, workspace: str) -> str:
        """Open a new collection and return its code."""
        with transaction(self._engine) as connection:
            if connection.scalar(sa.select(WORKSPACES.c.id).where(WORKSPACES.c.id == workspace).with_for_update()) is None:
                raise InklingError("this workspace does not exist any more: reload the page")
            of_workspace = sa.select(sa.func.count()).where(CLASSES.c.workspace == workspace)
            if (connection.scalar(of_workspace) or 0) >= MAX_COLLECTIONS:
                raise InklingError(f"you have {MAX_COLLECTIONS} collections already: delete one first")
            code = new_code()
            while connection.scalar(sa.select(CLASSES.c.code).where(CLASSES.c.code == code)) is not None:
                code = new_code()
            row = {"code": code, "workspace": workspace, "created": self._clock()}
            connection.execute(sa.insert(CLASSES).values(**row, keeps_names=True, shows_names=False, version=1))
        return code

    def of_workspace(self, workspace: str) -> list[ClassRecord]:
        """The collections that this workspace has opened, newest first."""
        query = sa.select(*RECORD_COLUMNS).where(CLASSES.c.workspace == workspace, self._is_kept())
        with transaction(self._engine, write=False) as connection:
            rows = connection.execute(query.order_by(CLASSES.c.created.desc(), CLASSES.c.code)).mappings()
            return [ClassRecord(**row) for row in rows]

    def expires(self, collection: ClassRecord) -> float:
        """When the collection is deleted."""
        return max(collection.created, collection.downloaded or 0) + KEEP_SECONDS

    def close(self, workspace: str, code: str, is_closed: bool = True) -> None:
        """Take no more drawings, or take drawings again."""
        self._change(workspace, code, closed=self._clock() if is_closed else None)

    def show_names(self, workspace: str, code: str, shows_names: bool) -> None:
        """Have the teacher's page show nicknames, or not."""
        self._change(workspace, code, shows_names=shows_names)

    def note_download(self, workspace: str, code: str) -> None:
        """The collection was downloaded now: it is kept for another 30 days."""
        self._change(workspace, code, downloaded=self._clock())

    def anonymise(self, workspace: str, code: str) -> None:
        """Delete all nicknames, and take no more of them. Which drawings come from the same phone is still known."""
        with transaction(self._engine) as connection:
            if self._touch(connection, _is(code, workspace), keeps_names=False, shows_names=False):
                connection.execute(sa.update(CLASS_DRAWINGS).where(CLASS_DRAWINGS.c.collection == code).values(nickname=""))
                connection.execute(sa.update(CLASS_LESSONS).where(CLASS_LESSONS.c.collection == code).values(nickname=""))

    def delete(self, workspace: str, code: str) -> None:
        """Delete the collection and all of its drawings."""
        with transaction(self._engine) as connection:
            connection.execute(sa.delete(CLASSES).where(_is(code, workspace)))

    def drawings(self, workspace: str, code: str) -> list[Donation]:
        """All drawings, oldest first."""
        query = sa.select(*DRAWING_COLUMNS).join(CLASSES).where(_is(code, workspace))
        with transaction(self._engine, write=False) as connection:
            return [_donation(row) for row in connection.execute(query.order_by(*_order()))]

    def strokes(self, workspace: str, code: str) -> dict[str, list[Any]]:
        """The strokes of each drawing, by key."""
        query = sa.select(CLASS_DRAWINGS.c.key, CLASS_DRAWINGS.c.strokes).join(CLASSES).where(_is(code, workspace))
        with transaction(self._engine, write=False) as connection:
            return {row.key: row.strokes for row in connection.execute(query)}

    def remove(self, workspace: str, code: str, key: str) -> bool:
        """Delete one drawing. Returns whether there was one."""
        return self._remove(_is(code, workspace), code, CLASS_DRAWINGS.c.key == key) > 0

    def remove_phone(self, workspace: str, code: str, phone: str) -> int:
        """Delete all drawings of a phone; return how many there were."""
        return self._remove(_is(code, workspace), code, CLASS_DRAWINGS.c.phone == phone)

    # The phones

    def donate(self, code: str, donation: Donation, strokes: list[Any]) -> None:
        """Add a drawing, within the limits of the phone and of the collection. The time is the store's own."""
        record, now = donation.record, self._clock()
        nickname = check_writer(donation.nickname)
        if len(record.image) != 28 * 28 or not 0 <= record.label <= 9:
            raise InklingError("a drawing must have 784 pixels and a label from 0 to 9")
        if len(json.dumps(strokes, separators=(",", ":"))) > MAX_STROKE_BYTES:
            raise InklingError("this drawing is too long: draw the digit with fewer lines")
        with transaction(self._engine) as connection:
            if not self._touch(connection, CLASSES.c.code == code):  # one drawing at a time, so that the limits hold
                raise _gone()
            collection = self._find(connection, CLASSES.c.code == code)
            if collection is None:
                raise _gone()
            if collection.closed is not None:
                raise InklingError("the collection is closed")
            count = sa.select(sa.func.count()).where(CLASS_DRAWINGS.c.collection == code)
            of_phone = count.where(CLASS_DRAWINGS.c.phone == donation.phone)
            phones = sa.select(sa.func.count(CLASS_DRAWINGS.c.phone.distinct())).where(CLASS_DRAWINGS.c.collection == code)
            if (connection.scalar(of_phone.where(CLASS_DRAWINGS.c.created > now - 60)) or 0) >= MAX_A_MINUTE:
                raise InklingError(f"a phone can give {MAX_A_MINUTE} drawings a minute: wait a moment")
            num_of_phone = connection.scalar(of_phone) or 0
            if num_of_phone >= MAX_OF_PHONE:
                raise InklingError(f"a phone can give {MAX_OF_PHONE} drawings: thank you, that is plenty")
            if not num_of_phone and (connection.scalar(phones) or 0) >= MAX_PHONES:
                raise InklingError(f"a collection has room for {MAX_PHONES} phones")
            total = connection.scalar(count) or 0
            if total >= MAX_DRAWINGS:
                raise InklingError(f"a collection has room for {MAX_DRAWINGS:,} drawings: it is full")
            if total % SIZE_EVERY == 0:
                workspace = connection.scalar(sa.select(CLASSES.c.workspace).where(CLASSES.c.code == code)) or ""
                if workspace_size(connection, workspace) + SIZE_EVERY * (28 * 28 + MAX_STROKE_BYTES) > self._max_bytes:
                    raise InklingError("the storage of the collection's owner is full: they can delete runs or collections")
            row = {"collection": code, "key": record.key, "phone": donation.phone, "label": record.label, "created": now}
            row |= {"nickname": nickname if collection.keeps_names else "", "image": record.image, "strokes": strokes}
            connection.execute(sa.insert(CLASS_DRAWINGS).values(row))

    def of_phone(self, code: str, phone: str) -> list[Donation]:
        """The drawings that this phone has donated, oldest first."""
        query = sa.select(*DRAWING_COLUMNS).where(CLASS_DRAWINGS.c.collection == code, CLASS_DRAWINGS.c.phone == phone)
        with transaction(self._engine, write=False) as connection:
            return [_donation(row) for row in connection.execute(query.order_by(*_order()))]

    def take_back(self, code: str, phone: str, key: str | None = None) -> int:
        """Delete one drawing of this phone, or all of them, also of a closed collection; return how many these were."""
        is_own = CLASS_DRAWINGS.c.phone == phone
        return self._remove(CLASSES.c.code == code, code, is_own if key is None else is_own & (CLASS_DRAWINGS.c.key == key))

    # Helpers

    def _is_kept(self) -> sa.ColumnElement[bool]:
        since = self._clock() - KEEP_SECONDS
        return (CLASSES.c.created > since) | (sa.func.coalesce(CLASSES.c.downloaded, 0) > since)

    def _find(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> ClassRecord | None:
        row = connection.execute(sa.select(*RECORD_COLUMNS).where(condition, self._is_kept())).mappings().one_or_none()
        return ClassRecord(**row) if row else None

    def _touch(self, connection: sa.Connection, condition: sa.ColumnElement[bool], **values: Any) -> bool:
        """Raise the version, which locks the collection until the end of the transaction; return whether it exists."""
        statement = sa.update(CLASSES).where(condition).values(version=CLASSES.c.version + 1, **values)
        return connection.execute(statement).rowcount > 0

    def _change(self, workspace: str, code: str, **values: Any) -> None:
        with transaction(self._engine) as connection:
            if not self._touch(connection, _is(code, workspace), **values):
                raise _gone()

    def _remove(self, condition: sa.ColumnElement[bool], code: str, which: sa.ColumnElement[bool]) -> int:
        with transaction(self._engine) as connection:
            if not self._touch(connection, condition):
                return 0
            return connection.execute(sa.delete(CLASS_DRAWINGS).where(CLASS_DRAWINGS.c.collection == code, which)).rowcount


def new_code() -> str:
    """A code that nobody can foresee."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def _is(code: str, workspace: str) -> sa.ColumnElement[bool]:
    return (CLASSES.c.code == code) & (CLASSES.c.workspace == workspace)


def _order() -> tuple[sa.ColumnElement, ...]:
    return CLASS_DRAWINGS.c.created, CLASS_DRAWINGS.c.key


def _donation(row: sa.Row) -> Donation:
    return Donation(DrawingRecord(row.key, row.label, row.created, row.image), row.phone, row.nickname)


def _gone() -> InklingError:
    return InklingError("there is no collection with this code any more")
