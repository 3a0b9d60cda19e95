"""What watching a training costs: its speed beside a bare ``Trainer``, the memory of a long one, how true the estimate is.

    python tests/benchmarks/laboratory.py [--rounds 5] [--seconds 4] [--minutes 20] [--epochs 1] [--json FILE]

Speed: a ``Job`` with a test set, a drawing that is followed and a viewer who takes a snapshot every 0.6 s, against a loop
over the bare ``Trainer``, in turn in one run; medians of the ratios round by round, of the steps in a second by the clock
on the wall, and in a second of the processor's time for all of the process, which other programs hardly disturb. One
thread for matrix products, as on the page. Memory: what this process holds through a training of a small network of
thousands of epochs with the same viewer, from half a minute after its start to its end. Estimate: the seconds per epoch
that stand beside Start before the first run, over those that real epochs take in such a watched job.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time, sleep

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.data import default_source, load_data
from engine.jobs import Job
from engine.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from engine.recipes import RECIPES
from ui.speed import seconds_per_epoch

REFRESH = 0.6  # seconds between two looks of the page
WARM_UP = 30.0  # seconds until the curves are full and the allocator has what it needs
CONVOLUTIONAL = (
    *(Conv2D(8, 5), Activation("relu"), MaxPool2D()),
    *(Conv2D(16, 5), Activation("relu"), MaxPool2D()),
    *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
)
WORK = {
    "784-128-10, batch 128": {"layers": engine.dense_layers((128,))},
    "784-512-512-10, batch 128": {"layers": engine.dense_layers((512, 512))},
    "784-16-10, batch 8": {"layers": engine.dense_layers((16,)), "batch_size": 8},
    "LeNet-like, batch 64": {"layers": CONVOLUTIONAL, "batch_size": 64},
}
PRESETS = ("quick", "mlp", "cnn")
SPEED_AIM, MEMORY_AIM, ESTIMATE_AIM = 0.85, 20, 0.3


def bare(config, train_set, seconds):
    """Steps of a loop over a ``Trainer`` in a second, and in one of the processor's."""
    trainer = engine.Trainer.from_config(config, train_set)
    started = now()
    for _ in trainer:
        if perf_counter() - started[0] >= seconds:
            break
    return trainer.step / (now() - started)


def watched(config, train_set, test_set, seconds):
    """The same of a ``Job`` that is watched."""
    job = Job(engine.Trainer.from_config(config, train_set), test_set)
    job.follow(test_set.images[0] / np.float32(255))
    started = now()
    job.start()
    while perf_counter() - started[0] < seconds:
        sleep(REFRESH)
        last, elapsed = job.snapshot(), now() - started
    job.stop()
    job.wait()
    return last.step / elapsed


def now():
    """The time on the wall, and the processor's."""
    return np.array([perf_counter(), process_time()])


def speeds(train_set, test_set, rounds, seconds):
    """A row for each work: steps a second, bare and watched, and the ratios by wall and by processor."""
    rows = []
    for name, changes in WORK.items():
        config = engine.Config(epochs=10_000, **changes)
        found = []
        for lap in range(rounds + 1):
            pair = bare(config, train_set, seconds), watched(config, train_set, test_set, seconds)
            if lap:  # the first lap warms up
                found.append(pair)
        wall, processor = np.median([seen / alone for alone, seen in found], axis=0).tolist()
        alone, seen = np.median(found, axis=0)[:, 0].tolist()
        rows.append({"work": name, "bare": alone, "watched": seen, "ratio": wall, "processor_ratio": processor})
        print(f"| {name} | {alone:,.0f} | {seen:,.0f} | {wall:.3f} ({SPEED_AIM}) | {processor:.3f} |", flush=True)
    return rows


def memory(train_set, test_set, minutes):
    """Megabytes that this process has grown by, and how far the training came."""
    small = train_set.subset(slice(1_000))
    config = engine.Config(layers=engine.dense_layers((16,)), images=1_000, epochs=100_000, batch_size=32)
    job = Job(engine.Trainer.from_config(config, small), test_set.subset(slice(1_000)))
    job.follow(test_set.images[0] / np.float32(255))
    job.start()
    started, first = perf_counter(), None
    while perf_counter() - started < 60 * minutes:
        sleep(REFRESH)
        snapshot = job.snapshot()
        if first is None and perf_counter() - started >= min(WARM_UP, 30 * minutes):
            first = resident()
        if snapshot.over:
            break
    looked = perf_counter()
    job.snapshot()
    looked = perf_counter() - looked
    grown, snapshot = resident() - first, job.snapshot()
    job.stop()
    job.wait()
    return {
        "minutes": minutes,
        "grown_mb": grown,
        "epochs": snapshot.epoch,
        "steps": snapshot.step,
        "snapshot_ms": 1000 * looked,
    }


def estimates(train_set, test_set, epochs):
    """A row for each preset: the seconds per epoch that the page says, what one takes, and the ratio."""
    rows = []
    for name in PRESETS:
        config = RECIPES[name].config
        while (said := seconds_per_epoch(config, len(train_set))) is None:
            sleep(0.05)
        job = Job(engine.Trainer.from_config(config, train_set), test_set)
        for _ in range(min(epochs, config.epochs)):
            job.step_epoch()
            while not job.settle(REFRESH):
                job.snapshot()
        history = job.snapshot().history
        took = history[-1].seconds / len(history)
        job.stop()
        job.wait()
        rows.append({"preset": name, "said": said, "took": took, "ratio": said / took})
        print(f"| {name} | {said:.1f} | {took:.1f} | {said / took:.2f} |", flush=True)
    return rows


def resident():
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of the speed; 0 leaves it out")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each training")
    parser.add_argument("--minutes", type=float, default=2.0, help="of the long training; 0 leaves it out")
    parser.add_argument("--epochs", type=int, default=1, help="to compare the estimate with; 0 leaves it out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    threadpool_limits(1, user_api="blas")
    train_set, test_set = load_data(default_source())
    report = {}
    if options.rounds:
        print("| work | bare, steps/s | watched, steps/s | ratio (aim) | by processor |\n|---|---|---|---|---|")
        report["speed"] = speeds(train_set, test_set, options.rounds, options.seconds)
    if options.minutes:
        report["memory"] = found = memory(train_set, test_set, options.minutes)
        print(
            f"memory after {found['minutes']:g} min, {found['epochs']:,} epochs, {found['steps']:,} steps: "
            f"{found['grown_mb']:+.1f} MB (aim: less than {MEMORY_AIM}); a snapshot takes {found['snapshot_ms']:.1f} ms"
        )
    if options.epochs:
        print(f"| preset | said, s an epoch | took | ratio (within {ESTIMATE_AIM:.0%}) |\n|---|---|---|---|")
        report["estimate"] = estimates(train_set, test_set, options.epochs)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
