"""``Run``: a training of one or several seeds in a visitor's workspace, and how it is stored."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, cached

import engine
from engine import Network
from engine.checks import check_choice, check_integer, shorten, shown
from engine.config import Config
from engine.data.collection import strokes_from_json
from engine.data.dataset import MAX_CLASSES
from engine.jobs import JobState, Keyframes, Saved, Series, Snapshot
from engine.jobs.snapshot_file import from_bytes, to_bytes
from engine.network import FLAT_IMAGE
from ui import datasets
from ui.store import RunRecord, Store
from ui.translation import N_

CACHE_BYTES = 200_000_000  # of snapshots of stored runs in memory, for all visitors
MAX_NAME = 200  # characters
MAX_SEEDS = 10
VALUES = (
    "drawing",
    "cells",
    "picture",
    "challenges",
    "language",
    "lessons",
    "puzzles",
    "settings",
)  # the JSON values of a workspace
SERVER_ENDED = N_("The server was restarted while this training ran. Press Resume: it goes on from its last checkpoint.")
ELSEWHERE = N_("This run is open in another window, on another server. Use that one, or close it and wait 15 seconds.")


@dataclass(eq=False)
class Run:
    """A training of one or several seeds. ``has_start`` says that it began with the weights of a trained network,
    ``from_file`` that it began elsewhere, so that its times are not this machine's, and ``elsewhere`` that another server
    trains it. ``id`` is its name in the store."""

    number: int
    name: str
    config: Config
    source: str
    series: Series
    has_start: bool = False
    from_file: bool = False
    elsewhere: bool = False
    id: str = ""
    stored: object = None  # what was stored last
    num_stored: int = 0  # how many of its trainings that are over are in the store
    ended: JobState | None = None  # how it ended, if it is read from the store
    last_keyframes: Keyframes = field(default_factory=Keyframes)  # of a run that has ended, as long as it is in memory

    def __post_init__(self) -> None:
        self.id = self.id or uuid4().hex

    @property
    def key(self) -> str:
        """What distinguishes it from other runs of its workspace, also after it was renamed or reset."""
        return f"Run {self.number}"

    def snapshot(self) -> Snapshot:
        return self.series.snapshot()

    @property
    def state(self) -> JobState:
        return self.ended or self.snapshot().state

    @property
    def keyframes(self) -> Keyframes:
        """The moments of its current or last training that can be shown again; they are not stored."""
        return self.series.keyframes if self.series.jobs else self.last_keyframes

    def become(self, other: "Run") -> None:
        """Take over what was read again from the store. The object stays the same: a page may show it."""
        self.name, self.series, self.elsewhere = other.name, other.series, other.elsewhere
        self.stored, self.num_stored, self.ended = other.stored, other.num_stored, other.ended

    def test_images(self) -> tuple[npt.NDArray, npt.NDArray]:
        """The images (M, 28, 28) uint8 that it is tested on, and their labels (M,)."""
        return self.series.test_set.take(slice(None))  # pyright: ignore[reportOptionalMemberAccess]


class StoredSnapshots(Sequence[Snapshot]):
    """The last snapshots of a run's trainings that are over, read from the store when they are needed.

    In the place of one that cannot be read is a failed one, which says why.
    """

    def __init__(self, store: Store, workspace: str, run: str, config: Config, number: int) -> None:
        self._store, self._workspace, self._run, self._config, self._number = store, workspace, run, config, number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[k] for k in range(*position.indices(len(self)))]
        try:
            return _snapshot(self._store, self._workspace, self._run, range(len(self))[position])[0]
        except engine.InklingError as error:
            nothing = Snapshot.before_start(self._config, self._config.make_network(np.random.default_rng(0)))
            return replace(nothing, state=JobState.FAILED, error=f"this run cannot be read now: {error}")


_cache: LRUCache[tuple[str, str, int], tuple[Snapshot, int]]
_cache = LRUCache(CACHE_BYTES, getsizeof=lambda snapshot_and_size: snapshot_and_size[1])
_cache_lock = Lock()


@cached(_cache, key=lambda _, workspace, run, position: (workspace, run, position), lock=_cache_lock)
def _snapshot(store: Store, workspace: str, run: str, position: int) -> tuple[Snapshot, int]:
    """A snapshot in the store, and its number of bytes."""
    content = store.file(workspace, run, f"seed-{position}")
    if content is None:
        raise engine.InklingError("this run is not in the store any more")
    return from_bytes(content), len(content)


def forget_snapshots(workspace: str) -> None:
    """Free the memory of the stored runs of a workspace that nobody looks at any more."""
    with _cache_lock:
        for key in [key for key in _cache if key[0] == workspace]:
            del _cache[key]


def state_to_store(run: Run) -> object:
    """What has to be stored again whenever it changes."""
    with run.series.pool.changed:  # so that nothing changes meanwhile
        if run.series.is_over:
            return run.number, run.name
        moving = run.state in (JobState.QUEUED, JobState.RUNNING, JobState.TESTING)
        return run.number, run.name, run.series.num_begun, moving or run.state, run.series.job.num_saved


def to_record(run: Run, owner: str, is_new: bool) -> tuple[RunRecord, dict[str, bytes | None]]:
    """The run as the store holds it: its record and its files."""
    series = run.series
    with series.pool.changed:  # so that nothing changes meanwhile
        snapshots = list(series.snapshots()) if is_new else [job.snapshot() for job in series.jobs]
        saved, is_over = series.saved, series.is_over
        num_before = series.num_begun - len(snapshots)  # those that are in the store only
    if is_over:
        run.last_keyframes = run.keyframes  # the series that is read from the store has none
    finished = snapshots if is_over else snapshots[:-1]
    files: dict[str, bytes | None] = {
        f"seed-{k}": to_bytes(snapshot) for k, snapshot in enumerate(finished, num_before) if is_new or k >= run.num_stored
    }
    files["training"] = saved.training if saved else None
    if not is_over:
        files["snapshot"] = to_bytes(saved.snapshot if saved else _at_start(run, snapshots[-1], num_before + len(finished)))
    else:
        files["snapshot"] = files["start"] = None
    if is_new and not is_over and series.start_network is not None:
        content = io.BytesIO()
        engine.save(content, series.start_network)
        files["start"] = content.getvalue()
    details = {
        "config": run.config.to_json(),
        "source": run.source,
        "num_seeds": series.num_seeds,
        "num_finished": num_before + len(finished),
        "has_start": run.has_start,
        "from_file": run.from_file,
        "error": series.error,
    }
    state = snapshots[-1].state if snapshots else run.state
    record = RunRecord(run.id, run.number, run.name, state, is_over, owner, details)
    return record, files


def _at_start(run: Run, current: Snapshot, num_finished: int) -> Snapshot:
    """What is shown after a restart of a training that has no checkpoint yet: it begins again."""
    config = replace(run.config, seed=run.config.seed + num_finished)
    return replace(Snapshot.before_start(config, current.network), state=JobState.PAUSED)


def from_record(
    record: RunRecord, store: Store, workspace: str, is_watched: Callable[[], bool], elsewhere: bool = False
) -> Run:
    """The run that a record describes; raises ``InklingError`` if it cannot be read."""
    config, details = check_details(record.details, record.is_over), record.details
    source = details["source"]
    finished = StoredSnapshots(store, workspace, record.key, config, details["num_finished"])
    saved = start = None
    if not record.is_over:
        snapshot = from_bytes(_file(store, workspace, record.key, "snapshot"))
        was_moving = record.state in (JobState.QUEUED, JobState.RUNNING, JobState.TESTING)
        error = ELSEWHERE if elsewhere else SERVER_ENDED if was_moving else snapshot.error
        training = None if elsewhere else store.file(workspace, record.key, "training")
        saved = Saved(training, replace(snapshot, state=JobState.PAUSED, error=error))
        if details["has_start"]:  # the next seeds begin with it
            start = engine.load(io.BytesIO(_file(store, workspace, record.key, "start")))
    series = Series(
        config,
        lambda: datasets.load(source),
        details["num_seeds"],
        start,
        finished,
        saved,
        visitor=workspace,
        is_watched=is_watched,
    )
    series.error = shorten(details["error"], MAX_NAME) if details.get("error") else None
    flags = details["has_start"], details["from_file"], elsewhere
    run = Run(record.number, record.name, config, source, series, *flags, record.key)
    run.stored, run.num_stored = state_to_store(run), len(finished)
    run.ended = next((state for state in JobState if record.is_over and state.is_over and state == record.state), None)
    return run


def check_details(details: Any, is_over: bool) -> Config:
    """Raise ``InklingError`` unless these are the details of a run's record; return the configuration in them."""
    if not isinstance(details, dict):
        raise engine.InklingError(f"the details of a run must be a JSON object, got {type(details).__name__}")
    datasets.check_source(details.get("source"))
    num_seeds = check_integer("num_seeds", details.get("num_seeds"), 1, MAX_SEEDS)
    check_integer("num_finished", details.get("num_finished"), int(is_over), num_seeds - (not is_over))
    for name in ("has_start", "from_file"):
        if not isinstance(details.get(name), bool):
            raise engine.InklingError(f"{name} must be true or false, got {shown(details.get(name))}")
    return Config.from_json(details.get("config"))


def check_file(name: str, content: bytes) -> None:
    """Raise ``InklingError`` unless a file from outside may be a file of a workspace: a network, a run's file or a value."""
    folder, _, rest = name.partition("/")
    if folder == "networks" or rest.endswith("/start"):
        check_reads_images(engine.load(io.BytesIO(content)))
    elif folder == "runs" and "/" not in rest:
        record = json.loads(content)
        check_details(record["details"], record["is_over"])
        needed = [] if record["is_over"] else ["snapshot", *["start"] * record["details"]["has_start"]]
        if missing := set(needed) - set(record["files"]):
            raise engine.InklingError(f"a run that is not over needs the file {min(missing)}")
    elif folder == "runs" and not rest.endswith("/training"):  # which is checked when it is continued, with its data
        check_reads_images(from_bytes(content).network)
    elif folder == "drawings":
        if strokes := json.loads(content):
            strokes_from_json(strokes)
    elif folder == "values":
        check_choice("name of a value", rest, VALUES)


def check_reads_images(network: Network) -> None:
    """Raise ``InklingError`` unless the network takes images of 28 x 28 pixels and tells 2 to 62 classes apart."""
    if prod(network.input_shape) != prod(FLAT_IMAGE) or not 2 <= network.output_shape[0] <= MAX_CLASSES:
        raise engine.InklingError(
            f"This network must take images of 28 x 28 pixels and have 2 to {MAX_CLASSES} outputs, one for each class, "
            f"and it takes {network.input_shape} and has {network.output_shape[0]}."
        )


def _file(store: Store, workspace: str, run: str, name: str) -> bytes:
    content = store.file(workspace, run, name)
    if content is None:
        raise engine.InklingError(f"the file {name} of this run is not in the store")
    return content
