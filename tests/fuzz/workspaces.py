"""A small workspace for the fuzzers, as its zip file holds it, and a look at everything that the pages show of a run."""

import io
from contextlib import suppress
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
from helpers import make_digits

from engine.checkpoint import save, save_training
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import JobState, Snapshot
from engine.jobs.observer import Observer
from engine.jobs.snapshot_file import to_bytes
from engine.metrics import evaluate
from engine.network import Network, dense_layers
from engine.training import EpochEnd, Trainer
from ui.draw.drawing import Drawing
from ui.draw.strokes import make_path, make_picture
from ui.run import Run, state_to_store, to_record
from ui.store import RunRecord
from ui.train import confusion, downloads, run_dashboard, run_summary, runs_table
from ui.train.links import link

SETS = make_digits(60, 1), make_digits(20, 2)
CONFIG = Config(layers=dense_layers((3,)), epochs=3, batch_size=10)


def _content(write, *arguments):
    file = io.BytesIO()
    write(file, *arguments)
    return file.getvalue()


def _trained(steps):
    """A trainer after so many steps, and what its viewers saw."""
    trainer, end = Trainer.from_config(CONFIG, SETS[0]), None
    observer = Observer(trainer.result, SETS[1])
    observer.follow(SETS[1].images[0] / np.float32(255))
    trainer.keep_gradient = True
    trainer.change(learning_rate=0.002)
    while not trainer.is_over and trainer.step < steps:
        end = next(trainer)
        observer.record(trainer)
        if isinstance(end, EpochEnd):
            observer.record_epoch(trainer)
    observer.look(trainer, trainer.result)
    snapshot = Snapshot.of(trainer, JobState.PAUSED, trainer.result, observer)
    if trainer.is_over:
        test = evaluate(trainer.result, SETS[1], trainer.loss)
        snapshot = replace(snapshot, state=JobState.FINISHED, end=end, test=test)
    return trainer, snapshot


@cache
def workspace():
    """The values, runs, files of each run, and networks."""
    (_, over), (trainer, paused) = _trained(10**6), _trained(8)
    network = Network(CONFIG.layers, rng=np.random.default_rng(0))
    details = {"config": CONFIG.to_json(), "source": "mnist", "num_seeds": 2, "num_finished": 2, "has_start": False}
    details |= {"from_file": False, "error": None}
    runs = [
        RunRecord("1" * 32, 1, "Run 1", "finished", True, details=details),
        RunRecord("2" * 32, 2, "Run 2", "paused", False, details=details | {"num_finished": 1, "has_start": True}),
        RunRecord("3" * 32, 3, "Run 3", "running", False, details=details | {"num_seeds": 1, "num_finished": 0}),
    ]
    files = {
        runs[0].key: {"seed-0": to_bytes(over), "seed-1": to_bytes(over)},
        runs[1].key: {
            "seed-0": to_bytes(over),
            "snapshot": to_bytes(paused),
            "training": _content(save_training, trainer),
            "start": _content(save, network),
        },
        runs[2].key: {"snapshot": to_bytes(replace(Snapshot.before_start(CONFIG, network), state=JobState.PAUSED))},
    }
    drawing = Drawing()
    for objects in ([make_path([[9, 9], [90, 200]], 18)], [make_path([[9, 9]], 18), make_picture(SETS[0].images[0])]):
        drawing.take_report({"objects": objects})
    drawing.undo()
    settings = {"source": "mnist", "origin": "quick", "num_seeds": 2, "base": Config().to_json(), "config": CONFIG.to_json()}
    values = {"drawing": drawing.to_json(), "cells": [5, 6, 300], "settings": settings}
    return SimpleNamespace(values=values, runs=runs, files=files, networks={"mine": _content(save, network)})


_shown: set[object] = set()


def show(run: Run) -> None:
    """Do what the pages do to show this run, and what storing it does."""
    state_to_store(run)
    record, _ = to_record(run, "a server", is_new=True)
    seeds = run.series.snapshots()
    key = repr(record), *(hash(to_bytes(seed)) for seed in seeds)
    if key in _shown:  # most of a damaged workspace is sound
        return
    _shown.add(key)
    runs_table._row(run, None)
    runs_table.overlay_rows([run], "loss", "seconds", training=True)
    run_dashboard.headline(run, run.snapshot())
    with suppress(InklingError):
        link(run, "http://localhost")
    for seed in seeds:
        for panel in (run_dashboard._curves, run_dashboard._layers, run_dashboard._predictions, confusion.mistakes):
            panel(run, seed)
        run_dashboard.show_figures(seed)
        downloads.metrics_csv(seed)
        if run.series.is_over:
            run_summary.summary(run, seed)
