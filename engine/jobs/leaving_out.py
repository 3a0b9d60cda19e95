"""``LeavingOut``: leave one writer out after the other, in a worker process, and what has come of it so far."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from engine.data.collection import Collection
from engine.data.dataset import DataError, Dataset
from engine.data.mapped import MappedDataset, map_dataset
from engine.finetuning import FineTuning, FineTuningSettings
from engine.jobs.iteration import Iteration
from engine.jobs.pool import Pool
from engine.jobs.tuning import REPORT_EVERY, memory_of
from engine.leave_one_writer_out import WriterTested, leave_one_writer_out
from engine.network import Network
from engine.training import Diverged, StepEnd


class LeavingOut(Iteration):
    """Tests each of the ``writers``, in this order, with a network that has learned from all others; see
    ``leave_one_writer_out``.

    ``tested`` grows writer by writer. It waits in the queue from the beginning, and makes room for others after a turn.
    """

    can_be_parked = True

    def __init__(
        self,
        network: Network,
        drawings: Collection,
        writers: Sequence[str],
        settings: FineTuningSettings,
        rehearsal_set: Dataset,
        pool: Pool | None = None,
        visitor: str = "",
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        if not writers:
            raise DataError("to leave one writer out, there must be one to test, got none")
        plan = FineTuning(network, drawings, replace(settings, held_back=0), rehearsal_set)
        super().__init__(_leave_out, memory_of(plan), pool, visitor, is_watched)
        leave_one_writer_out(network, drawings, settings, rehearsal_set, writers)  # raises for what cannot be
        self.writers, self.settings = tuple(writers), settings
        self.tested: tuple[WriterTested, ...] = ()
        self.diverged: tuple[str, ...] = ()  # writers without whom the network did not learn
        self._data = network, drawings, settings, map_dataset(rehearsal_set)
        self.enqueue()

    @property
    def writer(self) -> str:
        """Who is left out now; "" at the end."""
        return next(iter(self._rest), "")

    @property
    def _rest(self) -> list[str]:
        done = {*(result.writer for result in self.tested), *self.diverged}
        return [writer for writer in self.writers if writer not in done]

    def arguments(self) -> tuple[Any, ...]:
        return *self._data, self._rest

    def take(self, value: WriterTested | Diverged | float) -> None:
        if isinstance(value, WriterTested):
            self.tested = (*self.tested, value)
        elif isinstance(value, Diverged):
            self.diverged = (*self.diverged, self.writer)
        done = len(self.writers) - len(self._rest)
        self.progress = (done + (value if isinstance(value, float) else 0)) / len(self.writers)


def _leave_out(
    network: Network,
    drawings: Collection,
    settings: FineTuningSettings,
    rehearsal_set: MappedDataset,
    writers: Sequence[str],
    is_stopped: Callable[[], bool],
) -> Iterator[WriterTested | Diverged | float]:
    """Floats are the progress with the writer who is left out now."""
    step, reported = 0, monotonic()
    for event in leave_one_writer_out(network, drawings, settings, rehearsal_set.open(), writers):
        if is_stopped():
            return
        step = step + 1 if isinstance(event, StepEnd) else step
        if isinstance(event, WriterTested | Diverged):
            step = 0
            yield event
        elif monotonic() - reported > REPORT_EVERY:
            reported = monotonic()
            yield step / settings.steps
