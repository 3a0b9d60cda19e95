"""``finetune``: teach a network someone's own drawings, or see whose hand is read worst."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from engine.checkpoint import load
from engine.checks import InklingError
from engine.cli.calibrate import save_network
from engine.cli.options import (
    Commands,
    add_command,
    add_data,
    add_json,
    add_model,
    add_out,
    add_settings,
    check_place,
    given_settings,
    percent,
)
from engine.data import load_data
from engine.data.collection_files import read_collection
from engine.finetuning import FineTuned, FineTuning, FineTuningEvent, FineTuningSettings, Measured, ScoresByClass
from engine.leave_one_writer_out import WriterTested, leave_one_writer_out
from engine.metrics import Score
from engine.training import Diverged, StepEnd


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "finetune", run_finetune, "teach a network someone's own drawings")
    add_model(parser)
    parser.add_argument(
        "collection",
        metavar="DRAWINGS",
        help="labelled drawings: a zip, CSV or pen strokes file, or a folder of pictures in folders by label",
    )
    parser.add_argument(
        "--leave-one-writer-out",
        action="store_true",
        help="for each writer, learn from all others and test on that one; nothing is saved",
    )
    add_settings(parser, FineTuningSettings)
    add_out(parser)
    add_data(parser)
    add_json(parser)


def run_finetune(options: argparse.Namespace) -> None:
    if bool(options.out) == options.leave_one_writer_out:
        raise InklingError("finetune needs --out, or --leave-one-writer-out, which saves nothing")
    check_place("--out", options.out)
    settings = FineTuningSettings(**given_settings(options, FineTuningSettings))
    network, drawings = load(options.model), read_collection(options.collection)
    train_set, test_set = load_data(options.data, progressbar=True)
    if options.leave_one_writer_out:
        events = leave_one_writer_out(network, drawings, settings, train_set)
        _report_writers(events, settings.steps * len(drawings.by_writer()), options.json)
        return
    fine_tuning = FineTuning(network, drawings, settings, train_set, test_set, source=options.model)
    if not options.json:
        print(_split(fine_tuning))
    with tqdm(total=settings.steps * (fine_tuning.num_folds + 1), unit=" steps", disable=None, mininterval=0.2) as bar:
        for event in fine_tuning:
            _count_or_raise(event, bar)
            if isinstance(event, Measured) and not event.fold and not options.json:
                bar.write(_measured_line(event))
    save_network(fine_tuning.network, options)
    print(json.dumps(_report(fine_tuning)) if options.json else _summary(fine_tuning, options.out))


def _report_writers(events: Iterator[FineTuningEvent | WriterTested], num_steps: int, as_json: bool) -> None:
    results = []
    with tqdm(total=num_steps, unit=" steps", disable=None, mininterval=0.2) as bar:
        for event in events:
            if isinstance(event, WriterTested):
                results.append(event)
            else:
                _count_or_raise(event, bar)
    results.sort(key=lambda result: (result.after.accuracy, result.writer))
    if as_json:
        print(json.dumps([{"writer": writer, "before": _as_json(b), "after": _as_json(a)} for writer, b, a in results]))
        return
    for writer, before, after in results:
        print(f"{writer or 'no name'}: {percent(before.accuracy, 1)} before, {_with_interval(after)}")


def _count_or_raise(event: FineTuningEvent, bar: tqdm) -> None:
    if isinstance(event, StepEnd):
        bar.update()
    elif isinstance(event, Diverged):
        raise InklingError(f"training diverged at step {event.step:,}: try a smaller --learning-rate")


def _split(fine_tuning: FineTuning) -> str:
    if fine_tuning.num_folds:
        return (
            f"learns from {len(fine_tuning.drawings):,} drawings. They are too few to hold some back: the training runs "
            f"{fine_tuning.num_folds} times more, each time without one part of them ({fine_tuning.num_folds}-fold "
            "cross-validation)"
        )
    return f"learns from {len(fine_tuning.trained_on):,} drawings, {len(fine_tuning.held_back):,} are held back"


def _measured_line(event: Measured) -> str:
    line = f"step {event.step:>5}  learned from {percent(event.trained_on.accuracy, 1)}"
    if event.held_back:
        line += f"  held back {percent(event.held_back.accuracy, 1)}"
    if event.tested:
        line += f"  {event.tested.overall.total:,} test images {percent(event.tested.overall.accuracy, 1)}"
    return line


def _summary(fine_tuning: FineTuning, out: Any) -> str:
    end, start = _ends(fine_tuning)
    lines = []
    for name, before, after in (("held back", start.held_back, end.held_back), ("all test images", *_overall(end))):
        if before and after:
            lines.append(f"{name}: {percent(before.accuracy)} before, {_with_interval(after)}")
    if end.before and end.after:
        pairs = zip(end.before.by_class, end.after.by_class, strict=True)
        lost = [before.accuracy - after.accuracy for before, after in pairs]
        digit = max(range(len(lost)), key=lost.__getitem__)
        if lost[digit] > 0:
            lines.append(f"most forgotten: {digit}, {100 * lost[digit]:.2f} points")
    return "\n".join([*lines, f"saved to {out} after {end.seconds:.1f} s"])


def _report(fine_tuning: FineTuning) -> dict[str, Any]:
    end, start = _ends(fine_tuning)
    return {
        "drawings": len(fine_tuning.drawings),
        "folds": fine_tuning.num_folds,
        "held_back_before": _as_json(start.held_back),
        "held_back": _as_json(end.held_back),
        "trained_on": _as_json(end.trained_on),
        "test_before": _by_class(end.before),
        "test": _by_class(end.after),
        "seconds": end.seconds,
        "history": [
            {
                "fold": event.fold,
                "step": event.step,
                "trained_on": event.trained_on.accuracy,
                "held_back": event.held_back and event.held_back.accuracy,
                "tested": event.tested and event.tested.overall.accuracy,
                "tested_by_class": event.tested and [part.accuracy for part in event.tested.by_class],
            }
            for event in fine_tuning.measurements
        ],
    }


def _ends(fine_tuning: FineTuning) -> tuple[FineTuned, Measured]:
    """The end, and what was measured before the first step of the training that counts."""
    assert isinstance(fine_tuning.end, FineTuned)
    return fine_tuning.end, next(event for event in fine_tuning.measurements if not event.fold)


def _overall(end: FineTuned) -> tuple[Score | None, Score | None]:
    return end.before and end.before.overall, end.after and end.after.overall


def _with_interval(score: Score) -> str:
    low, high = score.interval
    counts, interval = f"{score.correct:,} of {score.total:,}", f"95 % interval {percent(low, 1)} to {percent(high, 1)}"
    return f"{percent(score.accuracy)} after ({counts}; {interval})"


def _by_class(scores: ScoresByClass | None) -> dict[str, Any] | None:
    return scores and _as_json(scores.overall) | {"by_class": [_as_json(part) for part in scores.by_class]}


def _as_json(score: Score | None) -> Any:
    return score and score._asdict() | {"accuracy": score.accuracy, "interval": score.interval}
