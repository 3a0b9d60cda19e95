"""``Series``: the same training from one or several seeds, one after another. What a viewer starts is always a series."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy.typing as npt

from engine.checks import InklingError
from engine.config import Config
from engine.data.dataset import Dataset
from engine.jobs.job import Job, LoadData, TrainingOver
from engine.jobs.keyframes import Keyframes
from engine.jobs.messages import Saved
from engine.jobs.pool import Place, Pool, default_pool
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.jobs.worker import one_line
from engine.network import Network

log = logging.getLogger(__name__)


class Series:
    """Runs a ``Job`` for ``config``'s seed and the ``num_seeds - 1`` that follow, one after another.

    ``finished`` are the last snapshots of trainings that are over, and ``saved`` is the paused one, if the series began
    earlier. After a training that diverged the next one runs; a training that was stopped or that failed ends the series.
    ``error`` says in one line why the next training could not begin, if so. The other arguments are those of ``Job``.
    """

    def __init__(
        self,
        config: Config,
        load_data: LoadData,
        num_seeds: int = 1,
        start: Network | None = None,
        finished: Sequence[Snapshot] = (),
        saved: Saved | None = None,
        pool: Pool | None = None,
        visitor: str = "",
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        if num_seeds < 1:
            raise InklingError("a series must have at least one training, got none")
        self.config, self.num_seeds, self._load_data, self.start_network = config, num_seeds, load_data, start
        self.pool, self.visitor, self.is_watched = pool or default_pool(), visitor, is_watched
        self._changed = self.pool.changed  # guards what follows
        self._finished = finished
        self.jobs: tuple[Job, ...] = ()
        self._started, self._stopped = bool(saved or finished), False
        self._paused = False  # whether the next job begins paused
        self._followed: npt.ArrayLike | None = None
        self.speed: float | None = None  # batches a second at most; None is full speed
        self.error: str | None = None
        if saved or not finished:
            self._add_job(saved)
        self.is_over = not self.jobs

    @classmethod
    def from_config(
        cls, config: Config, num_seeds: int, train_set: Dataset, test_set: Dataset | None = None, **options: Any
    ) -> Self:
        """A series on these data sets."""
        return cls(config, lambda: (train_set, test_set), num_seeds, **options)

    def data(self) -> tuple[Dataset, Dataset | None]:
        """The train and test sets; raises ``InklingError`` if they cannot be loaded any more."""
        return self._load_data()

    @property
    def test_set(self) -> Dataset | None:
        return self._load_data()[1]

    @property
    def job(self) -> Job:
        """The current training, or the last one; raises ``TrainingOver`` if all ended earlier."""
        if not self.jobs:
            raise TrainingOver("the training is over")
        return self.jobs[-1]

    def start(self, paused: bool = False) -> None:
        """Begin with the first training, in a pause if ``paused``; raises ``InklingError`` the second time."""
        self._prepare()
        with self._changed:
            if self._started:
                raise InklingError("a series starts once, and this one has")
            self._paused = self._paused or paused
            self.job.start(self._paused)
            self._started = True

    def pause(self) -> None:
        """Pause after the current step."""
        self._ask(Job.pause, paused=True)

    def resume(self) -> None:
        """Continue after a pause."""
        self._prepare()
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
            if not self.is_over:
                self.job.stop()

    def change(self, **values: Any) -> None:
        """Change settings as ``Job.change`` does; raises ``InklingError`` if there are several seeds."""
        if self.num_seeds > 1:
            raise InklingError("settings cannot be changed while several seeds run: all seeds must have the same settings")
        self.job.change(**values)

    def wait_for_changes(self, timeout: float | None = None) -> bool:
        """Block until all changes are in force, at most ``timeout`` seconds; return whether they are."""
        return self.is_over or self.job.wait_for_changes(timeout)

    def set_speed(self, speed: float | None) -> None:
        """Take at most so many batches a second from now on, with the next seeds, too; None is full speed."""
        with self._changed:
            if not self.is_over:
                self.job.set_speed(speed)
            self.speed = speed

    def follow(self, image: npt.ArrayLike | None) -> None:
        """Record the predictions of this image in the current training and in the next ones; None ends it."""
        with self._changed:
            if not self.is_over:
                self.job.follow(image)
            self._followed = image

    def paused_training(self) -> bytes:
        """The current training as the file that ``load_training`` reads, while it is paused."""
        return self.job.paused_training()

    @property
    def num_begun(self) -> int:
        """How many trainings have begun."""
        return len(self._finished) + len(self.jobs)

    @property
    def saved(self) -> Saved | None:
        """The last checkpoint of the current training."""
        return None if self.is_over else self.job.saved

    def snapshot(self) -> Snapshot:
        """The current training, or the last one."""
        return self.jobs[-1].snapshot() if self.jobs else self._finished[-1]

    def snapshots(self) -> tuple[Snapshot, ...]:
        """A ``Snapshot`` of each training that has begun."""
        return (*self._finished, *(job.snapshot() for job in self.jobs))

    @property
    def keyframes(self) -> Keyframes:
        """Those of the current training, or the last one; none if all ended earlier."""
        return self.jobs[-1].keyframes if self.jobs else Keyframes()

    def place(self) -> Place | None:
        """Where the current training stands in the queue; None if it is not in it."""
        return None if self.is_over else self.pool.place(self.job)

    @property
    def is_active(self) -> bool:
        """Whether it has a worker, or waits for one."""
        with self._changed:
            return not self.is_over and (self.job.worker is not None or self.job.snapshot().state is JobState.QUEUED)

    @property
    def is_still(self) -> bool:
        """Whether nothing changes by itself: the series is over, has come to a stop in a pause, or has not started."""
        with self._changed:
            return self.is_over or (self.job.is_still and not self.job.snapshot().is_over)

    def wait_until_still(self, timeout: float | None = None) -> bool:
        """Block until the series has paused or is over, at most ``timeout`` seconds; return whether it has.

        At the end of a seed it waits for the next one.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self.is_still, timeout)

    def wait_until_over(self, timeout: float | None = None) -> bool:
        """Block until the series is over, at most ``timeout`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_over, timeout)

    def _prepare(self) -> None:
        """Load the data while the pool is not locked."""
        if not self.is_over:
            self.job.prepare()

    def _ask(self, request: Callable[[Job], None], paused: bool) -> None:
        with self._changed:
            self._paused = paused  # for the next seed, if this one ends before it pauses
            if not self.is_over:
                request(self.job)

    def _advance(self, request: Callable[[Job], None]) -> None:
        self._prepare()
        with self._changed:
            if not self._started:
                self.start(paused=True)
            self._ask(request, paused=True)

    def _add_job(self, saved: Saved | None = None) -> None:
        config = replace(self.config, seed=self.config.seed + self.num_begun)
        job = Job(config, self._load_data, self.pool, self.start_network, saved, self.visitor, self.is_watched)
        job.set_speed(self.speed)
        job.on_over = self._next
        self.jobs += (job,)

    def _next(self) -> None:
        """Begin with the next seed, if there is another and nothing speaks against it."""
        if self.num_begun < self.num_seeds and not self._stopped and self.job.snapshot().state is not JobState.FAILED:
            try:
                self._add_job()
                self.job.follow(self._followed)
                self.job.start(self._paused)
                return
            except Exception as error:  # the viewer gets a line, the log the details
                if not isinstance(error, InklingError):
                    log.exception("the next training cannot begin")
                self.error = one_line(error)
                self.jobs = tuple(job for job in self.jobs if job.snapshot().state is not JobState.READY)
        self.is_over = True
        self._changed.notify_all()
