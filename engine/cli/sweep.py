"""``sweep`` and ``sweep-worker``: look for the best settings with many trainings, on one machine or many."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from engine.checkpoint import save
from engine.checks import InklingError, check_integer, check_number
from engine.cli.options import (
    Commands,
    add_command,
    add_json,
    add_out,
    add_settings,
    check_place,
    given_settings,
    percent,
    show_notices,
)
from engine.data import load_data
from engine.data.dataset import Dataset
from engine.files import atomic_write
from engine.recipes import RECIPES
from engine.sweep.plan import MEASURES, STORAGE_FILE, STORAGE_VARIABLE, Sweep, SweepSettings, default_storage, read_file
from engine.sweep.search_space import read_search

if TYPE_CHECKING:  # Optuna is imported when a sweep is made
    from optuna.trial import FrozenTrial

    from engine.sweep.study import Study

MAX_FILE_BYTES = 1_000_000
LOOK_EVERY = 0.5  # seconds between two looks at what the workers have done
GRACE_SECONDS = 30.0


def add_commands(commands: Commands) -> None:
    parser = add_command(
        commands, "sweep", run_sweep, "look for the best settings with many trainings (needs the package optuna)"
    )
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a TOML file that says what is searched")
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a setting with a range or a list: learning_rate=1e-4..1e-1:log or 'hidden=64,128,\"128,64\"'",
    )
    parser.add_argument("--recipe", choices=RECIPES, help="what is not searched is as in this recipe (see: recipes)")
    parser.add_argument("--data", metavar="DATA", help="as for train (default: mnist)")
    add_settings(parser, SweepSettings)
    add_settings(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="processes that train (default: one for each core)")
    _add_place(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where to write a table of all trials")
    parser.add_argument("--no-test", action="store_true", help="do not measure the winner on the test images")
    add_out(parser)
    add_json(parser)

    parser = add_command(commands, "sweep-worker", run_worker, "help with a sweep that another process has begun")
    _add_place(parser)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where the sweep is kept: sqlite:///FILE, or postgresql://... for several machines (default: the environment "
        f"variable {STORAGE_VARIABLE}, or {STORAGE_FILE} in the folder for the data of programs)",
    )
    parser.add_argument("--study", default="sweep", metavar="NAME", help="its name there (default: sweep)")
    parser.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        metavar="SECONDS",
        help=f"of silence, after which another worker takes over a trial (default: {GRACE_SECONDS:g})",
    )


def run_sweep(options: argparse.Namespace) -> int:
    from engine.sweep.study import make_study, storage_errors

    for flag, path in (("--out", options.out), ("--csv", options.csv)):
        check_place(flag, path)
    _check_place(options)
    num_workers = _num_cores() if options.workers is None else check_integer("--workers", options.workers, 1, 1_000)
    sweep = _asked(options)
    train_set, test_set = load_data(sweep.data, progressbar=True)
    show_notices(train_set)
    with storage_errors():
        study = make_study(options.storage, options.study, sweep, train_set)
        with _stop_signals() as is_stopped:
            work = _work_here if num_workers == 1 else _work_in_processes
            for trial in work(study, train_set, options, num_workers, is_stopped):
                if not options.json:
                    print(_trial_line(study, trial), flush=True)
            if is_stopped():
                raise InklingError("the sweep is paused: the same command continues it")
        if options.csv:
            with atomic_write(options.csv) as file:
                file.write(study.to_csv().encode())
        _show_winner(study, None if options.no_test else test_set, options)
    return 0


def run_worker(options: argparse.Namespace) -> None:
    from engine.sweep.study import open_study, storage_errors

    _check_place(options)
    with storage_errors():
        study = open_study(options.storage, options.study)
    train_set, _ = load_data(study.sweep.data, progressbar=True)
    with storage_errors(), _stop_signals() as is_stopped:
        for trial in _work_here(study, train_set, options, 1, is_stopped):
            print(_trial_line(study, trial), flush=True)


def _check_place(options: argparse.Namespace) -> None:
    options.storage = options.storage or default_storage()
    options.grace = check_number("--grace", options.grace, 0.1, 86_400)


def _asked(options: argparse.Namespace) -> Sweep:
    """The sweep that the file and the flags describe; a flag wins over the file."""
    table: dict[str, Any] = {}
    if options.file:
        try:
            with options.file.open("rb") as file:
                table = read_file(file.read(MAX_FILE_BYTES).decode())
        except OSError as error:
            raise InklingError(f"{options.file} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise InklingError(f"{options.file} must be a TOML file in UTF-8") from None
    dimensions = [read_search(text) for text in options.search]
    searched = {dimension.name: dimension.to_text() for dimension in dimensions}
    for name, given in (("search", searched), ("settings", given_settings(options))):
        if isinstance(before := table.get(name, {}), dict):  # else ``from_table`` refuses it
            table[name] = before | given
    for name in ("recipe", "data"):
        if getattr(options, name) is not None:
            table[name] = getattr(options, name)
    return Sweep.from_table(table | given_settings(options, SweepSettings))


def _work_here(
    study: "Study", train_set: Dataset, options: argparse.Namespace, num_workers: int, is_stopped: Callable[[], bool]
) -> "Iterator[FrozenTrial]":
    """Train in this process; yield the trials that it has ended."""
    from engine.sweep.worker import Worker

    with threadpool_limits(1):  # the bits of a training depend on the number of threads
        yield from Worker(study, train_set, is_stopped, options.grace).run()


def _work_in_processes(
    study: "Study", train_set: Dataset, options: argparse.Namespace, num_workers: int, is_stopped: Callable[[], bool]
) -> "Iterator[FrozenTrial]":
    """Train in processes that run ``sweep-worker``; yield the trials as they end."""
    command = [sys.executable, "-m", "engine", "sweep-worker", "--storage", options.storage, "--study", options.study]
    command += ["--grace", str(options.grace)]
    ended = {trial.number for trial in study.trials() if trial.state.is_finished()}
    workers = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(num_workers)]
    try:
        while True:
            is_last = all(worker.poll() is not None for worker in workers)
            for trial in study.trials():
                if trial.state.is_finished() and trial.number not in ended:
                    ended.add(trial.number)
                    yield trial
            if is_last:
                break
            if is_stopped():
                for worker in workers:
                    worker.terminate()
            sleep(LOOK_EVERY)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    if not is_stopped() and not study.is_over:
        raise InklingError("the workers ended before the sweep was over: the same command continues it")


def _show_winner(study: "Study", test_set: Dataset | None, options: argparse.Namespace) -> None:
    """Print and save what was found; the test images are looked at here, once, and only for the winner."""
    if (best := study.best) is None:
        raise InklingError("no trial reached its end: allow more trials or minutes, or another range")
    winner = study.measure_winner(test_set) if test_set else None
    report = {"study": study.name, "trial": best.number, study.sweep.measure: best.values[0], "settings": best.params}
    report |= {"trials": len(study.trials()), "winner": winner}
    if options.out:
        network = next(iter(study.networks(best)), None)
        if network is None:
            raise InklingError(f"the storage has no network of the best trial, {best.number}: make the sweep anew")
        save(options.out, network, dtype="float16" if options.float16 else None, sweep=report)
    if options.json:
        print(json.dumps(report))
        return
    print(f"best: {_trial_line(study, best)}")
    if winner:
        errors = ", ".join(f"{errors:,}" for errors in winner["errors"])
        accuracy = sum(winner["accuracies"]) / len(winner["accuracies"])
        print(f"test accuracy of this one {percent(accuracy)} ({errors} errors of {winner['images']:,})")
    if options.out:
        print(f"saved to {options.out}")


def _trial_line(study: "Study", trial: "FrozenTrial") -> str:
    measure = study.sweep.measure
    value = "" if not trial.values else percent(trial.values[0]) if "accuracy" in measure else f"{trial.values[0]:.4f}"
    settings = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in trial.params.items()
    )
    ending = {"PRUNED": "pruned", "FAIL": f"failed: {trial.user_attrs.get('error', '')}"}.get(trial.state.name, "")
    ending = "diverged" if trial.user_attrs.get("diverged") else ending
    line = f"trial {trial.number:>3}  {MEASURES[measure].label.lower()} {value:<8}  {settings}"
    return f"{line}  ({ending})" if ending else line


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or the system has asked this process to stop, so that trials can be saved first."""
    received: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: received.append(number)) for number in signals]
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
