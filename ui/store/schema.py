"""The tables of the database. A change here needs a migration in ``ui/store/migrations/versions/``."""

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Json(TypeDecorator):
    """A JSON value as ASCII text, so that its length is its number of bytes. NaN and infinity are allowed."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


@dataclass(frozen=True)
class RunRecord:
    """What the store knows of a run. ``details`` is a JSON object.

    ``owner`` is the server process that trains it; only ``Store.claim`` and ``Store.release`` change it later.
    The store sets ``created`` and ``updated`` (seconds since 1970) when it saves the record.
    """

    key: str
    number: int
    name: str
    state: str
    is_over: bool
    owner: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    created: float = 0
    updated: float = 0


@dataclass(frozen=True)
class DrawingRecord:
    """A drawing with its label: ``image`` has the 28 x 28 bytes that a network sees, ``created`` is in seconds since 1970.

    Its strokes, a JSON list that is empty if it came as an image, are stored with it, and read only when they are needed.
    """

    key: str
    label: int
    created: float
    image: bytes
    writer: str = ""


@dataclass(frozen=True)
class ClassRecord:
    """What the store knows of a class collection, besides its drawings; all times are in seconds since 1970.

    ``version`` rises with every change of the collection or its drawings.
    """

    code: str
    created: float
    closed: float | None  # None while it takes drawings
    downloaded: float | None  # the last time
    keeps_names: bool  # whether nicknames are stored with new drawings
    shows_names: bool  # whether the teacher's page shows them
    version: int


@dataclass(frozen=True)
class Donation:
    """A drawing that was donated. ``phone`` is the same for all drawings of a phone, and nobody can guess it."""

    record: DrawingRecord
    phone: str
    nickname: str = ""


@dataclass(frozen=True)
class LessonReport:
    """How far a phone of a class is in a lesson: ``done`` of ``total`` parts."""

    phone: str
    lesson: str
    done: int
    total: int
    nickname: str = ""


METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    },
)


def _workspace() -> Column[str]:
    return Column("workspace", String, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)


WORKSPACES = Table(
    "workspaces",
    METADATA,
    Column("id", String, primary_key=True),
    Column("visited", Date, nullable=False, index=True),
    Column("version", Integer, nullable=False),
)
VALUES = Table(
    "workspace_values",
    METADATA,
    _workspace(),
    Column("name", String, primary_key=True),
    Column("value", Json, nullable=False),
)
RUNS = Table(
    "runs",
    METADATA,
    _workspace(),
    Column("key", String, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("is_over", Boolean, nullable=False),
    Column("owner", String),
    Column("details", Json, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("removed", Double),  # when the visitor removed it; it can be restored for a day
)
FILES = Table(
    "run_files",
    METADATA,
    Column("workspace", String, primary_key=True),
    Column("run", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["workspace", "run"], ["runs.workspace", "runs.key"], ondelete="CASCADE"),
)
NETWORKS = Table(
    "networks",
    METADATA,
    _workspace(),
    Column("name", String, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
DRAWINGS = Table(
    "drawings",
    METADATA,
    _workspace(),
    Column("key", String, primary_key=True),
    Column("label", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("image", LargeBinary, nullable=False),
    Column("strokes", Json, nullable=False),
    Column("writer", String, nullable=False, server_default=text("''")),
)
CLASSES = Table(
    "class_collections",
    METADATA,
    Column("code", String, primary_key=True),
    Column("workspace", String, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("closed", Double),
    Column("downloaded", Double),
    Column("keeps_names", Boolean, nullable=False),
    Column("shows_names", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
CLASS_DRAWINGS = Table(
    "class_drawings",
    METADATA,
    Column("collection", String, ForeignKey("class_collections.code", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("phone", String, nullable=False),
    Column("nickname", String, nullable=False),
    Column("label", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("image", LargeBinary, nullable=False),
    Column("strokes", Json, nullable=False),
    Index(None, "collection", "phone", "created"),  # what the limits count
)
CLASS_LESSONS = Table(
    "class_lessons",
    METADATA,
    Column("collection", String, ForeignKey("class_collections.code", ondelete="CASCADE"), primary_key=True),
    Column("phone", String, primary_key=True),
    Column("lesson", String, primary_key=True),
    Column("nickname", String, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("begun", Double, nullable=False),
    Column("updated", Double, nullable=False),
)
SERVERS = Table(
    "servers",
    METADATA,
    Column("id", String, primary_key=True),
    Column("seen", Double, nullable=False),  # its last heartbeat
)
