"""What goes wrong with one thing in a workspace does not touch the others."""

import pytest

from engine import InklingError
from tests.ui.test_stored_runs import SHORT, run_in_pause, run_to_end


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
