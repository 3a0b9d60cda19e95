"""This session's runs: the one place that holds them. What runs them is ``engine.jobs``."""

from dataclasses import dataclass

import numpy.typing as npt
from threadpoolctl import threadpool_limits

from engine import Dataset, Network, Trainer
from engine.config import Config
from engine.jobs import JobState, Series, Snapshot
from ui import compat, datasets
from ui.state import forget, session

MAX_RUNS = 50  # the oldest go first: each keeps its network and its predictions of the test images

# One thread for each training's matrix products: two that wait for each other, while a browser and a server want the same
# cores, made training 2.6 times slower (measured on two cores), and the second won nothing even on an idle machine.
threadpool_limits(1, user_api="blas")


@dataclass(eq=False)
class Run:
    """A training of one or several seeds. ``start`` is the network whose weights it began from, if any. ``from_file`` says
    that it began elsewhere, so that its times are not this machine's."""

    number: int
    name: str
    config: Config
    source: str
    series: Series
    start: Network | None = None
    from_file: bool = False

    @property
    def key(self) -> str:
        """What distinguishes it from other runs, also after it was renamed or reset."""
        return f"Run {self.number}"

    def snapshot(self) -> Snapshot:
        return self.series.snapshot()

    @property
    def state(self) -> JobState:
        return self.snapshot().state

    def test_images(self) -> tuple[npt.NDArray, npt.NDArray]:
        """The images (M, 28, 28) uint8 that it is tested on, and their labels (M,)."""
        return self.series.test_set.take(slice(None))  # pyright: ignore[reportOptionalMemberAccess]


def all_runs() -> list[Run]:
    """All runs, oldest first."""
    return session().runs


def active_run() -> Run | None:
    """The run that has not ended yet, paused or not."""
    return next((run for run in reversed(all_runs()) if not run.series.is_over), None)


def shown_run() -> Run | None:
    """The run that the page shows: the chosen one, else the newest; None before the first."""
    runs, chosen = all_runs(), session().shown_run
    return next((run for run in runs if run.number == chosen), runs[-1] if runs else None)


def show(run: Run) -> None:
    """Have the page show this run."""
    session().shown_run = run.number


def start_run(config: Config, source: str, num_seeds: int = 1, start: Network | None = None, paused: bool = False) -> Run:
    """Start a training, of ``num_seeds`` seeds one after another, from ``start``'s weights if given.

    It ends when this browser tab has been closed for a while. Raises ``InklingError`` for what cannot be trained.
    """
    train_set, test_set = datasets.load(source)
    series = Series.from_config(config, num_seeds, train_set, test_set, start, compat.session_watcher())
    return _add(Run(_next_number(), "", config, source, series, start), paused)


def continue_training(trainer: Trainer, source: str, test_set: Dataset) -> Run:
    """Add a training that was paused and saved; it stays paused until it is resumed."""
    series = Series([lambda: trainer], test_set, compat.session_watcher())
    return _add(Run(_next_number(), "", trainer.config, source, series, from_file=True), paused=True)


def _next_number() -> int:
    session().num_runs_started += 1
    return session().num_runs_started


def _add(run: Run, paused: bool) -> Run:
    run.name = _free_name(f"Run {run.number}")
    all_runs().append(run)
    del all_runs()[:-MAX_RUNS]
    show(run)
    run.series.start(paused)
    return run


def _free_name(name: str) -> str:
    """The name, with a number behind it if a run has it already."""
    taken = {run.name for run in all_runs()}
    return next(free for k in range(1, len(taken) + 2) if (free := name if k == 1 else f"{name} ({k})") not in taken)


def rename(run: Run, name: str) -> bool:
    """Give the run this name, without the blanks around it; return False if it is empty or another run's."""
    name = " ".join(name.split())
    if not name or name in {other.name for other in all_runs() if other is not run}:
        return False
    run.name = name
    return True


def remove(run: Run) -> None:
    """Stop the run and forget it."""
    run.series.stop()
    if run in all_runs():  # a second click on the same button comes with the same run
        all_runs().remove(run)


def reset(run: Run) -> None:
    """Throw away what the run has learned: the same run again, paused before its first step."""
    if run not in all_runs():
        return
    train_set, test_set = datasets.load(run.source)
    run.series.stop()
    run.series = Series.from_config(
        run.config, run.series.num_seeds, train_set, test_set, run.start, compat.session_watcher()
    )
    run.from_file = False
    forget(f"{run.key} ")  # what the widgets of this run say: it belongs to what is thrown away
    show(run)
    run.series.start(paused=True)
