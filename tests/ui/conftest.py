"""What the tests of pages and workspaces share."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from helpers import make_digits
from streamlit.components.v2 import manifest_scanner

from engine import Config, InklingError
from engine.data import Dataset
from engine.jobs import JobState, Pool, Series, default_pool
from ui import datasets, map_view, runs, studies, visitor
from ui.draw.panels import drawing_map
from ui.run import Run
from ui.state import Session
from ui.store import Store
from ui.train import run_controls
from ui.workspace import Workspace, workspaces

SWEEPS_URL = Store.sweeps_url
WAIT = 60  # seconds after which a tiny training hangs
AWAY = InklingError("the store cannot be reached at the moment: try again in a few seconds")


def end_runs(all_runs: list[Run]) -> None:
    """Stop these runs, and wait until they are over."""
    for run in all_runs:
        run.series.stop()
    for run in all_runs:
        assert run.series.wait_until_over(WAIT)


@pytest.fixture(scope="session", autouse=True)
def _components_are_looked_for_once() -> Iterator[None]:
    """In every new ``AppTest``, Streamlit reads the metadata of all installed packages, which takes most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def sweeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of a storage of sweeps of the test's own."""
    url = f"sqlite:///{tmp_path / 'own_sweeps.sqlite3'}"
    monkeypatch.setattr(Store, "sweeps_url", lambda store: url)
    return url


@pytest.fixture(autouse=True)
def _every_look_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a page, a look at a sweep is up to two seconds old."""
    monkeypatch.setattr(studies, "look", lambda name: studies.open_study(name).look())


@pytest.fixture(autouse=True)
def _no_training_is_left() -> Iterator[None]:
    """After each test, stop its trainings: they would have the workers that the next test needs."""
    yield
    if workspaces.cache_info().currsize:
        end_runs([run for workspace in [*workspaces()._open] for run in workspace.runs])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database of the test's own."""
    store = Store(f"sqlite:///{tmp_path}/store.sqlite3")
    yield store
    store.close()


@pytest.fixture
def away(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Switch the database off, and on again."""

    def fail(write: bool = True) -> NoReturn:
        raise AWAY

    def switch(is_away: bool) -> None:
        monkeypatch.setattr(store, "_transaction", fail if is_away else transaction)

    transaction = store._transaction
    return switch


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Dataset]:
    """The page's data replaced by a small set, so that a run takes a moment."""
    sets = make_digits(1200, 1), make_digits(300, 2)
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    return sets


@pytest.fixture(autouse=True)
def known_epoch_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of an epoch, so that no test measures the speed of this machine."""
    monkeypatch.setattr(run_controls, "seconds_per_epoch", lambda *_: 1.0)


@pytest.fixture(autouse=True)
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of few images, which take a moment."""
    monkeypatch.setattr(map_view, "MAX_IMAGES", 60)
    monkeypatch.setattr(drawing_map, "MAX_SEARCHED", 100)


@pytest.fixture
def open_workspace(
    store: Store, sets: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Workspace]]:
    """Open a workspace without a browser: a new one, or one as a restarted server does. ``ui.runs`` then works on it."""
    session, opened = Session(), []
    monkeypatch.setattr(runs, "session", lambda: session)
    monkeypatch.setattr(visitor, "session", lambda: session)

    def open_one(id: str | None = None) -> Workspace:
        session.workspace = Workspace(id or store.create(), store)
        with suppress(InklingError):  # the database may be away
            session.workspace.read()
        session.workspace.add_viewer(lambda: True)
        opened.append(session.workspace)
        return session.workspace

    yield open_one
    left = [run for workspace in opened for run in workspace.runs if run.state is not JobState.READY]
    end_runs(left)


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser's cookie says: its entry "id"."""
    cookie: dict[str, str] = {}
    monkeypatch.setattr(visitor, "remembered", lambda: cookie.get("id"))
    return cookie


@pytest.fixture(autouse=True)
def _no_training_left():
    """Stop the trainings that a test has left under way, so that they take no time from the others."""
    yield
    pool = default_pool()
    with pool.changed:
        for job in [*pool._running(), *pool._in_turn()]:
            job.stop()


@pytest.fixture(scope="session")
def snapshot():
    """What a viewer sees of a short training at its end."""
    pool = Pool(size=1)
    series = Series.from_config(Config(epochs=3), 1, make_digits(600), make_digits(100, 1), pool=pool)
    series.start()
    assert series.wait_until_over(30)
    pool.close()
    return series.snapshot()
