"""``Trials``: trials of a sweep in a worker process of the pool, after people's own trainings."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic, sleep
from typing import Any

from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.data.mapped import MappedDataset, map_dataset
from engine.jobs.iteration import ENDED, Iteration
from engine.jobs.pool import Pool
from engine.sweep.plan import StorageError, Sweep

STUDY_BYTES = 40_000_000  # of Optuna and its database's driver in the worker
MAX_LOST = 3  # workers one after another that died before a trial was over: then it is not tried again

RETRY_SECONDS = 10.0  # until the storage is tried again: its database may be started anew
MAX_ATTEMPTS = 30
ASK_SECONDS = 0.1  # between two questions meanwhile whether to stop

log = logging.getLogger(__name__)


class Trials(Iteration):
    """Runs trials of the study ``name`` in the storage ``url`` until nothing is left to do, in the background of the pool.

    The last one to end measures the winner on ``test_set``. If its worker process dies, another one takes over. It goes on
    when nobody watches. Raises ``InklingError`` if the largest network needs more memory than the pool has.
    """

    can_be_parked, is_background = True, True

    def __init__(
        self,
        url: str,
        name: str,
        sweep: Sweep,
        train_set: Dataset,
        test_set: Dataset,
        pool: Pool | None = None,
        visitor: str = "",
    ) -> None:
        super().__init__(_run_trials, sweep.training_bytes() + STUDY_BYTES, pool, visitor)
        self._arguments = url, name, map_dataset(train_set), map_dataset(test_set)
        self._num_lost = 0
        self.enqueue()

    def arguments(self) -> tuple[Any, ...]:
        return self._arguments

    def take(self, value: int) -> None:
        """A trial is over."""
        self._num_lost = 0

    def lose_worker(self, error: str | None = ENDED) -> None:
        self._num_lost += not self.is_parking  # else it was ended because it did not make room
        if error is None or self.is_over or self._num_lost >= MAX_LOST:
            super().lose_worker(error)
        else:
            self.is_parking = False
            self.leave_worker()
            self.pool.enqueue(self)


def _run_trials(
    url: str, name: str, train_set: MappedDataset, test_set: MappedDataset, is_stopped: Callable[[], bool]
) -> Iterator[int]:
    """The number of each trial that is over."""
    from engine.sweep.study import open_study, storage_errors  # Optuna is optional
    from engine.sweep.worker import Worker

    for attempts_left in reversed(range(MAX_ATTEMPTS)):
        try:
            with storage_errors():
                study = open_study(url, name)
                with closing(study):
                    for trial in Worker(study, train_set.open(), is_stopped).run():
                        yield trial.number
                    if study.is_over and study.best:
                        study.measure_winner(test_set.open())
            return
        except StorageError as error:
            log.warning("%s", error)
            if not attempts_left:
                raise InklingError("the storage of the sweeps cannot be used now") from None
        until = monotonic() + RETRY_SECONDS
        while monotonic() < until:
            if is_stopped():
                return
            sleep(ASK_SECONDS)
