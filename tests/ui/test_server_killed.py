"""A server that is killed at any moment loses no finished run, and at most the last seconds of one under way.

INKLING_KILL_ROUNDS sets how often it is killed; with a fixed number of rounds, ``-s`` shows what was lost.
"""

import os
import random
import subprocess
import sys
from io import BytesIO
from time import monotonic

import pytest
from helpers import ROOT, make_digits

from engine.checkpoint import load_training
from engine.jobs.snapshot_file import from_bytes
from ui.store import Store

ROUNDS = int(os.environ.get("INKLING_KILL_ROUNDS", 2))
LONGEST = 8.0  # seconds until a kill: a checkpoint is written every 5
# Trains runs of some seconds in a workspace, one after another, and says what it does.
SERVER = """
import sys
from dataclasses import replace
from time import sleep

from helpers import make_digits
from engine.config import Config
from engine.jobs import JobState, Series
from engine.network import dense_layers
from ui.run import Run
from ui.store import Store
from ui.workspace import Workspaces
from ui import datasets

sets = make_digits(600), make_digits(100, 1)
datasets.load = lambda source: sets
workspace = Workspaces(Store(sys.argv[1])).open(sys.argv[2])
config = Config(layers=dense_layers((16,)), epochs=int(sys.argv[3]), batch_size=10)
while True:
    run = next((run for run in workspace.runs if not run.series.is_over), None)
    if run is None:
        number = workspace.next_number()
        new = replace(config, seed=number)
        series = Series.from_config(new, 1, *sets, visitor=workspace.id)
        run = Run(number, f"Run {number}", new, "synthetic", series)
        series.start()
        workspace.add_run(run)
    else:
        workspace.claim(run)
        run.series.resume()
    while not run.series.is_over:
        print("step", run.id, run.snapshot().step, flush=True)
        sleep(0.05)
    while run.series.jobs:  # until it is stored, and read from there
        sleep(0.01)
    print("finished", run.id, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_server_loses_no_finished_run_and_little_of_the_others(tmp_path):
    rng = random.Random(0)
    url = f"sqlite:///{tmp_path / 'inkling.sqlite3'}"
    store = Store(url)
    workspace = store.create()
    finished, lost = set(), []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", SERVER, url, workspace, "300"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        steps, began = [], monotonic()
        until = began + rng.uniform(1.0, LONGEST)
        for line in server.stdout:
            kind, run, *numbers = line.split()
            if kind == "finished":
                finished.add(run)
            else:
                steps.append((monotonic(), run, int(numbers[0])))
            if monotonic() > until:
                break
        killed = monotonic()
        server.kill()
        server.wait()
        server.stdout.close()

        records = {record.key: record for record in store.runs(workspace)}
        assert {key for key, record in records.items() if record.is_over} >= finished
        for key in finished:
            assert from_bytes(_file(store, workspace, key, "seed-0")).history[-1].epoch == 300
        _, current, _ = steps[-1]
        if current not in finished:
            if current in records and not records[current].is_over:
                snapshot = from_bytes(_file(store, workspace, current, "snapshot"))
                if (training := store.file(workspace, current, "training")) is not None:
                    assert load_training(BytesIO(training), make_digits(600)).step == snapshot.step
                stored_step = snapshot.step
            else:
                stored_step = 0 if current not in records else steps[-1][2]
            lost.append(killed - max([began] + [at for at, run, step in steps if run == current and step <= stored_step]))
    print(f"{ROUNDS} kills, {len(finished)} finished runs; lost at most {max(lost, default=0):.1f} s of a run under way")
    assert finished or ROUNDS < 10


def _file(store, workspace, key, name):
    content = store.file(workspace, key, name)
    assert content is not None
    return content
