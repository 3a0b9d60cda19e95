"""``train``: train a network, or continue a paused training, and measure it on the test images."""

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from engine.activations import ACTIVATIONS
from engine.checkpoint import load, load_training, save_training
from engine.checks import InklingError, shown
from engine.cli.calibrate import calibrate_and_round, save_network
from engine.cli.options import (
    Commands,
    add_command,
    add_data,
    add_json,
    add_out,
    add_settings,
    check_place,
    given_settings,
    percent,
    show_notices,
)
from engine.cli.rescue import rescue
from engine.config import Config
from engine.data import Dataset, load_data
from engine.diagnosis import diagnose, examine
from engine.initializers import INITIALIZERS
from engine.jobs import JobState, Snapshot
from engine.jobs.observer import Observer
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.recipes import RECIPES
from engine.training import Diverged, EpochEnd, Event, StepEnd, Trainer


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "train", run_train, "train a network and measure it on the test images")
    parser.add_argument("--recipe", choices=RECIPES, help="start from a recipe (see: recipes)")
    parser.add_argument(
        "--begin-with", type=Path, metavar="MODEL", help="begin with the weights of this network instead of random ones"
    )
    parser.add_argument("--hidden", type=_units, metavar="128,64", help="units of each hidden layer, instead of --layers")
    parser.add_argument("--activation", choices=ACTIVATIONS, help="activation of the hidden layers (default: relu)")
    parser.add_argument("--initializer", choices=INITIALIZERS, help="how the first weights are drawn (default: he_normal)")
    add_settings(parser)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="continue a training that --pause-to saved")
    parser.add_argument(
        "--pause-to", type=Path, metavar="FILE", help="save the training to this file after each epoch and on Ctrl-C"
    )
    parser.add_argument(
        "--no-test", action="store_true", help="do not look at the test images: measure on the validation images"
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="make its confidence match its accuracy, on the validation images"
    )
    add_out(parser)
    add_data(parser)
    add_json(parser)


def run_train(options: argparse.Namespace) -> None:
    for flag, path in (("--out", options.out), ("--pause-to", options.pause_to)):
        check_place(flag, path)
    changes = _changes(options)
    train_set, test_set = load_data(options.data, progressbar=True)
    show_notices(test_set)
    trainer = _make_trainer(options, changes, train_set)
    if trainer.validation_set is None and (options.calibrate or options.no_test):
        raise InklingError("--calibrate and --no-test need validation images, and --validation-size leaves none")
    end = train_to_the_end(trainer, quiet=options.json, pause_to=options.pause_to)
    if isinstance(end, Diverged):
        raise InklingError(f"training diverged at step {end.step:,}: {explain(trainer, end, train_set)}")
    calibrate_and_round(trainer.result, trainer.validation_set, options)
    report = make_report(trainer, None if options.no_test else test_set)
    if options.out:
        save_network(trainer.result, options, config=trainer.config.to_json(), metrics=report)
    if options.json:
        print(json.dumps(report | {"history": [event._asdict() for event in trainer.history]}))
        return
    if options.no_test:
        result = f"validation accuracy {percent(report['validation_accuracy'])}"
    else:
        errors = f"{report['test_errors']:,} errors of {report['test_images']:,}"
        result = f"test accuracy {percent(report['test_accuracy'])} ({errors})"
    print(f"{result} after {trainer.seconds:.1f} s")
    if options.out:
        print(f"saved to {options.out}")


def explain(trainer: Trainer, end: Diverged, train_set: Dataset) -> str:
    """Why a training has diverged, with the evidence and one thing to try."""
    snapshot = Snapshot.of(trainer, JobState.DIVERGED, trainer.result, Observer(trainer.result))
    found = diagnose(replace(snapshot, end=end), examine(trainer.result, trainer.config, train_set))
    return str(found[0]) if found else f"the loss is {end.loss}"


def train_to_the_end(trainer: Trainer, quiet: bool, pause_to: Path | None = None) -> Event | None:
    """Run ``trainer`` with a progress bar, and a line for each epoch unless ``quiet``; return the last event."""
    total, event, problem = len(trainer.train_set) * trainer.config.epochs, None, ""
    progress = tqdm(total=total, initial=trainer.samples, unit=" images", unit_scale=True, disable=None, mininterval=0.2)
    with _interruptions() as interruptions, progress as bar:
        for event in trainer:
            if isinstance(event, StepEnd):
                bar.update(trainer.samples - bar.n)
            elif isinstance(event, EpochEnd) and not quiet:
                _show_line(bar, _epoch_line(event))
            if pause_to and (interruptions or isinstance(event, EpochEnd)):
                problem = _save_paused(trainer, pause_to, bar, problem)
            if interruptions:
                break
        if problem:  # at the end: this is the last chance to save it
            place = rescue(lambda path: save_training(path, trainer))
            _warn(bar, f"the training is saved as {place} instead" if place else "the training cannot be saved anywhere")
    if interruptions:
        raise KeyboardInterrupt
    return event


def _save_paused(trainer: Trainer, path: Path, bar: tqdm, problem: str) -> str:
    """Save the training; return what went wrong, or "". It is shown if it is another ``problem`` than the last time."""
    try:
        save_training(path, trainer)
    except InklingError as error:
        if str(error) != problem:
            _warn(bar, f"{error}; the training goes on")
        return str(error)
    return ""


def _show_line(bar: tqdm, line: str) -> None:
    """Print a line above the bar. On a full disk the training goes on without it: the end of the command is an error."""
    try:
        bar.write(line)
    except BrokenPipeError:  # the reader of the output has closed it, which ends a command
        raise
    except OSError:
        pass


def _warn(bar: tqdm, line: str) -> None:
    with suppress(OSError):
        bar.write(f"inkling: {line}", file=sys.stderr)


def make_report(trainer: Trainer, test_set: Dataset | None) -> dict[str, Any]:
    """The results of a training as JSON values; without a test set, nothing about the test images."""
    test = evaluate(trainer.result, test_set, trainer.loss) if test_set else None
    tested = {"test_accuracy": test.accuracy, "test_errors": test.errors, "test_images": test.images} if test else {}
    result_epoch = trainer.best[1] if trainer.best else trainer.epoch  # the epoch whose network is the result
    return tested | {
        "validation_accuracy": trainer.history[result_epoch - 1].validation_accuracy,
        "samples_per_second": trainer.samples_per_second,
        "seconds": trainer.seconds,
        "parameters": trainer.network.parameters.size,
    }


def _units(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",")) if text else ()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers separated by commas, as in 128,64, got {shown(text)}"
        ) from None


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line gives, by name."""
    changes = given_settings(options)
    if (options.hidden, options.activation, options.initializer) != (None, None, None):
        if "layers" in changes:
            raise InklingError("--layers describes the whole network: leave out --hidden, --activation and --initializer")
        hidden = (128,) if options.hidden is None else options.hidden
        changes["layers"] = dense_layers(hidden, options.activation or "relu", options.initializer or "he_normal")
    if options.recipe and "layers" in changes:
        raise InklingError(
            f"--layers, --hidden, --activation and --initializer would replace the layers of --recipe {options.recipe}"
        )
    return changes


def _make_trainer(options: argparse.Namespace, changes: dict[str, Any], train_set: Dataset) -> Trainer:
    """The training to run: a paused one, a recipe or the default, with the ``changes`` from the command line."""
    if not options.resume:
        config = replace(RECIPES[options.recipe].config if options.recipe else Config(), **changes)
        config = config.for_classes(len(train_set.class_names))
        return Trainer.from_config(config, train_set, load(options.begin_with) if options.begin_with else None)
    for flag, value in (("--recipe", options.recipe), ("--begin-with", options.begin_with)):
        if value:
            raise InklingError(f"--resume continues the training in the file: leave out {flag}")
    trainer = load_training(options.resume, train_set)
    if changes:
        trainer.change(**changes)
    return trainer


@contextmanager
def _interruptions() -> Iterator[list[bool]]:
    """A list that gets an item on Ctrl-C, so that the current step can end; a second Ctrl-C interrupts at once."""
    interruptions: list[bool] = []

    def interrupt(*_: object) -> None:
        if interruptions:
            raise KeyboardInterrupt
        interruptions.append(True)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interruptions
    finally:
        signal.signal(signal.SIGINT, before)


def _epoch_line(event: EpochEnd) -> str:
    line = f"epoch {event.epoch:>3}  loss {event.loss:.4f} accuracy {percent(event.accuracy)}"
    if event.validation_loss is not None and event.validation_accuracy is not None:
        line += f"  validation loss {event.validation_loss:.4f} accuracy {percent(event.validation_accuracy)}"
    return f"{line}  {event.samples_per_second:,.0f} images/s"
