"""``Pool``: worker processes that train, and the queue of what waits for one: trainings, fine-tunings and tests."""

import atexit
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain, zip_longest
from multiprocessing import connection
from pathlib import Path
from threading import Condition, Lock, Thread
from time import monotonic
from types import ModuleType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

import engine
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import worker as worker_module
from engine.jobs.messages import READY, Failure, Measurement, receive, send
from engine.memory import total_memory
from engine.setting_fields import Integer, environment_value

TRAININGS_VARIABLE = "INKLING_TRAININGS"
PER_VISITOR_VARIABLE = "INKLING_TRAININGS_PER_VISITOR"
MEMORY_VARIABLE = "INKLING_MEMORY"
UNATTENDED_VARIABLE = "INKLING_UNATTENDED_MINUTES"
POSITIVE = Integer(1, 1_000_000_000)  # what they may say

TEND_EVERY = 1.0  # seconds between two looks at who watches and who has had a turn
TURN_SECONDS = 120.0  # of a training, until others that wait get its worker
PAUSE_SECONDS = 60.0  # of a training, until work in the background gets its worker: somebody may take single steps
PARK_SECONDS = 10.0  # that work in the background may take to make room, as for one large step: then its process is ended
MAX_FAILURES = 5  # to start a process, after which the trainings that wait are given up
PROCESS_BYTES = 60_000_000  # that a worker takes besides its training

log = logging.getLogger(__name__)
_separating = Lock()


class Place(NamedTuple):
    """Where a training stands in the queue, from 1, and about how many seconds it will wait; None if that is not known."""

    position: int
    seconds: float | None


class Work(Protocol):
    """What a worker does for a visitor, as the pool sees it: a ``Job``, or an ``Iteration``."""

    visitor: str
    memory: int  # bytes
    is_watched: Callable[[], bool]
    last_watched: float
    worker: "Worker | None"
    worker_since: float
    still_since: float | None  # while it is paused
    can_be_parked: bool  # whether it may make room for others after a turn, and go on later
    is_background: bool  # whether it runs only while no other work waits, and makes room at once
    is_parking: bool  # while it does so

    @property
    def is_still(self) -> bool: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def seconds_left(self) -> float | None: ...

    def begin(self, worker: "Worker") -> None: ...

    def park(self, goes_on: bool) -> None: ...

    def pause(self) -> None: ...

    def pause_unattended(self) -> None: ...

    def receive(self, message: Any) -> None: ...

    def lose_worker(self, error: str | None = ...) -> None: ...


class Worker:
    """A worker process, and what it does now: a training, a measurement or nothing."""

    def __init__(self, context: Any) -> None:
        self.connection, other_end = context.Pipe()
        self.process = context.Process(target=worker_module.serve, args=(other_end,), name="inkling-worker", daemon=True)
        with separated():
            self.process.start()
        other_end.close()
        self.is_ready = False
        self.job: Work | None = None
        self.parking_since = 0.0  # while its job makes room
        self.measurement: _Measurement | None = None

    @property
    def memory(self) -> int:
        """How many bytes its work takes; 0 if it is free."""
        work = self.job or self.measurement
        return work.memory + PROCESS_BYTES if work else 0

    @property
    def is_free(self) -> bool:
        return self.is_ready and self.job is None and self.measurement is None

    def send(self, message: Any) -> None:
        with suppress(OSError):  # the process has died: its connection says so, too
            send(self.connection, message)


class _Measurement(NamedTuple):
    """A measurement of a training's speed, and whether anybody still waits for it."""

    config: Config
    future: Future[tuple[float, float]]
    is_watched: Callable[[], bool]

    @property
    def memory(self) -> int:
        return self.config.training_bytes()


class Pool:
    """At most ``size`` trainings at once, each in a process, within ``memory`` bytes; the others wait.

    A training is a ``Job``, or an ``Iteration``, which is stopped where a ``Job`` is paused. Visitors take turns: first
    comes the one who was served longest ago. A visitor has at most ``per_visitor`` trainings under way. Work in the
    background counts apart: it comes after all trainings, and gives its worker to one that waits. A training that nobody
    has watched for ``unattended_seconds`` is paused. Worker processes start with ``start_workers`` or when they are needed,
    and end with this process.
    """

    def __init__(
        self,
        size: int | None = None,
        per_visitor: int = 2,
        memory: float | None = None,
        unattended_seconds: float = 300.0,
    ) -> None:
        self.size = size or _num_cores()
        self.per_visitor, self.unattended_seconds = per_visitor, unattended_seconds
        self.memory = memory or total_memory() / 2
        self.changed = Condition()  # guards everything here and in the jobs
        self._workers: list[Worker] = []
        self._waiting: dict[tuple[bool, str], list[Work]] = {}  # in the background or not, of each visitor, in their turn
        self._measurements: list[_Measurement] = []
        self._durations: list[float] = []  # seconds of the latest trainings
        self._thread: Thread | None = None
        self._wake_up, self._wake_end = multiprocessing.Pipe(duplex=False)
        self._closed = False
        self._num_failures = 0  # to start a process, one after another

    @classmethod
    def from_environment(cls) -> Self:
        """The pool that the environment variables describe; raises ``InklingError`` for a value that is not sound."""
        megabytes = environment_value(MEMORY_VARIABLE, POSITIVE, None)
        return cls(
            size=environment_value(TRAININGS_VARIABLE, POSITIVE, None),
            per_visitor=environment_value(PER_VISITOR_VARIABLE, POSITIVE, 2),
            memory=megabytes and 1e6 * megabytes,
            unattended_seconds=60.0 * environment_value(UNATTENDED_VARIABLE, POSITIVE, 5),
        )

    def start_workers(self) -> None:
        """Have the processes ready, so that the first training starts at once."""
        with self.changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="trainings", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End all processes. Their trainings are paused, and go back to their last checkpoints."""
        with self.changed:
            self._closed = True
            self._wake_end.send(None)
        if self._thread:
            self._thread.join()
        with self.changed:
            for job in self._in_turn():
                job.pause()
            for measurement in self._measurements:
                measurement.future.cancel()

    # The queue.

    def check_limits(self, job: Work) -> None:
        """Raise ``InklingError`` if the job can never run here, or if its visitor has too many under way."""
        self.check_memory(job.memory)
        if job.is_background:
            return
        moving = [other for other in self._running() if other.still_since is None and not other.is_background]
        under_way = len(self._waiting.get((False, job.visitor), [])) + sum(other.visitor == job.visitor for other in moving)
        if under_way >= self.per_visitor:
            raise InklingError(
                f"you can have {self.per_visitor} training{'s' * (self.per_visitor != 1)} at a time: pause or stop one first"
            )

    def check_memory(self, needed: int) -> None:
        """Raise ``InklingError`` if no training that takes so many bytes can run here."""
        if self._closed:
            raise InklingError("this server is being stopped: no training can begin")
        available = self.memory - PROCESS_BYTES
        if needed > available:
            raise InklingError(
                f"this training needs about {needed / 1e6:,.0f} MB of memory, and this server has "
                f"{max(available, 0) / 1e6:,.0f} MB for trainings: choose fewer units or layers, or a smaller batch_size"
            )

    def enqueue(self, job: Work) -> None:
        """Put a job at the end of its visitor's trainings that wait."""
        self.start_workers()
        self._waiting.setdefault(_queue(job), []).append(job)
        self._assign()
        self._make_room()

    def withdraw(self, job: Work) -> None:
        """Take a job out of the queue, if it is in it."""
        jobs = self._waiting.get(_queue(job), [])
        if job in jobs:
            jobs.remove(job)
        if not jobs:
            self._waiting.pop(_queue(job), None)

    def place(self, job: Work) -> Place | None:
        """Where the job stands in the queue; None if it is not in it."""
        with self.changed:
            in_turn = self._in_turn()
            if job not in in_turn:
                return None
            position = in_turn.index(job)
            running = [other for other in self._running() if other.still_since is None]
            running = [other for other in running if job.is_background or not other.is_background]
            left = [self._seconds_left(other) for other in [*running, *in_turn[:position]]]
            seconds = None if None in left else sum(filter(None, left)) / self.size
            return Place(position + 1, seconds)

    def counts(self) -> tuple[int, int]:
        """How many trainings have a worker, and how many wait."""
        with self.changed:
            return len(self._running()), len(self._in_turn())

    def measure(self, config: Config, is_watched: Callable[[], bool] = lambda: True) -> Future[tuple[float, float]]:
        """Have ``measure_seconds`` done by a free worker; it ends when it is cancelled or when nobody watches any more.

        Raises ``InklingError`` if the training can never run here.
        """
        measurement = _Measurement(config, Future(), is_watched)
        with self.changed:
            self.check_memory(measurement.memory)
            self.start_workers()
            self._measurements.append(measurement)
            self._assign()
            self._make_room()
        return measurement.future

    def _in_turn(self) -> list[Work]:
        """The jobs that wait, in the order in which they will start if nothing else comes."""
        rounds = chain.from_iterable(zip_longest(*self._waiting.values()))
        return sorted((job for job in rounds if job is not None), key=lambda job: job.is_background)

    def _running(self) -> list[Work]:
        return [worker.job for worker in self._workers if worker.job]

    def _seconds_left(self, job: Work) -> float | None:
        """About how long a job will still have a worker: others that wait get it after a turn."""
        turn = max(TURN_SECONDS - (monotonic() - job.worker_since), 0.0) if job.worker else TURN_SECONDS
        seconds = job.seconds_left
        if seconds is None and self._durations:
            seconds = float(np.mean(self._durations))
        return None if seconds is None else min(seconds, turn)

    def _assign(self) -> None:
        """Give free workers something to do: first the measurements, which are short."""
        if self._closed:
            return
        while measurement := next(iter(self._measurements), None):
            if any(worker.measurement for worker in self._workers):  # one at a time: the others are for trainings
                break
            if not (worker := self._free_worker(measurement.memory)):
                break
            self._measurements.pop(0)
            if measurement.future.set_running_or_notify_cancel():
                worker.measurement = measurement
                worker.send(Measurement(measurement.config))
        while job := next(iter(self._in_turn()), None):
            worker = self._free_worker(job.memory)
            if not worker or len(self._running()) >= self.size:
                return
            self.withdraw(job)
            if others := self._waiting.pop(_queue(job), None):  # the others of this visitor wait for the next turn
                self._waiting[_queue(job)] = others
            worker.job = job
            with _ends(worker):
                job.begin(worker)

    def _free_worker(self, memory: int) -> Worker | None:
        """A worker for something that takes so many bytes, or None if it has to wait."""
        if sum(worker.memory for worker in self._workers) + memory + PROCESS_BYTES > self.memory:
            return None
        return next((worker for worker in self._workers if worker.is_free), None)

    def _make_room(self) -> None:
        """Have work in the background, and trainings that stand still or have had a long turn, give workers to others."""
        waiting, now = self._in_turn(), monotonic()
        num_coming = sum(job.is_parking for job in self._running()) + sum(not worker.is_ready for worker in self._workers)
        running = [job for job in self._running() if job.can_be_parked and not job.is_parking]
        still = sorted((job for job in running if job.is_still), key=lambda job: job.still_since or now)
        long = [job for job in running if job.still_since is None and now - job.worker_since > TURN_SECONDS]
        background = [job for job in running if job.is_background]
        trainings = [job for job in long if not job.is_background]
        num_trainings = max(sum(not job.is_background for job in waiting) - num_coming, 0)
        parked = [*background, *still, *trainings][:num_trainings]
        idle = [job for job in still if now - (job.still_since or now) > PAUSE_SECONDS]
        others = [job for job in [*idle, *long] if job not in [*parked, *trainings]]
        parked += others[: max(len(waiting) - num_coming - len(parked), 0)]
        if self._measurements and not any(worker.measurement for worker in self._workers) and not num_coming and not parked:
            parked = background[:1]  # it has the memory that the measurement needs
        for job in parked:
            if job.worker:
                job.worker.parking_since = now
            job.park(goes_on=job not in still)

    # The thread that listens to the workers.

    def _run(self) -> None:
        context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            context.set_forkserver_preload(["engine.jobs.worker"])  # its memory is shared by all workers
        tended = monotonic()
        while not self._closed:
            try:
                while len(self._workers) < self.size + 1:  # one for measurements
                    self._workers.append(Worker(context))
                by_connection = {worker.connection: worker for worker in self._workers}
                for ready in connection.wait([*by_connection, self._wake_up], TEND_EVERY):
                    if ready in by_connection:
                        self._receive(by_connection[ready])
                if monotonic() - tended >= TEND_EVERY:
                    tended = monotonic()
                    self._tend()
            except Exception:  # one broken training must not end the others
                log.exception("the pool of trainings failed, and goes on")
                if len(self._workers) <= self.size:  # no process can begin: not again and again without a rest
                    self._give_up()
                    self._wake_up.poll(TEND_EVERY)
        for worker in list(self._workers):
            worker.process.kill()
            self._bury(worker)

    def _give_up(self) -> None:
        """End the trainings that wait if there is no process for them, and none could be started several times."""
        self._num_failures += 1
        with self.changed:
            if self._num_failures >= MAX_FAILURES and not any(worker.is_ready for worker in self._workers):
                for job in self._in_turn():
                    self.withdraw(job)
                    job.receive(Failure("no process could be started for it: tell the person who runs this server"))

    def _receive(self, worker: Worker) -> None:
        try:
            message = receive(worker.connection)
        except Exception:  # it has died; or a message could not be read, so that the next ones cannot either
            worker.process.kill()
            self._bury(worker)
            return
        with self.changed:
            if message == READY:
                worker.is_ready, self._num_failures = True, 0
            elif worker.measurement:
                future = worker.measurement.future
                worker.measurement = None
                if isinstance(message, Failure):
                    future.set_exception(InklingError(message.error))
                else:
                    future.set_result(message)
            elif job := worker.job:
                with _ends(worker):
                    job.receive(message)
                if job.is_over and not job.is_background:
                    self._durations = [*self._durations[-9:], monotonic() - job.worker_since]
            if worker.is_free:
                self._assign()
            self._make_room()

    def _bury(self, worker: Worker) -> None:
        """Go on without a worker that has died; ``_run`` starts another."""
        worker.process.join(1)
        worker.connection.close()
        with self.changed:
            self._workers.remove(worker)
            if not worker.is_ready and not self._closed:
                raise RuntimeError("a worker process cannot begin")
            if worker.measurement:
                worker.measurement.future.set_exception(CancelledError())
            if worker.job and self._closed:
                worker.job.lose_worker(error=None)
            elif worker.job:
                log.warning("a worker process ended with exit code %s", worker.process.exitcode)
                worker.job.lose_worker()
            self._assign()  # its memory is free

    def _tend(self) -> None:
        """See whether anybody still watches."""
        with self.changed:
            now = monotonic()
            for job in [*self._running(), *self._in_turn()]:
                if job.is_watched():
                    job.last_watched = now
                elif now - job.last_watched > self.unattended_seconds and not job.is_parking:
                    job.pause_unattended()
            for worker in self._workers:
                if worker.measurement and not worker.measurement.is_watched():
                    worker.process.kill()
                job, is_late = worker.job, now - worker.parking_since > PARK_SECONDS
                if job and job.is_background and job.is_parking and is_late:
                    worker.process.kill()
            self._measurements = [entry for entry in self._measurements if entry.is_watched() or not entry.future.cancel()]
            self._assign()
            self._make_room()


def _queue(job: Work) -> tuple[bool, str]:
    """Where a job waits."""
    return job.is_background, job.visitor


@contextmanager
def _ends(worker: Worker) -> Iterator[None]:
    """End the worker if an error shows that its training is not as it should be: it then goes back to its checkpoint."""
    try:
        yield
    except Exception:
        log.exception("a training failed")
        worker.process.kill()


@cache
def default_pool() -> Pool:
    """The pool of this process, as the environment variables describe it."""
    pool = Pool.from_environment()
    atexit.register(pool.close)
    return pool


@contextmanager
def separated() -> Iterator[None]:
    """While a process is started: it imports this engine, whatever the current folder is, and not the main module.

    Under Streamlit, the main module is the whole page.
    """
    with _separating:
        yield from _separate()


def _separate() -> Iterator[None]:
    main, environment = sys.modules["__main__"], dict(os.environ)
    stand_in = sys.modules["__main__"] = ModuleType("__main__")
    paths = [str(Path(engine.__file__).parents[1]), *filter(None, [environment.get("PYTHONPATH")])]
    os.environ.update(PYTHONSAFEPATH="1", PYTHONPATH=os.pathsep.join(paths))
    try:
        yield
    finally:
        if sys.modules["__main__"] is stand_in:
            sys.modules["__main__"] = main
        for name in ("PYTHONSAFEPATH", "PYTHONPATH"):
            del os.environ[name]
            if name in environment:
                os.environ[name] = environment[name]


def _num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
