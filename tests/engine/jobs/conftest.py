"""What the tests of jobs share. No test waits for a fixed time to pass, except to see that nothing happens."""

import multiprocessing
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep

import pytest
from helpers import make_digits
from threadpoolctl import threadpool_limits

from engine.config import Config
from engine.jobs import Job, Pool, Series
from engine.jobs import pool as pool_module
from engine.jobs import worker as worker_module
from engine.jobs.messages import READY, receive, send
from engine.network import dense_layers
from engine.training import Trainer

LONG = {"layers": dense_layers((16,)), "batch_size": 10, "epochs": 10_000, "validation_size": 100}
TEST = make_digits(200, 3)


@pytest.fixture(scope="session")
def long_config():
    """The configuration of a training with 50 steps an epoch, for a long time unless ``epochs`` are given."""
    return lambda **changes: Config(**(LONG | changes))


@pytest.fixture(scope="session")
def train_alone(tiny, long_config):
    """Train in a loop, without a job, with one BLAS thread as the workers have; return the trainer.

    ``changes`` are pairs of the step after which values are changed, and the values.
    """

    def train(steps=None, changes=(), **settings):
        with threadpool_limits(1, user_api="blas"):
            trainer, changes = Trainer.from_config(long_config(**settings), tiny), list(changes)
            while not trainer.is_over and (steps is None or trainer.step < steps):
                while changes and changes[0][0] == trainer.step:
                    trainer.change(**changes.pop(0)[1])
                next(trainer)
        return trainer

    return train


@pytest.fixture(scope="session")
def pool():
    """Two workers for most tests."""
    pool = Pool(size=2, per_visitor=1_000)
    pool.start_workers()
    yield pool
    pool.close()


@pytest.fixture
def make_pool():
    """Pools of the test's own, which are closed at its end."""
    pools = []

    def make(**options):
        pools.append(Pool(**({"size": 1, "per_visitor": 1_000} | options)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def make_job(pool, tiny, long_config):
    """A job in the shared pool or in another one; at the end of the test it is stopped."""
    jobs = []

    def make(
        test_set=None, pool=pool, load_data=None, saved=None, start=None, visitor="", is_watched=lambda: True, **changes
    ):
        load_data = load_data or (lambda: (tiny, test_set))
        jobs.append(Job(long_config(**changes), load_data, pool, start, saved, visitor, is_watched))
        return jobs[-1]

    yield make
    for job in jobs:
        job.stop()
    for job in jobs:
        assert job.wait_until_over(30)


@pytest.fixture
def make_series(pool, tiny):
    """A series in the shared pool or in another one; at the end of the test it is stopped."""
    all_series = []

    def make(config, num_seeds=1, load_data=lambda: (tiny, TEST), **options):
        all_series.append(Series(config, load_data, num_seeds, **({"pool": pool} | options)))
        return all_series[-1]

    yield make
    for series in all_series:
        series.stop()
    for series in all_series:
        assert series.wait_until_over(30)


class ThreadWorker(pool_module.Worker):
    """A worker in a thread of this process, so that what it does can be replaced."""

    exitcode = 0

    def __init__(self, _context):
        self.connection, self.other_end = multiprocessing.Pipe()
        self.job, self.measurement, self.is_ready = None, None, False
        self.process = self
        self.thread = Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with suppress(EOFError, OSError):
            send(self.other_end, READY)
            while True:
                worker_module.run(receive(self.other_end), self.other_end)

    def kill(self):
        self.connection.close()

    def join(self, timeout=None):
        self.thread.join(timeout)


@pytest.fixture
def thread_pool(make_pool, monkeypatch):
    """A pool whose workers are threads of this process."""
    monkeypatch.setattr(pool_module, "Worker", ThreadWorker)
    return make_pool()


@pytest.fixture(scope="session")
def until():
    """Wait until a condition holds; fail after some seconds, which only happens if something hangs."""

    def wait(condition, seconds=30):
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, "it did not happen in time"
            sleep(0.005)

    return wait
