"""A workspace's zip file is refused in one line, or the pages can show what it holds; so it is with what the store holds."""

import json
import logging
from dataclasses import asdict, replace

import pytest
from fuzz.conftest import examples
from fuzz.damage import damaged_bytes, damaged_json, damaged_npz, make_zip, npz_members
from fuzz.workspaces import SETS, show, workspace
from helpers import outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from ui import datasets
from ui.run import _snapshot, check_file
from ui.store import RunRecord, Store
from ui.store.archive import Archive, pack
from ui.workspace import Workspace

MANY = settings(deadline=None, max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOLE = workspace()
NAMES = ["seed-0", "seed-1", "seed-9", "snapshot", "training", "start"]
TEXTS = st.text(max_size=10).filter(str.isprintable)
FILES = [content for files in WHOLE.files.values() for content in files.values()]


@st.composite
def damaged_files(draw, files):
    """The files of a run, one of them damaged, removed, or another of them in its place."""
    name, changed = draw(st.sampled_from(NAMES)), dict(files)
    change = draw(st.sampled_from(["damage", "damage", "damage", "remove", "other", "none"]))
    if change == "remove":
        changed.pop(name, None)
    elif change == "other":
        changed[name] = draw(st.sampled_from(FILES) | st.binary(max_size=50))
    elif change == "damage" and name in files:
        changed[name] = draw(damaged_npz(npz_members(files[name])))
    return changed


def check_line(text):
    assert text
    assert "\n" not in text
    assert len(text) < 1_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / 'store.sqlite3'}")
    yield store
    store.close()


@pytest.fixture
def open_workspace(store, monkeypatch):
    """Open a workspace as a restarted server does, a new one if no id is given."""
    monkeypatch.setattr(datasets, "load", lambda source: SETS)
    monkeypatch.setattr(logging.root.manager, "disable", logging.ERROR)  # Streamlit warns that there is no browser

    def open_one(id=""):
        _snapshot.cache.clear()
        opened = Workspace(id or store.create(), store)
        opened.read()
        return opened

    return open_one


def check_opened(opened):
    for notice in opened.notices:
        check_line(notice)
    for run in opened.runs:
        show(run)
    for network in opened.networks.values():
        network.forward(SETS[0].images[:1].reshape(1, *network.input_shape) / 255)


@st.composite
def zip_files(draw):
    """The zip file of a workspace, changed somewhere."""
    change = draw(st.sampled_from(["index", "index", "file", "file", "network", "entry", "bytes"]))
    files = {key: draw(damaged_files(files)) if change == "file" else files for key, files in WHOLE.files.items()}
    by_name = {(key, name): content for key, of_run in files.items() for name, content in of_run.items()}
    networks = dict(WHOLE.networks)
    if change == "network":
        name = draw(st.text(max_size=5) | st.sampled_from(["mine", "x" * 300]))
        networks[name] = draw(damaged_npz(npz_members(WHOLE.networks["mine"])) | st.sampled_from(FILES))
    try:
        content = pack(Archive(WHOLE.values, WHOLE.runs, by_name, networks))
    except UnicodeEncodeError:
        content = pack(Archive(WHOLE.values, WHOLE.runs, by_name, WHOLE.networks))
    if change == "index":
        members = npz_members(content)
        index = draw(damaged_json(json.loads(members["workspace.json"])))
        content = make_zip(members | {"workspace.json": json.dumps(index)})
    elif change == "entry":
        members = npz_members(content)
        name = draw(st.sampled_from([*members, "runs/x", f"runs/{'1' * 32}/seed-1", "networks/../a", "networks/%41"]))
        content = make_zip(members | {name: draw(st.binary(max_size=20) | st.sampled_from(FILES))})
    elif change == "bytes":
        content = draw(damaged_bytes(content))
    return content


@MANY
@given(zip_files() | st.binary(max_size=200))
def test_any_zip_file_is_refused_in_one_line_or_can_be_shown(open_workspace, store, content):
    opened = open_workspace()
    added, message = outcome(InklingError, opened.import_zip, content, check_file)
    if message is not None:
        check_line(message)
        assert (opened.runs, opened.networks, opened.notices) == ([], {}, [])
        assert store.size(opened.id) == 0
    else:
        assert opened.notices == []
        assert {run.name for run in opened.runs} | opened.networks.keys() == set(added)
    check_opened(open_workspace(opened.id))


@st.composite
def records(draw):
    """Records and files of runs as a store may hold them, of which the last is as it should be."""
    *records, sound = draw(st.permutations(WHOLE.runs))
    changed = []
    for record in records:
        fields = asdict(record) | {"details": draw(damaged_json(record.details))}
        if draw(st.integers(0, 5)) == 5:
            fields |= draw(st.fixed_dictionaries({}, optional={"state": TEXTS, "is_over": st.booleans(), "name": TEXTS}))
        changed.append((RunRecord(**fields), draw(damaged_files(WHOLE.files[record.key]))))
    return [*changed, (sound, WHOLE.files[sound.key])]


@MANY
@given(records())
def test_any_stored_run_is_shown_or_said_to_be_unreadable_and_the_others_are_there(open_workspace, store, runs):
    id = store.create()
    for record, files in runs:
        store.save_run(id, replace(record, owner=None), files)
    opened = open_workspace(id)
    check_opened(opened)
    assert len(opened.runs) + len(opened.notices) == 3
    sound = runs[-1][0]
    assert sound.key in {run.id for run in opened.runs}
    opened.store_changes()
