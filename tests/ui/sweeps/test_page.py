"""The page Sweeps shows the sweeps in a storage."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from helpers import make_digits, need_optuna
from pages import button, open_app

from engine.links import from_query
from engine.sweep.plan import Sweep
from engine.sweep.search_space import configured
from tests.ui.train.steps import workspace
from ui import SWEEPS_PAGE, studies
from ui.sweeps import figures


@pytest.fixture
def study(tmp_path, monkeypatch, tiny):
    """A sweep of 9 trials of which none has begun, in the storage that the page shows."""
    need_optuna()
    from engine.sweep.study import make_study

    url = f"sqlite:///{tmp_path / 'sweeps.sqlite3'}"
    monkeypatch.setenv("INKLING_SWEEPS", url)
    search = {"learning_rate": "1e-3..1e-1:log", "hidden": [6, [12, 6]]}
    settings = {"epochs": 2, "train_size": 200}
    table = {"data": "synthetic", "search": search, "settings": settings, "trials": 9, "sampler": "random"}
    return make_study(url, "digits", Sweep.from_table(table), tiny)


def texts(app):
    shown = " ".join(element.value for kind in (app.markdown, app.caption, app.info) for element in kind)
    return shown.replace("\\", "")


def specs(app):
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def test_without_a_sweep_the_page_says_how_to_begin_one(tmp_path, monkeypatch):
    monkeypatch.setenv("INKLING_SWEEPS", f"sqlite:///{tmp_path / 'none.sqlite3'}")
    app = open_app(str(SWEEPS_PAGE))
    assert not app.exception
    assert "No sweep is here yet" in texts(app)
    assert "python -m engine sweep" in app.code[0].value


def test_a_storage_that_cannot_be_used_is_said_in_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "no-database"
    path.write_text("this is no database at all" * 100)
    monkeypatch.setenv("INKLING_SWEEPS", f"sqlite:///{path}")
    app = open_app(str(SWEEPS_PAGE))
    assert not app.exception
    assert "the storage of the sweeps cannot be used now." in texts(app)
    assert "no-database" not in texts(app)


def test_a_study_of_another_version_is_said_in_a_sentence(study):
    study.storage.set_study_user_attr(study.id, "sweep", study.sweep.to_json() | {"colour": "red"})
    app = open_app(str(SWEEPS_PAGE))
    assert not app.exception
    assert "a sweep has no ['colour']" in texts(app)


def test_a_study_that_was_made_anew_is_shown_as_it_is_now(study, tiny):
    import optuna

    from engine.sweep.study import make_study

    app = open_app(str(SWEEPS_PAGE))
    assert app.get("progress")[0].proto.text == "0 of 9 trials are done"
    url = str(study.claims.engine.url)
    optuna.delete_study(study_name="digits", storage=url)
    make_study(url, "digits", Sweep.from_json(study.sweep.to_json() | {"trials": 3}), tiny)
    app.run()
    assert not app.exception
    assert app.get("progress")[0].proto.text == "0 of 3 trials are done"


def test_a_database_that_is_gone_is_said_in_a_sentence(study):
    app = open_app(str(SWEEPS_PAGE))
    with study.claims.engine.begin() as connection:
        connection.exec_driver_sql("alter table trials rename to elsewhere")
    app.run()
    assert not app.exception
    assert "the storage of the sweeps cannot be used now." in texts(app)


def test_the_page_shows_a_sweep_at_each_of_its_stages(study, tiny):
    from engine.sweep.worker import Worker

    app = open_app(str(SWEEPS_PAGE))
    assert not app.exception
    assert not specs(app)
    trials = Worker(study, tiny).run()
    next(trials)
    next(trials)
    app.run()
    assert not app.exception
    assert f"Best: trial {study.best.number}, Validation loss {study.best.values[0]:.4f}" in texts(app)
    assert "After 8 complete trials" in texts(app)
    assert "When the sweep is over" in texts(app)
    list(trials)
    winner = study.measure_winner(make_digits(100, 3))
    app.run()
    assert not app.exception
    assert f"Trial {winner['trial']} reads **{100 * winner['accuracies'][0]:.2f} %** of the 100 test images" in texts(app)
    assert "It does not say which value is best" in texts(app)
    rows = figures.progress_rows(study.sweep, study.trials())
    assert rows["best"][-1] == study.best.values[0] == min(rows["value"])


def test_a_trial_is_opened_as_a_run_with_its_settings(study, tiny):
    from engine.sweep.worker import Worker

    list(Worker(study, tiny).run())
    app = open_app(str(SWEEPS_PAGE))
    table = app.dataframe[0].value
    assert table["trial"].iloc[0] == study.best.number
    assert len(table) == 9
    for number, link in zip(table["trial"], table["open"], strict=True):
        trial = study.trials()[number]
        query = dict(parse_qsl(urlsplit(link).query))
        hidden = {"6": (6,), "12,6": (12, 6)}[trial.params["hidden"]]
        values = {"learning_rate": trial.params["learning_rate"], "hidden": hidden}
        assert from_query(query) == configured(study.sweep.config, values)
        assert query["data"] == "synthetic"


@pytest.fixture
def own(study, sets, sweeps):
    """A function that opens the page with a sweep of the visitor's own, with these settings."""
    from engine.sweep.study import make_study

    def make(**changes):
        table = {"data": "synthetic", "search": {"learning_rate": "1e-3..1e-1:log"}, "trials": 2, "sampler": "random"}
        table["settings"] = {"epochs": 2, "train_size": 300, "batch_size": 50}
        app = open_app(str(SWEEPS_PAGE))
        made = make_study(
            str(study.claims.engine.url),
            "own",
            Sweep.from_table(table | changes),
            sets[0],
            workspace=studies.owner_of(workspace(app).id),
            title="Sweep 1",
        )
        app.session_state["sweep"] = "own"
        return app, made

    return make


def finish(study, sets):
    from engine.sweep.worker import Worker

    list(Worker(study, sets[0]).run())
    study.measure_winner(sets[1])


def labels(app):
    return {each.label for each in app.button}


def test_an_own_sweep_is_paused_resumed_ended_and_deleted(own):
    app, study = own(settings={"epochs": 10_000, "train_size": 300, "batch_size": 50})
    app.run()
    assert studies.is_running(study)
    assert {"Pause", "End now", "Delete"} <= labels(app)
    button(app, "Pause").click().run()
    assert not app.exception
    assert study.is_paused
    assert "Paused. Nothing is lost" in texts(app)
    assert {"Resume", "End now", "Delete"} <= labels(app)
    button(app, "Resume").click().run()
    assert not study.is_paused
    assert studies.is_running(study)
    button(app, "End now").click().run()
    assert not app.exception
    assert study.is_over
    assert not {"Pause", "Resume", "End now"} & labels(app)
    button(app, "Delete").click().run()
    button(app, "Delete").click()
    button(app, "Delete it").click().run()
    assert not app.exception
    assert study.name not in studies._attributes()
    assert app.get("progress")[0].proto.text == "0 of 9 trials are done"  # the other one


def test_a_sweep_of_the_command_line_has_no_controls(study):
    assert not {"Pause", "End now", "Delete"} & labels(open_app(str(SWEEPS_PAGE)))


def test_a_sweep_of_another_version_can_be_deleted(own):
    app, study = own()
    study.storage.set_study_user_attr(study.id, "sweep", study.sweep.to_json() | {"colour": "red"})
    app.run()
    assert not app.exception
    assert "a sweep has no ['colour']" in texts(app)
    button(app, "Delete").click().run()
    button(app, "Delete").click()
    button(app, "Delete it").click().run()
    assert not app.exception
    assert "colour" not in texts(app)


def test_the_best_trial_is_opened_as_a_run(own, sets):
    app, study = own()
    finish(study, sets)
    app.run()
    button(app, "Open as a run").click().run()
    assert not app.exception
    assert app.title[0].value == "Train a network"
    (run,) = workspace(app).runs
    assert run.name == f"Trial {study.best.number}"
    assert run.config.learning_rate == study.best.params["learning_rate"]
    assert run.snapshot().test.accuracy == study.winner["accuracies"][0]
    assert f"{100 * study.winner['accuracies'][0]:.2f} %" in " ".join(metric.value for metric in app.metric)


def test_a_trial_is_trained_again_from_other_seeds(own, sets):
    app, study = own(num_seeds=2)
    finish(study, sets)
    app.run()
    button(app, "Train with 5 other seeds").click().run()
    assert not app.exception
    (run,) = workspace(app).runs
    assert run.series.wait_until_over(60)
    assert [snapshot.config.seed for snapshot in run.series.snapshots()] == [2, 3, 4, 5, 6]
    assert {snapshot.config.learning_rate for snapshot in run.series.snapshots()} == {study.best.params["learning_rate"]}


def test_a_trial_that_cannot_be_opened_says_so_beside_its_button(own, sets):
    app, study = own()
    finish(study, sets)
    with study.claims.engine.begin() as connection:
        connection.exec_driver_sql("delete from sweep_networks")
    app.run()
    button(app, "Open as a run").click().run()
    assert not app.exception
    assert "the networks of this trial are not stored" in app.error[0].value
    assert app.title[0].value == "Sweeps"


def test_settings_with_one_value_are_in_no_chart_and_no_table(own, sets):
    search = {"learning_rate": "1e-3..1e-1:log", "hidden": [6, 12], "activation": ["relu"], "dropout": [0]}
    app, study = own(search=search, trials=9)
    finish(study, sets)
    app.run()
    assert not app.exception
    assert list(study.sweep.varied) == ["learning_rate", "hidden"]
    drawn = json.dumps(specs(app))
    assert "Hidden layers" in drawn
    assert "Dropout" not in drawn
    assert not {"Activation", "Dropout"} & set(app.dataframe[0].value)
    assert set(study.importances(study.look())) == {"learning_rate", "hidden"}
    assert "It does not say which value is best" in texts(app)


def test_a_sweep_of_one_setting_has_no_lines_between_settings(own, sets):
    app, study = own()
    finish(study, sets)
    app.run()
    headings = [heading.value for heading in app.header]
    assert "All settings at once" not in headings
    assert "Each setting against the result" in headings


def test_pruned_trials_are_drawn_in_grey_and_what_runs_in_its_own_colour(study, tiny):
    from optuna.trial import TrialState

    from engine.sweep.worker import Worker

    trials = Worker(study, tiny).run()
    next(trials)
    next(trials)
    for number, state in ((2, TrialState.RUNNING), (3, TrialState.RUNNING)):
        trial_id = study.trials()[number]._trial_id
        study.storage.set_trial_state_values(trial_id, state)
        study.storage.set_trial_intermediate_value(trial_id, 1, 2.0)
    study.storage.set_trial_state_values(study.trials()[2]._trial_id, TrialState.PRUNED)
    rows = figures.curve_rows(study.trials())
    assert dict(zip(rows["trial"], rows["kind"], strict=True)) == {
        0: figures.COMPLETE,
        1: figures.COMPLETE,
        2: figures.PRUNED,
        3: figures.RUNNING,
    }
    app = open_app(str(SWEEPS_PAGE))
    assert app.get("progress")[0].proto.text == "3 of 9 trials are done, 1 was stopped early, 1 is running now"


def test_a_phone_shows_the_run_and_not_the_settings_after_a_sweep(own):
    app, _study = own()
    app.session_state["drawer"] = True
    app.run()
    app.switch_page("ui/train/page.py").run()
    assert not app.session_state["drawer"]
