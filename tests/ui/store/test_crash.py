"""Nothing that was saved is lost when a process dies at any moment, or when several write at once.

INKLING_KILL_ROUNDS is the number of kills, 20 by itself.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from helpers import ROOT

from tests.ui.store import saver
from ui.store import Store
from ui.store.archive import unpack

ROUNDS = int(os.environ.get("INKLING_KILL_ROUNDS", "20"))
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


class Saver:
    """A running ``saver.py``."""

    def __init__(self, process):
        self.process = process

    def start(self, workspace, count):
        self.process.stdin.write(f"{workspace} {count}\n")
        self.process.stdin.flush()

    def read(self):
        """The words of the next line."""
        line = self.process.stdout.readline()
        assert line, "saver.py has ended"
        return line.split()


@contextmanager
def run_saver(url):
    command = [sys.executable, Path(saver.__file__), url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    with process:
        yield Saver(process)
        process.stdin.close()
        process.wait(60)


def whole_runs(store, workspace):
    """The revision of each run in the workspace, by key, after a check that its files are those of this revision."""
    archive = unpack(store.export_zip(workspace), 10**12, lambda name, content: None)
    for run in archive.runs:
        hashes = {
            name: hashlib.sha256(content).hexdigest() for (key, name), content in archive.files.items() if key == run.key
        }
        assert hashes == run.details["hashes"]
    return {run.key: run.details["revision"] for run in archive.runs}


def kill_after(saver_process, num_saved, delay):
    """Kill the process that was started last after it has saved so often; return the last saved revision of each run."""
    word, pid = saver_process.read()
    assert word == "started"
    saved, count = {}, 0
    while True:
        if count == num_saved:
            time.sleep(delay)
            os.kill(int(pid), signal.SIGKILL)
        word, *rest = saver_process.read()
        if word == "ended":
            assert rest == [pid, str(-signal.SIGKILL)]
            return saved
        saved[rest[0]] = int(rest[1])
        count += 1


def test_a_killed_process_loses_no_saved_run(new_url):
    rng, num_saved = random.Random(0), 0
    store = Store(new_url, max_bytes=10**12)
    with run_saver(new_url) as saver_process:
        for _ in range(ROUNDS):
            workspace = store.create()
            saver_process.start(workspace, 1_000)
            saved = kill_after(saver_process, rng.randrange(8), rng.uniform(0, 0.05))
            present = whole_runs(Store(new_url), workspace)
            assert set(saved) <= set(present)
            for key, revision in present.items():
                # What was not reported yet may be there as well, if it is whole.
                assert revision in (saved.get(key, -1), saved.get(key, -1) + 1)
            assert len(set(present) - set(saved)) <= 1
            assert store.version(workspace) == 1 + sum(revision + 1 for revision in present.values())
            num_saved += sum(revision + 1 for revision in saved.values())
            store.forget(workspace)
    assert num_saved >= ROUNDS
    print(f"{ROUNDS} kills, {num_saved} saves, none lost")


def test_a_process_killed_while_it_makes_the_database_leaves_a_usable_one(new_url):
    rng = random.Random(1)
    with run_saver(new_url) as saver_process:
        for _ in range(4):
            saver_process.start("unknown", 0)
            word, pid = saver_process.read()
            time.sleep(rng.uniform(0, 0.05))
            with suppress(ProcessLookupError):  # it has made the database already
                os.kill(int(pid), signal.SIGKILL)
            assert (word, saver_process.read()[0]) == ("started", "ended")
    store = Store(new_url)
    assert store.visit(store.create())


def test_processes_that_start_at_once_make_one_database(new_url):
    with run_saver(new_url) as saver_process:
        for _ in range(6):
            saver_process.start("unknown", 0)
        lines = [saver_process.read() for _ in range(12)]
    assert [line[2] for line in lines if line[0] == "ended"] == ["0"] * 6
    store = Store(new_url)
    assert store.visit(store.create())


def test_processes_write_at_once(new_url):
    store = Store(new_url)
    workspace, count = store.create(), 8
    with run_saver(new_url) as saver_process:
        saver_process.start(workspace, count)
        saver_process.start(workspace, count)
        lines = [saver_process.read() for _ in range(2 * (2 + count * saver.REVISIONS))]
    assert [line[2] for line in lines if line[0] == "ended"] == ["0", "0"]
    assert list(whole_runs(store, workspace).values()) == [saver.REVISIONS - 1] * 2 * count
    assert store.version(workspace) == 1 + 2 * count * saver.REVISIONS
