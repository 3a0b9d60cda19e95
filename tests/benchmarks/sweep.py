"""Sweeps with several workers: how much faster two are than one, whether killing them loses anything, and what one finds.

    python tests/benchmarks/sweep.py                  # speed: trials a minute with one worker and with two
    python tests/benchmarks/sweep.py --small          # the same with trials of a fraction of a second
    python tests/benchmarks/sweep.py --kills 50       # four workers over PostgreSQL, a random one killed 50 times
    python tests/benchmarks/sweep.py --example --plot .github/sweep.png      # the README's example, with three seeds

The speed is that of worker processes which have begun: it is counted from the first trial's beginning to the last one's end.
Beside it stands what the machine allows: the same trainings in bare processes, without a sweep. Each round has both with one
process and with two, and the medians are shown. What was measured while other programs ran is measured again. A trial is a
training of the recipe `quick` on MNIST; a small one has 5,400 images, and 4 epochs.

The example is the sweep in .github/sweep.toml, which takes 5 minutes, once for each seed of its sampler. Each winner is
measured on the test images once, and so is the recipe `quick`, trained from five seeds. Run it on a quiet machine.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from time import monotonic, time

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from helpers import ROOT, make_digits, write_idx_folder
from servers import PostgreSQL
from sweep_kills import check_nothing_is_lost_or_run_twice, run_with_kills
from threadpoolctl import threadpool_limits

from engine.cli.options import percent
from engine.data import load_data
from engine.metrics import evaluate
from engine.recipes import RECIPES
from engine.sweep.plan import Sweep, read_file
from engine.sweep.search_space import configured
from engine.sweep.study import make_study
from engine.training import Trainer

EXAMPLE = ROOT / ".github" / "sweep.toml"
QUICK_SEEDS = 5
QUIET = 0.1  # cores that other programs may use during a measurement of speed
MAX_TRIES = 5  # of such a measurement

_data = {}  # of a bare process


def make_sweep(data, trials, epochs):
    table = {"data": str(data), "trials": trials, "sampler": "random", "settings": {"epochs": epochs, "hidden": "128"}}
    return Sweep.from_table(table | {"search": {"learning_rate": "1e-4..1e-2:log"}})


# How much faster two are than one.


def trials_per_minute(study, url, folder, num_workers):
    """The speed of a sweep."""
    run_with_kills(url, folder, num_workers, num_kills=0, seconds=7200)
    trials = study.trials()
    seconds = max(trial.datetime_complete for trial in trials) - min(trial.datetime_start for trial in trials)
    return 60 * len(trials) / seconds.total_seconds()


def bare_trainings_per_minute(study, num_processes):
    """The speed of the same trainings without a sweep, in processes that only train."""
    sweep = study.sweep
    configs = [configured(sweep.config, trial.params) for trial in study.trials()]
    with get_context("spawn").Pool(num_processes, _begin_bare, [sweep.data]) as pool:
        times = pool.map(_train_bare, configs, chunksize=1)
    began, ended = zip(*times, strict=True)
    return 60 * len(configs) / (max(ended) - min(began))


def _begin_bare(data):
    threadpool_limits(1)
    _data["train_set"], _ = load_data(data)


def _train_bare(config):
    began = time()
    for _ in Trainer.from_config(config, _data["train_set"]):
        pass
    return began, time()


def measure_speed(data, rounds, trials, epochs):
    train_set, _ = load_data(data)
    sweep = make_sweep(data, trials, epochs)

    def workers(number):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/s.sqlite3"
            return trials_per_minute(make_study(url, "s", sweep, train_set), url, folder, number)

    def bare(number):
        with tempfile.TemporaryDirectory() as folder:
            return bare_trainings_per_minute(make_study(f"sqlite:///{folder}/s.sqlite3", "s", sweep, train_set), number)

    kinds = {"workers": workers, "bare processes": bare}
    speeds = {(kind, number): [] for number in (1, 2) for kind in kinds}
    for _ in range(rounds):
        for (kind, number), measured in speeds.items():
            measured.append(measure_quietly(lambda measure=kinds[kind], number=number: measure(number)))
            print(f"{kind}, {number}: {measured[-1]:.1f} trials a minute", flush=True)
    for kind in kinds:
        one, two = (median(speeds[kind, number]) for number in (1, 2))
        print(f"{kind}, medians: one {one:.1f} trials a minute, two {two:.1f}: {two / one:.2f} x")


def measure_quietly(measure):
    """What ``measure`` gives while nothing else runs on the machine; it is called up to ``MAX_TRIES`` times for that."""
    for tries_left in reversed(range(MAX_TRIES)):
        began, before = monotonic(), _seconds_of_others()
        value = measure()
        cores = (_seconds_of_others() - before) / (monotonic() - began)
        if cores <= QUIET or not tries_left:
            break
        print(f"measured again: other programs used {cores:.2f} cores", flush=True)
    return value


def _seconds_of_others():
    """The processor time of all programs but this one and those it has started that have ended; 0 where /proc is missing."""
    try:
        user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    except OSError:
        return 0.0
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


# Whether killing them loses anything.


def kill(data, num_kills, seed, programs):
    train_set, _ = load_data(data)
    sweep = make_sweep(data, trials=3 * num_kills // 2, epochs=100)  # long enough to be killed in their middle
    server = PostgreSQL(programs)
    try:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            reference_url = f"sqlite:///{folder}/reference.sqlite3"
            reference = make_study(reference_url, "s", sweep, train_set)
            run_with_kills(reference_url, other, num_workers=2, num_kills=0, seconds=7200)
            url = server.new_database()
            study = make_study(url, "s", sweep, train_set)
            ended, at_work = run_with_kills(url, folder, 4, num_kills, seed, seconds=7200)
            check_nothing_is_lost_or_run_twice(study, ended, reference)
    finally:
        server.stop()
    print(f"{num_kills} kills, {at_work} of them of a worker at work")
    print(f"{sweep.trials} trials, none lost, none run twice, every network the same bit for bit")


# What one finds.


def measure_example(sampler_seeds, plot):
    train_set, test_set = load_data("mnist")
    quick = [_measure_quick(seed, train_set, test_set) for seed in range(QUICK_SEEDS)]
    accuracies = [accuracy for accuracy, _ in quick]
    print(f"quick, mean of {len(quick)} seeds: {percent(mean(accuracies))} of the test images", flush=True)
    for seed in sampler_seeds:
        table = read_file(EXAMPLE.read_text()) | {"sampler_seed": seed}
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/s.sqlite3"
            study = make_study(url, "s", Sweep.from_table(table), train_set)
            began = monotonic()
            run_with_kills(url, folder, num_workers=2, num_kills=0, seconds=1200)
            minutes = (monotonic() - began) / 60
            best = study.best
            print(f"sampler seed {seed}: {_counts(study)} in {minutes:.1f} minutes, best {best.params}", flush=True)
            (accuracy,) = study.measure_winner(test_set)["accuracies"]
            gain = 100 * (accuracy - mean(accuracies))
            print(f"  validation {percent(best.value)}, test {percent(accuracy)}: quick plus {gain:.2f} points", flush=True)
            if plot and seed == sampler_seeds[0]:
                from sweep_plot import draw  # matplotlib takes a second to import

                draw(study.trials(), mean(validation for _, validation in quick), plot)


def _measure_quick(seed, train_set, test_set):
    """Its test accuracy and its validation accuracy."""
    with threadpool_limits(1):
        trainer = Trainer.from_config(replace(RECIPES["quick"].config, seed=seed), train_set)
        for _ in trainer:
            pass
        return evaluate(trainer.result, test_set).accuracy, trainer.validation.accuracy


def _counts(study):
    states = Counter(trial.state.name.lower() for trial in study.trials())
    return ", ".join(f"{number} {state}" for state, number in states.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the speed of small trials")
    parser.add_argument("--kills", type=int, metavar="N", help="kill a random worker so often, instead of the speed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed")
    parser.add_argument("--trials", type=int, help="in a round of the speed (default: 12, or 60 small ones)")
    parser.add_argument("--postgresql", type=Path, metavar="FOLDER", help="where its programs are (default: the newest)")
    parser.add_argument("--example", action="store_true", help="run the README's example instead")
    parser.add_argument("--sampler-seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of the example")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to write a picture of the first")
    options = parser.parse_args()
    if options.example:
        measure_example(options.sampler_seeds, options.plot)
        return
    if options.kills is None and not options.small:
        measure_speed("mnist", options.rounds, options.trials or 12, RECIPES["quick"].config.epochs)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = write_idx_folder(Path(folder) / "drawn", make_digits(6000, 1), make_digits(300, 2))
        if options.kills is None:
            measure_speed(data, options.rounds, options.trials or 60, epochs=4)
        else:
            programs = options.postgresql or max(Path("/usr/lib/postgresql").glob("*/bin"))
            kill(data, options.kills, options.seed, programs)


if __name__ == "__main__":
    main()
