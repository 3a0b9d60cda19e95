"""``Tuning``: a fine-tuning in a worker process, and what it has reported so far."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, NamedTuple

from engine.data.collection import Collection
from engine.data.dataset import Dataset
from engine.data.mapped import MappedDataset, map_dataset
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings, Measured
from engine.jobs.iteration import Iteration
from engine.jobs.job import memory_needed
from engine.jobs.pool import Pool
from engine.network import Network
from engine.training import Diverged, StepEnd

REPORT_EVERY = 0.3  # seconds


class _Report(NamedTuple):
    progress: float
    event: Measured | FineTuned | Diverged | None = None
    network: Network | None = None


class Tuning(Iteration):
    """Fine-tunes a copy of ``start`` in a worker process, while others draw; see ``FineTuning``.

    It waits in the queue from the beginning. Raises ``InklingError`` if the data do not fit, or as ``Iteration`` does.
    ``network`` is there when ``end`` is ``FineTuned``.
    """

    def __init__(
        self,
        start: Network,
        drawings: Collection,
        settings: FineTuningSettings,
        rehearsal_set: Dataset,
        test_set: Dataset,
        source: str = "",
        pool: Pool | None = None,
        visitor: str = "",
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        plan = FineTuning(start, drawings, settings, rehearsal_set, test_set)
        super().__init__(_tune, memory_of(plan), pool, visitor, is_watched)
        self.start, self.settings, self.source = start, settings, source
        self.trained_on, self.held_back, self.num_folds = plan.trained_on, plan.held_back, plan.num_folds
        self.measurements: list[Measured] = []
        self.end: FineTuned | Diverged | None = None
        self.network: Network | None = None
        self._arguments = start, drawings, settings, map_dataset(rehearsal_set), map_dataset(test_set), source
        self.enqueue()

    def arguments(self) -> tuple[Any, ...]:
        return self._arguments

    def take(self, value: _Report) -> None:
        self.progress = value.progress
        if isinstance(value.event, Measured):
            self.measurements = [*self.measurements, value.event]
        elif value.event is not None:
            self.network, self.end = value.network, value.event


def memory_of(plan: FineTuning) -> int:
    """About how many bytes a fine-tuning takes."""
    return memory_needed(plan.config) + plan.image_bytes


def _tune(
    start: Network,
    drawings: Collection,
    settings: FineTuningSettings,
    rehearsal_set: MappedDataset,
    test_set: MappedDataset,
    source: str,
    is_stopped: Callable[[], bool],
) -> Iterator[_Report]:
    tuning = FineTuning(start, drawings, settings, rehearsal_set.open(), test_set.open(), source)
    reported = monotonic()
    for event in tuning:
        if is_stopped():
            return
        if not isinstance(event, StepEnd):
            yield _Report(tuning.progress, event, tuning.network if isinstance(event, FineTuned) else None)
        elif monotonic() - reported > REPORT_EVERY:
            reported = monotonic()
            yield _Report(tuning.progress)
