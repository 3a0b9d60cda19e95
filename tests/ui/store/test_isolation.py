"""A workspace never reaches the rows of another, whichever method is called with whichever keys and names."""

import inspect

import pytest

from tests.ui.store.records import make_drawing, make_run
from ui.store import RunRecord, Store
from ui.store.archive import unpack

KEY, REMOVED_KEY = "a" * 32, "b" * 32


def accept(name, content):
    pass


def fill(store, secret):
    """A workspace with one of everything; all keys and names are the same as in every other such workspace."""
    workspace = store.create()
    for key in (KEY, REMOVED_KEY):
        run = make_run(name=secret, key=key, owner="server 1", details={"secret": secret})
        store.save_run(workspace, run, {"seed-0": secret.encode()})
    store.remove_run(workspace, REMOVED_KEY)
    store.save_network(workspace, "network", secret.encode())
    store.put(workspace, "drawing", secret)
    store.save_drawings(workspace, [(make_drawing(key=KEY)[0], [secret])])
    return workspace


def everything(store, workspace):
    """All that the store says of a workspace."""
    archive = unpack(store.export_zip(workspace), 10**9, accept)
    runs = store.runs(workspace), store.removed_runs(workspace), store.file(workspace, REMOVED_KEY, "seed-0")
    return archive, runs, store.version(workspace), store.size(workspace), store.visit(workspace)


CALLS = {
    "size": lambda store, workspace: store.size(workspace),
    "sizes": lambda store, workspace: store.sizes(workspace),
    "version": lambda store, workspace: store.version(workspace),
    "visit": lambda store, workspace: store.visit(workspace),
    "get": lambda store, workspace: store.get(workspace, "drawing"),
    "put": lambda store, workspace: [store.put(workspace, "drawing", value) for value in ("other", None)],
    "runs": lambda store, workspace: store.runs(workspace),
    "removed_runs": lambda store, workspace: store.removed_runs(workspace),
    "seconds_restorable": lambda store, workspace: store.seconds_restorable(workspace),
    "save_run": lambda store, workspace: [
        store.save_run(workspace, RunRecord(key, 9, "other", "over", True, "server 1"), {"seed-0": content})
        for key in (KEY, REMOVED_KEY)
        for content in (bytes(900), b"other", None)
    ],
    "file": lambda store, workspace: store.file(workspace, KEY, "seed-0"),
    "remove_run": lambda store, workspace: store.remove_run(workspace, KEY),
    "restore_run": lambda store, workspace: store.restore_run(workspace, REMOVED_KEY),
    "networks": lambda store, workspace: store.networks(workspace),
    "save_network": lambda store, workspace: store.save_network(workspace, "network", bytes(900)),
    "remove_network": lambda store, workspace: store.remove_network(workspace, "network"),
    "drawings": lambda store, workspace: store.drawings(workspace),
    "strokes": lambda store, workspace: store.strokes(workspace),
    "save_drawings": lambda store, workspace: store.save_drawings(workspace, [make_drawing(key=KEY)]),
    "relabel_drawing": lambda store, workspace: store.relabel_drawing(workspace, KEY, 1),
    "remove_drawing": lambda store, workspace: store.remove_drawing(workspace, KEY),
    "claim": lambda store, workspace: [store.claim(workspace, key, "server 2") for key in (KEY, REMOVED_KEY)],
    "release": lambda store, workspace: [store.release(workspace, key, "server 1") for key in (KEY, REMOVED_KEY)],
    "export_zip": lambda store, workspace: unpack(store.export_zip(workspace), 10**9, accept),
    "import_zip": lambda store, workspace: store.import_zip(workspace, store.export_zip(workspace), accept),
    "forget": lambda store, workspace: store.forget(workspace),
}
WITHOUT_WORKSPACE = {"from_environment", "close", "create", "clean", "heartbeat", "ids", "sweeps_url"}


# They raise an error if there is no workspace, or change it.
FAILING = {"put", "save_run", "save_network", "save_drawings", "remove_drawing", "export_zip", "import_zip"}


def test_every_method_is_tried():
    methods = {name for name, _ in inspect.getmembers(Store, callable) if not name.startswith("_")}
    assert methods == {*CALLS, *WITHOUT_WORKSPACE}
    for name in CALLS:
        assert list(inspect.signature(getattr(Store, name)).parameters)[1] == "workspace"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_neither_changes_nor_shows_another_workspace(open_store, name):
    store = open_store(max_bytes=1850)
    theirs, own = fill(store, "their secret"), fill(store, "own secret")
    before = everything(store, theirs)
    answer = CALLS[name](store, own)
    assert everything(store, theirs) == before
    assert "their secret" not in repr(answer)


@pytest.mark.parametrize("name", sorted({*CALLS} - FAILING))
def test_an_empty_workspace_stays_empty(store, name):
    fill(store, "their secret")
    own = store.create()
    assert "their secret" not in repr(CALLS[name](store, own))
    assert (store.runs(own), store.removed_runs(own), store.networks(own), store.get(own, "drawing")) == ([], [], {}, None)


@pytest.mark.parametrize("wildcard", ["", "%", "_" * 32, "*", "' OR 1=1 --", None])
def test_an_id_is_no_pattern(store, wildcard):
    theirs = fill(store, "their secret")
    before = everything(store, theirs)
    for name in sorted({*CALLS} - FAILING):
        assert "their secret" not in repr(CALLS[name](store, wildcard))
    assert everything(store, theirs) == before
