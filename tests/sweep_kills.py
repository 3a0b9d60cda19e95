"""Worker processes of a sweep that are killed at random moments."""

import random
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from helpers import ROOT

GRACE = 2.0  # seconds of silence, after which a trial is taken over


def start_worker(url, log):
    """A process that joins the study "s"; what it prints is added to the file ``log``."""
    command = [sys.executable, "-m", "engine", "sweep-worker", "--storage", url, "--study", "s", "--grace", str(GRACE)]
    with open(log, "ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)


def run_with_kills(url, folder, num_workers, num_kills, seed=0, seconds=600):
    """Work on the study "s" until it is over, and kill a random worker ``num_kills`` times; another one takes its place.

    Return the numbers of the trials that the workers say they ended, in any order, and how many of the killed workers were
    at work, rather than at an end because the study was over.
    """
    rng, log, workers, at_work = random.Random(seed), Path(folder) / "workers.log", [], 0
    deadline = monotonic() + seconds
    try:
        workers = [start_worker(url, log) for _ in range(num_workers)]
        for _ in range(num_kills):
            sleep(rng.uniform(0.5, 5))
            victim = rng.randrange(num_workers)
            at_work += workers[victim].poll() is None
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = start_worker(url, log)
        for worker in workers:
            assert worker.wait(max(deadline - monotonic(), 1)) == 0, log.read_text()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    text = log.read_text()
    assert "Traceback" not in text, text
    return [int(number) for number in re.findall(r"^trial +(\d+) ", text, re.MULTILINE)], at_work


def contents(network):
    """All numbers of a network and what was recorded of its training, but for the time that it took."""
    training = network.info["training"]
    without_times = [event[:-2] for event in training["history"]]
    return network.state_vector.tobytes(), network.info["config"], training["curve"], without_times


def check_nothing_is_lost_or_run_twice(study, ended, reference):
    """Compare a study whose workers were killed with one that a single worker brought to its end."""
    trials = study.trials()
    assert [trial.number for trial in trials] == list(range(study.sweep.trials))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert len(ended) == len(set(ended)), "a trial was ended twice"
    assert [trial.params for trial in trials] == [trial.params for trial in reference.trials()]
    assert [trial.values for trial in trials] == [trial.values for trial in reference.trials()]
    for trial, other in zip(trials, reference.trials(), strict=True):
        assert list(map(contents, study.networks(trial))) == list(map(contents, reference.networks(other)))
    assert study.claims.all() == {}
