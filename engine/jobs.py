"""``Job``: a ``Trainer`` on a thread of its own, to start, pause, resume and stop, and a snapshot of it for a viewer."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic

import numpy as np

from engine.checks import InklingError
from engine.metrics import Evaluation, evaluate
from engine.network import Network
from engine.training import Diverged, EpochEnd, Finished

PUBLISH_EVERY = 0.5  # seconds between the copies of the network that a viewer sees
ASK_EVERY = 1.0  # seconds between the questions whether anyone still watches
GRACE = 15.0  # seconds without a watcher after which a training stops: a reload of the page takes less

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment; nothing in it changes any more.

    ``state`` is one of ready, running, paused, finished, stopped, diverged, failed. ``curve`` has a column for each of
    step, epoch (and parts of one), loss and accuracy, ``history`` the ends of the epochs, ``test`` the result on the test
    images once it is over, ``error`` a line for the log's reader when it failed. ``seconds_left`` is None while nothing can
    be said.
    """

    state: str
    network: Network
    epoch: int
    step: int
    progress: float
    curve: np.ndarray
    history: tuple[EpochEnd, ...]
    end: Finished | Diverged | None
    test: Evaluation | None
    samples_per_second: float
    seconds: float
    seconds_left: float | None
    error: str | None

    @property
    def over(self):
        return self.state in ("finished", "stopped", "diverged", "failed")


class Job:
    """Runs ``trainer`` on a thread. ``is_watched`` is asked once a second; after 15 s of no, the training stops."""

    def __init__(self, trainer, test_set=None, is_watched: Callable[[], bool] = lambda: True):
        self.trainer, self.test_set, self._is_watched = trainer, test_set, is_watched
        self._changed = Condition()  # guards what follows, and wakes a paused thread
        self._state, self._wanted = "ready", "running"
        self._network = trainer.result.copy()
        self._end = self._test = self._error = self._last = None
        self._published = self._asked = self._last_watched = monotonic()
        self._thread = Thread(target=self._run, name="training", daemon=True)

    def start(self):
        """Begin; a job starts once."""
        with self._changed:
            if self._state != "ready":
                raise InklingError(f"a training starts once, and this one is {self._state}")
            self._state = self._wanted if self._wanted == "paused" else "running"
        self._thread.start()

    def pause(self):
        """Stand still after the step that is under way."""
        self._want("paused")

    def resume(self):
        """Go on from a pause."""
        self._want("running")

    def stop(self):
        """End after the step that is under way, and keep the network as it is."""
        self._want("stopped")

    def wait(self, timeout=None):
        """Block until the training is over, at most ``timeout`` seconds; say whether it is."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def snapshot(self):
        """The training as it is now."""
        with self._changed:
            return self._last or self._look()

    def _look(self):
        trainer = self.trainer
        done = trainer.progress
        return Snapshot(
            state=self._state,
            network=self._network,
            epoch=trainer.epoch,
            step=trainer.step,
            progress=done,
            curve=trainer.curve.points(),
            history=tuple(trainer.history),
            end=self._end,
            test=self._test,
            samples_per_second=trainer.samples_per_second,
            seconds=trainer.seconds,
            seconds_left=trainer.seconds * (1 - done) / done if done else None,
            error=self._error,
        )

    def _want(self, state):
        with self._changed:
            if self._wanted != "stopped":
                self._wanted = state
                if self._state in ("running", "paused") and state != "stopped":
                    self._state = state
            self._changed.notify_all()

    def _run(self):
        try:
            for event in self.trainer:
                self._note(event)
                if not self._may_go_on():
                    break
            self._publish()
            test = self.test_set and evaluate(self._network, self.test_set, self.trainer.loss)
            diverged = isinstance(self._end, Diverged)
            self._close("diverged" if diverged else "finished" if self._end else "stopped", test=test)
        except Exception as error:  # a thread has nobody to raise to: the viewer is told, the log has the details
            log.exception("training failed")
            self._close("failed", error=f"{type(error).__name__}: {error}")

    def _close(self, state, test=None, error=None):
        """Take the last snapshot, and let go of the trainer: its arrays are many times the network."""
        with self._changed:
            self._state, self._test, self._error = state, test, error
            self._last = self._look()
            self.trainer = None

    def _note(self, event):
        with self._changed:
            if isinstance(event, Finished | Diverged):
                self._end = event
        if monotonic() - self._published >= PUBLISH_EVERY:
            self._publish()

    def _publish(self):
        network = self.trainer.result.copy()  # a copy swapped in: whoever predicts sees one consistent network
        with self._changed:
            self._network, self._published = network, monotonic()

    def _may_go_on(self):
        """Wait as long as a pause is wanted; say whether to take another step."""
        self._ask()
        with self._changed:
            paused = self._wanted == "paused"
        if paused:
            self._publish()
        with self._changed:
            while self._wanted == "paused":
                self._changed.wait(ASK_EVERY)
                self._ask()
            return self._wanted != "stopped"

    def _ask(self):
        now = monotonic()
        if now - self._asked < ASK_EVERY:
            return
        self._asked = now
        if self._is_watched():
            self._last_watched = now
        elif now - self._last_watched > GRACE:
            self.stop()
