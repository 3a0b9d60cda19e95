"""A server for the tests that kill it: it trains short and long runs in a workspace by turns, and stores them.

Its lines are "step RUN STEP SECONDS" for what it knows of a run, whose training has taken so many seconds; "stored RUN STEP"
once a checkpoint of this step is stored; and "finished RUN" once its end is stored.
"""

import os
from dataclasses import replace
from time import sleep

from helpers import make_digits

from engine.config import Config
from engine.jobs import Series, worker
from engine.jobs import pool as pool_module
from engine.network import dense_layers
from ui import datasets, workspace
from ui.run import Run
from ui.store import Store

CHECKPOINT_EVERY = 0.5  # seconds, instead of 5: in the few seconds until it is killed, there are several checkpoints


serve = worker.serve


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def serve_with_many_checkpoints(connection):
    """What a worker process does."""
    worker.CHECKPOINT_EVERY, worker.MAX_COST = CHECKPOINT_EVERY, 1.0
    serve(connection)


class Announced(workspace.Workspace):
    """A workspace that says what it has stored."""

    def store_changes(self, everything=True):
        saved = {run.id: run.series.saved for run in self.runs}
        super().store_changes(everything)
        for id, checkpoint in saved.items():
            if checkpoint:
                say("stored", id, checkpoint.snapshot.step)


def main(url, workspace_id):
    pool_module.worker_module.serve = serve_with_many_checkpoints
    workspace.Workspace = Announced
    sets = make_digits(600), make_digits(100, 1)
    datasets.load = lambda source: sets
    opened = workspace.Workspaces(Store(url)).open(workspace_id)
    config = Config(layers=dense_layers((16,)), batch_size=10)
    while True:
        run = next((run for run in opened.runs if not run.series.is_over), None)
        if run is None:
            number = opened.next_number()
            new = replace(config, seed=number, epochs=100 if number % 2 else 1_000)
            series = Series.from_config(new, 1, *sets, visitor=opened.id)
            run = Run(number, f"Run {number}", new, "synthetic", series)
            series.start()
            opened.add_run(run)
        else:
            opened.claim(run)
            run.series.resume()
        while not run.series.is_over:
            snapshot = run.snapshot()
            say("step", run.id, snapshot.step, snapshot.seconds)
            sleep(0.05)
        while run.series.jobs:  # until it is stored, and read from there
            sleep(0.01)
        say("finished", run.id)
