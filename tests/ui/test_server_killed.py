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
LONGEST = 5.0  # seconds from a server's first step until a kill
MAX_LOST = 2.5  # seconds of a training: a checkpoint comes every 0.5, is known after 0.1 more, and then stored


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_server_loses_no_finished_run_and_little_of_the_others(tmp_path):
    rng = random.Random(0)
    url = f"sqlite:///{tmp_path / 'inkling.sqlite3'}"
    store = Store(url)
    workspace = store.create()
    finished, lost = set(), []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    program = f"from tests.ui.killed_server import main; main({url!r}, {workspace!r})"
    for _ in range(ROUNDS):
        server = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        first = until = None
        current, seconds, stored_steps = "", 0.0, {}
        for line in server.stdout:
            kind, run, *numbers = line.split()
            if kind == "finished":
                finished.add(run)
            elif kind == "stored":
                stored_steps[run] = int(numbers[0])
            else:
                current, seconds = run, float(numbers[1])
                first = first or (run, numbers)
                if until is None and (run, numbers) != first:
                    until = monotonic() + rng.uniform(0, LONGEST)
            if until and monotonic() > until:
                break
        server.kill()
        server.wait()
        server.stdout.close()

        records = {record.key: record for record in store.runs(workspace)}
        assert {key for key, record in records.items() if record.is_over} >= finished
        for key in finished:
            end = from_bytes(_file(store, workspace, key, "seed-0"))
            assert len(end.history) == end.config.epochs
        snapshots = {key: _stored(store, workspace, key) for key, record in records.items() if not record.is_over}
        for run, step in stored_steps.items():
            assert records[run].is_over or snapshots[run].step >= step
        if current not in records:
            lost.append(seconds)
        elif current in snapshots:
            lost.append(seconds - snapshots[current].seconds)
    print(f"{ROUNDS} kills, {len(finished)} finished runs; lost at most {max(lost, default=0):.1f} s of a run under way")
    assert max(lost, default=0) <= MAX_LOST
    assert finished or ROUNDS < 10


def _stored(store, workspace, key):
    """The snapshot of a run under way; its training, if it has one, is of the same step."""
    snapshot = from_bytes(_file(store, workspace, key, "snapshot"))
    if (training := store.file(workspace, key, "training")) is not None:
        assert load_training(BytesIO(training), make_digits(600)).step == snapshot.step
    return snapshot


def _file(store, workspace, key, name):
    content = store.file(workspace, key, name)
    assert content is not None
    return content
