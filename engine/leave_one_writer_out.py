"""Whose hand is read worst? Fine-tune on all writers but one and test on that one, for every writer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from engine.data.collection import Collection
from engine.data.dataset import DataError, Dataset
from engine.finetuning import FineTuned, FineTuning, FineTuningEvent, FineTuningSettings
from engine.metrics import Score, score
from engine.network import Network


class WriterTested(NamedTuple):
    """How a ``writer`` is read: ``before`` by the network as it was, ``after`` by one that has learned from all others."""

    writer: str
    before: Score
    after: Score


def leave_one_writer_out(
    network: Network,
    drawings: Collection,
    settings: FineTuningSettings | None = None,
    rehearsal_set: Dataset | None = None,
    writers: Sequence[str] | None = None,
) -> Iterator[FineTuningEvent | WriterTested]:
    """Yield a ``WriterTested`` for each writer of ``drawings``, or of these ``writers``, after that fine-tuning's events.

    No drawing of the others is held back, and ``settings.drawings`` limits how many of them are used. A fine-tuning that
    diverges ends with ``Diverged``, and its writer is left out. Raises ``DataError`` unless there are two writers.
    """
    by_writer = drawings.by_writer()
    if len(by_writer) < 2:
        raise DataError(f"to leave one writer out, there must be drawings by two writers, got {len(by_writer)}")
    settings = replace(settings or FineTuningSettings(), held_back=0)
    tested = by_writer if writers is None else {writer: by_writer[writer] for writer in writers}
    return _test_each(network, drawings, tested, settings, rehearsal_set)


def _test_each(
    network: Network,
    drawings: Collection,
    by_writer: dict[str, Collection],
    settings: FineTuningSettings,
    rehearsal_set: Dataset | None,
) -> Iterator[FineTuningEvent | WriterTested]:
    for writer, own in by_writer.items():
        others = Collection(tuple(drawing for drawing in drawings if drawing.writer != writer), drawings.name)
        fine_tuning = FineTuning(network, others, settings, rehearsal_set)
        event = None
        for event in fine_tuning:
            yield event
        if isinstance(event, FineTuned):
            yield WriterTested(writer, score(network, own.dataset), score(fine_tuning.network, own.dataset))
