"""What the tests of jobs share. No test waits for a fixed time to pass, except to see that nothing happens."""

from time import monotonic, sleep

import pytest

from engine.config import Config
from engine.jobs import Job, JobState
from engine.jobs import job as job_module
from engine.network import dense_layers
from engine.training import Trainer

LONG = {"layers": dense_layers((16,)), "batch_size": 10, "epochs": 10_000, "validation_size": 100}


@pytest.fixture(scope="session")
def make_trainer(tiny):
    """A trainer with 50 steps an epoch, for a long time unless ``epochs`` are given."""
    return lambda **changes: Trainer.from_config(Config(**(LONG | changes)), tiny)


@pytest.fixture
def make_job(make_trainer, monkeypatch):
    """A job that publishes often; at the end of the test it is stopped."""
    monkeypatch.setattr(job_module, "PUBLISH_EVERY", 0.01)
    jobs = []

    def make(*arguments, **changes):
        jobs.append(Job(make_trainer(**changes), *arguments))
        return jobs[-1]

    yield make
    for job in jobs:
        job.stop()
        assert job.snapshot().state is JobState.READY or job.wait_until_over(30)


@pytest.fixture(scope="session")
def until():
    """Wait until a condition holds; fail after some seconds, which only happens if something hangs."""

    def wait(condition, seconds=30):
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, "it did not happen in time"
            sleep(0.005)

    return wait
