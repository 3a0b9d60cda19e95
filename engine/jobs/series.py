"""``Series``: the same training from one or several seeds, one after another. What a viewer starts is always a series."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import Condition, Thread
from time import monotonic
from typing import Any, Self

import numpy.typing as npt

from engine.checks import InklingError
from engine.config import Config
from engine.data.dataset import Dataset
from engine.jobs.job import Job, one_line
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.network import Network
from engine.training import Trainer

log = logging.getLogger(__name__)


class Series:
    """Runs a ``Job`` for each trainer that ``make_trainers`` make, one after another; each is made when its turn comes.

    ``jobs`` are those that were made so far. After a training that diverged the next one runs; a training that was stopped
    or that failed ends the series. ``is_over`` says that no other will run, and ``error`` in one line why the next training
    could not be made, if so. ``is_watched`` is as in ``Job``.
    """

    def __init__(
        self,
        make_trainers: Iterable[Callable[[], Trainer]],
        test_set: Dataset | None = None,
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        self._makers = deque(make_trainers)  # each is dropped when it is used: it may hold a trainer, which is large
        if not self._makers:
            raise InklingError("a series must have at least one training, got none")
        self.num_seeds = len(self._makers)
        self.test_set, self._is_watched = test_set, is_watched
        self._changed = Condition()  # guards what follows, and wakes those who wait for the next job
        self.jobs: tuple[Job, ...] = (self._make_job(),)
        self.is_over = self._stopped = False
        self._paused = False  # whether the next job begins paused
        self._followed: npt.ArrayLike | None = None
        self.error: str | None = None
        self._thread = Thread(target=self._run, name="series", daemon=True)

    @classmethod
    def from_config(
        cls,
        config: Config,
        num_seeds: int,
        train_set: Dataset,
        test_set: Dataset | None = None,
        start: Network | None = None,
        is_watched: Callable[[], bool] = lambda: True,
    ) -> Self:
        """The training that ``config`` describes, from its seed and the ``num_seeds - 1`` that follow."""
        configs = [replace(config, seed=config.seed + k) for k in range(num_seeds)]
        makers = [lambda config=config: Trainer.from_config(config, train_set, start) for config in configs]
        return cls(makers, test_set, is_watched)

    @property
    def job(self) -> Job:
        """The current training, or the last one."""
        return self.jobs[-1]

    def start(self, paused: bool = False) -> None:
        """Begin with the first training, in a pause if ``paused``; raises ``InklingError`` the second time."""
        with self._changed:
            if self._thread.ident is not None:
                raise InklingError("a series starts once, and this one has")
            self._paused = self._paused or paused
            self.job.start(self._paused)
            self._thread.start()

    def pause(self) -> None:
        """Pause after the current step."""
        self._ask(Job.pause, paused=True)

    def resume(self) -> None:
        """Continue after a pause."""
        self._ask(Job.resume, paused=False)

    def step(self) -> None:
        """Take one batch, then pause. After the last batch of a seed, the next seed begins paused."""
        self._advance(Job.step)

    def step_epoch(self) -> None:
        """Continue to the end of the current epoch, measure it, then pause. The next seed begins paused."""
        self._advance(Job.step_epoch)

    def stop(self) -> None:
        """End the current training after its step, and begin no other."""
        with self._changed:
            self._stopped = True
            self.job.stop()

    def change(self, **values: Any) -> None:
        """Change settings as ``Job.change`` does; raises ``InklingError`` if there are several seeds."""
        if self.num_seeds > 1:
            raise InklingError("settings cannot be changed while several seeds run: all seeds must have the same settings")
        self.job.change(**values)

    def wait_for_changes(self, timeout: float | None = None) -> bool:
        """Block until all changes are in force, at most ``timeout`` seconds; return whether they are."""
        return self.job.wait_for_changes(timeout)

    def follow(self, image: npt.ArrayLike | None) -> None:
        """Record the predictions of this image in the current training and in the next ones; None ends it."""
        with self._changed:
            self.job.follow(image)
            self._followed = image

    def paused_training(self) -> bytes:
        """The current training as the file that ``load_training`` reads, while it is paused."""
        return self.job.paused_training()

    def snapshot(self) -> Snapshot:
        """The current training, or the last one."""
        return self.job.snapshot()

    def snapshots(self) -> tuple[Snapshot, ...]:
        """A ``Snapshot`` of each training that has begun."""
        return tuple(job.snapshot() for job in self.jobs)

    @property
    def is_still(self) -> bool:
        """Whether nothing changes by itself: the series is over, has come to a stop in a pause, or has not started."""
        state = self.snapshot().state
        return self.is_over or state is JobState.READY or (state is JobState.PAUSED and self.job.wait_until_still(0))

    def wait_until_still(self, timeout: float | None = None) -> bool:
        """Block until the series has paused or is over, at most ``timeout`` seconds; return whether it has.

        At the end of a seed it waits for the next one.
        """
        deadline = None if timeout is None else monotonic() + timeout

        def time_left() -> float | None:
            return None if deadline is None else max(deadline - monotonic(), 0)

        while not self.is_still:
            job = self.job
            if not job.wait_until_still(time_left()):
                return False
            if job.snapshot().is_over:
                with self._changed:
                    if not self._changed.wait_for(lambda job=job: self.is_over or self.job is not job, time_left()):
                        return False
        return True

    def wait_until_over(self, timeout: float | None = None) -> bool:
        """Block until the series is over, at most ``timeout`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_over, timeout)

    def _ask(self, request: Callable[[Job], None], paused: bool) -> None:
        with self._changed:
            self._paused = paused  # for the next seed, if this one ends before it pauses
            request(self.job)

    def _advance(self, request: Callable[[Job], None]) -> None:
        if self._thread.ident is None:
            self.start(paused=True)
        self._ask(request, paused=True)

    def _make_job(self) -> Job:
        try:
            return Job(self._makers.popleft()(), self.test_set, self._is_watched)
        except MemoryError as error:
            raise InklingError(one_line(error)) from None

    def _run(self) -> None:
        try:
            self.job.wait_until_over()
            while self._makers and self.snapshot().state not in (JobState.STOPPED, JobState.FAILED):
                job = self._make_job()
                with self._changed:
                    if self._stopped:
                        break
                    job.follow(self._followed)
                    job.start(self._paused)
                    self.jobs += (job,)
                    self._changed.notify_all()
                job.wait_until_over()
        except Exception as error:  # nothing catches what a thread raises: the viewer gets a line, the log the details
            if not isinstance(error, InklingError):
                log.exception("the next training could not be made")
            self.error = one_line(error)
        finally:
            with self._changed:
                self.is_over = True
                self._changed.notify_all()
