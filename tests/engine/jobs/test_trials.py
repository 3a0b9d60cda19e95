"""Trials of a sweep in worker processes: after people's own trainings, and through every kind of end."""

import importlib.util
import os
import signal
from contextlib import suppress
from multiprocessing import Pipe
from threading import Thread

import numpy as np
import pytest
from helpers import make_digits, need_optuna
from sweep_kills import contents

from engine.checks import InklingError
from engine.data.mapped import map_dataset
from engine.jobs import Job, JobState, Snapshot, Trials
from engine.jobs import pool as pool_module
from engine.jobs import trials as trials_module
from engine.jobs.messages import Iterate
from engine.jobs.snapshot_file import from_bytes, to_bytes
from engine.jobs.trials import _run_trials
from engine.jobs.worker import run
from engine.metrics import evaluate
from engine.sweep.plan import StorageError, Sweep

if importlib.util.find_spec("optuna"):
    from engine.sweep import study as study_module
    from engine.sweep.study import make_study, open_study
    from engine.sweep.worker import Worker

TEST = make_digits(200, 3)
SETTINGS = {"epochs": 3, "train_size": 300, "validation_size": 60, "batch_size": 20}


@pytest.fixture(autouse=True)
def _installed():
    need_optuna()


@pytest.fixture
def make(tmp_path, tiny):
    """A function that makes a study in a new file."""

    def make(name="s", **changes):
        search = {"learning_rate": "1e-3..1e-1:log", "hidden": [6, 12]}
        table = {"search": search, "settings": SETTINGS, "sampler": "random", "trials": 4} | changes
        return make_study(f"sqlite:///{tmp_path / name}.sqlite3", "s", Sweep.from_table(table), tiny)

    return make


@pytest.fixture
def start(tiny):
    """Start trials of a study in a pool."""

    def start(study, pool, number=1, **options):
        url = str(study.claims.engine.url)
        return [Trials(url, "s", study.sweep, tiny, TEST, pool=pool, **options) for _ in range(number)]

    return start


def networks(study):
    return {trial.number: [contents(network) for network in study.networks(trial)] for trial in study.trials()}


def test_the_pool_runs_a_study_to_its_end_and_measures_the_winner(make, start, make_pool, tiny, until):
    study, alone = make(), make("alone")
    trials = start(study, make_pool(size=2), 2)
    until(lambda: all(each.is_over for each in trials), 60)
    assert [each.error for each in trials] == ["", ""]
    list(Worker(alone, tiny).run())
    assert networks(study) == networks(alone)
    assert study.winner == alone.measure_winner(TEST)


def test_a_training_comes_first_and_the_trial_goes_on_later_bit_for_bit(make, start, make_pool, make_job, tiny, until):
    long = SETTINGS | {"epochs": 60}
    study, alone = make(settings=long, trials=2), make("alone", settings=long, trials=2)
    pool = make_pool()
    (trials,) = start(study, pool)
    until(lambda: study.trials()[0].intermediate_values, 60)
    job = make_job(pool=pool, epochs=2)
    job.start()
    assert pool.place(job).seconds == 0
    assert job.wait_until_over(60)
    assert not trials.is_over
    until(lambda: trials.is_over, 120)
    list(Worker(alone, tiny).run())
    assert networks(study) == networks(alone)


def test_work_in_the_background_waits_behind_trainings_and_does_not_count_as_one(make, start, make_pool, make_job, until):
    pool = make_pool(per_visitor=1)
    first, second = make_job(pool=pool, visitor="a"), make_job(pool=pool, visitor="b", epochs=1)
    first.start()
    until(lambda: first.worker)
    (trials,) = start(make(), pool, visitor="b")
    second.start()
    assert pool.place(second).position == 1
    assert pool.place(trials).position == 2
    first.stop()
    assert second.wait_until_over(60)
    until(lambda: trials.is_over, 60)
    assert trials.error == ""


def test_a_training_that_has_just_paused_keeps_its_worker_for_single_steps(
    make, start, make_pool, make_job, until, monkeypatch
):
    pool = make_pool()
    job = make_job(pool=pool)
    job.start()
    until(lambda: job.snapshot().step)
    job.pause()
    assert job.wait_until_still(30)
    (trials,) = start(make(), pool)
    job.step()
    assert job.wait_until_still(30)
    assert trials.worker is None
    monkeypatch.setattr(pool_module, "PAUSE_SECONDS", 0.0)
    until(lambda: trials.is_over, 60)
    assert job.snapshot().state is JobState.PAUSED
    assert job.worker is None


def test_sweeps_of_two_visitors_take_turns(make, start, make_pool, until, monkeypatch):
    monkeypatch.setattr(pool_module, "TURN_SECONDS", 0.3)
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.1)
    long = SETTINGS | {"epochs": 100}
    one, two = make("one", settings=long), make("two", settings=long)
    pool = make_pool()
    first, second = *start(one, pool, visitor="a"), *start(two, pool, visitor="b")
    until(lambda: two.trials()[0].intermediate_values, 60)
    assert not first.is_over
    until(lambda: first.worker, 60)
    first.stop()
    second.stop()


def test_when_its_process_is_killed_another_goes_on(make, start, make_pool, until):
    study = make(settings=SETTINGS | {"epochs": 200}, trials=1)
    pool = make_pool()
    (trials,) = start(study, pool)
    until(lambda: study.trials()[0].intermediate_values and trials.worker, 60)
    os.kill(trials.worker.process.pid, signal.SIGKILL)
    ((trial_id, claim),) = study.claims.all().items()
    assert study.claims.take_over(trial_id, claim)
    study.claims.give_up(trial_id)  # so that the test need not wait until the silence was long enough
    until(lambda: trials.is_over, 120)
    assert trials.error == ""
    assert study.best.number == 0


def test_a_trial_that_does_not_make_room_loses_its_process_and_goes_on_later(
    make, start, make_pool, make_job, until, monkeypatch
):
    monkeypatch.setattr(pool_module, "PARK_SECONDS", 0.5)
    study = make(settings=SETTINGS | {"epochs": 10_000}, trials=1)
    pool = make_pool()
    (trials,) = start(study, pool)
    until(lambda: study.trials()[0].intermediate_values, 60)
    for _again in range(4):  # more often than a process may be lost by accident
        os.kill(trials.worker.process.pid, signal.SIGSTOP)
        job = make_job(pool=pool, epochs=1)
        job.start()
        assert job.wait_until_over(60)
        until(lambda: trials.worker, 60)
    assert trials.error == ""
    trials.stop()


def test_a_worker_whose_server_is_killed_saves_its_trial_and_gives_it_up(make, tiny, until):
    study = make(settings=SETTINGS | {"epochs": 10_000}, trials=1)
    server_end, worker_end = Pipe()
    arguments = str(study.claims.engine.url), "s", map_dataset(tiny), map_dataset(TEST)

    def work():
        with suppress(OSError):  # nobody hears any more that it has ended
            run(Iterate(_run_trials, arguments), worker_end)

    thread = Thread(target=work)
    thread.start()
    until(lambda: study.trials()[0].intermediate_values, 60)
    server_end.close()
    thread.join(60)
    (trial,) = study.trials()
    assert trial.state.name == "RUNNING"
    assert study.claims.all()[trial._trial_id].owner == ""
    assert study.claims.saved(trial._trial_id)[1]


def test_a_storage_that_is_gone_for_a_while_ends_no_sweep(make, tiny, monkeypatch):
    study, failures = make(), [StorageError("gone")] * 3
    arguments = str(study.claims.engine.url), "s", map_dataset(tiny), map_dataset(TEST)

    def open_or_fail(*arguments):
        if failures:
            raise failures.pop()
        return open_study(*arguments)

    monkeypatch.setattr(study_module, "open_study", open_or_fail)
    assert list(_run_trials(*arguments, lambda: True)) == []  # it can be stopped while it waits
    assert len(failures) == 2
    monkeypatch.setattr(trials_module, "RETRY_SECONDS", 0.0)
    assert list(_run_trials(*arguments, lambda: False)) == [0, 1, 2, 3]
    assert study.winner
    failures[:] = [StorageError("gone")] * trials_module.MAX_ATTEMPTS
    with pytest.raises(InklingError, match="the storage of the sweeps cannot be used now"):
        list(_run_trials(*arguments, lambda: False))


def test_a_trial_whose_processes_die_again_and_again_is_given_up(make, start, make_pool, until):
    study = make(settings=SETTINGS | {"epochs": 10_000}, trials=1)
    (trials,) = start(study, make_pool())
    killed = set()

    def kill():
        worker = trials.worker
        if worker and worker.is_ready and worker.process.pid not in killed:
            killed.add(worker.process.pid)
            os.kill(worker.process.pid, signal.SIGKILL)
        return trials.is_over

    until(kill, 60)
    assert len(killed) == 3
    assert trials.error.startswith("it stopped by accident")


def test_a_paused_study_frees_its_workers_and_goes_on(make, start, make_pool, tiny, until):
    long = SETTINGS | {"epochs": 60}
    study, alone = make(settings=long, trials=2), make("alone", settings=long, trials=2)
    pool = make_pool()
    (trials,) = start(study, pool)
    until(lambda: study.trials()[0].intermediate_values, 60)
    study.pause()
    trials.stop()
    until(lambda: not trials.worker)
    assert not study.is_over
    (nothing,) = start(study, pool)  # a worker that comes while it is paused has nothing to do
    until(lambda: nothing.is_over)
    assert study.trials()[1].state.name == "WAITING"
    study.resume()
    (trials,) = start(study, pool)
    until(lambda: trials.is_over, 120)
    list(Worker(alone, tiny).run())
    assert networks(study) == networks(alone)


def test_a_training_that_needs_more_memory_than_there_is_is_refused(make, start, make_pool):
    with pytest.raises(InklingError, match="needs about"):
        start(make(search={"hidden": [6, 30_000]}), make_pool(memory=200e6))


def test_an_opened_trial_is_what_a_job_of_the_same_settings_gives(make, tiny, make_pool):
    study = make(trials=1)
    (trial,) = Worker(study, tiny).run()
    (network,) = study.networks(trial)
    opened = Snapshot.of_trial(network, TEST)
    job = Job(opened.config, lambda: (tiny, TEST), make_pool())
    job.start()
    assert job.wait_until_over(60)
    snapshot = job.snapshot()
    np.testing.assert_array_equal(opened.network.state_vector, snapshot.network.state_vector)
    np.testing.assert_array_equal(opened.curve, snapshot.curve)
    np.testing.assert_array_equal(opened.samples.probabilities, snapshot.samples.probabilities)
    np.testing.assert_array_equal(opened.test.confusion, snapshot.test.confusion)
    assert [event[:-2] for event in opened.history] == [event[:-2] for event in snapshot.history]
    assert opened.end[:-2] == snapshot.end[:-2]
    for name in ("state", "config", "epoch", "step", "progress", "changes"):
        assert getattr(opened, name) == getattr(snapshot, name)
    assert opened.network.info == snapshot.network.info


def test_an_opened_trial_that_was_pruned_has_stopped_there(make, tiny):
    search = {"learning_rate": [0.02, 0.021, 0.022, 0.023, 0.024, 0.025, 1e-6]}
    study = make(search=search, sampler="grid", pruner="median", trials=7, sampler_seed=4)
    pruned = next(trial for trial in Worker(study, tiny).run() if trial.state.name == "PRUNED")
    (network,) = study.networks(pruned)
    opened = from_bytes(to_bytes(Snapshot.of_trial(network, TEST)))
    assert opened.state is JobState.STOPPED
    assert opened.end is None
    losses = [loss for _, loss in sorted(pruned.intermediate_values.items())]
    assert [event.validation_loss for event in opened.history] == losses
    assert (opened.epoch, opened.progress) == (len(losses), pytest.approx(len(losses) / 3))
    assert opened.test.errors == evaluate(network, TEST).errors
