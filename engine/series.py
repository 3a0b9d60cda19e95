"""``Series``: trainings of several configurations one after another, such as one configuration from several seeds."""

from collections.abc import Callable
from threading import Lock, Thread

from engine.checks import InklingError
from engine.jobs import Job
from engine.training import Trainer


class Series:
    """A ``Job`` for each of ``configs``, of which one runs at a time; each is made when it is its turn.

    ``jobs`` are those made so far, the last one is at work. One that diverged does not keep the next from running; one that
    was stopped, or failed, ends the series. ``over`` says that no other will run, ``error`` in one line why one could not
    be made.
    """

    def __init__(self, configs, train_set, test_set=None, is_watched: Callable[[], bool] = lambda: True):
        self.configs = tuple(configs)
        if not self.configs:
            raise InklingError("a series must have at least one configuration, got none")
        self._make = lambda config: Job(Trainer.from_config(config, train_set), test_set, is_watched)
        self._lock = Lock()  # guards what follows
        self.jobs = (self._make(self.configs[0]),)
        self._paused = self._stopped = self.over = False
        self.error = None
        self._thread = Thread(target=self._run, name="series", daemon=True)

    @property
    def job(self):
        """The one that is at work, or was last."""
        return self.jobs[-1]

    def start(self, paused=False):
        """Begin with the first; a series starts once."""
        if self._thread.ident is not None:
            raise InklingError("a series starts once, and this one has")
        self._paused = paused
        self._thread.start()

    def pause(self):
        """Stand still after the step that is under way."""
        with self._lock:
            self._paused = True
            self.job.pause()

    def resume(self):
        """Go on from a pause."""
        with self._lock:
            self._paused = False
            self.job.resume()

    def stop(self):
        """End the training that is at work after its step, and begin no other."""
        with self._lock:
            self._stopped = True
            self.job.stop()

    def snapshots(self):
        """A ``Snapshot`` of each training begun so far."""
        return tuple(job.snapshot() for job in self.jobs)

    def wait(self, timeout=None):
        """Block until the series is over, at most ``timeout`` seconds; say whether it is."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        try:
            self._run_all()
        except InklingError as error:  # of a configuration that does not fit the data
            self.error = str(error)
        self.over = True

    def _run_all(self):
        for position, config in enumerate(self.configs):
            with self._lock:
                if self._stopped:
                    return
                if position:
                    self.jobs += (self._make(config),)
                self.job.start(self._paused)
            self.job.wait()
            if self.job.snapshot().state in ("stopped", "failed"):
                return
