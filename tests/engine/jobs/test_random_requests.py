"""Thousands of random requests to a few trainings at once, from several threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState
from engine.jobs import pool as pool_module

TEST = make_digits(200, 3)
NUM_THREADS, NUM_REQUESTS = 3, int(os.environ.get("INKLING_RANDOM_REQUESTS", "1000"))
SETTINGS = {"epochs": 40, "batch_size": 50}
EXPECTED_ERRORS = ("only a paused training", "a series starts once", "training is over", "at a time: pause or stop")
REQUESTS = {
    "start": 5,
    "pause": 15,
    "resume": 20,
    "step": 20,
    "step_epoch": 10,
    "change": 15,
    "follow": 10,
    "snapshot": 20,
    "paused_training": 3,
    "park": 3,
    "stop": 0.3,
    "kill": 0.5,
}


def check(snapshot):
    """What holds for every snapshot at any time."""
    assert snapshot.error is None or snapshot.state is JobState.PAUSED
    assert (snapshot.test is None) == (snapshot.state not in (JobState.FINISHED, JobState.STOPPED)) or (
        snapshot.state is JobState.STOPPED  # without a worker
    )
    assert [event.epoch for event in snapshot.history] == list(range(1, len(snapshot.history) + 1))
    assert snapshot.epoch - 1 <= len(snapshot.history) <= snapshot.epoch
    assert all(change.step <= snapshot.step for change in snapshot.changes)
    steps = snapshot.curve[:, 0]
    assert (np.diff(steps) > 0).all()
    assert steps.max(initial=0) <= snapshot.step
    assert np.isfinite(snapshot.network.state_vector).all()
    assert snapshot.step == 0 or snapshot.state is not JobState.READY


@pytest.mark.parametrize("kills", [False, True])
def test_random_requests_end_in_consistent_states(make_pool, make_series, long_config, train_alone, monkeypatch, kills):
    monkeypatch.setattr(pool_module, "TEND_EVERY", 0.01)
    monkeypatch.setattr(pool_module, "TURN_SECONDS", 0.05)
    pool = make_pool(size=2, per_visitor=2)
    all_series = []
    probabilities = np.array(list(REQUESTS.values()), float)
    if not kills:
        probabilities[-1] = 0
    probabilities /= probabilities.sum()

    def new_series(number):
        config = long_config(seed=number, **SETTINGS)
        all_series.append(make_series(config, 1 + number % 2, pool=pool, visitor=str(number % 3)))
        return all_series[-1]

    current = [new_series(number) for number in range(5)]

    def ask(series, request, rng):
        match request:
            case "change":
                values = {"learning_rate": float(rng.choice([0.001, 0.002, 0.004])), "batch_size": int(rng.choice([50, 60]))}
                series.change(**values)
            case "follow":
                series.follow(
                    (None, *TEST.images[:3] / 255)[rng.integers(4)] if rng.random() < 0.1 else TEST.images[0] / 255
                )
            case "snapshot":
                for snapshot in series.snapshots():
                    check(snapshot)
            case "park":
                with pool.changed:
                    if series.job.worker and series.is_still:
                        series.job.park(goes_on=False)
            case "kill":
                if worker := series.job.worker:
                    worker.process.kill()
            case _:
                getattr(series, request)()

    def ask_many(seed):
        rng = np.random.default_rng(seed)
        for _ in range(NUM_REQUESTS):
            slot = int(rng.integers(len(current)))
            sleep(rng.exponential(0.002))
            try:
                ask(current[slot], str(rng.choice(list(REQUESTS), p=probabilities)), rng)
            except InklingError as error:
                if not any(text in str(error) for text in (*EXPECTED_ERRORS, "several seeds")):
                    raise
            if current[slot].is_over:
                with pool.changed:
                    if current[slot].is_over:
                        current[slot] = new_series(len(all_series))

    with ThreadPoolExecutor(NUM_THREADS) as executor:
        list(executor.map(ask_many, range(NUM_THREADS)))

    for series in all_series:
        while not series.is_over:  # all others stand still or wait for this one's worker
            try:
                if series.wait_until_still(30):
                    series.start() if series.snapshot().state is JobState.READY else series.resume()
            except InklingError:
                next(other for other in all_series if other.visitor == series.visitor and not other.is_still).pause()
            series.wait_until_over(0.2)
        assert series.error is None
        for snapshot in series.snapshots():
            check(snapshot)
            assert snapshot.state in (JobState.FINISHED, JobState.STOPPED)
            changes = [(change.step, change.values) for change in snapshot.changes]
            alone = train_alone(snapshot.step, changes, seed=snapshot.config.seed, **SETTINGS)
            assert snapshot.network.state_vector.tobytes() == alone.network.state_vector.tobytes()
    assert pool.counts() == (0, 0)
