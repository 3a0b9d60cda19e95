"""``Tuning``: a fine-tuning in a process of its own, and what it has reported so far."""

import logging
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Lock
from time import monotonic
from typing import NamedTuple
from weakref import WeakSet, finalize

from threadpoolctl import threadpool_limits

from engine.checks import InklingError
from engine.data.collection import Collection
from engine.data.dataset import Dataset
from engine.data.mapped import MappedDataset, map_dataset
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings, Measured
from engine.jobs.messages import Failure, receive, send
from engine.jobs.pool import default_pool, separated
from engine.jobs.worker import NICENESS, one_line
from engine.network import Network
from engine.training import Diverged, StepEnd

REPORT_EVERY = 0.3  # seconds
BUSY = "other people teach networks at the moment: try again in half a minute"
ENDED = "it stopped by accident, perhaps because memory ran out: try again"

log = logging.getLogger(__name__)
_under_way: "WeakSet[Tuning]" = WeakSet()
_lock = Lock()  # of these


class _Task(NamedTuple):
    start: Network
    drawings: Collection
    settings: FineTuningSettings
    rehearsal_set: MappedDataset
    test_set: MappedDataset
    source: str


class _Report(NamedTuple):
    progress: float
    event: Measured | FineTuned | Diverged | None = None
    network: Network | None = None


class Tuning:
    """Fine-tunes a copy of ``start`` in a process, which ends with this object, while others draw; see ``FineTuning``.

    As many tunings as trainings (INKLING_TRAININGS) run at once: raises ``InklingError`` for one more, or if the data do
    not fit. What the process has reported is known after ``update``. ``network`` is there when ``end`` is ``FineTuned``.
    """

    def __init__(
        self,
        start: Network,
        drawings: Collection,
        settings: FineTuningSettings,
        rehearsal_set: Dataset,
        test_set: Dataset,
        source: str = "",
    ) -> None:
        plan = FineTuning(start, drawings, settings, rehearsal_set, test_set)
        self.start, self.settings, self.source = start, settings, source
        self.trained_on, self.held_back, self.num_folds = plan.trained_on, plan.held_back, plan.num_folds
        self.measurements: list[Measured] = []
        self.end: FineTuned | Diverged | None = None
        self.network: Network | None = None
        self.progress, self.error = 0.0, ""
        self._updating = Lock()
        with _lock:
            if sum(other.update() for other in [*_under_way]) >= default_pool().size:
                raise InklingError(BUSY)
            task = _Task(start, drawings, settings, map_dataset(rehearsal_set), map_dataset(test_set), source)
            self._connection, other_end = multiprocessing.Pipe()
            context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
            process = context.Process(target=_serve, args=(other_end, task), name="inkling-tuning", daemon=True)
            try:
                with separated():
                    process.start()
            except OSError:  # the machine has no more processes or files
                self._connection.close()
                raise InklingError(BUSY) from None
            finally:
                other_end.close()
            self.stop = finalize(self, _stop, process, self._connection)
            _under_way.add(self)

    @property
    def is_over(self) -> bool:
        return self.end is not None or bool(self.error) or not self.stop.alive

    def update(self) -> bool:
        """Take over what has been reported; return whether it goes on."""
        with self._updating:
            while not self.is_over:
                try:
                    if not self._connection.poll():
                        break
                    message = receive(self._connection)
                except (EOFError, OSError):
                    if self.stop.alive:  # else it was stopped meanwhile
                        self.error = ENDED
                    break
                if isinstance(message, Failure):
                    self.error = message.error
                else:
                    self._take(message)
            if self.is_over:
                self.stop()
            return not self.is_over

    def _take(self, report: _Report) -> None:
        self.progress = report.progress
        if isinstance(report.event, Measured):
            self.measurements = [*self.measurements, report.event]
        elif report.event is not None:
            self.network, self.end = report.network, report.event


def _stop(process: BaseProcess, connection: Connection) -> None:
    process.kill()
    connection.close()


def _serve(connection: Connection, task: _Task) -> None:
    """Do the task in this process, and report, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with threadpool_limits(1, user_api="blas"), suppress(OSError):
        try:
            _run(connection, task)
        except OSError:
            raise
        except Exception as error:  # nothing catches what a process raises: the viewer gets a line, the log the details
            if not isinstance(error, InklingError):
                log.exception("fine-tuning failed")
            send(connection, Failure(one_line(error)))


def _run(connection: Connection, task: _Task) -> None:
    start, drawings, settings, rehearsal_set, test_set, source = task
    tuning = FineTuning(start, drawings, settings, rehearsal_set.open(), test_set.open(), source)
    reported = monotonic()
    for event in tuning:
        if not isinstance(event, StepEnd):
            network = tuning.network if isinstance(event, FineTuned) else None
            send(connection, _Report(tuning.progress, event, network))
        elif monotonic() - reported > REPORT_EVERY:
            reported = monotonic()
            send(connection, _Report(tuning.progress))
