"""``Job``: a ``Trainer`` on its own thread, with controls to start, pause, step and stop it, and snapshots for a viewer."""

import logging
from collections.abc import Callable
from io import BytesIO
from threading import Condition, Thread
from time import monotonic
from typing import Any

import numpy.typing as npt

from engine.checkpoint import save_training
from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.jobs.observer import Observer
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.metrics import Evaluation, evaluate
from engine.training import Diverged, EpochEnd, Event, Finished, Trainer

PUBLISH_EVERY = 0.5  # seconds between the copies of the network that a viewer sees
RECORD_EVERY = 0.1  # seconds between the points of the curve of the followed image
CHECK_WATCHED_EVERY = 1.0  # seconds between two checks whether anyone still watches
UNWATCHED_GRACE = 15.0  # seconds without a viewer after which a training stops: reloading the page takes less
MAX_STEP_WAIT = 30.0  # seconds to wait for the current step to end

log = logging.getLogger(__name__)


def one_line(error: Exception) -> str:
    """What went wrong, as one line for the viewer."""
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "this takes more memory than there is: try fewer units or smaller batches"
    if isinstance(error, InklingError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


class Job:
    """Runs ``trainer``, a new one or one that was loaded, on a thread.

    ``is_watched`` is called once a second; after 15 s without a viewer the training stops. Requests to a training that is
    over are ignored, except that ``change`` and ``paused_training`` raise ``InklingError``.
    """

    def __init__(
        self, trainer: Trainer, test_set: Dataset | None = None, is_watched: Callable[[], bool] = lambda: True
    ) -> None:
        self.test_set, self._is_watched = test_set, is_watched
        self.trainer: Any = trainer  # None when the training is over
        self._changed = Condition()  # guards what follows, and wakes a paused thread
        self._state, self._wanted = JobState.READY, JobState.RUNNING
        self._to_step = self._to_epoch = 0  # a pause begins once so many steps are taken and so many epochs measured
        self._asleep = True  # the thread waits and does not touch the trainer while another thread holds the lock
        self._writers = 0  # how many callers are saving the training, which must not move meanwhile
        self._pending: dict[str, Any] = {}  # changes that wait for the end of the step or of the saving
        self._network = trainer.result.copy()
        self._observer = Observer(trainer.result, test_set)
        self._observer.look(trainer, self._network)
        self._end: Finished | Diverged | None = None
        self._test: Evaluation | None = None
        self._error: str | None = None
        self._last: Snapshot | None = None
        self._published = self._recorded = self._checked = self._last_watched = monotonic()
        self._thread = Thread(target=self._run, name="training", daemon=True)

    def start(self, paused: bool = False) -> None:
        """Begin, in a pause if ``paused``; raises ``InklingError`` the second time."""
        with self._changed:
            if self._state is not JobState.READY:
                raise InklingError(f"a training starts once, and this one is {self._state}")
            if paused and self._wanted is not JobState.STOPPED:
                self._wanted = JobState.PAUSED
            self._begin(JobState.PAUSED if self._wanted is JobState.PAUSED else JobState.RUNNING)

    def pause(self) -> None:
        """Pause after the current step."""
        self._want(JobState.PAUSED)

    def resume(self) -> None:
        """Continue after a pause."""
        self._want(JobState.RUNNING)

    def step(self) -> None:
        """Take one batch, then pause; called twice, take two."""
        self._advance(lambda trainer: (max(self._to_step, trainer.step) + 1, 0))

    def step_epoch(self) -> None:
        """Continue to the end of the current epoch, measure it, then pause."""
        self._advance(lambda trainer: (0, len(trainer.history) + 1))

    def stop(self) -> None:
        """End after the current step; the network stays as it is then."""
        self._want(JobState.STOPPED)

    def change(self, **values: Any) -> None:
        """Change settings from the next step on; raises ``InklingError`` at once for what ``Trainer.changed`` refuses."""
        with self._changed:
            self._unfinished().changed(**values)
            self._pending |= values
            if self._asleep:
                self._apply_changes()

    def wait_for_changes(self, timeout: float | None = None) -> bool:
        """Block until all changes are in force, at most ``timeout`` seconds; return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_over or not self._pending, timeout)

    def follow(self, image: npt.ArrayLike | None) -> None:
        """Record the predictions of this image (28, 28) in [0, 1] from now on; None ends it."""
        with self._changed:
            if self._observer.follow(image) and self.trainer and self._asleep:
                self._observer.record(self.trainer)

    def paused_training(self) -> bytes:
        """The file that ``load_training`` reads, while the training is paused or not yet started."""
        with self._changed:
            if self._state not in (JobState.PAUSED, JobState.READY):
                raise InklingError(f"only a paused training can be saved, and this one is {self._state}: pause it first")
            if not self._changed.wait_for(lambda: self._asleep or self._state.is_over, MAX_STEP_WAIT):
                raise InklingError("the current step has not ended yet: try again in a moment")
            trainer = self._unfinished()
            self._writers += 1
        try:
            file = BytesIO()
            save_training(file, trainer)
            return file.getvalue()
        finally:
            with self._changed:
                self._writers -= 1
                self._changed.notify_all()

    def wait_until_still(self, timeout: float | None = None) -> bool:
        """Block until the training has paused or is over, at most ``timeout`` seconds; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_over or (self._asleep and self._may_pause()), timeout)

    def wait_until_over(self, timeout: float | None = None) -> bool:
        """Block until the training is over, at most ``timeout`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_over, timeout)

    def snapshot(self) -> Snapshot:
        """The training as it is now."""
        with self._changed:
            return self._last or self._look()

    def _look(self) -> Snapshot:
        trainer, observer = self.trainer, self._observer
        return Snapshot(
            state=self._state,
            network=self._network,
            config=trainer.config,
            epoch=trainer.epoch,
            step=trainer.step,
            progress=trainer.progress,
            curve=trainer.curve.points(),
            history=trainer.history.frozen_copy(),
            changes=tuple(trainer.changes),
            health=observer.health,
            samples=observer.samples,
            followed=observer.followed(),
            confusions=observer.confusions.items(),
            end=self._end,
            test=self._test,
            samples_per_second=trainer.samples_per_second,
            seconds=trainer.seconds,
            seconds_left=trainer.seconds_left,
            error=self._error,
        )

    def _begin(self, state: JobState) -> None:
        self._state, self._asleep = state, False
        self._thread.start()

    def _unfinished(self) -> Trainer:
        if self._state.is_over or self._state is JobState.TESTING:
            raise InklingError(f"the training is over: it is {self._state}")
        return self.trainer

    def _want(self, state: JobState) -> None:
        with self._changed:
            if self._wanted is not JobState.STOPPED:
                self._wanted, self._to_step, self._to_epoch = state, 0, 0
                if self._state in (JobState.RUNNING, JobState.PAUSED) and state is not JobState.STOPPED:
                    self._state = state
            self._changed.notify_all()

    def _advance(self, goals: Callable[[Trainer], tuple[int, int]]) -> None:
        with self._changed:
            if self._state.is_over or self._wanted is JobState.STOPPED or self._state is JobState.TESTING:
                return
            self._wanted = JobState.PAUSED
            self._to_step, self._to_epoch = goals(self.trainer)
            if self._state is JobState.READY:
                self._begin(JobState.RUNNING)
            self._state = JobState.RUNNING
            self._changed.notify_all()

    def _run(self) -> None:
        trainer = self.trainer
        try:
            while self._may_continue():
                trainer.keep_gradient = look = self._is_time_to_look()
                event = next(trainer, None)
                if event is None:
                    break
                self._record(event, look)
            self._publish()
            with self._changed:
                self._state = JobState.TESTING
            test = evaluate(self._network, self.test_set, trainer.loss) if self.test_set else None
            if isinstance(self._end, Diverged):
                self._close(JobState.DIVERGED, test=test)
            else:
                self._close(JobState.FINISHED if trainer.is_over else JobState.STOPPED, test=test)
        except Exception as error:  # nothing catches what a thread raises: the viewer gets a line, the log the details
            log.exception("training failed")
            self._close(JobState.FAILED, error=one_line(error))

    def _close(self, state: JobState, test: Evaluation | None = None, error: str | None = None) -> None:
        """Take the last snapshot, and drop the trainer, whose arrays are many times the network's."""
        with self._changed:
            self._state, self._test, self._error = state, test, error
            self._changed.notify_all()
            self._last = self._look()
            self.trainer = None

    def _is_time_to_look(self) -> bool:
        """Twice a second, at every step taken by hand, and after 1, 2, 4, 8, ... steps: much happens in the first ones."""
        step = self.trainer.step
        return monotonic() - self._published >= PUBLISH_EVERY or step < self._to_step or step & (step + 1) == 0

    def _record(self, event: Event, look: bool) -> None:
        if isinstance(event, (Finished, Diverged)):
            with self._changed:
                self._end = event
        if isinstance(event, EpochEnd):
            self._observer.record_epoch(self.trainer)
        if look or monotonic() - self._recorded >= RECORD_EVERY:
            self._observer.record(self.trainer)
            self._recorded = monotonic()
        if look:
            self._publish()

    def _publish(self) -> None:
        network = self.trainer.result.copy()  # a viewer's network never changes: a new copy takes its place
        self._observer.look(self.trainer, network)
        with self._changed:
            self._network, self._published = network, monotonic()

    def _may_continue(self) -> bool:
        """Wait as long as a pause is wanted; return whether to take another step."""
        self._check_watched()
        with self._changed:
            self._apply_changes()
            if not self._may_pause() and not self._writers:
                return self._wanted is not JobState.STOPPED
        self._publish()
        with self._changed:
            while self._may_pause() or self._writers:
                self._asleep = True
                self._state = JobState.PAUSED if self._may_pause() else self._state
                self._changed.notify_all()
                self._changed.wait(CHECK_WATCHED_EVERY)
                self._apply_changes()
                self._check_watched()
            self._asleep = False
            return self._wanted is not JobState.STOPPED

    def _apply_changes(self) -> None:
        if self._pending and not self._writers:
            self.trainer.change(**self._pending)
            self._pending = {}
            self._changed.notify_all()

    def _may_pause(self) -> bool:
        """Whether a pause is wanted and may begin: after all steps that were asked for, but not if only the end is left."""
        trainer = self.trainer
        reached = trainer.step >= self._to_step and len(trainer.history) >= self._to_epoch
        return self._wanted is JobState.PAUSED and reached and not trainer.complete

    def _check_watched(self) -> None:
        now = monotonic()
        if now - self._checked < CHECK_WATCHED_EVERY:
            return
        self._checked = now
        if self._is_watched():
            self._last_watched = now
        elif now - self._last_watched > UNWATCHED_GRACE:
            self.stop()
