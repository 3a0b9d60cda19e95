"""A workspace: what is in it is stored, comes back, makes room, and outlives a database that is away for a while."""

from dataclasses import replace

import numpy as np
import pytest

from engine import InklingError, Network, dense_layers
from engine.jobs import JobState
from tests.ui.conftest import AWAY, WAIT
from tests.ui.test_stored_runs import LONG, SHORT, assert_same_runs, restarted, run_in_pause, run_to_end
from tests.ui.train.steps import wait_for
from ui import runs
from ui import workspace as workspace_module
from ui.run import check_file
from ui.store.schema import METADATA
from ui.workspace import NOT_STORED, Workspaces


@pytest.fixture
def no_thread(monkeypatch):
    """Workspaces without the thread that stores: the test calls ``_tend`` itself."""
    monkeypatch.setattr(workspace_module, "Thread", lambda **_: type("Thread", (), {"start": lambda self: None})())


def network(seed=0):
    return Network(dense_layers((4,)), rng=np.random.default_rng(seed))


def names(workspace):
    return [run.name for run in workspace.runs]


def test_values_and_networks_are_there_again(open_workspace):
    workspace = open_workspace()
    assert workspace.value("drawing") is None
    workspace.set_value("drawing", lambda: {"objects": [1, "ü"]})
    assert workspace.value("drawing") == {"objects": [1, "ü"]}
    workspace.add_network("mine", network())
    workspace.add_network("other", network(1))
    workspace.remove_network("other")
    again = restarted(open_workspace, workspace)
    assert again.value("drawing") == {"objects": [1, "ü"]}
    assert list(again.networks) == ["mine"]
    np.testing.assert_array_equal(again.networks["mine"].state_vector, network().state_vector)


def test_values_are_stored_now_and_then_and_the_last_one_counts(open_workspace, store):
    workspace = open_workspace()
    for number in range(3):
        workspace.set_value("settings", lambda number=number: number)
        workspace.store_changes(everything=False)
    assert store.get(workspace.id, "settings") == 0
    workspace.store_changes()
    assert store.get(workspace.id, "settings") == 2


def test_a_deleted_run_comes_back_as_it_was(open_workspace):
    workspace = open_workspace()
    first, second = run_to_end(SHORT), run_to_end(replace(SHORT, seed=1))
    runs.remove(first)
    assert names(workspace) == ["Run 2"]
    assert [record.name for record in workspace.removed_runs()] == ["Run 1"]
    assert workspace.next_number() == 3
    again = restarted(open_workspace, workspace)
    assert names(again) == ["Run 2"]
    again.restore_run(first.id)
    assert_same_runs([first, second], again.runs)
    assert again.removed_runs() == []
    again.restore_run("unknown")
    assert again.notices == []


def test_a_run_that_is_deleted_while_it_trains_comes_back_stopped(open_workspace):
    workspace = open_workspace()
    run = runs.start_run(LONG, "mnist")
    wait_for(lambda: run.snapshot().step > 3, "it does not begin")
    runs.remove(run)
    assert run.series.wait_until_over(WAIT)
    workspace.store_changes()
    again = open_workspace(workspace.id)
    again.restore_run(run.id)
    (back,) = again.runs
    assert (back.state, back.snapshot().error) == (JobState.STOPPED, None)
    assert back.snapshot().test is not None


def test_a_run_that_is_brought_back_at_once_is_the_same(open_workspace, monkeypatch):
    workspace = open_workspace()
    run = runs.start_run(LONG, "mnist")
    monkeypatch.setattr(run.series, "stop", lambda: None)  # as if its step took long
    runs.remove(run)
    assert workspace.runs == []
    workspace.restore_run(run.id)
    workspace.store_changes()
    assert workspace.runs == [run]
    monkeypatch.undo()


def test_a_run_that_comes_back_takes_no_other_ones_name_or_number(open_workspace):
    workspace = open_workspace()
    run = run_in_pause()
    runs.remove(run)
    assert run.series.wait_until_over(WAIT)
    again = runs.start_run(LONG, "mnist", paused=True)
    again.number, again.name = run.number, run.name  # as another server may have numbered it
    workspace.restore_run(run.id)
    workspace.store_changes()
    assert [(run.number, run.key, run.name) for run in workspace.runs] == [
        (1, "Run 1", "Run 1"),
        (2, "Run 2", "Run 1 (2)"),
    ]
    assert workspace.runs[1].id == run.id
    assert_same_runs(workspace.runs, restarted(open_workspace, workspace).runs)


def test_the_oldest_runs_make_room_and_this_is_said_once(open_workspace, store):
    workspace = open_workspace()
    run_to_end(SHORT)
    workspace.store_changes()
    store.max_bytes = int(2.5 * store.size(workspace.id))
    for _ in range(3):
        run_to_end(SHORT)
        workspace.store_changes()
    assert names(workspace) == ["Run 3", "Run 4"]
    assert workspace.notices == [
        "Your workspace was full, so the oldest runs were deleted: Run 1.",
        "Your workspace was full, so the oldest runs were deleted: Run 2.",
    ]
    assert names(restarted(open_workspace, workspace)) == ["Run 3", "Run 4"]


def test_a_run_stays_if_a_deleted_one_of_the_same_name_makes_room(open_workspace, store):
    workspace = open_workspace()
    first = run_to_end(SHORT)
    runs.remove(first)
    second = run_to_end(SHORT)
    runs.rename(second, "Run 1")
    workspace.store_changes()
    store.max_bytes = store.size(workspace.id) + 1_000
    run_to_end(SHORT)
    workspace.store_changes()
    assert names(workspace) == ["Run 1", "Run 3"]


def test_while_the_database_is_away_everything_works_and_is_stored_later(open_workspace, away, store):
    workspace = open_workspace()
    first = run_to_end(SHORT)
    workspace.store_changes()
    away(True)
    second = run_to_end(SHORT)
    runs.rename(first, "mine")
    runs.remove(second)
    third = run_to_end(SHORT)
    workspace.set_value("drawing", lambda: 5)
    for _ in range(2):
        with pytest.raises(InklingError):
            workspace.store_changes()
    assert workspace.value("drawing") == 5
    assert workspace.removed_runs() == []
    assert names(workspace) == ["mine", "Run 3"]
    away(False)
    again = restarted(open_workspace, workspace)
    assert_same_runs([first, third], again.runs)
    assert again.value("drawing") == 5
    assert [record.key for record in again.removed_runs()] == [second.id]


def test_what_a_click_cannot_do_without_the_database_is_said_and_nothing_is_lost(open_workspace, away):
    workspace = open_workspace()
    workspace.add_network("mine", network())
    away(True)
    with pytest.raises(InklingError):
        workspace.add_network("other", network())
    workspace.remove_network("mine")
    workspace.restore_run("some")
    assert workspace.notices == [f"{AWAY}."] * 2
    assert list(workspace.networks) == ["mine"]
    with pytest.raises(InklingError):
        workspace.forget()
    assert list(workspace.networks) == ["mine"]
    assert not workspace.is_forgotten
    away(False)
    assert list(restarted(open_workspace, workspace).networks) == ["mine"]


def test_a_workspace_that_is_opened_while_the_database_is_away_is_read_later(open_workspace, away, store, no_thread):
    known = open_workspace()
    run = run_to_end(SHORT)
    known.store_changes()
    away(True)
    workspaces = Workspaces(store)
    new_id = workspaces.new_id()
    assert workspaces.exists(known.id)  # it may
    assert workspaces.exists(new_id)
    assert not workspaces.exists("../../etc/passwd")
    opened, new = workspaces.open(known.id), workspaces.open(new_id)
    assert workspaces.open(known.id) is opened
    assert (opened.problem, opened.runs) == (NOT_STORED, [])
    new.set_value("settings", lambda: 1)
    with pytest.raises(InklingError):
        workspaces._tend()
    away(False)
    workspaces._tend()
    assert [one.problem for one in (opened, new)] == ["", ""]
    assert_same_runs([run], opened.runs)
    assert new.id != new_id  # the store gives the names
    assert workspaces.open(new.id) is new
    assert store.get(new.id, "settings") == 1


def test_without_a_store_runs_stay_in_memory_and_it_is_said(no_thread, open_workspace):
    open_workspace()
    workspaces = Workspaces(None)
    workspace = workspaces.open(workspaces.new_id())
    assert workspace.problem == NOT_STORED
    run = run_to_end(SHORT)
    workspace.add_run(run)
    workspace.set_value("settings", lambda: 3)
    workspace.store_changes()
    workspaces._tend()
    assert workspace.runs == [run]
    assert workspace.value("settings") == 3
    for action in (workspace.export_zip, lambda: workspace.import_zip(b"", check_file)):
        with pytest.raises(InklingError, match="database"):
            action()
    workspace.remove_run(run)
    workspace.restore_run(run.id)
    assert workspace.runs == []


def test_one_broken_workspace_does_not_stop_the_others_from_being_stored(no_thread, store, caplog):
    workspaces = Workspaces(store)
    broken, sound = (workspaces.open(workspaces.new_id()) for _ in range(2))
    broken.set_value("drawing", lambda: 1 / 0)
    sound.set_value("drawing", lambda: 1)
    workspaces._tend()
    assert store.get(sound.id, "drawing") == 1
    assert "division by zero" in caplog.text
    workspaces._tend()
    assert broken.problem == ""


def test_a_workspace_leaves_memory_when_nobody_has_looked_at_it_for_a_while(no_thread, store, monkeypatch, sets):
    workspaces, viewers = Workspaces(store), [True]
    workspace = workspaces.open(workspaces.new_id())
    workspace.add_viewer(lambda: bool(viewers))
    workspace.set_value("settings", lambda: 1)
    monkeypatch.setattr(workspace_module, "CLOSE_SECONDS", -1)
    workspaces._tend()
    assert len(workspaces._open) == 1
    viewers.clear()
    workspaces._tend()
    assert len(workspaces._open) == 0
    again = workspaces.open(workspace.id)
    assert again is not workspace
    assert again.value("settings") == 1


def test_a_workspace_with_a_training_stays_in_memory_and_is_released_when_it_closes(
    no_thread, open_workspace, store, monkeypatch
):
    workspaces = Workspaces(store)
    workspace = open_workspace()
    workspaces._open = [workspace]
    run = run_in_pause()
    run.series.resume()
    monkeypatch.setattr(workspace_module, "CLOSE_SECONDS", -1)
    monkeypatch.setattr(workspace, "is_watched", lambda: False)
    workspaces._tend()
    assert len(workspaces._open) == 1
    with run.series.pool.changed:
        run.series.job.pause_unattended()
    wait_for(lambda: not run.series.is_active, "it is not parked")
    workspaces._tend()
    assert len(workspaces._open) == 0
    assert store.runs(workspace.id)[0].owner is None
    (again,) = open_workspace(workspace.id).runs
    assert (again.state, again.snapshot().step) == (JobState.PAUSED, run.snapshot().step)


def test_forget_empties_the_tables_and_stops_the_trainings(no_thread, open_workspace, store):
    workspaces = Workspaces(store)
    workspace = open_workspace()
    workspaces._open = [workspace]
    run_to_end(SHORT)
    trains = runs.start_run(LONG, "mnist")
    workspace.add_network("mine", network())
    workspace.set_value("drawing", lambda: 1)
    workspace.store_changes()
    workspaces.forget(workspace)
    assert trains.series.wait_until_over(WAIT)
    workspaces._tend()
    workspace.store_changes()
    assert workspace.is_forgotten
    with store._transaction(write=False) as connection:
        left = {table.name: connection.execute(table.select()).all() for table in METADATA.sorted_tables}
    assert {name for name, rows in left.items() if rows} <= {"servers"}
    assert not workspaces.exists(workspace.id)


def test_a_workspace_never_shows_what_is_another_ones(open_workspace):
    mine = open_workspace()
    run = run_to_end(SHORT)
    mine.add_network("mine", network())
    mine.set_value("drawing", lambda: 1)
    mine.store_changes()
    other = open_workspace()
    assert (other.runs, other.networks, other.value("drawing"), other.removed_runs()) == ([], {}, None, [])
    other.restore_run(run.id)
    other.remove_network("mine")
    runs.start_run(SHORT, "mnist").series.wait_until_over(WAIT)
    other.store_changes()
    again = open_workspace(mine.id)
    assert_same_runs([run], again.runs)
    assert list(again.networks) == ["mine"]
