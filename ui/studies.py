"""The sweeps that a visitor sees: starting, pausing and deleting them. What runs them is ``engine.jobs.Trials``.

Optuna is optional. They are in a storage of Optuna's beside the store of the workspaces, where other machines can join.
"""

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st
from sqlalchemy.engine import make_url

from engine.checks import InklingError
from engine.jobs import Snapshot, Trials, default_pool
from engine.sweep.look import Look
from engine.sweep.plan import STORAGE_VARIABLE, StorageError, Sweep
from ui import datasets, runs
from ui.formatting import number
from ui.run import MAX_SEEDS, Run
from ui.translation import N_, _
from ui.visitor import workspace
from ui.workspace import workspaces

if TYPE_CHECKING:  # Optuna is imported when there is a sweep
    from optuna.trial import FrozenTrial

    from engine.sweep.study import Study

FILE = "sqlite:///"
LOOK_SECONDS = 2.0
MAX_SWEEPS = 5  # of a workspace
MAX_TRIALS = 200  # of a sweep
NOT_INSTALLED = N_(
    "Sweeps need the package Optuna: whoever runs this server has to install it, with pip install 'inkling[sweep]'."
)

log = logging.getLogger(__name__)

_trials: dict[str, list[Trials]] = {}  # what this server does for each study
_lock = Lock()


class Listed(NamedTuple):
    """A sweep in the list: its name in the storage, its title, and whether it belongs to this workspace."""

    name: str
    title: str
    is_own: bool


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise an ``InklingError`` in place of what the database says; that is for the log, for it may name accounts."""
    from engine.sweep.study import storage_errors

    try:
        with storage_errors():
            yield
    except StorageError as error:
        log.warning("%s", error)
        raise InklingError(_("the storage of the sweeps cannot be used now")) from None


def is_installed() -> bool:
    """Whether sweeps are possible here."""
    return importlib.util.find_spec("optuna") is not None


def storage() -> str:
    """The address of the storage; raises ``InklingError`` if the workspaces have no store now."""
    if url := os.environ.get(STORAGE_VARIABLE):
        return url
    if (store := workspaces().store) is None:
        raise InklingError(_("nothing is saved on this server at the moment, so there are no sweeps"))
    return store.sweeps_url()


def listed() -> list[Listed]:
    """The sweeps of this workspace, and those of the command line, the newest first; see ``storage_errors``."""
    return [
        Listed(name, attributes.get("title", name), attributes.get("workspace") is not None)
        for name, attributes in _attributes().items()
        if attributes.get("workspace") in (None, owner_of(workspace().id))
    ]


def owner_of(workspace: str) -> str:
    """What a study says about its workspace, whose id is a secret: Optuna's dashboard shows all that a study says."""
    return sha256(workspace.encode()).hexdigest()


def _attributes() -> dict[str, dict[str, Any]]:
    """Those of all sweeps in the storage."""
    url = storage()
    if url.startswith(FILE) and not Path(make_url(url).database or "").exists():  # looking must not make it
        return {}
    from engine.sweep.study import list_studies

    return list_studies(url)


def open_study(name: str) -> "Study":
    """The study of this name as it is now; opened anew if it was made anew or continued since."""
    study = _opened(storage(), name)
    if not study.is_current:
        _opened.clear(storage(), name)
        study = _opened(storage(), name)
    return study


@st.cache_resource(max_entries=20, show_spinner=False)
def _opened(url: str, name: str) -> "Study":
    from engine.sweep.study import open_study

    return open_study(url, name)


def look(name: str) -> Look:
    """The study of this name as it was a moment ago, for all who watch it: reading it takes a tenth of a second."""
    return _look(storage(), name)


@st.cache_resource(max_entries=100, ttl=LOOK_SECONDS, show_spinner=False)
def _look(_url: str, name: str) -> Look:
    return open_study(name).look()


def start(sweep: Sweep) -> str:
    """Begin a sweep of this workspace, and return its name; raises ``InklingError`` if there are too many, or no room."""
    if not is_installed():
        raise InklingError(_(NOT_INSTALLED).removesuffix("."))
    if sweep.trials > MAX_TRIALS:
        raise InklingError(_("a sweep on this page has at most {count} trials").format(count=MAX_TRIALS))
    own = [entry for entry in listed() if entry.is_own]
    if len(own) >= MAX_SWEEPS:
        raise InklingError(_("you can have {count} sweeps: delete one first, on the page Sweeps").format(count=MAX_SWEEPS))
    if any(not _is_over(entry.name) for entry in own):
        raise InklingError(_("one of your sweeps is not over: end it first, on the page Sweeps"))
    default_pool().check_memory(sweep.training_bytes())
    room = store.max_bytes if (store := workspaces().store) else 0
    if sweep.network_bytes() > room:
        raise InklingError(
            _("the networks of this sweep need {needed} MB, and there is room for {room} MB: choose fewer trials").format(
                needed=number(sweep.network_bytes() / 1e6, ",.0f"), room=number(room / 1e6, ",.0f")
            )
        )
    from engine.sweep.study import make_study

    clean()
    train_set, _test_set = datasets.load(sweep.data)
    taken = {entry.title for entry in own}
    titles = (_("Sweep {number}").format(number=position) for position in range(1, MAX_SWEEPS + 1))
    title = next(each for each in titles if each not in taken)
    study = make_study(storage(), token_hex(6), sweep, train_set, workspace=owner_of(workspace().id), title=title)
    run(study)
    return study.name


def _is_over(name: str) -> bool:
    try:
        return open_study(name).is_over
    except StorageError:
        raise
    except InklingError:  # it is of another version: nothing runs it
        return True


def run(study: "Study") -> None:
    """Have the pool run trials of a study of this workspace, unless it does; raises ``InklingError`` without its data."""
    train_set, test_set = datasets.load(study.sweep.data)
    with _lock:
        if not is_running(study):
            arguments = storage(), study.name, study.sweep, train_set, test_set
            _trials[study.name] = [Trials(*arguments, visitor=workspace().id) for _worker in range(default_pool().size)]
    _look.clear(storage(), study.name)


def is_running(study: "Study") -> bool:
    """Whether this server runs its trials, or will as soon as its workers are free."""
    return any(not trials.is_over for trials in _trials.get(study.name, []))


def is_waiting(study: "Study") -> bool:
    """Whether all of this is in the queue, behind people's own trainings."""
    moving = [trials for trials in _trials.get(study.name, []) if not trials.is_over]
    return bool(moving) and all(trials.worker is None for trials in moving)


def error(study: "Study") -> str:
    """Why this server has stopped working on it, or ""."""
    return next((trials.error for trials in _trials.get(study.name, []) if trials.error), "")


def pause(study: "Study") -> None:
    """Stop all that work on it; their trials are saved."""
    study.pause()
    _stop(study.name)


def resume(study: "Study") -> None:
    """Go on after a pause or an error."""
    study.resume()
    _stop(study.name)
    run(study)


def end(study: "Study") -> None:
    """Begin no other trial, and measure the best one so far on the test images."""
    study.end()
    _stop(study.name)
    study.resume()
    run(study)


def delete(name: str) -> None:
    """Delete the study of this name with its networks."""
    from engine.sweep.study import delete_study

    _stop(name)
    delete_study(storage(), name)
    _opened.clear(storage(), name)


def _stop(name: str) -> None:
    _look.clear(storage(), name)
    for trials in _trials.pop(name, []):
        trials.stop()


def forget() -> None:
    """Delete all sweeps of this workspace."""
    if is_installed():
        with storage_errors():
            _delete({owner_of(workspace().id)})


def clean() -> None:
    """Delete the sweeps of workspaces that do not exist any more; not where apps with other workspaces keep theirs, too."""
    if (store := workspaces().store) and STORAGE_VARIABLE not in os.environ:
        owners = {attributes["workspace"] for attributes in _attributes().values() if "workspace" in attributes}
        _delete(owners - {owner_of(id) for id in store.ids()})


def _delete(owners: set[str]) -> None:
    for name, attributes in _attributes().items() if owners else ():
        if attributes.get("workspace") in owners:
            delete(name)


def open_trial(study: "Study", trial: "FrozenTrial") -> Run:
    """Add the trainings of a trial that is over as a run of this workspace, measured on the test images."""
    test_set = datasets.load(study.sweep.data)[1]
    networks = study.networks(trial)
    if not networks:
        raise InklingError(_("the networks of this trial are not stored: train it again"))
    snapshots = [Snapshot.of_trial(network, test_set) for network in networks[:MAX_SEEDS]]
    return runs.add_finished(snapshots, study.sweep.data, _("Trial {number}").format(number=trial.number))


def sizes() -> dict[str, int]:
    """The bytes of the networks of each sweep of this workspace, by title."""
    found: dict[str, int] = {}
    if is_installed():
        with suppress(InklingError), storage_errors():
            for entry in listed():
                if entry.is_own:
                    with suppress(InklingError):  # it is of another version
                        found[entry.title] = open_study(entry.name).num_bytes
    return found
