"""A worker process: runs one training after another, as the server's messages ask."""

import logging
import os
import signal
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from multiprocessing.connection import Connection
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from engine.checkpoint import save_training
from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.jobs.messages import (
    GO_ON,
    HAS_ENDED,
    READY,
    STAND_STILL,
    STOP,
    Checkpoint,
    Command,
    Failure,
    Goal,
    Iterate,
    Measurement,
    Report,
    Request,
    Task,
    Yielded,
    receive,
    send,
)
from engine.jobs.observer import Observer
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.memory import return_memory
from engine.metrics import Evaluation, evaluate
from engine.training import Diverged, EpochEnd, Event, Finished, StepEnd, Trainer
from engine.training.history import History
from engine.training.timing import measure_seconds

NICENESS = 19  # the server, which draws for everybody, goes first
POLL_EVERY = 0.005  # seconds between two looks for commands: one takes 20 microseconds, as long as a small step
REPORT_EVERY = 0.5  # seconds between two reports
MAX_REPORTED_SPEED = 5.0  # batches a second, up to which each of them is reported
RECORD_EVERY = 0.1  # seconds between two points of the curve of the followed image
CHECKPOINT_EVERY = 5.0  # seconds, at least, between two checkpoints at the ends of epochs
SETTLE_SECONDS = 1.0  # of a pause, until it is saved: whoever takes single steps takes the next one sooner
MAX_COST = 0.015  # of the time, for reports, and for checkpoints
NUM_NOISE_IMAGES = 2_048  # to measure the speed with: what is on them makes no difference
IDLE_SECONDS = 5.0  # without a training, after which the memory of the last one is given back

log = logging.getLogger(__name__)


def serve(connection: Connection) -> None:
    """Do what comes through the connection until its other end is closed, if only by the server's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all processes; the server's end is enough
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # One thread for matrix products: two trainings that wait for each other's threads are 2.6 times slower on two cores.
    with threadpool_limits(1, user_api="blas"), suppress(EOFError, OSError):
        send(connection, READY)
        while True:
            if not connection.poll(IDLE_SECONDS):
                return_memory()
            run(receive(connection), connection)


def one_line(error: Exception) -> str:
    """What went wrong, as one line for the viewer."""
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "this takes more memory than there is: try fewer units or smaller batches"
    if isinstance(error, InklingError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def run(message: Any, connection: Connection) -> None:
    """Do what the message asks for; a command that comes after its training's end is ignored."""
    try:
        if isinstance(message, Measurement):
            send(connection, _measure(message))
        elif isinstance(message, Iterate):
            _iterate(message, connection)
        elif isinstance(message, Task):
            training = _Training(message, connection)
            del message  # a paused training's file, which was in it, has been read
            training.run()
    except (EOFError, ConnectionError):  # the server is gone
        raise
    except Exception as error:  # nothing catches what a process raises: the viewer gets a line, the log the details
        if not isinstance(error, InklingError):
            log.exception("training failed")
        send(connection, Failure(one_line(error)))


def _iterate(message: Iterate, connection: Connection) -> None:
    has_come, polled = False, monotonic()

    def is_stopped() -> bool:
        nonlocal has_come, polled
        if not has_come and monotonic() - polled >= POLL_EVERY:
            polled = monotonic()
            try:
                has_come = connection.poll() and receive(connection) == STOP
            except (EOFError, OSError):  # the server is gone: what can be saved is saved
                has_come = True
        return has_come

    for value in message.function(*message.arguments, is_stopped):
        send(connection, Yielded(value))
    send(connection, HAS_ENDED)


def _measure(measurement: Measurement) -> tuple[float, float] | Failure:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_NOISE_IMAGES, 28, 28), np.uint8)
    try:
        return measure_seconds(measurement.config, Dataset(images, np.arange(NUM_NOISE_IMAGES, dtype=np.uint8) % 10))
    except Exception as error:
        if not isinstance(error, InklingError | MemoryError):
            log.exception("the speed cannot be measured")
        return Failure(one_line(error))


class _Training:
    """One training: takes steps, and between them carries out commands and reports what the server's viewers see.

    It is ``PAUSED`` when it has reached its ``goal``, and ``RUNNING`` before. Then comes ``TESTING``, and the end.
    """

    def __init__(self, task: Task, connection: Connection) -> None:
        self.connection = connection
        self.trainer: Trainer = task.make_trainer()
        self.test_set = task.test_set.open() if task.test_set else None
        self.observer = Observer(self.trainer.result, self.test_set)
        if task.saved:
            self.observer.restore(task.saved.snapshot, task.followed)
        else:
            self.observer.follow(task.followed)
        if not len(self.observer.followed()):
            self.observer.record(self.trainer)
        self.observer.record_keyframe(self.trainer)
        self.goal, self.speed = task.goal, task.speed
        self.stopped = self.parked = False
        self.answered = 0  # the number of the last command
        self.network = self.trainer.result.copy()
        self.num_reported = 0  # epochs
        self.saved_at = self.position if task.saved else None
        self.reports, self.checkpoints = _Rhythm(REPORT_EVERY), _Rhythm(CHECKPOINT_EVERY)
        self.polled = self.recorded = monotonic()
        self.stepped = 0.0  # when the last step began, in slow motion

    # The training, from top to bottom.

    def run(self) -> None:
        self.report()
        end = None
        while not (self.stopped or self.parked or self.trainer.is_over):
            if self.is_paused:
                self.wait_for_command()
            elif self.speed and (seconds := self.seconds_to_next_step) > 0:
                if self.connection.poll(seconds):
                    self.obey_all()
            elif monotonic() - self.polled >= POLL_EVERY:
                self.obey_all()
            else:
                end = self.take_step()
        if self.parked:
            self.report()
            self.checkpoint()
        else:
            self.finish(end)

    @property
    def position(self) -> tuple[int, int, int]:
        """What changes whenever there is something new to save."""
        return self.trainer.step, len(self.trainer.history), len(self.trainer.changes)

    @property
    def is_paused(self) -> bool:
        """Whether a pause is wanted and may begin: after all steps that were asked for, but not if only the end is left."""
        trainer, goal = self.trainer, self.goal
        reached = trainer.step >= goal.step and len(trainer.history) >= goal.epoch
        return goal.paused and reached and not trainer.complete

    @property
    def seconds_to_next_step(self) -> float:
        """How long slow motion makes the next step wait; those that are taken by hand do not."""
        if not self.speed or self.trainer.step < self.goal.step:
            return 0.0
        return self.stepped + 1 / self.speed - monotonic()

    def take_step(self) -> Event | None:
        trainer, started = self.trainer, monotonic()
        trainer.keep_gradient = look = self.is_time_to_look(started)
        event = next(trainer, None)
        now = monotonic()
        if isinstance(event, EpochEnd):
            self.observer.record_epoch(trainer)
        elif self.speed and isinstance(event, StepEnd):
            self.stepped = started
        if trainer.step >= self.observer.next_keyframe:
            self.observer.record_keyframe(trainer, event)
        if self.checkpoints.is_due(now) and not trainer.is_over:
            self.report()
            self.checkpoint()
        if look or now - self.recorded >= RECORD_EVERY:
            self.observer.record(trainer)
            self.recorded = now
        if look or self.is_paused:
            self.report()
        return event

    def finish(self, end: Event | None) -> None:
        """Measure the network on the test images."""
        self.report(JobState.TESTING, end)
        test = evaluate(self.network, self.test_set, self.trainer.loss) if self.test_set else None
        over = JobState.DIVERGED if isinstance(end, Diverged) else JobState.FINISHED
        self.report(over if self.trainer.is_over else JobState.STOPPED, end, test)

    # Commands.

    def obey_all(self) -> None:
        self.polled = monotonic()
        if self.connection.poll():
            while not (self.stopped or self.parked) and self.connection.poll():
                self.obey(receive(self.connection))
            if not (self.stopped or self.parked):
                self.report()

    def wait_for_command(self) -> None:
        if self.position != self.saved_at and not self.connection.poll(SETTLE_SECONDS):
            self.checkpoint()
        self.connection.poll(None)
        self.obey_all()

    def obey(self, command: Command) -> None:
        trainer = self.trainer
        match command.request:
            case Request.PAUSE:
                self.goal = STAND_STILL
            case Request.RESUME:
                self.goal = GO_ON
            case Request.STEP:
                self.goal = Goal(paused=True, step=max(self.goal.step, trainer.step) + 1)
            case Request.STEP_EPOCH:
                self.goal = Goal(paused=True, epoch=len(trainer.history) + 1)
            case Request.CHANGE:
                trainer.change(**command.argument)
            case Request.FOLLOW:
                if self.observer.follow(command.argument):
                    self.observer.record(trainer)
            case Request.SPEED:
                self.speed = command.argument
            case Request.SAVE:
                self.report()
                self.checkpoint()
            case Request.PARK:
                self.parked = True
            case Request.STOP:
                self.stopped = True
        self.answered = command.number  # only now: the report of a SAVE must not answer it, its checkpoint comes later

    # What the server gets.

    def is_time_to_look(self, now: float) -> bool:
        """Twice a second, at every step taken by hand or slowly, and after 1, 2, 4, 8, ... steps: much happens in these."""
        step, is_slow = self.trainer.step, self.speed is not None and self.speed <= MAX_REPORTED_SPEED
        return self.reports.is_due(now) or step < self.goal.step or is_slow or step & (step + 1) == 0

    def report(self, state: JobState | None = None, end: Event | None = None, test: Evaluation | None = None) -> None:
        """Send a copy of the network and everything else that a viewer sees."""
        started = perf_counter()
        trainer, observer = self.trainer, self.observer
        self.network = trainer.result.copy()
        observer.look(trainer, self.network)
        new_epochs = trainer.history[self.num_reported :]
        self.num_reported += len(new_epochs)
        state = state or (JobState.PAUSED if self.is_paused else JobState.RUNNING)
        end = end if isinstance(end, Finished | Diverged) else None
        snapshot = Snapshot.of(trainer, state, self.network, observer)
        snapshot = replace(snapshot, history=History(EpochEnd), end=end, test=test, seconds_left=self.seconds_left)
        send(self.connection, Report(self.answered, snapshot, new_epochs, observer.take_keyframes()))
        self.reports.done(perf_counter() - started)

    @property
    def seconds_left(self) -> float | None:
        """About how long the rest takes, in slow motion, too."""
        trainer = self.trainer
        if not self.speed:
            return trainer.seconds_left
        num_steps = (1 - trainer.progress) * trainer.config.epochs * len(trainer.train_set) / trainer.batch_size
        return max(num_steps / self.speed, trainer.seconds_left or 0.0)

    def checkpoint(self) -> None:
        """Send the whole training as a file."""
        started = perf_counter()
        file = BytesIO()
        save_training(file, self.trainer, compress=False)
        send(self.connection, Checkpoint(self.answered, file.getvalue(), self.goal if self.parked else None))
        self.saved_at = self.position
        self.checkpoints.done(perf_counter() - started)


class _Rhythm:
    """Says when something is due: every ``seconds``, or less often, so that it takes at most ``MAX_COST`` of the time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.next = monotonic() + seconds

    def is_due(self, now: float) -> bool:
        return now >= self.next

    def done(self, cost: float) -> None:
        self.next = monotonic() + max(self.seconds, cost / MAX_COST)
