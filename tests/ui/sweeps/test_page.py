"""The page Sweeps shows the sweeps in a storage."""

import importlib.util
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from helpers import make_digits, need
from pages import open_app

from engine.links import from_query
from engine.sweep.plan import Sweep
from engine.sweep.search_space import configured
from ui import SWEEPS_PAGE
from ui.sweeps import figures


@pytest.fixture
def study(tmp_path, monkeypatch, tiny):
    """A sweep of 9 trials of which none has begun, in the storage that the page shows."""
    if importlib.util.find_spec("optuna") is None:
        need("optuna", "optuna is not installed; it is in the extra `sweep`")
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
    return [json.loads(chart.proto.spec) for chart in app.get("arrow_vega_lite_chart")]


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
