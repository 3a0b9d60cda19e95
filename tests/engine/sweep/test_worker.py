"""Trials in an SQLite file, by workers that are interrupted, killed and too slow."""

import csv
import importlib.util
import io
import subprocess
import sys
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from helpers import ROOT, make_digits, make_noise, need_optuna, outcome
from sweep_kills import contents

from engine.checks import InklingError
from engine.metrics import evaluate
from engine.sweep.claims import Claims, LostClaim
from engine.sweep.plan import StorageError, Sweep
from engine.sweep.search_space import configured
from engine.training import EpochEnd, Trainer

if importlib.util.find_spec("optuna"):
    import optuna
    from optuna.distributions import FloatDistribution
    from optuna.trial import TrialState

    from engine.sweep.study import delete_study, list_studies, make_study, open_study, storage_errors
    from engine.sweep.worker import BEATS, GRACE_SECONDS, Worker

SEARCH = {"learning_rate": "1e-3..1e-1:log", "hidden": [6, 12]}
SETTINGS = {"epochs": 2, "train_size": 300, "validation_size": 60, "batch_size": 60}


class Killed(BaseException):
    """What ends a worker without a chance to tidy up."""


def _kill(*_, **__):
    raise Killed


@pytest.fixture(autouse=True)
def _installed():
    need_optuna()


@pytest.fixture
def make(tmp_path, tiny):
    """A function that makes a study in a new file, with these settings of the sweep."""
    names = count()

    def make(settings=SETTINGS, search=SEARCH, **changes):
        table = {"search": search, "settings": settings, "sampler": "random", "trials": 4} | changes
        url = f"sqlite:///{tmp_path / f'{next(names)}.sqlite3'}"
        return make_study(url, "s", Sweep.from_table(table), tiny)

    return make


def networks(study):
    """The bytes of the networks of each trial, and the losses of their epochs."""
    return {trial.number: [contents(network) for network in study.networks(trial)] for trial in study.trials()}


def test_trials_are_trainings_on_the_training_images_and_measured_on_validation_images(make, tiny):
    study = make(num_seeds=2)
    trials = list(Worker(study, tiny).run())
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    for trial in trials:
        chosen = {name: dimension.values() for name, dimension in study.sweep.search.items()}
        assert chosen["learning_rate"][0] <= trial.params["learning_rate"] <= chosen["learning_rate"][1]
        values = {"learning_rate": trial.params["learning_rate"], "hidden": (int(trial.params["hidden"]),)}
        losses = []
        for seed, network in enumerate(study.networks(trial)):
            config = configured(study.sweep.config, values)
            trainer = Trainer.from_config(replace(config, seed=seed), tiny)
            list(trainer)
            np.testing.assert_array_equal(network.state_vector, trainer.result.state_vector)
            losses.append(evaluate(network, trainer.validation_set).loss)
        assert trial.user_attrs["values"] == pytest.approx(losses)
        assert trial.values == pytest.approx([np.mean(losses)])
        assert sorted(trial.intermediate_values) == [1, 2]  # the epochs of the first seed
        assert trial.user_attrs["epochs"] == 4
    assert study.best.values[0] == min(trial.values[0] for trial in trials)
    assert study.is_over
    assert study.claims.all() == {}


def test_a_random_search_is_the_same_with_any_number_of_workers(make, tiny):
    alone, shared = make(trials=6), make(trials=6)
    list(Worker(alone, tiny).run())
    one, two = Worker(shared, tiny).run(), Worker(open_study(str(shared.claims.engine.url), "s"), tiny).run()
    for worker in (one, two, two, one, two, one):
        next(worker)
    assert not list(one)
    assert not list(two)
    assert [t.params for t in alone.trials()] == [t.params for t in shared.trials()]
    assert networks(alone) == networks(shared)


@pytest.mark.parametrize("moment", [1, 4, 5, 6, 9, 14])
def test_a_killed_workers_trial_is_continued_bit_for_bit(moment, make, tiny):
    whole, broken = make(num_seeds=2, trials=2), make(num_seeds=2, trials=2)
    list(Worker(whole, tiny).run())
    steps = count()

    def kill():
        if next(steps) == moment:
            raise Killed
        return False

    with pytest.raises(Killed):
        list(Worker(broken, tiny, kill, save_seconds=0).run())
    assert len(broken.trials(TrialState.RUNNING)) == 1
    taken_over = [trial.number for trial in Worker(broken, tiny, grace_seconds=0.2).run()]
    assert sorted(taken_over) == [0, 1]
    assert [t.values for t in broken.trials()] == [t.values for t in whole.trials()]
    assert [t.intermediate_values for t in broken.trials()] == [t.intermediate_values for t in whole.trials()]
    assert networks(broken) == networks(whole)


def test_a_continued_trial_does_not_repeat_the_steps_that_were_saved(make, tiny, monkeypatch):
    study = make(trials=1)
    steps = count()

    def kill():
        if next(steps) == 7:
            raise Killed
        return False

    with pytest.raises(Killed):
        list(Worker(study, tiny, kill, save_seconds=0).run())
    taken = []
    original = Trainer._take_step
    monkeypatch.setattr(Trainer, "_take_step", lambda self, started: taken.append(self.step) or original(self, started))
    list(Worker(study, tiny, grace_seconds=0.1).run())
    assert taken == [5, 6, 7]  # 6 events were saved: 4 steps, the end of an epoch, and a step


def test_a_worker_killed_right_after_its_trial_leaves_no_claim(make, tiny, monkeypatch):
    study = make(trials=2)
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "end", _kill)
        with pytest.raises(Killed):
            list(Worker(study, tiny).run())
    assert len(study.claims.all()) == 1
    (second,) = Worker(study, tiny).run()
    assert second.number == 1
    assert study.claims.all() == {}
    assert [len(of_trial) for of_trial in networks(study).values()] == [1, 1]


def test_a_stopped_worker_gives_its_trial_up_at_once(make, tiny):
    study = make(trials=1)
    steps = count()
    assert list(Worker(study, tiny, lambda: next(steps) > 3).run()) == []
    assert [claim.owner for claim in study.claims.all().values()] == [""]
    (trial,) = Worker(study, tiny, grace_seconds=3600).run()  # no silence to wait for
    assert trial.state == TrialState.COMPLETE


def test_a_paused_study_stops_its_worker_in_mid_trial_and_goes_on_bit_for_bit(make, tiny):
    settings = SETTINGS | {"epochs": 200}
    whole, study = make(settings, trials=1), make(settings, trials=1)
    list(Worker(whole, tiny).run())
    steps = count()

    def pause():
        if next(steps) == 5:
            study.pause()
        return False

    assert list(Worker(study, tiny, pause, grace_seconds=0.06).run()) == []  # a beat sees the pause
    assert [claim.owner for claim in study.claims.all().values()] == [""]
    assert list(Worker(study, tiny).run()) == []
    assert study.is_paused
    assert not study.is_over
    study.resume()
    assert [trial.state for trial in Worker(study, tiny).run()] == [TrialState.COMPLETE]
    assert networks(study) == networks(whole)


def test_a_study_that_is_ended_begins_no_other_trial_and_has_a_winner(make, tiny):
    study = make(trials=5)
    trials = Worker(study, tiny).run()
    next(trials)
    interrupted = count()
    assert list(Worker(study, tiny, lambda: next(interrupted) > 3).run()) == []
    assert len(study.trials(TrialState.RUNNING)) == 1
    study.end()
    assert study.is_over
    assert list(trials) == []
    assert study.claims.all() == {}
    assert [trial.state.name for trial in study.trials()] == ["COMPLETE", "PRUNED", *["WAITING"] * 3]
    assert study.measure_winner(make_digits(50, 5))["trial"] == 0
    again = make_study(str(study.claims.engine.url), "s", study.sweep, tiny)  # the command line continues it
    assert len(list(Worker(again, tiny).run())) == 3


def test_a_worker_whose_trial_is_ended_goes_away(make, tiny):
    study, steps = make(SETTINGS | {"epochs": 1000}, trials=1), count()

    def end():
        if next(steps) == 5:
            study.end()
        return False

    assert list(Worker(study, tiny, end, grace_seconds=0.06).run()) == []
    assert study.trials()[0].state == TrialState.PRUNED


def test_a_trial_that_begins_while_the_study_is_ended_is_ended_too(make, tiny, monkeypatch):
    study = make(trials=3)
    worker = Worker(study, tiny)
    take = worker.claims.take

    def take_late(trial_id):
        is_taken = take(trial_id)
        study.end()
        return is_taken

    monkeypatch.setattr(worker.claims, "take", take_late)
    assert list(worker.run()) == []
    assert study.is_over
    assert study.claims.all() == {}
    assert [trial.state.name for trial in study.trials()] == ["PRUNED", "WAITING", "WAITING"]


def test_a_study_is_deleted_with_its_networks(make, tiny):
    study = make(trials=2)
    url = str(study.claims.engine.url)
    other = make_study(url, "other", study.sweep, tiny, title="Other")
    for each in (study, other):
        list(Worker(each, tiny).run())
    assert study.num_bytes > 2 * 4 * 6 * 784
    kept = networks(other)
    delete_study(url, "s")
    delete_study(url, "s")  # another one was quicker
    assert {name: attributes["title"] for name, attributes in list_studies(url).items()} == {"other": "Other"}
    assert networks(other) == kept
    assert study.claims.networks(1) == []


def test_a_worker_that_waits_for_others_can_be_stopped(make, tiny, monkeypatch):
    monkeypatch.setattr("engine.sweep.worker.BEATS", 1e-6)  # it looks again after a year
    study = make(trials=1)
    study.storage.set_trial_state_values(study.trials()[0]._trial_id, TrialState.RUNNING)
    assert Claims(study.claims.engine).take(study.trials()[0]._trial_id)
    questions = count()
    assert list(Worker(study, tiny, lambda: next(questions) > 3).run()) == []


def test_a_worker_that_was_asleep_for_too_long_loses_its_trial(make, tiny):
    whole, study = make(trials=1), make(trials=1)
    list(Worker(whole, tiny).run())
    other = Claims(study.claims.engine)
    claimed = []

    def sleep():
        if True not in claimed and other.all():  # while this worker sleeps, another takes the trial, unless it beat just now
            ((trial_id, claim),) = other.all().items()
            claimed.append(other.take_over(trial_id, claim))
        return False

    sleeper = Worker(study, tiny, sleep, grace_seconds=0.5, save_seconds=0)
    (trial,) = sleeper.run()  # it comes back when the other one is silent
    assert claimed[-1]
    assert trial.state == TrialState.COMPLETE
    assert networks(study) == networks(whole)


def test_one_claim_is_given_to_one_worker(make):
    study = make(trials=1)
    first, second = Claims(study.claims.engine), Claims(study.claims.engine)
    assert first.take(7)
    assert not second.take(7)
    seen = second.all()[7]
    first.beat(7)
    assert not second.take_over(7, seen)  # it lives
    assert second.take_over(7, second.all()[7])
    with pytest.raises(LostClaim):
        first.save(7, [], b"")


def test_a_diverged_trial_and_an_impossible_one_do_not_end_the_sweep(make, tiny):
    study = make(search={"learning_rate": [0.01, 10.0], "optimizer": ["sgd"]}, sampler="grid")
    study_inputs = {trial.params["learning_rate"]: trial for trial in Worker(study, tiny).run()}
    assert study_inputs["0.01"].state == TrialState.COMPLETE
    bad = make(search={"validation_size": [60, 299], "train_size": [100, 300]}, sampler="grid")
    states = [trial.state for trial in Worker(bad, tiny).run()]
    assert sorted(states) == [TrialState.COMPLETE] * 3 + [TrialState.FAIL]
    (failed,) = bad.trials(TrialState.FAIL)
    assert "validation_size must be a whole number from 0 to 99" in failed.user_attrs["error"]
    assert bad.best is not None


def test_a_trial_without_enough_memory_fails_and_the_next_one_runs(make, tiny, monkeypatch):
    study, train_seeds = make(trials=2), Worker._train_seeds

    def train(worker, trial, is_lost):
        if trial.number == 0:
            raise MemoryError("too large")
        return train_seeds(worker, trial, is_lost)

    monkeypatch.setattr(Worker, "_train_seeds", train)
    first, second = Worker(study, tiny).run()
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert first.user_attrs["error"] == "MemoryError: too large"


def test_a_trial_that_another_one_has_ended_is_left_to_it(make, tiny, monkeypatch):
    study, result = make(trials=1), Worker._result

    def end(worker, trainer):
        (trial,) = worker.study.trials()
        worker.study.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        return result(worker, trainer)

    monkeypatch.setattr(Worker, "_result", end)
    assert list(Worker(study, tiny).run()) == []


def test_a_database_that_is_gone_is_an_error_of_one_line(make, tiny):
    study = make(trials=1)
    with study.claims.engine.begin() as connection:
        connection.exec_driver_sql("drop table sweep_claims")
    with pytest.raises(InklingError, match=r"storage cannot be used now: no such table: sweep_claims$"), storage_errors():
        list(Worker(study, tiny).run())


def test_a_study_is_deleted_although_its_workers_report_at_that_moment(make, monkeypatch):
    study = make()
    url, delete, tries = str(study.claims.engine.url), optuna.storages.RDBStorage.delete_study, []

    def delete_or_not(storage, study_id):
        tries.append(study_id)
        if len(tries) > conflicts:
            delete(storage, study_id)

    monkeypatch.setattr(optuna.storages.RDBStorage, "delete_study", delete_or_not)
    study.storage.set_trial_state_values(study.trials()[0]._trial_id, TrialState.RUNNING)
    conflicts = 10
    with pytest.raises(StorageError, match="cannot be deleted now"):
        delete_study(url, "s")
    assert study.is_over  # no worker goes on
    tries.clear()
    conflicts = 1
    delete_study(url, "s")
    assert list_studies(url) == {}


@pytest.mark.parametrize("pruner", ["none", "median"])
def test_a_study_that_is_deleted_while_a_trial_trains_is_said_in_a_sentence(make, tiny, pruner, caplog):
    study = make(pruner=pruner)

    def delete():
        if study.trials()[0].intermediate_values:
            delete_study(str(study.claims.engine.url), "s")
        return False

    with pytest.raises(InklingError, match="the study is no longer in its storage"), storage_errors():
        list(Worker(study, tiny, is_stopped=delete).run())
    assert caplog.messages == []


def test_a_worker_of_a_deleted_study_leaves_the_one_alone_that_has_its_id_now(make, tiny):
    study = make()
    url = str(study.claims.engine.url)
    worker = Worker(study, tiny)
    delete_study(url, "s")
    other = make_study(url, "other", Sweep.from_json(study.sweep.to_json() | {"measure": "validation_loss"}), tiny)
    assert other.id == study.id
    with pytest.raises(InklingError, match="the study is no longer in its storage"):
        list(worker.run())
    assert {trial.state for trial in other.trials()} == {TrialState.WAITING}


def test_importances_are_found_once_for_the_trials_that_are_complete(make, tiny, monkeypatch):
    study, calls = make(trials=3), []
    monkeypatch.setattr(study, "_find_importances", lambda: calls.append(1) or {"n": len(calls)})
    worker = Worker(study, tiny).run()
    for number in (1, 2):
        next(worker)
        assert study.importances(study.look()) == study.importances(study.look()) == {"n": number}


def test_a_study_knows_whether_it_was_deleted_or_continued(make, tiny):
    study = make(trials=1)
    url = str(study.claims.engine.url)
    assert study.is_current
    make_study(url, "s", Sweep.from_json(study.sweep.to_json() | {"trials": 2}), tiny)
    assert not study.is_current
    again = open_study(url, "s")
    assert again.is_current
    optuna.delete_study(study_name="s", storage=url)
    assert not again.is_current
    with pytest.raises(InklingError, match="no longer in its storage"), storage_errors():
        again.trials()


def test_what_a_trial_draws_does_not_depend_on_what_was_drawn_before_a_kill(make):
    study, search = make(trials=1), {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1)}
    (trial,) = study.trials()

    def draw(*names):
        sampled = study.sampled_by(0)
        return [sampled.sampler.sample_independent(sampled, trial, name, search[name]) for name in names]

    first, second = draw("a", "b")
    assert draw("b") == [second]
    assert first != second


def test_a_worker_beats_as_often_as_others_with_the_usual_grace_expect(make, tiny):
    study = make(trials=1)
    assert Worker(study, tiny, grace_seconds=3600).beat_seconds == GRACE_SECONDS / BEATS
    assert Worker(study, tiny, grace_seconds=0.6).beat_seconds == pytest.approx(0.6 / BEATS)


def test_pruned_trials_end_early_and_keep_the_network_of_that_moment(make, tiny):
    search = {"learning_rate": [0.02, 0.021, 0.022, 0.023, 0.024, 0.025, 1e-6]}
    study = make(SETTINGS | {"epochs": 4}, search, sampler="grid", pruner="median", trials=7, sampler_seed=4)
    order = [trial.system_attrs["fixed_params"]["learning_rate"] for trial in study.trials()]
    assert order.index("1e-06") >= 5, "the median needs five trials before it"
    trials = list(Worker(study, tiny).run())
    (pruned,) = [trial for trial in trials if trial.params["learning_rate"] == "1e-06"]
    assert pruned.state == TrialState.PRUNED
    assert pruned.user_attrs["epochs"] == 1
    (network,) = study.networks(pruned)
    config = replace(study.sweep.config_of(pruned.params), epochs=4)
    trainer = Trainer.from_config(config, tiny)
    assert isinstance(next(event for event in trainer if isinstance(event, EpochEnd)), EpochEnd)
    np.testing.assert_array_equal(network.state_vector, trainer.result.state_vector)
    assert len(network.info["training"]["history"]) == 1
    assert not network.info["training"]["is_complete"]
    assert study.best != pruned


@pytest.mark.parametrize("sampler", ["default", "tpe", "random", "grid"])
@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_every_sampler_and_pruner_brings_a_sweep_to_its_end(sampler, pruner, make, tiny):
    study = make(sampler=sampler, pruner=pruner, measure="validation_accuracy", trials=3)
    trials = list(Worker(study, tiny).run())
    assert len(trials) == len(study.trials()) == 3
    assert study.best.values[0] == max(t.values[0] for t in trials if t.state == TrialState.COMPLETE)


def test_the_same_sweep_goes_on_and_may_get_more_trials(make, tiny):
    study = make(trials=2)
    url = str(study.claims.engine.url)
    list(Worker(study, tiny).run())
    more = make_study(url, "s", Sweep.from_json(study.sweep.to_json() | {"trials": 3}), tiny)
    assert [trial.number for trial in Worker(more, tiny).run()] == [2]
    other = Sweep.from_json(study.sweep.to_json() | {"sampler": "tpe"})
    assert "has other settings" in outcome(InklingError, make_study, url, "s", other, tiny)[1]
    assert "other data" in outcome(InklingError, make_study, url, "s", study.sweep, make_noise(300))[1]
    assert "other data" in outcome(InklingError, Worker, study, make_noise(300))[1]
    assert "no study 'x'" in outcome(InklingError, open_study, url, "x")[1]


def test_a_study_that_was_deleted_and_made_anew_takes_nothing_of_the_old_one(make, tiny):
    study = make(trials=2)
    url = str(study.claims.engine.url)
    ids = [trial._trial_id for trial in study.trials()]
    for trial_id in ids:
        assert study.claims.take(trial_id)
    study.claims.save(ids[0], [{"value": 0.0, "epochs": 1, "seconds": 1.0}], network=b"old")
    optuna.delete_study(study_name="s", storage=url)
    anew = make_study(url, "s", study.sweep, tiny)
    assert [trial._trial_id for trial in anew.trials()] == ids, "SQLite is expected to use them again"
    assert anew.claims.all() == {}
    assert anew.claims.networks(ids[0]) == []


def test_a_study_that_inkling_has_not_made_is_left_alone(make, tiny):
    study = make()
    url = str(study.claims.engine.url)
    foreign = optuna.create_study(study_name="foreign", storage=url)
    foreign.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert "was not made by Inkling" in outcome(InklingError, make_study, url, "foreign", study.sweep, tiny)[1]
    assert foreign.user_attrs == {}
    assert len(foreign.trials) == 1


def test_a_sweep_whose_beginning_was_interrupted_goes_on_only_with_the_same_settings(make, tiny, monkeypatch):
    study = make(trials=1)
    url = str(study.claims.engine.url)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "enqueue_trial", _kill)
        with pytest.raises(Killed):
            make_study(url, "half", study.sweep, tiny)
    other = Sweep.from_json(study.sweep.to_json() | {"sampler": "tpe"})
    assert "has other settings" in outcome(InklingError, make_study, url, "half", other, tiny)[1]
    assert len(make_study(url, "half", study.sweep, tiny).trials()) == 1


def test_a_winner_without_a_network_is_an_error_of_one_line(make, tiny):
    study = make(trials=1)
    (trial,) = Worker(study, tiny).run()
    study.claims.end(trial._trial_id, keep_networks=False)
    assert "has no network" in outcome(InklingError, study.measure_winner, tiny)[1]


def test_no_trial_begins_when_the_minutes_are_over(make, tiny):
    study = make(minutes=1e-9)
    assert not study.is_over  # the minutes begin with the first trial
    assert [trial.number for trial in Worker(study, tiny).run()] == [0]
    assert study.is_over


def test_the_minutes_stand_still_in_a_pause(make, tiny, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("engine.sweep.study.time.time", lambda: now[0])
    study = make(minutes=10)
    next(Worker(study, tiny).run())
    now[0] += 9 * 60
    study.pause()
    now[0] += 3600
    study.pause()
    study.resume()
    study.resume()
    assert not study.is_late
    now[0] += 59
    assert not study.is_late
    now[0] += 2
    assert study.is_late


def test_the_winner_is_measured_on_the_test_images_once(make, tiny, monkeypatch):
    test_set = make_digits(200, 5)
    study = make(num_seeds=2, trials=2)
    error = outcome(InklingError, study.measure_winner, test_set)[1]
    assert error == "no trial of this sweep is complete, so there is no winner"
    list(Worker(study, tiny).run())
    winner = study.measure_winner(test_set)
    expected = [evaluate(network, test_set).errors for network in study.networks(study.best)]
    assert winner == {
        "trial": study.best.number,
        "accuracies": pytest.approx([1 - errors / 200 for errors in expected]),
        "errors": expected,
        "images": 200,
    }
    monkeypatch.setattr("engine.sweep.study.evaluate", lambda *_: pytest.fail("it looked a second time"))
    assert open_study(str(study.claims.engine.url), "s").measure_winner(test_set) == winner


def test_the_tables(make, tiny):
    study = make(num_seeds=2)
    trials = list(Worker(study, tiny).run())
    rows = list(csv.DictReader(io.StringIO(study.to_csv())))
    assert [float(row["validation_loss"]) for row in rows] == [trial.values[0] for trial in trials]
    assert [row["hidden"] for row in rows] == [trial.params["hidden"] for trial in trials]
    table = study.cv_results()
    assert table["params"] == [trial.params for trial in trials]
    assert (table["mean_test_score"] == [-trial.values[0] for trial in trials]).all()
    np.testing.assert_allclose(table["mean_fit_time"], [trial.user_attrs["seconds"] / 2 for trial in trials])
    assert table["rank_test_score"][study.best.number] == 1
    assert sorted(table["rank_test_score"]) == [1, 2, 3, 4]
    np.testing.assert_allclose((table["split0_test_score"] + table["split1_test_score"]) / 2, table["mean_test_score"])


@pytest.mark.parametrize("url", ["", "x", "mysql://a/b", "sqlite:////nowhere/at/all.db", "postgresql://a@127.0.0.1:9/b"])
def test_a_storage_that_cannot_be_used_is_an_error_of_one_line(url):
    error = outcome(InklingError, open_study, url, "s")[1]
    assert "the storage " in error
    assert "\n" not in error


@pytest.mark.parametrize(
    "url",
    [
        "mysql://anna:s3cret@host/b?password=s3cret",
        "postgresql://anna:s3cret@host:port/b",
        "postgres://anna:s3cret@127.0.0.1:9/b",
        "postgresql://127.0.0.1:9/b?password=s3cret",
        "anna:s3cret@host",
    ],
)
def test_no_error_tells_the_password(url):
    error = outcome(InklingError, open_study, url, "s")[1]
    assert "s3cret" not in error
    assert "anna" not in error
    assert ("cannot be used" in error) == ("127.0.0.1" in url)


def test_without_optuna_a_sentence_says_what_to_install():
    code = "import sys; sys.modules['optuna'] = None\nimport engine.cli.main as m; sys.exit(m.main(sys.argv[1:]))"
    arguments = ["sweep", "--search", "epochs=1..2"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "inkling: a sweep needs the package optuna: pip install 'inkling[sweep]'\n"
