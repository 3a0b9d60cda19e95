"""The runs of this visitor's workspace: starting, showing, renaming and removing them. What runs them is ``engine.jobs``."""

from collections.abc import Sequence
from io import BytesIO

from threadpoolctl import threadpool_limits

import engine
from engine import Network
from engine.config import Config
from engine.jobs import JobState, Saved, Series, Snapshot
from ui import datasets
from ui.run import Run
from ui.state import session
from ui.store import free_name
from ui.translation import _
from ui.visitor import workspace

MAX_RUNS = 50  # the oldest go first

# One thread for matrix products in the server: they are small, and the trainings in their processes want the other cores.
threadpool_limits(1, user_api="blas")


def all_runs() -> list[Run]:
    """All runs, oldest first."""
    return workspace().runs


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


def start_run(
    config: Config,
    source: str,
    num_seeds: int = 1,
    start: Network | None = None,
    paused: bool = False,
    speed: float | None = None,
) -> Run:
    """Start a training, of ``num_seeds`` seeds one after another, from ``start``'s weights if given.

    It takes at most ``speed`` batches a second. It is paused when nobody has looked at the workspace for a while. Raises
    ``InklingError`` for what cannot be trained.
    """
    series = _series(config, source, num_seeds, start)
    series.set_speed(speed)
    return _add(series, config, source, paused, has_start=start is not None)


def continue_training(file: bytes, source: str) -> Run:
    """Add a training that was paused and saved; it stays paused until it is resumed."""
    train_set, test_set = datasets.load(source)
    trainer = engine.load_training(BytesIO(file), train_set)
    saved = Saved(file, Snapshot.of_paused(trainer, test_set))
    return _add(_series(trainer.config, source, saved=saved), trainer.config, source, from_file=True)


def add_finished(snapshots: Sequence[Snapshot], source: str, name: str) -> Run:
    """Add trainings that are over, one for each seed, as a run."""
    config = snapshots[0].config
    series = Series(config, lambda: datasets.load(source), len(snapshots), finished=snapshots)
    return _add(series, config, source, name=name)


def _series(
    config: Config, source: str, num_seeds: int = 1, start: Network | None = None, saved: Saved | None = None
) -> Series:
    datasets.load(source)  # with a progress bar on the page: later it is there at once
    return Series(
        config,
        lambda: datasets.load(source),
        num_seeds,
        start,
        saved=saved,
        visitor=workspace().id,
        is_watched=workspace().is_watched,
    )


def _add(
    series: Series,
    config: Config,
    source: str,
    paused: bool = False,
    has_start: bool = False,
    from_file: bool = False,
    name: str = "",
) -> Run:
    number = workspace().next_number()
    name = free_name(name or _("Run {number}").format(number=number), {run.name for run in all_runs()})
    run = Run(number, name, config, source, series, has_start, from_file)
    if series.snapshot().state is JobState.READY:
        series.start(paused)
    workspace().add_run(run)
    for oldest in all_runs()[:-MAX_RUNS]:
        remove(oldest)
    show(run)
    return run


def rename(run: Run, name: str) -> bool:
    """Give the run this name, without the blanks around it; return False if it is empty or another run's."""
    name = " ".join(name.split())
    if not name or name in {other.name for other in all_runs() if other is not run}:
        return False
    run.name = name
    return True


def remove(run: Run) -> None:
    """Stop the run and remove it; it can be brought back for a day."""
    run.series.stop()
    workspace().remove_run(run)


def reset(run: Run) -> None:
    """Begin again: a new run with the same settings, paused before its first step. The old one is stopped, and stays if it
    has learned anything."""
    if run not in all_runs():
        return
    again = _series(run.config, run.source, run.series.num_seeds, run.series.start_network)
    again.set_speed(run.series.speed)
    if any(snapshot.step for snapshot in run.series.snapshots()):
        run.series.stop()
    else:
        remove(run)
    _add(again, run.config, run.source, paused=True, has_start=run.has_start)
