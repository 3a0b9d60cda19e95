"""A program for the tests: it starts processes that save runs, and can be killed at any moment.

    python saver.py URL

A line "WORKSPACE N" on its input starts a process that saves N runs, each several times, and then ends. On its output are
the lines "started PID", "saved KEY REVISION" after the store has returned, and "ended PID STATUS".
"""

import hashlib
import os
import random
import sys
import threading
import uuid

from ui.store import RunRecord, Store

REVISIONS = 3


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def save_runs(url, workspace, count):
    store = Store(url, max_bytes=10**12)
    for number in range(count):
        key = uuid.uuid4().hex
        for revision in range(REVISIONS):
            files = {name: os.urandom(random.randrange(1, 500_000)) for name in ("seed-0", "training")}
            hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            details = {"revision": revision, "hashes": hashes}
            store.save_run(workspace, RunRecord(key, number, "Run", "running", False, details=details), files)
            say("saved", key, revision)


def wait_for(pid):
    _, status = os.waitpid(pid, 0)
    say("ended", pid, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    for line in sys.stdin:
        workspace, count = line.split()
        pid = os.fork()
        if not pid:
            save_runs(sys.argv[1], workspace, int(count))
            os._exit(0)
        say("started", pid)
        threading.Thread(target=wait_for, args=(pid,)).start()
