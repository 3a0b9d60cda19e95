from dataclasses import replace
from io import BytesIO
from threading import Event
from time import sleep
from weakref import ref

import numpy as np
import pytest
from helpers import make_digits

from engine.checkpoint import load_training, save_training
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import Job, JobState, Series
from engine.jobs import job as job_module
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.training import Trainer

SHORT = Config(layers=dense_layers((16,)), batch_size=50, epochs=2, validation_size=100)  # 10 steps an epoch
LONG = replace(SHORT, epochs=10_000)
DIVERGING = replace(SHORT, layers=dense_layers((16,) * 4, "identity"), loss="mse", optimizer="sgd", learning_rate=10)
TEST = make_digits(200, 3)


@pytest.fixture
def make_series(tiny):
    """A series of one training for each configuration; at the end of the test it is stopped."""
    all_series = []

    def make(*configs, is_watched=lambda: True):
        makers = [lambda config=config: Trainer.from_config(config, tiny) for config in configs]
        all_series.append(Series(makers, TEST, is_watched))
        return all_series[-1]

    yield make
    for series in all_series:
        series.stop()
        assert series.snapshot().state is JobState.READY or series.wait_until_over(30)


def states(series):
    return [snapshot.state for snapshot in series.snapshots()]


def seeds(*numbers, config=SHORT):
    return [replace(config, seed=number) for number in numbers]


def test_seeds_run_one_after_another_each_as_if_alone(make_series, tiny):
    configs = seeds(1, 2, 3)
    series = make_series(*configs)
    assert (series.num_seeds, states(series)) == (3, [JobState.READY])
    series.start()
    most_running = 0
    while not series.is_over:
        now = states(series)
        most_running = max(most_running, now.count(JobState.RUNNING))
        assert set(now[:-1]) <= {JobState.FINISHED}
        sleep(0.002)
    assert most_running <= 1
    assert series.error is None
    for config, snapshot in zip(configs, series.snapshots(), strict=True):
        trainer = Trainer.from_config(config, tiny)
        list(trainer)
        assert (snapshot.state, snapshot.config) == (JobState.FINISHED, config)
        assert snapshot.network.state_vector.tobytes() == trainer.network.state_vector.tobytes()
        assert snapshot.test.images == 200


def test_a_configuration_and_a_number_of_seeds_make_a_series(tiny):
    start = Trainer.from_config(SHORT, tiny).network
    series = Series.from_config(replace(SHORT, seed=4, learning_rate=1e-9), 2, tiny, TEST, start)
    np.testing.assert_array_equal(series.snapshot().network.state_vector, start.state_vector)
    series.start()
    assert series.wait_until_over(30)
    assert [snapshot.config.seed for snapshot in series.snapshots()] == [4, 5]
    assert series.test_set is TEST


def test_a_pause_holds_and_a_resume_continues(make_series, until):
    series = make_series(LONG)
    series.start(paused=True)
    assert series.wait_until_still(30)
    assert (series.snapshot().state, series.snapshot().step, series.is_still) == (JobState.PAUSED, 0, True)
    series.resume()
    until(lambda: series.snapshot().step > 5)
    assert not series.is_still
    series.pause()
    assert series.wait_until_still(30)
    step = series.snapshot().step
    sleep(0.1)
    assert series.snapshot().step == step
    assert not series.is_over


def test_a_series_can_be_paused_before_its_start(make_series):
    series = make_series(LONG)
    assert series.is_still
    series.pause()
    assert series.wait_until_still(0)
    series.start()
    assert series.wait_until_still(30)
    assert (series.snapshot().state, series.snapshot().step) == (JobState.PAUSED, 0)


def test_a_step_starts_a_series(make_series):
    series = make_series(*seeds(1, 2))
    series.step()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.PAUSED], 1)
    series.resume()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


# --- between two seeds ---


@pytest.fixture
def between_seeds(make_series, monkeypatch):
    """A series of two seeds whose second one is being made, and a function that lets this end."""
    begun, may_continue = Event(), Event()
    series = make_series(*seeds(1, 2))
    make_job = series._make_job

    def slow_make_job():
        begun.set()
        assert may_continue.wait(30)
        return make_job()

    monkeypatch.setattr(series, "_make_job", slow_make_job)
    series.start()
    assert begun.wait(30)
    return series, may_continue.set


@pytest.mark.parametrize("request_name", ["pause", "step", "step_epoch"])
def test_a_request_between_two_seeds_pauses_the_next(between_seeds, request_name):
    series, let_continue = between_seeds
    getattr(series, request_name)()
    assert not series.is_still
    assert not series.wait_until_still(0.01)
    let_continue()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    series.resume()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


def test_a_resume_between_two_seeds_lets_the_next_run(between_seeds):
    series, let_continue = between_seeds
    series.pause()
    series.resume()
    let_continue()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED] * 2


def test_a_stop_between_two_seeds_begins_no_other(between_seeds):
    series, let_continue = between_seeds
    series.stop()
    let_continue()
    assert series.wait_until_over(30)
    assert (states(series), series.error) == ([JobState.FINISHED], None)


def test_one_epoch_at_the_end_of_a_seed_pauses_before_the_next(make_series):
    series = make_series(*seeds(1, 2))
    series.start(paused=True)
    for _ in range(2):
        assert series.wait_until_still(30)
        assert len(series.jobs) == 1
        series.step_epoch()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    assert series.snapshots()[0].step == 20
    for _ in range(2):
        series.step_epoch()
        assert series.wait_until_still(30)
    assert series.is_over
    assert states(series) == [JobState.FINISHED] * 2


def test_one_batch_at_the_end_of_a_seed_pauses_before_the_next(make_series):
    series = make_series(*seeds(1, 2))
    for step in range(1, 21):
        series.step()
        assert series.wait_until_still(30)
        assert (states(series), series.snapshot().step) == ([JobState.PAUSED], step)
    series.step()  # only the measurement of the last epoch is left
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)
    series.step()
    assert series.wait_until_still(30)
    assert series.snapshot().step == 1


def test_a_pause_while_a_seed_is_tested_holds_the_next(make_series, monkeypatch):
    begun, may_end = Event(), Event()

    def slow_evaluate(*arguments):
        begun.set()
        assert may_end.wait(30)
        return evaluate(*arguments)

    monkeypatch.setattr(job_module, "evaluate", slow_evaluate)
    series = make_series(*seeds(1, 2))
    series.start()
    assert begun.wait(30)
    series.step_epoch()
    may_end.set()
    assert series.wait_until_still(30)
    assert (states(series), series.snapshot().step) == ([JobState.FINISHED, JobState.PAUSED], 0)


def test_the_next_seed_follows_the_same_image(make_series):
    series = make_series(*seeds(1, 2))
    series.follow(TEST.images[0] / np.float32(255))
    series.start()
    assert series.wait_until_over(30)
    assert [snapshot.followed[0, 0] for snapshot in series.snapshots()] == [0, 0]


# --- how a series ends ---


def test_a_stop_ends_the_training_at_work_and_begins_no_other(make_series, until):
    series = make_series(LONG, SHORT)
    series.start()
    until(lambda: series.snapshot().step > 5)
    series.stop()
    assert series.wait_until_over(30)
    assert series.is_over
    assert states(series) == [JobState.STOPPED]


def test_after_a_divergence_the_next_training_runs(make_series):
    series = make_series(DIVERGING, SHORT)
    series.start()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.DIVERGED, JobState.FINISHED]


def test_a_training_that_does_not_fit_the_data_is_one_line(make_series):
    series = make_series(SHORT, replace(SHORT, train_size=700, validation_size=650))
    series.start()
    assert series.wait_until_over(30)
    assert series.is_over
    assert series.error.startswith("validation_size")
    assert states(series) == [JobState.FINISHED]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "more memory"),
        (MemoryError("Unable to allocate 8 GiB"), "more memory"),
        (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
        (RuntimeError(), "RuntimeError"),
    ],
    ids=repr,
)
def test_a_series_whose_second_training_cannot_be_made_ends(tiny, error, message):
    def fail():
        raise error

    series = Series([lambda: Trainer.from_config(SHORT, tiny), fail], TEST)
    series.start()
    assert series.wait_until_over(30)
    assert (series.is_over, series.is_still, states(series)) == (True, True, [JobState.FINISHED])
    assert message in series.error
    assert "\n" not in series.error


def test_a_series_whose_second_training_fails_ends(make_series, monkeypatch):
    run = Job.start

    def start(job, paused=False):
        if job.trainer.config.seed == 2:
            monkeypatch.setattr(job.trainer, "loss", lambda *_: bytearray(1 << 62))  # more memory than there is
        run(job, paused)

    monkeypatch.setattr(Job, "start", start)
    series = make_series(*seeds(1, 2, 3))
    series.start()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.FINISHED, JobState.FAILED]
    assert "memory" in series.snapshot().error


def test_nobody_watching_ends_it(make_series, monkeypatch):
    monkeypatch.setattr("engine.jobs.job.CHECK_WATCHED_EVERY", 0.02)
    monkeypatch.setattr("engine.jobs.job.UNWATCHED_GRACE", 0.1)
    series = make_series(LONG, LONG, is_watched=lambda: False)
    series.start()
    assert series.wait_until_over(30)
    assert states(series) == [JobState.STOPPED]


def test_a_series_starts_once_and_has_something_to_run(make_series):
    with pytest.raises(InklingError, match="at least one"):
        make_series()
    series = make_series(SHORT)
    series.start()
    with pytest.raises(InklingError, match="once"):
        series.start()


# --- what goes to the training at work ---


def test_one_seed_can_be_changed_and_several_cannot(make_series):
    series = make_series(LONG)
    series.start(paused=True)
    assert series.wait_until_still(30)
    series.change(learning_rate=0.5)
    assert series.wait_for_changes(30)
    assert series.snapshot().config.learning_rate == 0.5
    several = make_series(*seeds(1, 2))
    with pytest.raises(InklingError, match="several seeds"):
        several.change(learning_rate=0.5)


def test_a_paused_series_is_saved_and_continues_in_another(make_series, tiny):
    series = make_series(SHORT)
    series.step()
    assert series.wait_until_still(30)
    trainer = load_training(BytesIO(series.paused_training()), tiny)
    continued = Series([lambda: trainer], TEST)
    continued.start(paused=True)
    assert continued.wait_until_still(30)
    assert continued.snapshot().step == 1
    for each in (series, continued):
        each.resume()
        assert each.wait_until_over(30)
    assert series.snapshot().network.state_vector.tobytes() == continued.snapshot().network.state_vector.tobytes()


def test_the_trainer_is_dropped_at_the_end(tiny):
    file = BytesIO()
    save_training(file, Trainer.from_config(SHORT, tiny))
    trainers = [load_training(file, tiny)]
    trainer_reference = ref(trainers[0])
    series = Series([trainers.pop])
    series.start()
    assert series.wait_until_over(30)
    series.jobs[0]._thread.join(30)
    assert trainer_reference() is None
