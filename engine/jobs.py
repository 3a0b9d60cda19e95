"""``Job``: a ``Trainer`` on a thread of its own, to start, pause, step and stop, and a ``Snapshot`` of it for a viewer."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from threading import Condition, Thread
from time import monotonic

import numpy as np

from engine.checkpoint import save_training
from engine.checks import InklingError
from engine.config import Config
from engine.health import LayerHealth
from engine.history import History
from engine.metrics import Evaluation, evaluate
from engine.network import Network
from engine.observer import Observer, Readings
from engine.training import Change, Diverged, EpochEnd, Finished

PUBLISH_EVERY = 0.5  # seconds between the copies of the network that a viewer sees
RECORD_EVERY = 0.1  # seconds between the points of the curve of the image that is followed
ASK_EVERY = 1.0  # seconds between the questions whether anyone still watches
GRACE = 15.0  # seconds without a watcher after which a training stops: a reload of the page takes less
LONGEST_STEP = 30.0  # seconds to wait for the step under way to end

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment; nothing in it changes any more.

    ``state`` is one of ready, running, paused, testing (its last act), finished, stopped, diverged, failed. ``config`` has
    what was changed on the way, ``changes`` when. ``curve`` has a column for each of step, epoch (and parts of one), loss
    and accuracy, ``history`` the ends of the epochs, ``test`` the result on the test images once it is over, ``error`` a
    line for the log's reader when it failed. ``seconds_left`` is None while nothing can be said.

    As of the last look, one or two a second: ``network``, ``health`` of its layers (empty before the first step),
    ``digits``, a dozen test images as they are read now (None without a test set). ``followed`` has a row for each time
    that the followed image was read: step, epoch, and ten probabilities; ``confusions`` pairs of an epoch and the
    validation set's confusion matrix at its end, of at most 50 epochs.
    """

    state: str
    network: Network
    config: Config
    epoch: int
    step: int
    progress: float
    curve: np.ndarray
    history: History
    changes: tuple[Change, ...]
    health: tuple[LayerHealth, ...]
    digits: Readings | None
    followed: np.ndarray
    confusions: tuple[tuple[int, np.ndarray], ...]
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
    """Runs ``trainer``, a new one or one that was loaded, on a thread.

    ``is_watched`` is asked once a second; after 15 s of no, the training stops. What is asked of a training that is over,
    but to change it or to write it down, is ignored.
    """

    def __init__(self, trainer, test_set=None, is_watched: Callable[[], bool] = lambda: True):
        self.trainer, self.test_set, self._is_watched = trainer, test_set, is_watched
        self._changed = Condition()  # guards what follows, and wakes a paused thread
        self._state, self._wanted = "ready", "running"
        self._to_step = self._to_epoch = 0  # a pause waits until so many steps are taken and so many epochs measured
        self._asleep = True  # the thread does not move the trainer as long as the lock is held
        self._writers = 0  # who keep it asleep
        self._pending = {}  # changes that wait for the step, or the writer, under way
        self._network = trainer.result.copy()
        self._observer = Observer(trainer.result, test_set)
        self._observer.look(trainer, self._network)
        self._end = self._test = self._error = self._last = None
        self._published = self._recorded = self._asked = self._last_watched = monotonic()
        self._thread = Thread(target=self._run, name="training", daemon=True)

    def start(self, paused=False):
        """Begin; a job starts once."""
        with self._changed:
            if self._state != "ready":
                raise InklingError(f"a training starts once, and this one is {self._state}")
            if paused:
                self._wanted = "paused"
            self._begin("paused" if self._wanted == "paused" else "running")

    def pause(self):
        """Stand still after the step that is under way."""
        self._want("paused")

    def resume(self):
        """Go on from a pause."""
        self._want("running")

    def step(self):
        """Take one batch, then pause; asked twice, take two."""
        self._advance(lambda trainer: (max(self._to_step, trainer.step) + 1, 0))

    def step_epoch(self):
        """Go on to the end of the epoch that is under way, measure it, then pause."""
        self._advance(lambda trainer: (0, len(trainer.history) + 1))

    def stop(self):
        """End after the step that is under way, and keep the network as it is."""
        self._want("stopped")

    def change(self, **values):
        """Change learning_rate, momentum, weight_decay or batch_size from the next step on; checked here and now."""
        with self._changed:
            self._unfinished().changed(**values)
            self._pending |= values
            if self._asleep:
                self._take_changes()

    def takes_changes(self, timeout=None):
        """Block until what was changed is in force, at most ``timeout`` seconds; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._last is not None or not self._pending, timeout)

    def follow(self, image):
        """Record from now on what the network makes of this image (28, 28) in [0, 1]; None ends it."""
        with self._changed:
            if self._observer.follow(image) and self.trainer and self._asleep:
                self._observer.record(self.trainer)

    def paused_training(self):
        """The training as the bytes of the file that ``load_training`` reads, while it is paused or not yet started."""
        with self._changed:
            if self._state not in ("paused", "ready"):
                raise InklingError(
                    f"only a paused training can be written down, and this one is {self._state}: pause it first"
                )
            if not self._changed.wait_for(lambda: self._asleep or self._last, LONGEST_STEP):
                raise InklingError("the step under way has not ended yet: try again when it has")
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

    def settle(self, timeout=None):
        """Block until the training stands still in a pause or is over, at most ``timeout`` seconds; say whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self._last is not None or (self._asleep and self._may_rest()), timeout)

    def wait(self, timeout=None):
        """Block until the training is over, at most ``timeout`` seconds; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._last is not None, timeout)

    def snapshot(self):
        """The training as it is now."""
        with self._changed:
            return self._last or self._look()

    def _look(self):
        trainer, observer = self.trainer, self._observer
        done = trainer.progress
        return Snapshot(
            state=self._state,
            network=self._network,
            config=trainer.config,
            epoch=trainer.epoch,
            step=trainer.step,
            progress=done,
            curve=trainer.curve.points(),
            history=trainer.history.so_far(),
            changes=tuple(trainer.changes),
            health=observer.health,
            digits=observer.digits,
            followed=observer.followed(),
            confusions=observer.confusions.kept(),
            end=self._end,
            test=self._test,
            samples_per_second=trainer.samples_per_second,
            seconds=trainer.seconds,
            seconds_left=trainer.seconds * (1 - done) / done if done else None,
            error=self._error,
        )

    def _begin(self, state):
        self._state, self._asleep = state, False
        self._thread.start()

    def _unfinished(self):
        if self._last or self._state == "testing":
            raise InklingError(f"the training is over: it is {self._state}")
        return self.trainer

    def _want(self, state):
        with self._changed:
            if self._wanted != "stopped":
                self._wanted, self._to_step, self._to_epoch = state, 0, 0
                if self._state in ("running", "paused") and state != "stopped":
                    self._state = state
            self._changed.notify_all()

    def _advance(self, goals):
        with self._changed:
            if self._last or self._wanted == "stopped" or self._state == "testing":
                return
            self._wanted = "paused"
            self._to_step, self._to_epoch = goals(self.trainer)
            if self._state == "ready":
                self._begin("running")
            self._state = "running"
            self._changed.notify_all()

    def _run(self):
        trainer = self.trainer
        try:
            while self._may_go_on():
                trainer.keeps_gradient = look = self._is_time_to_look()
                event = next(trainer, None)
                if event is None:
                    break
                self._note(event, look)
            self._publish()
            with self._changed:
                self._state = "testing"
            test = self.test_set and evaluate(self._network, self.test_set, trainer.loss)
            diverged = isinstance(self._end, Diverged)
            self._close("diverged" if diverged else "finished" if trainer.over else "stopped", test=test)
        except Exception as error:  # a thread has nobody to raise to: the viewer is told, the log has the details
            log.exception("training failed")
            self._close("failed", error=f"{type(error).__name__}: {error}")

    def _close(self, state, test=None, error=None):
        """Take the last snapshot, and let go of the trainer: its arrays are many times the network."""
        with self._changed:
            self._state, self._test, self._error = state, test, error
            self._last = self._look()
            self.trainer = None
            self._changed.notify_all()

    def _is_time_to_look(self):
        """Twice a second, whenever it is stepped by hand, and after 1, 2, 4, 8, ... steps: much happens in the first."""
        step = self.trainer.step
        return monotonic() - self._published >= PUBLISH_EVERY or step < self._to_step or step & (step + 1) == 0

    def _note(self, event, look):
        if isinstance(event, (Finished, Diverged)):
            with self._changed:
                self._end = event
        if isinstance(event, EpochEnd):
            self._observer.note_epoch(self.trainer)
        if look or monotonic() - self._recorded >= RECORD_EVERY:
            self._observer.record(self.trainer)
            self._recorded = monotonic()
        if look:
            self._publish()

    def _publish(self):
        network = self.trainer.result.copy()  # a copy swapped in: whoever predicts sees one consistent network
        self._observer.look(self.trainer, network)
        with self._changed:
            self._network, self._published = network, monotonic()

    def _may_go_on(self):
        """Wait as long as a pause is wanted; say whether to take another step."""
        self._ask()
        with self._changed:
            self._take_changes()
            if not self._may_rest() and not self._writers:
                return self._wanted != "stopped"
        self._publish()
        with self._changed:
            while self._may_rest() or self._writers:
                self._asleep = True
                self._state = "paused" if self._may_rest() else self._state
                self._changed.notify_all()
                self._changed.wait(ASK_EVERY)
                self._take_changes()
                self._ask()
            self._asleep = False
            return self._wanted != "stopped"

    def _take_changes(self):
        if self._pending and not self._writers:
            self.trainer.change(**self._pending)
            self._pending = {}
            self._changed.notify_all()

    def _may_rest(self):
        trainer = self.trainer
        reached = trainer.step >= self._to_step and len(trainer.history) >= self._to_epoch
        return self._wanted == "paused" and reached and not trainer.complete

    def _ask(self):
        now = monotonic()
        if now - self._asked < ASK_EVERY:
            return
        self._asked = now
        if self._is_watched():
            self._last_watched = now
        elif now - self._last_watched > GRACE:
            self.stop()
