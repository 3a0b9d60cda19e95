"""``Job``: a training in a worker process, with controls to start, pause, step and stop it, and snapshots for a viewer."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.checkpoint import save_training
from engine.checks import InklingError, check_number
from engine.config import Config
from engine.data.dataset import Dataset
from engine.data.mapped import MappedDataset, map_dataset
from engine.jobs.keyframes import Keyframes
from engine.jobs.messages import GO_ON, STAND_STILL, Checkpoint, Command, Failure, Goal, Report, Request, Saved, Task
from engine.jobs.observer import checked_image
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.network import Network, num_parameters
from engine.seeding import random_streams
from engine.training import EpochEnd, initial_network
from engine.training.history import History

if TYPE_CHECKING:
    from engine.jobs.pool import Pool, Worker

MAX_STEP_WAIT = 30.0  # seconds to wait for the current step to end
MAX_UNANSWERED = 16  # commands that are sent to a worker: more could fill the pipe, and block everybody until its step ends
MIN_SPEED, MAX_SPEED = 1e-3, 1e6  # batches a second
CONTROLS = (Request.PAUSE, Request.RESUME, Request.STEP, Request.STEP_EPOCH, Request.STOP)
WORKER_ENDED = "This training stopped by accident, perhaps because memory ran out. Press Resume to go on."
UNATTENDED = "This training was paused because nobody was watching it. Press Resume to go on."
# As long as the parameters, that reports and checkpoints take at most: measured were 6 in the worker and 14 in the server;
# for small networks, which a database stores and whose freed memory is used again later, up to 10 and 18.
VIEWING_VECTORS = 25

LoadData = Callable[[], tuple[Dataset, Dataset | None]]


class TrainingOver(InklingError):
    """A request came too late: the training has ended meanwhile."""


def memory_needed(config: Config) -> int:
    """About how many bytes a training takes, in its worker and in the server, with what its viewers see."""
    return config.training_bytes() + 4 * VIEWING_VECTORS * num_parameters(config.layers, config.input_shape)


class Job:
    """A training that ``config`` describes, from the weights of ``start`` if given, or one that was ``saved``.

    ``load_data`` returns the train and test set; it is called when the training needs them. The training waits in the
    ``pool``'s queue until a worker is free. ``visitor`` is who wants it: visitors take turns. ``is_watched`` is called
    once a second; after some minutes without a viewer, the training is paused. A paused training may lose its worker to
    one that waits. Requests to a training that is over are ignored, except that ``change`` raises ``TrainingOver`` and
    ``paused_training`` ``InklingError``. ``keyframes`` are those of its steps so far, while this process runs.
    """

    can_be_parked, is_background = True, False

    def __init__(
        self,
        config: Config,
        load_data: LoadData,
        pool: "Pool",
        start: Network | None = None,
        saved: Saved | None = None,
        visitor: str = "",
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        self.config, self.pool, self.visitor, self.is_watched = config, pool, visitor, is_watched
        self.memory = memory_needed(config)
        pool.check_memory(self.memory)
        self.saved = saved  # the last checkpoint
        self.num_saved = 0  # checkpoints so far
        self.on_over: Callable[[], None] = lambda: None
        self.worker: Worker | None = None  # while it has one
        self.worker_since = 0.0
        self.still_since: float | None = None  # while it is paused
        self.last_watched = monotonic()
        self.is_parking = False  # while it makes room for another training
        self._load_data, self._start = load_data, start
        self._sets: tuple[MappedDataset, MappedDataset | None] | None = None
        self._snapshot = saved.snapshot if saved else self._before_start(load_data()[0])
        self._fallback = self._snapshot  # of the last checkpoint, or before the start
        self._state = self._snapshot.state
        self._history = History(EpochEnd)
        self._changed = pool.changed  # guards everything here, and wakes those who wait
        self._commands: list[Command] = []  # that the worker has not answered
        self._num_commands = self._num_sent = 0
        self._followed: npt.NDArray | None = None
        self._sent_followed: npt.NDArray | None = None
        self._goal, self._goes_on = GO_ON, False
        self._error: str | None = self._snapshot.error
        self.speed: float | None = None  # batches a second at most; None is full speed
        self.keyframes = Keyframes()

    # What a viewer may ask for.

    def start(self, paused: bool = False) -> None:
        """Begin, in a pause if ``paused``; raises ``InklingError`` the second time, or if the visitor has too many."""
        self.prepare()
        with self._changed:
            if self._state is not JobState.READY:
                raise InklingError(f"a training starts once, and this one is {self._state}")
            if paused:
                self._set_state(JobState.PAUSED)
            else:
                self._wake(Request.RESUME)

    def prepare(self) -> None:
        """Write the data where workers find them, which may take a while: so the pool should not be locked."""
        if self._sets is None or not all(dataset.exists() for dataset in self._sets if dataset):
            train_set, test_set = self._load_data()
            self._sets = map_dataset(train_set), None if test_set is None else map_dataset(test_set)

    def pause(self) -> None:
        """Pause after the current step."""
        with self._changed:
            if self._state is JobState.QUEUED:
                self.pool.withdraw(self)
                self._stand_still()
            elif self._state is JobState.RUNNING:
                self._send(Request.PAUSE)
                self._set_state(JobState.PAUSED)

    def resume(self) -> None:
        """Continue after a pause."""
        self._advance(Request.RESUME)

    def step(self) -> None:
        """Take one batch, then pause; called twice, take two."""
        self._advance(Request.STEP)

    def step_epoch(self) -> None:
        """Continue to the end of the current epoch, measure it, then pause."""
        self._advance(Request.STEP_EPOCH)

    def stop(self) -> None:
        """End after the current step; the network stays as it is then. Without a worker, it is not measured."""
        with self._changed:
            if self._state.is_over:
                return
            if self.worker:
                self._send(Request.STOP)
            else:
                self.pool.withdraw(self)
                self._end(JobState.STOPPED)

    def change(self, **values: Any) -> None:
        """Change settings from the next step on; raises ``InklingError`` for those that a training cannot change."""
        with self._changed:
            if self._state.is_over or self._state is JobState.TESTING:
                raise TrainingOver(f"the training is over: it is {self._state}")
            config = self._snapshot.config.changed(**values)
            self._send(Request.CHANGE, values)
            if not self.worker:
                self._snapshot = replace(self._snapshot, config=config)

    def wait_for_changes(self, timeout: float | None = None) -> bool:
        """Block until all changes are in force, at most ``timeout`` seconds; return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_over or not self.worker or not self._commands, timeout)

    def set_speed(self, speed: float | None) -> None:
        """Take at most so many batches a second from now on; None is full speed. The results stay the same."""
        if speed is not None:
            check_number("speed", speed, MIN_SPEED, MAX_SPEED)
        with self._changed:
            if speed != self.speed and not self._state.is_over:
                self.speed = speed
                if self.worker:
                    self._send(Request.SPEED, speed)

    def follow(self, image: npt.ArrayLike | None) -> None:
        """Record the predictions of this image (28, 28) in [0, 1] from now on; None ends it."""
        image = None if image is None else checked_image(image)
        with self._changed:
            same = image is self._followed or (
                image is not None and self._followed is not None and np.array_equal(image, self._followed)
            )
            if same or self._state.is_over:
                return
            self._followed = image
            self._snapshot, self._fallback = _without_followed(self._snapshot), _without_followed(self._fallback)
            if self.saved:
                self.saved = self.saved._replace(snapshot=self._fallback)
            self._send_followed()

    def paused_training(self) -> bytes:
        """The file that ``load_training`` reads, while the training is paused or not yet started."""
        self.prepare()
        with self._changed:
            self._check_can_be_saved()
            if self.worker:
                number = self._send(Request.SAVE)
                if not self._changed.wait_for(lambda: self._is_answered(number), MAX_STEP_WAIT):
                    raise InklingError("the current step has not ended yet: try again in a moment")
                if self.saved and self.saved.training is not None:
                    return self.saved.training
                self._check_can_be_saved()  # it may have ended meanwhile
            task, changes = self._task(), [command for command in self._commands if command.request is Request.CHANGE]
        if task.saved and task.saved.training is not None and not changes:
            return task.saved.training
        trainer = task.make_trainer()
        for command in changes:
            trainer.change(**command.argument)
        file = BytesIO()
        save_training(file, trainer, compress=False)
        return file.getvalue()

    @property
    def is_still(self) -> bool:
        """Whether nothing changes by itself: it has come to a stop in a pause, is over, or has not started."""
        with self._changed:
            if self._state is JobState.PAUSED and self.worker:
                return self._snapshot.state is JobState.PAUSED and not self._commands
            return self._state.is_over or self._state in (JobState.READY, JobState.PAUSED)

    def wait_until_still(self, timeout: float | None = None) -> bool:
        """Block until the training has paused or is over, at most ``timeout`` seconds; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_still and self._state is not JobState.READY, timeout)

    def wait_until_over(self, timeout: float | None = None) -> bool:
        """Block until the training is over, at most ``timeout`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_over, timeout)

    def snapshot(self) -> Snapshot:
        """The training as it was at the last report: twice a second, and after each request."""
        with self._changed:
            if self._snapshot.is_over:
                return self._snapshot
            return replace(self._snapshot, state=self._state, error=self._error)

    @property
    def is_over(self) -> bool:
        return self._state.is_over

    @property
    def seconds_left(self) -> float | None:
        """About how long it still needs a worker; None if that is not known."""
        return self.snapshot().seconds_left

    # What the pool calls, with ``changed`` locked.

    def begin(self, worker: "Worker") -> None:
        """Go on in this worker."""
        self.worker, self.worker_since = worker, monotonic()
        self._history = History(EpochEnd)
        self._sent_followed, self._num_sent, self.is_parking = self._followed, 0, False
        self._set_state(JobState.RUNNING)
        worker.send(self._task())
        self._send_more()

    def park(self, goes_on: bool) -> None:
        """Make room for another training. If it ``goes_on``, wait in the queue, otherwise in a pause."""
        self._goes_on, self.is_parking = goes_on, True
        self._send(Request.PARK)

    def pause_unattended(self) -> None:
        """Pause a training that nobody has watched for a while, and free its worker."""
        self._error = UNATTENDED
        if self.worker:
            self.park(goes_on=False)
        else:
            self.pause()

    def receive(self, message: Report | Checkpoint | Failure) -> None:
        """Take over what the worker says."""
        if isinstance(message, Failure):
            self._leave_worker()
            self._end(JobState.FAILED, message.error)
            return
        self._commands = [command for command in self._commands if command.number > message.answered]
        if isinstance(message, Checkpoint):
            self._fallback = replace(self._snapshot, state=JobState.PAUSED)
            self.saved = Saved(message.training, self._fallback)
            self.num_saved += 1
            if message.goal is not None:
                self._after_parking(message.goal)
            self._send_more()
            self._changed.notify_all()
            return
        if message.keyframes:
            self.keyframes.add(message.keyframes)
        for event in message.new_epochs:
            self._history.append(event)
        self._snapshot = replace(message.snapshot, history=self._history.frozen_copy())
        if self._is_follow_pending or self._followed is not self._sent_followed:
            self._snapshot = _without_followed(self._snapshot)  # it is about an earlier image
        state = self._snapshot.state
        if state.is_over:
            self._leave_worker()
            self._end(state)
        elif state is JobState.TESTING or not self._commands:
            self._set_state(state)
        self._send_followed()
        self._send_more()

    def lose_worker(self, error: str | None = WORKER_ENDED) -> None:
        """Go back to the last checkpoint: the worker has died. Viewers are told of the ``error``."""
        self._leave_worker()
        self._snapshot = self._fallback
        self.keyframes.drop_after(self._snapshot.step)
        if any(command.request is Request.STOP for command in self._commands):
            self._end(JobState.STOPPED)
        else:
            self._commands.clear()
            self._error = error
            self._set_state(JobState.PAUSED)

    # How it works.

    def _before_start(self, train_set: Dataset) -> Snapshot:
        train_set, _ = self.config.split(train_set, random_streams(self.config.seed)["split"])
        return Snapshot.before_start(self.config, initial_network(self.config, train_set, self._start))

    def _advance(self, request: Request) -> None:
        if not self.worker:
            self.prepare()
        with self._changed:
            if self._state.is_over or self._state is JobState.TESTING:
                return
            if self.worker:
                if self._state is JobState.PAUSED:
                    self.pool.check_limits(self)
                self._send(request)
                self._set_state(JobState.RUNNING)
            elif request is not Request.RESUME or self._state is not JobState.READY:
                self._wake(request)

    def _wake(self, request: Request) -> None:
        """Wait for a worker, to carry this out there."""
        if self._state is JobState.QUEUED:
            self._send(request)
            return
        self.pool.check_limits(self)
        self.last_watched = monotonic()
        self._error, self._goal = None, STAND_STILL
        self._send(request)
        self._set_state(JobState.QUEUED)
        self.pool.enqueue(self)

    def _task(self) -> Task:
        train_set, test_set = self._sets  # pyright: ignore[reportGeneralTypeIssues]
        start = None if self.saved and self.saved.training is not None else self._start
        return Task(self.config, train_set, test_set, start, self.saved, self._goal, self._followed, self.speed)

    def _send(self, request: Request, argument: Any = None) -> int:
        self._num_commands += 1
        self._commands.append(Command(self._num_commands, request, argument))
        self._send_more()
        return self._num_commands

    def _send_more(self) -> None:
        """Send the worker the next commands, as long as few are unanswered."""
        for command in self._commands[:MAX_UNANSWERED]:
            if self.worker and command.number > self._num_sent:
                self._num_sent = command.number
                self.worker.send(command)

    def _send_followed(self) -> None:
        """Send the image to follow, unless an earlier one is on its way: they may come faster than steps end."""
        if self.worker and not self._is_follow_pending and self._followed is not self._sent_followed:
            self._sent_followed = self._followed
            self._send(Request.FOLLOW, self._followed)

    @property
    def _is_follow_pending(self) -> bool:
        return any(command.request is Request.FOLLOW for command in self._commands)

    def _is_answered(self, number: int) -> bool:
        return all(command.number != number for command in self._commands)

    def _check_can_be_saved(self) -> None:
        if self._state not in (JobState.PAUSED, JobState.READY):
            raise InklingError(f"only a paused training can be saved, and this one is {self._state}: pause it first")

    def _leave_worker(self) -> None:
        if self.worker:
            self.worker.job = None
        self.worker = None

    def _after_parking(self, goal: Goal) -> None:
        """Do without a worker what was asked for after the request to park; ``goal`` is the training's before that."""
        self._leave_worker()
        self._commands = [command for command in self._commands if command.request in (Request.CHANGE, *CONTROLS)]
        controls = [command.request for command in self._commands if command.request in CONTROLS]
        if Request.STOP in controls:
            self._end(JobState.STOPPED)
        elif controls[-1] is Request.PAUSE if controls else not self._goes_on:
            self._stand_still()
        else:
            self._goal = goal if self._goes_on else STAND_STILL
            self._set_state(JobState.QUEUED)
            self.pool.enqueue(self)

    def _stand_still(self) -> None:
        """Pause without a worker; changes wait for the next one."""
        self._commands = [command for command in self._commands if command.request is Request.CHANGE]
        self._set_state(JobState.PAUSED)

    def _end(self, state: JobState, error: str | None = None) -> None:
        self._error = error
        self._fallback = self._snapshot = replace(self._snapshot, state=state, error=error)
        self._commands.clear()
        self.saved = None
        self._set_state(state)
        self.on_over()

    def _set_state(self, state: JobState) -> None:
        self._state = state
        self.still_since = (self.still_since or monotonic()) if state is JobState.PAUSED else None
        self._changed.notify_all()


def _without_followed(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, followed=snapshot.followed[:0])
