"""The store: workspaces with their runs, files, networks and values, in SQLite or PostgreSQL."""

import logging
import math
import os
import re
import secrets
import socket
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine.checks import InklingError, shown
from engine.setting_fields import Integer, environment_value
from ui.store.archive import Archive, pack, unpack
from ui.store.class_collections import MAX_DRAWINGS as MAX_CLASS_DRAWINGS
from ui.store.class_collections import ClassCollections
from ui.store.database import default_file, make_engine, sqlite_url, sweeps_url, transaction
from ui.store.migrations import migrate
from ui.store.schema import DRAWINGS, FILES, NETWORKS, RUNS, SERVERS, VALUES, WORKSPACES, DrawingRecord, RunRecord
from ui.store.sizes import workspace_size, workspace_sizes

LOG = logging.getLogger(__name__)
WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{32}")  # what secrets.token_urlsafe(24) makes
SERVER_SECONDS = 15  # a server without a heartbeat for so long is dead
RESTORE_SECONDS = 24 * 3600  # a removed run can be restored for so long
MAX_VALUE_BYTES = 4_000_000
MAX_DRAWINGS = MAX_CLASS_DRAWINGS  # in a workspace, so that those of a class can come into it
MAX_DRAWING_BYTES = 12_000_000  # of their strokes together, so that they fit into the limits of a zip file, too
RECORD_COLUMNS = [RUNS.c[name] for name in RunRecord.__dataclass_fields__]
DRAWING_COLUMNS = [DRAWINGS.c[name] for name in DrawingRecord.__dataclass_fields__]


class RunTaken(InklingError):
    """The run has another owner than the record says: this server has lost it."""


class Store:
    """All workspaces of one database. Threads and processes may use the same database at once.

    A method sees the rows of one workspace only. A write is one transaction: all of it is stored, or nothing.
    Every failure of the database is an ``InklingError`` of one line; the details are logged. ``clock`` gives the
    seconds since 1970; the clocks of servers that share a database must agree to a few seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        keep_days: int = 30,
        max_bytes: int = 100_000_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the database, SQLite in the platform's data folder by default, and create or upgrade its tables."""
        self.keep_days, self.max_bytes, self.is_temporary = keep_days, max_bytes, False
        self._clock = clock
        self._engine = make_engine(url)
        self.class_collections = ClassCollections(self._engine, clock, max_bytes)
        with self._transaction() as connection:
            migrate(connection)

    @classmethod
    def from_environment(cls) -> "Store":
        """Open the store that INKLING_STORE, INKLING_KEEP_DAYS and INKLING_WORKSPACE_MB describe.

        If INKLING_STORE is not set and the data folder cannot be written, the store is a file in the temporary folder.
        """
        url = os.environ.get("INKLING_STORE") or None
        days = environment_value("INKLING_KEEP_DAYS", Integer(1, 36_500), 30)
        megabytes = environment_value("INKLING_WORKSPACE_MB", Integer(1, 100_000), 100)
        is_temporary = url is None and not _is_writable(default_file().parent)
        if is_temporary:
            path = Path(tempfile.mkdtemp(prefix="inkling-")) / default_file().name
            url = sqlite_url(path).render_as_string()
            text = "%s cannot be written: all work goes to %s; set INKLING_STORE to keep it"
            LOG.warning(text, default_file().parent, path)
        store = cls(url, days, megabytes * 1_000_000)
        store.is_temporary = is_temporary
        return store

    def sweeps_url(self) -> str:
        """The address of the storage of sweeps, which belongs to this database."""
        return sweeps_url(self._engine)

    def close(self) -> None:
        """Close all connections; if the store is used again, it opens new ones."""
        self._engine.dispose()

    # Workspaces

    def create(self) -> str:
        """Make a new workspace and return its id."""
        workspace = secrets.token_urlsafe(24)
        with self._transaction() as connection:
            connection.execute(sa.insert(WORKSPACES).values(id=workspace, visited=self._today(), version=1))
        return workspace

    def visit(self, workspace: str) -> bool:
        """Whether this workspace exists. It is kept for ``keep_days`` from today."""
        if not isinstance(workspace, str) or not WELL_FORMED.fullmatch(workspace):
            return False
        is_it = WORKSPACES.c.id == workspace
        with self._transaction(write=False) as connection:
            visited = connection.scalar(sa.select(WORKSPACES.c.visited).where(is_it))
        if visited is None or visited == self._today():
            return visited is not None
        with self._transaction() as connection:
            return connection.execute(sa.update(WORKSPACES).where(is_it).values(visited=self._today())).rowcount > 0

    def ids(self) -> set[str]:
        """Those of all workspaces."""
        with self._transaction(write=False) as connection:
            return set(connection.scalars(sa.select(WORKSPACES.c.id)))

    def forget(self, workspace: str) -> None:
        """Delete the workspace and everything in it. PostgreSQL overwrites the deleted rows at its next VACUUM."""
        with self._transaction() as connection:
            connection.execute(sa.delete(WORKSPACES).where(WORKSPACES.c.id == workspace))
        self._empty_log()

    def size(self, workspace: str) -> int:
        """The number of bytes of everything in the workspace."""
        with self._transaction(write=False) as connection:
            return workspace_size(connection, workspace)

    def sizes(self, workspace: str) -> dict[tuple[str, str], int]:
        """The number of bytes of each thing in the workspace, by ("run", key), ("network", name), ("value", name),
        ("drawings", label) or ("class", code)."""
        with self._transaction(write=False) as connection:
            return workspace_sizes(connection, workspace)

    def version(self, workspace: str) -> int:
        """A number that rises with every change of a run, network or labelled drawing; 0 without the workspace."""
        with self._transaction(write=False) as connection:
            return connection.scalar(sa.select(WORKSPACES.c.version).where(WORKSPACES.c.id == workspace)) or 0

    def clean(self) -> None:
        """Delete what has expired: workspaces, class collections, runs removed a day ago, and dead servers."""
        not_visited = WORKSPACES.c.visited < self._today() - timedelta(days=self.keep_days)
        with self._transaction(write=False) as connection:
            expired = connection.scalars(sa.select(WORKSPACES.c.id).where(not_visited)).all()
        for workspace in expired:  # one at a time, so that nobody waits long
            with self._transaction() as connection:
                connection.execute(sa.delete(WORKSPACES).where(WORKSPACES.c.id == workspace, not_visited))
        self.class_collections.clean()
        yesterday = self._clock() - RESTORE_SECONDS
        with self._transaction() as connection:
            connection.execute(sa.delete(RUNS).where(RUNS.c.removed < yesterday))
            connection.execute(sa.delete(SERVERS).where(SERVERS.c.seen < yesterday))
        self._empty_log()

    # Values

    def get(self, workspace: str, name: str) -> Any:
        """The JSON value of this name, or None."""
        with self._transaction(write=False) as connection:
            return connection.scalar(sa.select(VALUES.c.value).where(VALUES.c.workspace == workspace, VALUES.c.name == name))

    def put(self, workspace: str, name: str, value: Any) -> None:
        """Set the JSON value of this name; None deletes it."""
        with self._transaction() as connection:
            self._lock(connection, workspace)
            _put(connection, workspace, name, value)

    # Runs

    def runs(self, workspace: str) -> list[RunRecord]:
        """The runs that were not removed, oldest first."""
        return self._runs(workspace, RUNS.c.removed.is_(None))

    def removed_runs(self, workspace: str) -> list[RunRecord]:
        """The runs that were removed less than a day ago, oldest first."""
        return self._runs(workspace, self._is_restorable())

    def seconds_restorable(self, workspace: str) -> float:
        """The number of seconds until the next removed run cannot be restored any more; infinity if there is none."""
        query = sa.select(sa.func.min(RUNS.c.removed)).where(RUNS.c.workspace == workspace, self._is_restorable())
        with self._transaction(write=False) as connection:
            removed = connection.scalar(query)
        return math.inf if removed is None else removed + RESTORE_SECONDS - self._clock()

    def save_run(self, workspace: str, run: RunRecord, files: Mapping[str, bytes | None] = {}) -> list[str]:
        """Insert or update a run and these of its files; None deletes a file, the other files stay.

        To stay within ``max_bytes``, the oldest removed runs are deleted, then the oldest that are over, but never this
        one; the names of the deleted runs are returned. Raises ``RunTaken`` if the run's owner is not ``run.owner``, so
        that a server that was cut off for a while does not overwrite what the next owner has saved.
        """
        self._check_size(sum(len(content or b"") for content in files.values()))  # before anything is written in vain
        with self._changes(workspace) as connection:
            stored = connection.execute(sa.select(RUNS.c.owner).where(_is_run(workspace, run.key))).one_or_none()
            if stored and stored.owner != run.owner:
                raise RunTaken(f"{shown(run.name)} was not saved: it does not belong to this server any more")
            row = {"workspace": workspace} | asdict(run) | {"updated": self._clock(), "created": self._clock()}
            _upsert(connection, RUNS, row, unchanged=("owner", "created"))
            for name, content in files.items():
                place = {"workspace": workspace, "run": run.key, "name": name}
                if content is None:
                    connection.execute(sa.delete(FILES).filter_by(**place))
                else:
                    _upsert(connection, FILES, place | {"content": content})
            return self._make_room(connection, workspace, run.key)

    def file(self, workspace: str, run_key: str, name: str) -> bytes | None:
        """The content of a file of a run, or None."""
        query = sa.select(FILES.c.content).where(
            FILES.c.workspace == workspace, FILES.c.run == run_key, FILES.c.name == name
        )
        with self._transaction(write=False) as connection:
            return connection.scalar(query)

    def remove_run(self, workspace: str, key: str) -> bool:
        """Remove a run; it can be restored for a day. Returns whether there was such a run."""
        is_it = _is_run(workspace, key) & RUNS.c.removed.is_(None)
        return self._change(workspace, sa.update(RUNS).where(is_it).values(removed=self._clock()))

    def restore_run(self, workspace: str, key: str) -> bool:
        """Bring back a run that was removed less than a day ago. Returns whether there was such a run."""
        is_it = _is_run(workspace, key) & self._is_restorable()
        return self._change(workspace, sa.update(RUNS).where(is_it).values(removed=None))

    # Networks

    def networks(self, workspace: str) -> dict[str, bytes]:
        """The content of each uploaded network, by name."""
        query = sa.select(NETWORKS.c.name, NETWORKS.c.content).where(NETWORKS.c.workspace == workspace)
        with self._transaction(write=False) as connection:
            return {row.name: row.content for row in connection.execute(query.order_by(NETWORKS.c.name))}

    def save_network(self, workspace: str, name: str, content: bytes) -> list[str]:
        """Save a network under this name. Returns the names of runs deleted to make room, as ``save_run`` does."""
        with self._changes(workspace) as connection:
            _upsert(connection, NETWORKS, {"workspace": workspace, "name": name, "content": content})
            return self._make_room(connection, workspace)

    def remove_network(self, workspace: str, name: str) -> bool:
        """Delete a network. Returns whether there was one of this name."""
        return self._change(workspace, sa.delete(NETWORKS).filter_by(workspace=workspace, name=name))

    # Drawings with labels

    def drawings(self, workspace: str) -> list[DrawingRecord]:
        """All drawings, oldest first."""
        query = sa.select(*DRAWING_COLUMNS).where(DRAWINGS.c.workspace == workspace)
        with self._transaction(write=False) as connection:
            rows = connection.execute(query.order_by(DRAWINGS.c.created, DRAWINGS.c.key)).mappings()
            return [DrawingRecord(**row) for row in rows]

    def strokes(self, workspace: str) -> dict[str, list[Any]]:
        """The strokes of each drawing, by key."""
        query = sa.select(DRAWINGS.c.key, DRAWINGS.c.strokes).where(DRAWINGS.c.workspace == workspace)
        with self._transaction(write=False) as connection:
            return {row.key: row.strokes for row in connection.execute(query)}

    def save_drawings(self, workspace: str, drawings: Iterable[tuple[DrawingRecord, list[Any]]]) -> list[str]:
        """Save drawings with their strokes, all or none; a drawing whose key is there already is left as it is.

        Returns the names of runs deleted to make room, as ``save_run`` does.
        """
        with self._changes(workspace) as connection:
            _add_drawings(connection, workspace, drawings)
            return self._make_room(connection, workspace)

    def relabel_drawing(self, workspace: str, key: str, label: int) -> bool:
        """Change the label of a drawing. Returns whether there was such a drawing."""
        return self._change(workspace, sa.update(DRAWINGS).filter_by(workspace=workspace, key=key).values(label=label))

    def remove_drawing(self, workspace: str, key: str) -> tuple[DrawingRecord, list[Any]] | None:
        """Delete a drawing. Returns it with its strokes, as ``save_drawings`` takes it; None if there was none."""
        is_it = (DRAWINGS.c.workspace == workspace) & (DRAWINGS.c.key == key)
        with self._changes(workspace) as connection:
            removed = _select_drawings(connection, is_it)
            connection.execute(sa.delete(DRAWINGS).where(is_it))
        return next(iter(removed), None)

    # Owners: a server process trains a run only if it owns it

    def heartbeat(self, server: str) -> None:
        """Say that this server process lives."""
        with self._transaction() as connection:
            _upsert(connection, SERVERS, {"id": server, "seen": self._clock()})

    def claim(self, workspace: str, key: str, server: str) -> bool:
        """Become the owner of a run, unless another living server is. Counts as a heartbeat. Returns whether it is owned."""
        self.heartbeat(server)
        with self._transaction() as connection:
            if not self._exists(connection, workspace):
                return False
            run = connection.execute(sa.select(RUNS.c.owner).where(_is_run(workspace, key))).one_or_none()
            if run is None or run.owner == server:
                return run is not None
            seen = connection.scalar(sa.select(SERVERS.c.seen).where(SERVERS.c.id == run.owner))
            if seen is not None and seen >= self._clock() - SERVER_SECONDS and not _has_ended(run.owner):
                return False
            connection.execute(sa.update(RUNS).where(_is_run(workspace, key)).values(owner=server))
            return self._touch(connection, workspace)

    def release(self, workspace: str, key: str, server: str) -> None:
        """Stop being the owner of a run."""
        is_it = _is_run(workspace, key) & (RUNS.c.owner == server)
        self._change(workspace, sa.update(RUNS).where(is_it).values(owner=None))

    # All of it as one file

    def export_zip(self, workspace: str) -> bytes:
        """Everything in the workspace as one zip file, without the removed runs."""
        with self._transaction(write=False) as connection:
            self._lock(connection, workspace)
            values = connection.execute(sa.select(VALUES).where(VALUES.c.workspace == workspace))
            runs = _select_runs(connection, workspace, RUNS.c.removed.is_(None))
            files = connection.execute(sa.select(FILES).where(FILES.c.workspace == workspace))
            networks = connection.execute(sa.select(NETWORKS).where(NETWORKS.c.workspace == workspace))
            drawings = _select_drawings(connection, DRAWINGS.c.workspace == workspace)
            keys = {run.key for run in runs}
            archive = Archive(
                {row.name: row.value for row in values},
                runs,
                {(row.run, row.name): row.content for row in files if row.run in keys},
                {row.name: row.content for row in networks},
                drawings,
            )
        return pack(archive)

    def import_zip(self, workspace: str, content: bytes, check: Callable[[str, bytes], None]) -> list[str]:
        """Add what a zip file of ``export_zip`` holds, all or nothing, and return the names of the new runs and networks.

        Runs get new keys and numbers, and no owner; nothing is overwritten. A value is used if the workspace has none of
        its name, and a drawing if the workspace has none of its key. See ``unpack`` for the checks, and for what ``check``
        gets.
        """
        archive = unpack(content, self.max_bytes, check)
        with self._changes(workspace) as connection:
            for name, value in archive.values.items():
                _put(connection, workspace, name, value, replace=False)
            highest = connection.scalar(sa.select(sa.func.max(RUNS.c.number)).where(RUNS.c.workspace == workspace)) or 0
            names = set(connection.scalars(sa.select(RUNS.c.name).where(RUNS.c.workspace == workspace)))
            new_keys, added = {run.key: uuid.uuid4().hex for run in archive.runs}, []
            for number, run in enumerate(archive.runs, highest + 1):
                name = free_name(run.name, names)
                new = replace(run, key=new_keys[run.key], number=number, name=name)
                connection.execute(sa.insert(RUNS).values(workspace=workspace, **asdict(new)))
                names.add(name)
                added.append(name)
            for (key, name), payload in archive.files.items():
                row = {"workspace": workspace, "run": new_keys[key], "name": name, "content": payload}
                connection.execute(sa.insert(FILES).values(row))
            query = sa.select(NETWORKS.c.name, NETWORKS.c.content).where(NETWORKS.c.workspace == workspace)
            networks = {row.name: row.content for row in connection.execute(query)}
            for name, payload in archive.networks.items():
                if networks.get(name) != payload:
                    name = free_name(name, networks)
                    networks[name] = payload
                    connection.execute(sa.insert(NETWORKS).values(workspace=workspace, name=name, content=payload))
                    added.append(name)
            if num_drawings := _add_drawings(connection, workspace, archive.drawings):
                added.append(f"{num_drawings} drawing{'s' * (num_drawings != 1)}")
            self._check_size(workspace_size(connection, workspace))
        return added

    # Helpers

    def _transaction(self, write: bool = True) -> AbstractContextManager[sa.Connection]:
        return transaction(self._engine, write)

    @contextmanager
    def _changes(self, workspace: str) -> Iterator[sa.Connection]:
        """A transaction that changes runs or networks of the workspace, one at a time."""
        with self._transaction() as connection:
            if not self._touch(connection, workspace):
                raise _gone()
            yield connection

    def _change(self, workspace: str, statement: sa.Update | sa.Delete) -> bool:
        """Run one statement on runs or networks of the workspace; return whether it changed any."""
        with self._transaction() as connection:
            return self._touch(connection, workspace) and connection.execute(statement).rowcount > 0

    def _touch(self, connection: sa.Connection, workspace: str) -> bool:
        """Raise the workspace's version, which locks it until the end of the transaction; return whether it exists."""
        statement = sa.update(WORKSPACES).where(WORKSPACES.c.id == workspace).values(version=WORKSPACES.c.version + 1)
        return connection.execute(statement).rowcount > 0

    def _exists(self, connection: sa.Connection, workspace: str) -> bool:
        """Lock the workspace until the end of the transaction; return whether it exists."""
        query = sa.select(WORKSPACES.c.id).where(WORKSPACES.c.id == workspace).with_for_update()
        return connection.scalar(query) is not None

    def _lock(self, connection: sa.Connection, workspace: str) -> None:
        if not self._exists(connection, workspace):
            raise _gone()

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _is_restorable(self) -> sa.ColumnElement[bool]:
        return RUNS.c.removed >= self._clock() - RESTORE_SECONDS

    def _runs(self, workspace: str, condition: sa.ColumnElement[bool]) -> list[RunRecord]:
        with self._transaction(write=False) as connection:
            return _select_runs(connection, workspace, condition)

    def _make_room(self, connection: sa.Connection, workspace: str, spared: str = "") -> list[str]:
        """Delete old runs until the workspace is within ``max_bytes``; return their names."""
        dropped, size = [], workspace_size(connection, workspace)
        if size > self.max_bytes:
            candidates = sa.select(RUNS.c.key, RUNS.c.name).where(
                RUNS.c.workspace == workspace, RUNS.c.removed.is_not(None) | RUNS.c.is_over, RUNS.c.key != spared
            )
            for run in connection.execute(candidates.order_by(RUNS.c.removed.is_(None), RUNS.c.number)).all():
                connection.execute(sa.delete(RUNS).where(_is_run(workspace, run.key)))
                dropped.append(run.name)
                size = workspace_size(connection, workspace)
                if size <= self.max_bytes:
                    break
        self._check_size(size)
        return dropped

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise InklingError(
                f"this needs {size / 1e6:.1f} MB, but a workspace has {self.max_bytes / 1e6:.1f} MB: remove runs or networks"
            )

    def _empty_log(self) -> None:
        """Delete from SQLite's write-ahead log what the database has; while others read, this is left to the next time."""
        if self._engine.dialect.name == "sqlite":
            with suppress(sqlite3.Error), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def server_name() -> str:
    """A name for this server process, which says on which machine it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"


def _has_ended(server: str) -> bool:
    """Whether this was a server process on this machine that is there no more, so that nobody has to wait."""
    host, _, rest = server.partition(":")
    process = rest.partition(":")[0]
    if host != socket.gethostname() or not process.isdecimal() or not Path("/proc/self").exists():
        return False  # another machine, or one that does not say
    return int(process) == os.getpid() or not Path("/proc", process).exists()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _upsert(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], unchanged: Collection[str] = ()) -> None:
    """Insert the row, or update the row with its primary key, except the ``unchanged`` columns."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**row)
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in row if name not in {*keys, *unchanged}}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


def _put(connection: sa.Connection, workspace: str, name: str, value: Any, replace: bool = True) -> None:
    is_it = (VALUES.c.workspace == workspace) & (VALUES.c.name == name)
    if not replace and connection.scalar(sa.select(VALUES.c.name).where(is_it)) is not None:
        return
    if value is None:
        connection.execute(sa.delete(VALUES).where(is_it))
        return
    _upsert(connection, VALUES, {"workspace": workspace, "name": name, "value": value})
    length = connection.scalar(sa.select(sa.func.length(sa.cast(VALUES.c.value, sa.Text))).where(is_it)) or 0
    if length > MAX_VALUE_BYTES:
        raise InklingError(f"{name} has {length / 1e6:.1f} MB, the store takes at most {MAX_VALUE_BYTES / 1e6:.1f} MB")


def _add_drawings(connection: sa.Connection, workspace: str, drawings: Iterable[tuple[DrawingRecord, list[Any]]]) -> int:
    """Add the drawings whose keys are new, within the limits; return how many these are."""
    of_workspace = DRAWINGS.c.workspace == workspace
    known = set(connection.scalars(sa.select(DRAWINGS.c.key).where(of_workspace)))
    rows = {
        drawing.key: {"workspace": workspace, **asdict(drawing), "strokes": strokes}
        for drawing, strokes in drawings
        if drawing.key not in known
    }
    if len(known) + len(rows) > MAX_DRAWINGS:
        raise InklingError(f"a workspace has room for {MAX_DRAWINGS:,} drawings: remove some first")
    if rows:
        connection.execute(sa.insert(DRAWINGS), list(rows.values()))
    size = connection.scalar(sa.select(sa.func.sum(sa.func.length(DRAWINGS.c.strokes))).where(of_workspace)) or 0
    if size > MAX_DRAWING_BYTES:
        raise InklingError(
            f"the strokes of these drawings need {size / 1e6:.1f} MB, "
            f"a workspace has {MAX_DRAWING_BYTES / 1e6:.0f} MB for them: remove some drawings first"
        )
    return len(rows)


def _select_drawings(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[tuple[DrawingRecord, list[Any]]]:
    query = sa.select(*DRAWING_COLUMNS, DRAWINGS.c.strokes).where(condition).order_by(DRAWINGS.c.created, DRAWINGS.c.key)
    rows = connection.execute(query)
    return [(DrawingRecord(row.key, row.label, row.created, row.image, row.writer), row.strokes) for row in rows]


def _is_run(workspace: str, key: str) -> sa.ColumnElement[bool]:
    return (RUNS.c.workspace == workspace) & (RUNS.c.key == key)


def _select_runs(connection: sa.Connection, workspace: str, condition: sa.ColumnElement[bool]) -> list[RunRecord]:
    query = sa.select(*RECORD_COLUMNS).where(RUNS.c.workspace == workspace, condition)
    return [RunRecord(**row) for row in connection.execute(query.order_by(RUNS.c.number, RUNS.c.created)).mappings()]


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it if it is taken."""
    return next(free for k in range(1, len(taken) + 2) if (free := name if k == 1 else f"{name} ({k})") not in taken)


def _gone() -> InklingError:
    return InklingError("this workspace does not exist any more: open the app without its link to begin a new one")
