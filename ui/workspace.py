"""A visitor's workspace: runs, uploaded networks, drawing and settings, shared by all of the visitor's tabs and stored.

A thread stores what changes, so that no click waits for the database. A workspace is in memory while somebody looks at it
or something in it trains; what is over is read from the store when it is needed.
"""

import io
import logging
import math
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

import engine
from engine import InklingError, Network
from engine.jobs import Series, default_pool
from engine.memory import return_memory
from ui import datasets
from ui.run import ELSEWHERE, Run, StoredSnapshots, forget_snapshots, from_record, state_to_store, to_record
from ui.store import DrawingRecord, RunRecord, RunTaken, Store, free_name, server_name
from ui.store.store import WELL_FORMED
from ui.translation import N_

STORE_EVERY, STORE_LEAST = 1.0, 0.1  # seconds between two looks for changes, at most and at least
VALUE_EVERY = 2.0  # seconds between two writes of a drawing or of settings
HEARTBEAT_EVERY = 3.0
REFRESH_EVERY = 5.0  # seconds between two looks for what another server has changed
CLEAN_EVERY = 3600.0
RETRY_SECONDS = 5.0  # after the database has failed
CLOSE_SECONDS = 150.0  # without a viewer, after which a workspace leaves memory: sessions come back within 120

SERVER = server_name()  # this process, in the store
NOT_STORED = N_("Your work cannot be saved at the moment: the database cannot be reached.")
NOT_REPLACED = (
    "Your saved {} could not be read when you opened this page, so what the page shows now is not saved. "
    "Reload the page to go back to what is saved."
)

log = logging.getLogger(__name__)


class Workspace:
    """What one visitor has. ``runs`` are oldest first; ``networks`` are uploaded ones by name. ``problem`` is a sentence
    to show while nothing can be stored, ``notices`` are sentences to show once."""

    def __init__(self, id: str, store: Store | None) -> None:
        self.id, self.store = id, store
        self.runs: list[Run] = []
        self.networks: dict[str, Network] = {}
        self.problem = NOT_STORED
        self.notices: list[str] = []
        self.is_forgotten = False
        self._is_read = False  # whether it has what the store has
        self._removed: list[Run] = []  # runs whose removal, or whose end after it, is not stored yet
        self._restorable: list[RunRecord] = []  # of the removed runs, as they were read last
        self._restorable_until = math.inf  # when one of them cannot be restored any more
        self._unreadable: set[str] = set()  # ids of runs
        self._lock = Lock()  # of storing
        self._runs_lock = Lock()  # of the list of runs
        self._drawings: list[DrawingRecord] | None = None  # as they were read last
        self._drawings_lock = Lock()
        self._viewers: list[Callable[[], bool]] = []
        self._last_viewed = monotonic()
        self._version = 0
        self._values: dict[str, Callable[[], Any]] = {}  # that wait to be stored
        self._unread: dict[str, bool] = {}  # values that the store could not say, and whether it is known to have them
        self._values_stored = 0.0
        self._refreshed = 0.0

    # Who looks at it.

    def add_viewer(self, is_active: Callable[[], bool]) -> None:
        """Somebody looks at it, as long as ``is_active`` says so."""
        self._viewers.append(is_active)
        self._last_viewed = monotonic()

    def is_watched(self) -> bool:
        """Whether a browser shows it. A session that lost its connection may come back, so it stays a viewer."""
        is_watched = any(is_active() for is_active in self._viewers)
        if is_watched:
            self._last_viewed = monotonic()
        return is_watched

    @property
    def may_close(self) -> bool:
        """Whether nobody has looked at it for a while, and nothing trains."""
        trains = any(run.series.is_active for run in self.runs)
        return not self.is_watched() and not trains and monotonic() - self._last_viewed > CLOSE_SECONDS

    # What is in it.

    def next_number(self) -> int:
        """The number of a new run."""
        return max((run.number for run in [*self.runs, *self._removed, *self._restorable]), default=0) + 1

    def value(self, name: str) -> Any:
        """A JSON value as it was set or stored last, or None. What could not be read is not replaced before it was read."""
        if name in self._unread or name not in self._values:
            try:
                stored = self.store.get(self.id, name) if self.store else None
                was_unread = self._unread.pop(name, None) is not None
                if stored is not None:
                    if was_unread:
                        self._values.pop(name, None)
                    return stored
            except InklingError:
                self._unread.setdefault(name, False)
                self.problem = NOT_STORED
        make_value = self._values.get(name)
        return make_value and make_value()

    def set_value(self, name: str, make_value: Callable[[], Any]) -> None:
        """Have the JSON value that ``make_value`` returns stored soon."""
        if not self._unread.get(name):
            self._values[name] = make_value

    def add_run(self, run: Run) -> None:
        """Add a run as the newest."""
        with self._runs_lock:
            self.runs = [*self.runs, run]

    def remove_run(self, run: Run) -> None:
        """Remove a run, which has to be stopped, from all tabs; it can be brought back for a day."""
        with self._runs_lock:
            self.runs = [other for other in self.runs if other is not run]
            self._removed = [*self._removed, run]
        with suppress(InklingError):
            self.store_changes()

    def removed_runs(self) -> list[RunRecord]:
        """The records of the runs that can be brought back."""
        return self._restorable

    def restore_run(self, id: str) -> None:
        """Bring a removed run back."""
        with self._lock, self._says_errors():
            if self.store and self.store.restore_run(self.id, id):
                with self._runs_lock:
                    ending = [run for run in self._removed if run.id == id]
                    self._removed = [run for run in self._removed if run.id != id]
                    for run in ending:
                        self._include(run)
                self._read_runs(self.store)

    def claim(self, run: Run) -> None:
        """Make sure that this server may continue a run; raises ``InklingError`` if it runs on another one."""
        if run.elsewhere and self.store:
            with self._lock:
                self._read_runs(self.store)
            if run not in self.runs:
                raise InklingError("this run was deleted in another window")
            if run.elsewhere:
                raise InklingError(ELSEWHERE)

    def add_network(self, name: str, network: Network) -> None:
        """Add an uploaded network, in place of one with the same name."""
        if self.store:
            content = io.BytesIO()
            engine.save(content, network)
            with self._lock:
                self._say_dropped(self.store, self.store.save_network(self.id, name, content.getvalue()))
        others = {other: self.networks[other] for other in self.networks if other != name}
        self.networks = others | {name: network}  # the newest is the last in the list

    def remove_network(self, name: str) -> None:
        """Delete an uploaded network."""
        with self._says_errors():
            if self.store:
                self.store.remove_network(self.id, name)
            self.networks = {other: self.networks[other] for other in self.networks if other != name}

    def drawings(self) -> list[DrawingRecord]:
        """The drawings with labels, oldest first; raises ``InklingError`` if they cannot be read now."""
        with self._drawings_lock:  # a change of another tab must not be replaced by what was read before it
            if self._drawings is None:
                self._drawings = self._store_of_drawings().drawings(self.id)
            return self._drawings

    def _forget_drawings(self) -> None:
        """Have the drawings read again when they are needed."""
        with self._drawings_lock:
            self._drawings = None

    def strokes(self) -> dict[str, list[Any]]:
        """The strokes of each drawing with a label, by key."""
        return self._store_of_drawings().strokes(self.id)

    def add_drawings(self, drawings: Iterable[tuple[DrawingRecord, list[Any]]]) -> None:
        """Keep drawings with labels, and their strokes; raises ``InklingError`` if this cannot be."""
        store = self._store_of_drawings()
        with self._lock:
            self._say_dropped(store, store.save_drawings(self.id, drawings))
            self._forget_drawings()

    def relabel_drawing(self, key: str, label: int) -> None:
        """Give a drawing another label."""
        self._store_of_drawings().relabel_drawing(self.id, key, label)
        self._forget_drawings()

    def remove_drawing(self, key: str) -> tuple[DrawingRecord, list[Any]] | None:
        """Remove a drawing; return it as ``add_drawings`` takes it, or None if it was removed already."""
        removed = self._store_of_drawings().remove_drawing(self.id, key)
        self._forget_drawings()
        return removed

    def _store_of_drawings(self) -> Store:
        if not self.store:
            raise InklingError("the database cannot be reached at the moment")
        self.read()  # it may have to be made yet
        return self.store

    def export_zip(self) -> bytes:
        """Everything as one zip file."""
        if not self.store:
            raise InklingError(NOT_STORED)
        self.store_changes()
        return self.store.export_zip(self.id)

    def import_zip(self, content: bytes, check: Callable[[str, bytes], None]) -> list[str]:
        """Add what such a zip file holds; return the names of what was added."""
        if not self.store:
            raise InklingError(NOT_STORED)
        self.store_changes()
        with self._lock:
            added = self.store.import_zip(self.id, content, check)
            self._forget_drawings()
            self._read(self.store)
        return added

    def forget(self) -> None:
        """Stop everything, and delete everything; raises ``InklingError`` if the store cannot do so now."""
        with self._lock:
            for run in [*self.runs, *self._removed]:
                run.series.stop()
            if self.store:
                self.store.forget(self.id)
            self.store, self.is_forgotten = None, True
            self.runs, self.networks, self._values, self._restorable, self._drawings = [], {}, {}, [], None

    # Storing.

    def store_changes(self, everything: bool = True) -> None:
        """Store what has changed since the last time."""
        with self._lock:
            if not self.store:
                return
            self._read_once(self.store)
            errors = []
            for run in [*self.runs, *self._removed]:
                if not run.elsewhere and state_to_store(run) != run.stored:
                    try:
                        self._store_run(self.store, run)
                    except InklingError as error:  # it may be too large: the others can be stored
                        errors.append(str(error))  # not the error, which holds on to the files
            self._store_removals(self.store)
            if self._values and (everything or monotonic() - self._values_stored > VALUE_EVERY):
                self._values_stored = monotonic()
                for name in [*self._values]:
                    self._store_value(self.store, name)
            if errors:
                raise InklingError(errors[0])
            self.problem = ""

    def check_store(self) -> None:
        """Find out whether the store can be read, so that a page says so before it needs it."""
        try:
            if self.store:
                self.store.version(self.id)
        except InklingError:
            self.problem = NOT_STORED

    def read(self) -> None:
        """Read what the store has, once."""
        if not self._is_read:
            with self._lock:
                if self.store:
                    self._read_once(self.store)

    def _read_once(self, store: Store) -> None:
        if not self._is_read:
            if not store.visit(self.id):  # it was made while the database could not be reached
                self.id = store.create()
            self._read(store)
            self._is_read, self.problem = True, ""

    def refresh(self) -> None:
        """Take over what another server has changed."""
        if self.store and monotonic() - self._refreshed > REFRESH_EVERY:
            self._refreshed = monotonic()
            with self._lock:
                is_new = self.store.version(self.id) != self._version or monotonic() > self._restorable_until
                if is_new or any(run.elsewhere for run in self.runs):  # whose server may have ended
                    self._read_runs(self.store)

    def release(self) -> None:
        """Let other servers continue what is paused."""
        for run in self.runs:
            if self.store and not run.elsewhere and not run.series.is_over:
                self.store.release(self.id, run.id, SERVER)

    @contextmanager
    def _says_errors(self) -> Iterator[None]:
        """Show what a click could not do."""
        try:
            yield
        except InklingError as error:
            self.notices.append(f"{error}.")

    def _store_removals(self, store: Store) -> None:
        if sum(store.remove_run(self.id, run.id) for run in self._removed):
            self._read_removed(store)
        with self._runs_lock:
            self._removed = [run for run in self._removed if not run.elsewhere and not self._is_done(run)]

    def _is_done(self, run: Run) -> bool:
        """Whether it is over, and stored."""
        return run.series.is_over and run.stored == state_to_store(run)

    def _store_value(self, store: Store, name: str) -> None:
        make_value = self._values.pop(name)
        try:
            if name in self._unread and store.get(self.id, name) is not None:
                self._unread[name] = True
                self.notices.append(NOT_REPLACED.format("drawing" if name == "cells" else name))
                return
            store.put(self.id, name, make_value())
            self._unread.pop(name, None)
        except Exception:
            self._values.setdefault(name, make_value)  # for the next time
            raise

    def _store_run(self, store: Store, run: Run) -> None:
        state = state_to_store(run)
        record, files = to_record(run, SERVER, is_new=run.stored is None)
        try:
            dropped = store.save_run(self.id, record, files)
        except RunTaken:
            run.series.stop()
            run.elsewhere = True
            return
        run.stored, run.num_stored = state, record.details["num_finished"]
        self._version += 1
        self._say_dropped(store, dropped)
        if record.is_over and run.series.is_over:  # from now on it is read from the store
            old = run.series
            stored = StoredSnapshots(store, self.id, run.id, run.config, len(old.snapshots()))
            run.series = Series(run.config, lambda: datasets.load(run.source), old.num_seeds, finished=stored)
            run.series.error = old.error
            run.ended = old.snapshot().state
            run.stored = record.number, record.name  # not the run's own name: it may have been renamed meanwhile

    def _say_dropped(self, store: Store, names: list[str]) -> None:
        if names:
            self.notices.append(f"Your workspace was full, so the oldest runs were deleted: {', '.join(names)}.")
            self._read_runs(store)

    def _read(self, store: Store) -> None:
        self._read_runs(store)
        for name, content in store.networks(self.id).items():
            try:
                self.networks = self.networks | {name: engine.load(io.BytesIO(content))}
            except InklingError as error:
                self.notices.append(f"The network {name} cannot be read: {error}.")

    def _read_runs(self, store: Store) -> None:
        """Bring ``runs`` up to date with the store."""
        newest = store.version(self.id)
        self._read_removed(store)
        self._forget_drawings()
        removed = {run.id for run in self._removed}
        records = {record.key: record for record in store.runs(self.id) if record.key not in removed}
        version, self._version = self._version, newest
        known, new = {run.id: run for run in self.runs}, []
        for id, record in records.items():
            run = known.get(id)
            if run and not run.elsewhere:
                continue
            try:
                elsewhere = not record.is_over and not store.claim(self.id, id, SERVER)
                if run and elsewhere and version == self._version:
                    continue
                read = from_record(record, store, self.id, self.is_watched, elsewhere)
                if run:
                    run.become(read)
                else:
                    new.append(read)
            except InklingError as error:
                if id not in self._unreadable:
                    self.notices.append(f"The run {record.name} cannot be read: {error}.")
                    self._unreadable.add(id)
        with self._runs_lock:
            before = self.runs
            self.runs = [run for run in before if run.id in records or run.stored is None]
            for run in before:
                if run not in self.runs and not run.elsewhere:  # it was removed in another window
                    run.series.stop()
            for run in new:
                if all(other.id != run.id for other in self.runs):  # another thread may have read it, too
                    self._include(run)

    def _read_removed(self, store: Store) -> None:
        self._restorable_until = monotonic() + store.seconds_restorable(self.id)
        self._restorable = store.removed_runs(self.id)

    def _include(self, run: Run) -> None:
        """Add a run in its place, with a name and number that no other run has."""
        numbers = {other.number for other in self.runs}
        run.name = free_name(run.name, {other.name for other in self.runs})
        run.number = max(numbers) + 1 if run.number in numbers else run.number
        self.runs = sorted([*self.runs, run], key=lambda run: run.number)


class Workspaces:
    """The workspaces that are in memory, and the thread that stores them."""

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self._open: list[Workspace] = []
        self._lock = Lock()
        self._beat = self._cleaned = 0.0
        default_pool().start_workers()
        Thread(target=self._run, name="store", daemon=True).start()

    def new_id(self) -> str:
        """The id of a new workspace, which nobody can guess."""
        if self.store:
            with suppress(InklingError):
                return self.store.create()
        return secrets.token_urlsafe(24)

    def exists(self, id: str) -> bool:
        """Whether there is a workspace with this id."""
        if any(workspace.id == id for workspace in self._open):
            return True
        with suppress(InklingError):
            if self.store is not None:
                return self.store.visit(id)
        return bool(WELL_FORMED.fullmatch(id))  # nobody knows while the database cannot be reached

    def open(self, id: str) -> Workspace:
        """The workspace with this id, the same for all sessions."""
        with self._lock:
            opened = next((workspace for workspace in self._open if workspace.id == id), None)
            if opened is None:
                opened = Workspace(id, self.store)
                self._open.append(opened)
        with suppress(InklingError):  # not while others wait for the lock
            opened.read()
        return opened

    def forget(self, workspace: Workspace) -> None:
        """Delete a workspace; raises ``InklingError`` if the store cannot do so now."""
        workspace.forget()
        with self._lock:
            self._open = [other for other in self._open if other is not workspace]

    def close(self) -> None:
        """Store what is new, and let other servers continue what is under way."""
        for workspace in [*self._open]:
            with suppress(InklingError):
                workspace.store_changes()
                workspace.release()

    def _run(self) -> None:
        pool = default_pool()
        while True:
            with pool.changed:
                pool.changed.wait(STORE_EVERY)
            sleep(STORE_LEAST)
            try:
                self._tend()
            except Exception as error:  # the database may come back
                if not isinstance(error, InklingError):
                    log.exception("storing failed, and is tried again")
                with pool.changed:
                    pool.changed.wait(RETRY_SECONDS)

    def _tend(self) -> None:
        now, store = monotonic(), self.store
        for workspace in [*self._open]:
            try:
                workspace.store_changes(everything=False)
                workspace.refresh()
                self._close_if_left(workspace)
            except Exception as error:  # the others can be stored
                if not workspace.problem:
                    log.warning("a workspace cannot be stored: %s", error, exc_info=not isinstance(error, InklingError))
                workspace.problem = (
                    f"Your work cannot be saved at the moment: {error}." if isinstance(error, InklingError) else NOT_STORED
                )
        if store and now - self._beat > HEARTBEAT_EVERY:
            self._beat = now
            store.heartbeat(SERVER)
        if store and now - self._cleaned > CLEAN_EVERY:
            self._cleaned = now
            for workspace in self._open:
                store.visit(workspace.id)
            store.clean()

    def _close_if_left(self, workspace: Workspace) -> None:
        with self._lock:
            if workspace.may_close:
                workspace.store_changes()
                workspace.release()
                self._open = [other for other in self._open if other is not workspace]
                forget_snapshots(workspace.id)
                if not self._open:
                    return_memory()


@cache
def workspaces() -> Workspaces:
    """Those of this process. Raises ``InklingError`` if the store cannot be opened."""
    return Workspaces(Store.from_environment())
