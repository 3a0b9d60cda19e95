"""What goes wrong with one thing in a workspace does not touch the others."""

import math

import pytest

from engine import InklingError
from tests.ui.test_stored_runs import SHORT, run_in_pause, run_to_end
from ui import runs
from ui import workspace as workspace_module
from ui.store.store import RESTORE_SECONDS
from ui.workspace import NOT_STORED


def test_a_viewer_whose_connection_was_lost_is_a_viewer_again(open_workspace):
    workspace = open_workspace()
    workspace._viewers.clear()
    is_active = True
    workspace.add_viewer(lambda: is_active)
    assert workspace.is_watched()
    is_active = False
    assert not workspace.is_watched()
    is_active = True
    assert workspace.is_watched()


def test_a_run_that_is_too_large_is_said_and_everything_else_is_stored(open_workspace, store):
    workspace = open_workspace()
    run_in_pause()
    store.max_bytes = 1_000
    workspace.set_value("drawing", lambda: "a drawing")
    with pytest.raises(InklingError, match="a workspace has"):
        workspace.store_changes()
    assert store.get(workspace.id, "drawing") == "a drawing"
    assert store.runs(workspace.id) == []
    store.max_bytes = 100_000_000
    workspace.store_changes()
    assert len(store.runs(workspace.id)) == 1


def test_a_run_that_starts_during_an_import_is_still_there(open_workspace):
    source = open_workspace()
    run_to_end(SHORT)
    content = source.export_zip()
    target = open_workspace()
    checked = []

    def check(name, _):
        if not checked:
            run_in_pause()  # a click in another tab
        checked.append(name)

    target.import_zip(content, check)
    assert sorted(run.name for run in target.runs) == ["Run 1", "Run 1 (2)"]


def test_a_run_that_another_server_trains_stays_the_same_object(open_workspace, store, monkeypatch):
    workspace = open_workspace()
    run = run_in_pause()
    workspace.store_changes()
    run.elsewhere = True
    monkeypatch.setattr(store, "claim", lambda *_: False)
    workspace._version = -1  # another server has written
    workspace._refreshed = -1e9
    workspace.refresh()
    assert workspace.runs == [run]
    assert run.elsewhere
    monkeypatch.undo()
    workspace._refreshed = -1e9
    workspace.refresh()
    assert workspace.runs == [run]
    assert not run.elsewhere


def test_a_name_that_changes_while_the_end_of_its_run_is_stored_is_stored_too(open_workspace, store, monkeypatch):
    workspace = open_workspace()
    run = run_to_end(SHORT)
    save_run = store.save_run

    def save_and_rename(*arguments):
        dropped = save_run(*arguments)
        run.name = "renamed"
        return dropped

    monkeypatch.setattr(store, "save_run", save_and_rename)
    run.stored = None
    workspace.store_changes()
    monkeypatch.undo()
    workspace.store_changes()
    assert [record.name for record in store.runs(workspace.id)] == ["renamed"]


def deleted(workspace):
    return [record.name for record in workspace.removed_runs()]


def refresh(workspace):
    workspace._refreshed = -math.inf
    workspace.refresh()


def test_the_deleted_runs_are_read_when_they_change_and_not_whenever_they_are_shown(open_workspace, store, monkeypatch):
    workspace = open_workspace()
    first, second = run_to_end(SHORT), run_to_end(SHORT)
    runs.remove(first)
    reads, removed_runs = [], store.removed_runs
    monkeypatch.setattr(store, "removed_runs", lambda id: reads.append(id) or removed_runs(id))
    for _ in range(3):
        assert deleted(workspace) == ["Run 1"]
        assert workspace.next_number() == 3
        workspace.store_changes()
    assert reads == []
    runs.remove(second)
    assert deleted(workspace) == ["Run 1", "Run 2"]
    workspace.restore_run(first.id)
    assert deleted(workspace) == ["Run 2"]
    assert len(reads) == 2
    store.restore_run(workspace.id, second.id)  # by another server
    refresh(workspace)
    assert deleted(workspace) == []
    refresh(workspace)
    assert len(reads) == 3


def test_a_deleted_run_that_cannot_be_brought_back_any_more_leaves_the_list(open_workspace, store, monkeypatch):
    now = 1_800_000_000.0
    monkeypatch.setattr(store, "_clock", lambda: now)
    monkeypatch.setattr(workspace_module, "monotonic", lambda: now - 1e9)
    workspace = open_workspace()
    for _ in range(2):
        runs.remove(run_to_end(SHORT))
        now += 100
    now += RESTORE_SECONDS - 150
    refresh(workspace)
    assert deleted(workspace) == ["Run 2"]
    now += 100
    refresh(workspace)
    assert deleted(workspace) == []


def test_a_value_that_cannot_be_made_now_is_stored_the_next_time(open_workspace, store):
    workspace = open_workspace()
    made = iter([RuntimeError("dictionary changed size during iteration"), "new"])

    def make_value():
        value = next(made)
        if isinstance(value, Exception):
            raise value
        return value

    workspace.set_value("picture", make_value)
    with pytest.raises(RuntimeError):
        workspace.store_changes()
    workspace.store_changes()
    assert store.get(workspace.id, "picture") == "new"


@pytest.mark.parametrize("name", ["drawing", "cells", "settings", "picture"])
def test_what_could_not_be_read_is_not_replaced(open_workspace, store, away, name):
    workspace = open_workspace()
    workspace.set_value(name, lambda: "old")
    workspace.store_changes()
    away(True)
    assert workspace.value(name) is None  # a reload
    assert workspace.problem == NOT_STORED
    workspace.set_value(name, lambda: "new")
    assert workspace.value(name) == "new"
    with pytest.raises(InklingError):
        workspace.store_changes()
    away(False)
    for change in ("newer", "newest"):
        workspace.store_changes()
        assert store.get(workspace.id, name) == "old"
        workspace.set_value(name, lambda change=change: change)
    what = "drawing" if name == "cells" else name
    assert workspace.notices == [
        f"Your saved {what} could not be read when you opened this page, so what the page shows now is not saved. "
        "Reload the page to go back to what is saved."
    ]
    assert workspace.problem == ""
    assert workspace.value(name) == "old"  # another reload
    workspace.set_value(name, lambda: "more")
    workspace.store_changes()
    assert store.get(workspace.id, name) == "more"
    assert len(workspace.notices) == 1


def test_a_reload_as_soon_as_the_database_is_back_shows_what_is_stored(open_workspace, store, away):
    workspace = open_workspace()
    workspace.set_value("drawing", lambda: "old")
    workspace.store_changes()
    away(True)
    workspace.value("drawing")
    workspace.set_value("drawing", lambda: "new")
    away(False)
    assert workspace.value("drawing") == "old"
    workspace.store_changes()
    assert store.get(workspace.id, "drawing") == "old"
    assert workspace.notices == []


def test_what_is_drawn_while_the_database_is_away_is_stored_if_there_was_nothing_before(open_workspace, store, away):
    away(True)
    workspace = open_workspace("a" * 32)  # a new visitor
    assert workspace.value("drawing") is None
    workspace.set_value("drawing", lambda: "new")
    away(False)
    workspace.store_changes()
    assert store.get(workspace.id, "drawing") == "new"
    assert workspace.notices == []
    workspace.set_value("drawing", lambda: "newer")
    workspace.store_changes()
    assert store.get(workspace.id, "drawing") == "newer"
