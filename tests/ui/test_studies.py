"""A visitor's sweeps: which ones they are, their limits, what can be done with them, and when they go."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from helpers import need_optuna
from pages import button, open_app, session
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from engine import Config, InklingError, dense_layers
from engine.jobs import JobState, default_pool
from engine.sweep.plan import Sweep
from engine.sweep.search_space import read_dimension
from tests.ui.conftest import SWEEPS_URL
from tests.ui.test_stored_runs import assert_same_runs, restarted
from tests.ui.train.steps import says, wait_for
from ui import SWEEPS_PAGE, TRAIN_PAGE, WORK_PAGE, datasets, runs, studies
from ui.store import Store
from ui.store.database import sqlite_url
from ui.visitor import workspace
from ui.workspace import Workspaces

SETTINGS = Config(layers=dense_layers((6,)), epochs=1, train_size=200, batch_size=50)
LONG = replace(SETTINGS, epochs=10_000)


@pytest.fixture(autouse=True)
def _installed(request):
    if "not_installed" not in request.fixturenames:
        need_optuna()


@pytest.fixture
def server(store, monkeypatch, sweeps):
    """The workspaces of the test's own store."""
    workspaces = Workspaces(store)
    monkeypatch.setattr(studies, "workspaces", lambda: workspaces)
    monkeypatch.setattr(default_pool(), "size", 1)  # the last of several workers would wait for the others
    return workspaces


@pytest.fixture
def visit(server, open_workspace):
    """Open a workspace as a visitor does: a new one, or the one with this id."""

    def visit(id=None):
        opened = open_workspace(id)
        server._open.append(opened)
        return opened

    return visit


@pytest.fixture
def not_installed(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "optuna" else find_spec(name, *rest)
    )


def make_sweep(config=SETTINGS, search="1e-3..1e-1:log", **settings):
    settings = {"trials": 2, "sampler": "random"} | settings
    return Sweep(search={"learning_rate": read_dimension("learning_rate", search)}, config=config, data="mnist", **settings)


def start(sweep=None):
    with studies.storage_errors():
        return studies.open_study(studies.start(sweep or make_sweep()))


def run_to_end(study):
    wait_for(lambda: not studies.is_running(study), "the sweep does not end")
    assert studies.error(study) == ""
    return study


def begun(study):
    """Wait until a trial has reported an epoch."""
    wait_for(lambda: any(trial.intermediate_values for trial in study.trials()), "no trial begins")
    return study


def titles():
    return [entry.title for entry in studies.listed()]


def from_command_line(sweeps, name, tiny, **attributes):
    from engine.sweep.study import make_study

    return make_study(sweeps, name, make_sweep(), tiny, **attributes)


def test_a_sweep_runs_to_its_end_and_the_winner_is_measured_on_the_test_images(visit, sets):
    visit()
    study = run_to_end(start())
    assert study.is_over
    assert [trial.state.name for trial in study.trials()] == ["COMPLETE"] * 2
    assert study.winner["images"] == len(sets[1])
    assert not studies.is_waiting(study)


def test_a_visitor_sees_own_sweeps_and_those_of_the_command_line(visit, sweeps, tiny):
    assert studies._attributes() == {}  # a look does not make the file
    one = visit()
    run_to_end(start())
    from_command_line(sweeps, "mine", tiny)
    assert titles() == ["mine", "Sweep 1"]
    assert [entry.is_own for entry in studies.listed()] == [False, True]
    visit()
    assert titles() == ["mine"]
    run_to_end(start())
    assert titles() == ["Sweep 1", "mine"]
    visit(one.id)
    assert titles() == ["mine", "Sweep 1"]
    assert list(studies.sizes()) == ["Sweep 1"]
    assert studies.sizes()["Sweep 1"] > 2 * 4 * 4500  # two networks of 4,780 numbers, packed


def test_one_sweep_at_a_time_and_few_in_all(visit, monkeypatch):
    visit()
    study = start(make_sweep(LONG, trials=1))
    with pytest.raises(InklingError, match="one of your sweeps is not over"):
        start()
    studies.end(study)
    run_to_end(study)
    monkeypatch.setattr(studies, "MAX_SWEEPS", 2)
    run_to_end(start())
    assert titles() == ["Sweep 2", "Sweep 1"]
    with pytest.raises(InklingError, match="you can have 2 sweeps: delete one first"):
        start()
    studies.delete(study.name)
    run_to_end(start())
    assert titles() == ["Sweep 1", "Sweep 2"]
    visit()
    run_to_end(start())  # another visitor has room of one's own


def test_what_is_too_large_is_refused_before_anything_is_made(visit, store, monkeypatch):
    visit()
    monkeypatch.setattr(store, "max_bytes", 30_000)
    with pytest.raises(InklingError, match=r"the networks of this sweep need 0 MB, and there is room for 0 MB"):
        start()
    monkeypatch.setattr(default_pool(), "memory", 1e6)
    with pytest.raises(InklingError, match="needs about"):
        start(make_sweep(trials=1))
    with pytest.raises(InklingError, match=f"at most {studies.MAX_TRIALS} trials"):
        start(make_sweep(trials=501))
    assert titles() == []


def test_a_sweep_is_paused_continued_and_ended(visit):
    visit()
    study = begun(start(make_sweep(LONG)))
    studies.pause(study)
    wait_for(lambda: not studies.is_running(study) and not default_pool().counts()[0], "it does not pause")
    assert study.is_paused
    assert not study.is_over
    epochs = max(max(trial.intermediate_values, default=0) for trial in study.trials())
    studies.resume(study)
    wait_for(lambda: any(max(t.intermediate_values, default=0) > epochs for t in study.trials()), "it does not go on")
    assert studies.is_running(study)
    studies.end(study)
    run_to_end(study)
    assert study.is_over
    assert study.winner is None  # no trial was complete


def test_an_ended_sweep_measures_the_best_trial_until_then(visit):
    visit()
    study = start(make_sweep(replace(SETTINGS, epochs=20), trials=40))
    wait_for(lambda: study.best is not None, "no trial ends")
    studies.end(study)
    run_to_end(study)
    assert study.winner["trial"] == study.best.number
    assert len([trial for trial in study.trials() if trial.state.name == "WAITING"]) > 20


def test_the_trials_of_a_deleted_sweep_stop_and_leave_nothing(visit, sweeps):
    visit()
    study = begun(start(make_sweep(LONG)))
    studies.delete(study.name)
    assert titles() == []
    wait_for(lambda: not default_pool().counts()[0], "its trials do not stop")
    with study.claims.engine.connect() as connection:
        for table in ("sweep_claims", "sweep_networks", "trials", "studies"):
            assert connection.exec_driver_sql(f"select count(*) from {table}").scalar() == 0
    studies.delete(study.name)  # in another tab, too


def test_a_sweep_of_another_version_is_in_nobodys_way(visit):
    visit()
    study = run_to_end(start())
    study.storage.set_study_user_attr(study.id, "sweep", study.sweep.to_json() | {"colour": "red"})
    with pytest.raises(InklingError, match="colour"):
        studies.open_study(study.name)
    other = run_to_end(start())
    assert list(studies.sizes()) == ["Sweep 2"]
    studies.forget()
    assert titles() == []
    assert other.name not in studies._attributes()


def test_forgetting_deletes_own_sweeps_only(visit, sweeps, tiny):
    visit()
    run_to_end(start())
    from_command_line(sweeps, "mine", tiny)
    visit()
    run_to_end(start())
    studies.forget()
    assert len(studies._attributes()) == 2
    assert titles() == ["mine"]


def test_sweeps_of_workspaces_that_are_gone_are_deleted(visit, server, store, sweeps, tiny, away):
    first, second = visit(), visit()
    run_to_end(start())
    visit(first.id)
    run_to_end(start())
    from_command_line(sweeps, "mine", tiny)
    server._open.clear()
    studies.clean()
    assert len(studies._attributes()) == 3
    store.forget(second.id)
    away(True)
    with pytest.raises(InklingError):  # nobody knows now who is gone
        studies.clean()
    away(False)
    assert len(studies._attributes()) == 3
    studies.clean()
    assert titles() == ["mine", "Sweep 1"]
    assert len(studies._attributes()) == 2


def test_looking_for_what_is_gone_is_no_visit(visit, server, store, monkeypatch):
    """Else a workspace with a sweep would never expire."""
    visit()
    run_to_end(start())
    server._open.clear()
    monkeypatch.setattr(store, "_today", lambda: pytest.fail("the day is needed for visits only"))
    studies.clean()
    assert titles() == ["Sweep 1"]


def test_a_trial_is_opened_as_a_run_that_is_stored_and_read_again(visit, open_workspace):
    current = visit()
    study = run_to_end(start(make_sweep(num_seeds=2)))
    run = studies.open_trial(study, study.best)
    assert run.name == f"Trial {study.best.number}"
    assert run.state is JobState.FINISHED
    snapshots = run.series.snapshots()
    assert [snapshot.test.accuracy for snapshot in snapshots] == study.winner["accuracies"]
    assert [snapshot.test.errors for snapshot in snapshots] == study.winner["errors"]
    assert np.mean([snapshot.history[-1].validation_accuracy for snapshot in snapshots]) > 0
    assert run.config.learning_rate == study.best.params["learning_rate"]
    again = restarted(open_workspace, current)
    assert_same_runs(current.runs, again.runs)
    assert len(again.runs[0].test_images()[0]) == 300
    studies.delete(study.name)
    assert [each.name for each in workspace().runs] == [run.name]


def test_a_trial_without_networks_says_so(visit):
    visit()
    study = run_to_end(start())
    with study.claims.engine.begin() as connection:
        connection.exec_driver_sql("delete from sweep_networks")
    with pytest.raises(InklingError, match="are not stored: train it again"):
        studies.open_trial(study, study.best)
    assert not runs.all_runs()


def test_the_winner_is_measured_after_a_restart_in_the_wrong_moment(visit, sweeps, tiny):
    from engine.sweep.study import make_study
    from engine.sweep.worker import Worker

    opened = visit()
    study = make_study(
        sweeps, "s", make_sweep(), datasets.load("mnist")[0], workspace=studies.owner_of(opened.id), title="Sweep 1"
    )
    list(Worker(study, datasets.load("mnist")[0]).run())
    assert study.winner is None
    assert study.look().has_work
    studies.run(study)
    run_to_end(study)
    assert study.winner
    assert not study.look().has_work


SECRET = "postgresql://somebody:secret@nowhere.example/database"


def test_an_address_of_a_storage_is_never_shown(visit, monkeypatch):
    import engine.sweep.study as engine_study

    visit()
    monkeypatch.setenv("INKLING_SWEEPS", SECRET)

    def refuse(url, **options):
        raise OperationalError("select", {}, Exception(f"cannot connect to {SECRET}"))

    monkeypatch.setattr(engine_study.optuna.storages, "RDBStorage", refuse)
    for action in (studies.listed, lambda: studies.open_study("s")):
        with (
            pytest.raises(InklingError, match=r"^the storage of the sweeps cannot be used now$") as caught,
            studies.storage_errors(),
        ):
            action()
        assert caught.value.__cause__ is None
    with pytest.raises(InklingError, match="cannot be used now"):
        studies.forget()
    assert studies.sizes() == {}


def test_sweeps_are_beside_the_store(visit, store, monkeypatch, tmp_path):
    monkeypatch.setattr(Store, "sweeps_url", SWEEPS_URL)
    visit()
    assert make_url(studies.storage()).database == str(tmp_path / "store-sweeps.sqlite3")
    monkeypatch.setattr(studies, "workspaces", lambda: Workspaces(None))
    with pytest.raises(InklingError, match="nothing is saved on this server"):
        studies.listed()


@pytest.mark.parametrize("folder", ["a b", "ü", "50%25", "what?", "#1", "it's", "C:\\me@home"])
def test_sweeps_are_found_in_a_folder_of_any_name(monkeypatch, tmp_path, tiny, folder):
    monkeypatch.setattr(Store, "sweeps_url", SWEEPS_URL)
    workspaces = Workspaces(Store(sqlite_url(tmp_path / folder / "store.sqlite3").render_as_string()))
    monkeypatch.setattr(studies, "workspaces", lambda: workspaces)
    assert studies._attributes() == {}
    from_command_line(studies.storage(), "mine", tiny)
    assert list(studies._attributes()) == ["mine"]
    assert (tmp_path / folder / "store-sweeps.sqlite3").exists()


@pytest.mark.parametrize("page", [SWEEPS_PAGE, TRAIN_PAGE, WORK_PAGE])
def test_every_page_works_without_optuna(not_installed, page):
    app = open_app()
    app.session_state["sweep_open"] = True
    app.switch_page(str(page)).run()
    assert not app.exception
    needed = says([*app.info, *app.caption], "Sweeps need the package Optuna")
    assert needed == (page != WORK_PAGE)
    with pytest.raises(InklingError, match="Sweeps need the package Optuna"):
        studies.start(make_sweep())


def test_everything_can_be_forgotten_without_optuna(not_installed):
    studies.forget()
    assert studies.sizes() == {}


def test_sweeps_are_listed_with_all_that_is_saved_and_forgotten_with_it(sets, sweeps):
    from engine.sweep.study import make_study
    from engine.sweep.worker import Worker

    app = open_app()
    study = make_study(
        sweeps, "s", make_sweep(), sets[0], workspace=studies.owner_of(session(app).workspace.id), title="Sweep 1"
    )
    list(Worker(study, sets[0]).run())
    app.switch_page(str(WORK_PAGE)).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert dict(zip(table["Name"], table["Kind"], strict=True)) == {"Sweep 1": "sweep"}
    button(app, "Forget everything").click().run()
    button(app, "Forget everything").click()
    button(app, "Delete everything").click().run()
    assert not app.exception
    assert studies._attributes() == {}


def test_sweeps_in_a_storage_that_apps_share_are_not_cleaned(visit, server, sweeps, monkeypatch):
    visit()
    run_to_end(start())
    monkeypatch.setattr(server.store, "ids", set)
    monkeypatch.setenv("INKLING_SWEEPS", sweeps)
    studies.clean()
    assert titles() == ["Sweep 1"]
    monkeypatch.delenv("INKLING_SWEEPS")
    studies.clean()
    assert titles() == []
