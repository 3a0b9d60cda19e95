"""``Iteration``: an iterator that runs in a worker process of the pool, and tells what it has yielded so far."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from engine.jobs.messages import HAS_ENDED, STOP, Failure, Iterate, Yielded
from engine.jobs.pool import Place, Pool, Worker, default_pool

ENDED = "it stopped by accident, perhaps because memory ran out: try again"
UNATTENDED = "it was stopped because nobody was watching it"


class Iteration(ABC):
    """Waits in the ``pool``'s queue for a worker, as trainings do, which then runs ``function(*arguments(), is_stopped)``.

    What it yields comes to ``take``, which has to replace what viewers read, not to change it. The function has to end soon
    after ``is_stopped()`` says so. An iteration that ``can_be_parked`` may have to make room for others; later it runs
    again, with the ``arguments`` for the rest.
    """

    can_be_parked, is_background = False, False
    progress = 0.0  # the fraction that is done, in [0, 1]

    def __init__(
        self,
        function: Callable[..., Iterator[Any]],
        memory: int,
        pool: Pool | None = None,
        visitor: str = "",
        is_watched: Callable[[], bool] = lambda: True,
    ) -> None:
        """``memory`` is in bytes; raises ``InklingError`` if there is never so much."""
        self.pool, self.visitor, self.is_watched = pool or default_pool(), visitor, is_watched
        self.pool.check_memory(memory)
        self.memory = memory
        self.error = ""
        self.worker: Worker | None = None
        self.worker_since = 0.0
        self.still_since: float | None = None
        self.last_watched = monotonic()
        self.is_parking = self._goes_on = False
        self._function = function
        self._is_stopped = self._has_ended = False
        self._done_before = 0.0  # its progress when it got its worker

    @abstractmethod
    def arguments(self) -> tuple[Any, ...]:
        """What the function gets."""

    @abstractmethod
    def take(self, value: Any) -> None:
        """Take over what was yielded."""

    def enqueue(self) -> None:
        """Wait for a worker; raises ``InklingError`` if the visitor has too many trainings under way."""
        with self.pool.changed:
            self.pool.check_limits(self)
            self.pool.enqueue(self)

    def stop(self) -> None:
        """End it soon; nothing more is taken over."""
        with self.pool.changed:
            if not self.is_over:
                self._is_stopped = True
                self.pool.withdraw(self)
                if self.worker:
                    self.worker.send(STOP)

    @property
    def is_over(self) -> bool:
        return self._has_ended or self._is_stopped or bool(self.error)

    @property
    def is_still(self) -> bool:
        return False

    @property
    def place(self) -> Place | None:
        """Where it stands in the queue; None if it is not in it."""
        return self.pool.place(self)

    @property
    def seconds_left(self) -> float | None:
        """About how long it still needs a worker; None if that is not known."""
        done = self.progress - self._done_before
        return (monotonic() - self.worker_since) * (1 - self.progress) / done if self.worker and done > 0 else None

    # What the pool calls, with ``changed`` locked.

    def begin(self, worker: Worker) -> None:
        self.worker, self.worker_since, self._done_before = worker, monotonic(), self.progress
        worker.send(Iterate(self._function, self.arguments()))

    def park(self, goes_on: bool) -> None:
        if self.worker:
            self.is_parking = goes_on
            self.worker.send(STOP)

    def pause(self) -> None:
        self.stop()

    def pause_unattended(self) -> None:
        self.stop()
        self.error = UNATTENDED

    def receive(self, message: Any) -> None:
        if isinstance(message, Yielded):
            if not self.is_over:
                self.take(message.value)
            return
        self.leave_worker()
        is_parking, self.is_parking = self.is_parking, False
        if isinstance(message, Failure):
            self.error = self.error or message.error
        elif message == HAS_ENDED and is_parking and not self.is_over and self.progress < 1:
            self.pool.enqueue(self)
        else:
            self._has_ended = True

    def leave_worker(self) -> None:
        if self.worker:
            self.worker.job = None
        self.worker = None

    def lose_worker(self, error: str | None = ENDED) -> None:
        self.receive(Failure(ENDED if error is not None else UNATTENDED))
