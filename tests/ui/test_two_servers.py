"""Two servers with one store: each trains its own runs, and shows those of the other."""

from collections.abc import Callable

import pytest
from pages import button

from engine import InklingError
from engine.jobs import JobState
from tests.ui.conftest import WAIT
from tests.ui.test_stored_runs import LONG, checkpoints, run_in_pause
from tests.ui.test_visitor import visit
from tests.ui.train.steps import open_train, says, wait_for, workspace
from ui import runs
from ui import workspace as workspace_module
from ui.run import ELSEWHERE
from ui.workspace import workspaces


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Be the server with this name from now on."""

    def become(name: str) -> None:
        monkeypatch.setattr(workspace_module, "SERVER", name)

    become("first")
    return become


def test_a_living_servers_run_is_shown_and_not_touched(open_workspace, become):
    workspace = open_workspace()
    run = runs.start_run(LONG, "mnist")
    wait_for(lambda: run.snapshot().step > 3, "it does not begin")
    workspace.store_changes()
    workspace.store.heartbeat("first")
    become("second")
    other = open_workspace(workspace.id)
    (shown,) = other.runs
    assert (shown.elsewhere, shown.state, shown.series.is_active) == (True, JobState.PAUSED, False)
    assert shown.snapshot().error == ELSEWHERE
    with pytest.raises(InklingError, match="open in another window") as caught:
        other.claim(shown)
    assert "\n" not in str(caught.value)
    other.store_changes()
    other.release()
    assert workspace.store.runs(workspace.id)[0].owner == "first"
    assert run.state is JobState.RUNNING


def test_a_dead_servers_run_is_taken_over_and_the_dead_one_loses_it(open_workspace, become, store, monkeypatch):
    workspace = open_workspace()
    run = run_in_pause()
    workspace.store_changes()
    now = store._clock()
    monkeypatch.setattr(store, "_clock", lambda: now + 60)  # without a heartbeat
    become("second")
    other = open_workspace(workspace.id)
    (taken,) = other.runs
    assert not taken.elsewhere
    other.claim(taken)
    taken.series.step()
    assert taken.series.wait_until_still(WAIT)
    other.store_changes()
    become("first")  # which was only cut off for a while
    runs.rename(run, "lost")
    workspace.store_changes()
    assert run.elsewhere
    assert run.series.wait_until_over(WAIT)
    assert store.runs(workspace.id)[0].name == "Run 1"
    workspace._refreshed = -1e9
    store.heartbeat("second")
    workspace.refresh()
    assert [(run.elsewhere, run.state) for run in workspace.runs] == [(True, JobState.PAUSED)]


def test_a_run_that_another_server_has_released_can_be_claimed(open_workspace, become):
    workspace = open_workspace()
    run = run_in_pause()
    workspace.store_changes()
    workspace.store.heartbeat("first")
    become("second")
    (shown,) = (other := open_workspace(workspace.id)).runs
    assert shown.elsewhere
    workspace.store.release(workspace.id, run.id, workspace.store.runs(workspace.id)[0].owner)
    other.claim(shown)
    assert not shown.elsewhere
    shown.series.step()
    assert shown.series.wait_until_still(WAIT)
    assert shown.snapshot().step == run.snapshot().step + 1


def test_a_run_that_was_deleted_elsewhere_cannot_be_claimed_and_goes_away(open_workspace, become, store):
    workspace = open_workspace()
    run = runs.start_run(LONG, "mnist")
    workspace.store_changes()
    store.heartbeat("first")
    become("second")
    other = open_workspace(workspace.id)
    (shown,) = other.runs
    other.remove_run(shown)
    assert other.runs == []
    store.release(workspace.id, run.id, "first")
    with pytest.raises(InklingError, match="deleted"):
        other.claim(shown)
    become("first")
    workspace._refreshed = -1e9
    workspace.refresh()
    assert workspace.runs == []
    assert run.series.wait_until_over(WAIT)  # nobody could stop it any more


def test_the_page_shows_another_servers_run_and_resume_says_where_it_is(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    first = workspace(app)
    (run,) = first.runs
    wait_for(lambda: checkpoints(run) == [(1, 0)], "it is not saved")
    first.store_changes()
    assert first.store is not None
    workspaces()._open.remove(first)
    first.release()
    assert first.store.claim(first.id, run.id, "other")
    again = visit(first.id, "ui/train/page.py")
    (shown,) = workspace(again).runs
    assert shown.elsewhere
    assert says(again.warning, "open in another window")
    button(again, "Resume").click().run()
    assert not again.exception
    assert [error.value.replace("\\", "") for error in again.error] == [ELSEWHERE]
    assert shown.snapshot().step == run.snapshot().step
    run.series.stop()
    assert run.series.wait_until_over(WAIT)
