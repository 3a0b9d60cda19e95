"""What it costs to watch a training: its speed, the memory of a long one, and how good the estimate of its time is.

    python tests/benchmarks/laboratory.py [--rounds 5] [--seconds 4] [--minutes 20] [--epochs 1] [--json FILE]

Speed: a ``Job`` with a test set, a drawing that is followed and a viewer who takes a snapshot every 0.6 s, compared with a
loop over a bare ``Trainer``. They take turns in one process. The figures are medians of the ratios of all rounds: of steps
per second of wall time, and per second of processor time of the whole process, which other programs hardly disturb. Matrix
products use one thread, as on the page. Memory: what this process holds during a training of a small network for thousands
of epochs with the same viewer, from half a minute after its start to its end. Estimate: the seconds per epoch that the page
shows beside Start before the first run, divided by what real epochs take in such a watched job.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine import Config, Dataset
from engine.data import default_source, load_data
from engine.jobs.job import Job
from engine.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from engine.recipes import RECIPES
from ui.train.epoch_time import seconds_per_epoch

REFRESH_SECONDS = 0.6  # between two snapshots
WARM_UP = 30.0  # seconds until the curves are full and the allocator has all it needs
CONVOLUTIONAL = (
    *(Conv2D(8, 5), Activation("relu"), MaxPool2D()),
    *(Conv2D(16, 5), Activation("relu"), MaxPool2D()),
    *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
)
WORKLOADS: dict[str, dict[str, Any]] = {
    "784-128-10, batch 128": {"layers": engine.dense_layers((128,))},
    "784-512-512-10, batch 128": {"layers": engine.dense_layers((512, 512))},
    "784-16-10, batch 8": {"layers": engine.dense_layers((16,)), "batch_size": 8},
    "LeNet-like, batch 64": {"layers": CONVOLUTIONAL, "batch_size": 64},
}
PRESETS = ("quick", "mlp", "cnn")
MIN_SPEED_RATIO, MAX_GROWTH, MAX_ESTIMATE_ERROR = 0.85, 20, 0.3  # growth in megabytes


def bare(config: Config, train_set: Dataset, seconds: float) -> npt.NDArray:
    """Steps of a loop over a ``Trainer`` per second of wall time, and of processor time."""
    trainer = engine.Trainer.from_config(config, train_set)
    started = now()
    for _ in trainer:
        if perf_counter() - started[0] >= seconds:
            break
    return trainer.step / (now() - started)


def watched(config: Config, train_set: Dataset, test_set: Dataset, seconds: float) -> npt.NDArray:
    """The same for a ``Job`` that is watched."""
    job = Job(engine.Trainer.from_config(config, train_set), test_set)
    job.follow(test_set.images[0] / np.float32(255))
    started = now()
    job.start()
    rate = np.zeros(2)
    while perf_counter() - started[0] < seconds:
        sleep(REFRESH_SECONDS)
        rate = job.snapshot().step / (now() - started)
    job.stop()
    job.wait_until_over()
    return rate


def now() -> npt.NDArray:
    """Wall time and processor time, in seconds."""
    return np.array([perf_counter(), process_time()])


def speeds(train_set: Dataset, test_set: Dataset, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each workload: steps per second, bare and watched, and the ratios by wall and by processor time."""
    rows = []
    for name, changes in WORKLOADS.items():
        config = engine.Config(epochs=10_000, **changes)
        pairs = []
        for lap in range(rounds + 1):
            pair = bare(config, train_set, seconds), watched(config, train_set, test_set, seconds)
            if lap:  # the first lap warms up
                pairs.append(pair)
        wall, processor = np.median([with_viewer / alone for alone, with_viewer in pairs], axis=0).tolist()
        alone, with_viewer = np.median(pairs, axis=0)[:, 0].tolist()
        rows.append({"work": name, "bare": alone, "watched": with_viewer, "ratio": wall, "processor_ratio": processor})
        print(
            f"| {name} | {alone:,.0f} | {with_viewer:,.0f} | {wall:.3f} ({MIN_SPEED_RATIO}) | {processor:.3f} |", flush=True
        )
    return rows


def memory(train_set: Dataset, test_set: Dataset, minutes: float) -> dict[str, float]:
    """Megabytes that this process has grown by, and how far the training has come."""
    small = train_set.subset(slice(1_000))
    config = engine.Config(layers=engine.dense_layers((16,)), train_size=1_000, epochs=100_000, batch_size=32)
    job = Job(engine.Trainer.from_config(config, small), test_set.subset(slice(1_000)))
    job.follow(test_set.images[0] / np.float32(255))
    job.start()
    started, first = perf_counter(), 0.0
    while perf_counter() - started < 60 * minutes:
        sleep(REFRESH_SECONDS)
        snapshot = job.snapshot()
        if not first and perf_counter() - started >= min(WARM_UP, 30 * minutes):
            first = resident()
        if snapshot.is_over:
            break
    snapshot_started = perf_counter()
    snapshot = job.snapshot()
    snapshot_seconds = perf_counter() - snapshot_started
    growth = resident() - first
    job.stop()
    job.wait_until_over()
    return {
        "minutes": minutes,
        "grown_mb": growth,
        "epochs": snapshot.epoch,
        "steps": snapshot.step,
        "snapshot_ms": 1000 * snapshot_seconds,
    }


def estimates(train_set: Dataset, test_set: Dataset, epochs: int) -> list[dict[str, Any]]:
    """A row for each preset: the seconds per epoch that the page estimates, those that an epoch takes, and the ratio."""
    rows = []
    for name in PRESETS:
        config = RECIPES[name].config
        while (estimate := seconds_per_epoch(config, len(train_set))) is None:
            sleep(0.05)
        job = Job(engine.Trainer.from_config(config, train_set), test_set)
        for _ in range(min(epochs, config.epochs)):
            job.step_epoch()
            while not job.wait_until_still(REFRESH_SECONDS):
                job.snapshot()
        history = job.snapshot().history
        took = history[-1].seconds / len(history)
        job.stop()
        job.wait_until_over()
        rows.append({"preset": name, "estimate": estimate, "took": took, "ratio": estimate / took})
        print(f"| {name} | {estimate:.1f} | {took:.1f} | {estimate / took:.2f} |", flush=True)
    return rows


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of measuring the speed; 0 skips it")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each training")
    parser.add_argument("--minutes", type=float, default=2.0, help="of the long training; 0 skips it")
    parser.add_argument("--epochs", type=int, default=1, help="to compare the estimate with; 0 skips it")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    threadpool_limits(1, user_api="blas")
    train_set, test_set = load_data(default_source())
    report = {}
    if options.rounds:
        print("| work | bare, steps/s | watched, steps/s | ratio (target) | by processor time |\n|---|---|---|---|---|")
        report["speed"] = speeds(train_set, test_set, options.rounds, options.seconds)
    if options.minutes:
        report["memory"] = result = memory(train_set, test_set, options.minutes)
        print(
            f"memory after {result['minutes']:g} min, {result['epochs']:,} epochs, {result['steps']:,} steps: "
            f"{result['grown_mb']:+.1f} MB (target: less than {MAX_GROWTH}); a snapshot takes {result['snapshot_ms']:.1f} ms"
        )
    if options.epochs:
        print(f"| preset | estimate, s per epoch | took | ratio (within {MAX_ESTIMATE_ERROR:.0%}) |\n|---|---|---|---|")
        report["estimate"] = estimates(train_set, test_set, options.epochs)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
