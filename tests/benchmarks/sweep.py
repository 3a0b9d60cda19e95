"""Sweeps with several workers: how much faster two are than one, and whether killing them loses anything.

    python tests/benchmarks/sweep.py                  # speed: trials a minute with one worker and with two
    python tests/benchmarks/sweep.py --kills 50       # four workers over PostgreSQL, a random one killed 50 times

The speed is that of worker processes which have begun: it is counted from the first trial's beginning to the last one's end,
in rounds of one and two workers in turn, and the median is shown. Run it on a quiet machine.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from helpers import make_digits, write_idx_folder
from servers import PostgreSQL
from sweep_kills import check_nothing_is_lost_or_run_twice, run_with_kills
from threadpoolctl import threadpool_limits

from engine.data import load_data
from engine.sweep.plan import Sweep
from engine.sweep.study import make_study
from engine.sweep.worker import Worker


def make_sweep(folder, trials, epochs):
    table = {"data": str(folder), "trials": trials, "sampler": "random", "settings": {"epochs": epochs, "hidden": "128"}}
    return Sweep.from_table(table | {"search": {"learning_rate": "1e-4..1e-2:log"}})


def trials_per_minute(url, folder, sweep, train_set, num_workers):
    study = make_study(url, "s", sweep, train_set)
    run_with_kills(url, folder, num_workers, num_kills=0)
    trials = study.trials()
    seconds = max(trial.datetime_complete for trial in trials) - min(trial.datetime_start for trial in trials)
    return 60 * len(trials) / seconds.total_seconds()


def measure_speed(data, rounds, trials):
    train_set, _ = load_data(data)
    sweep = make_sweep(data, trials, epochs=4)
    speeds = {1: [], 2: []}
    for _ in range(rounds):
        for num_workers, of_workers in speeds.items():
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/s.sqlite3"
                of_workers.append(trials_per_minute(url, folder, sweep, train_set, num_workers))
    one, two = median(speeds[1]), median(speeds[2])
    print(f"one worker {one:.1f} trials a minute, two {two:.1f}: {two / one:.2f} x")


def kill(data, num_kills, seed, programs):
    train_set, _ = load_data(data)
    sweep = make_sweep(data, trials=3 * num_kills, epochs=8)
    server = PostgreSQL(programs)
    try:
        with tempfile.TemporaryDirectory() as folder:
            reference = make_study(f"sqlite:///{folder}/reference.sqlite3", "s", sweep, train_set)
            with threadpool_limits(1):
                for _ in Worker(reference, train_set).run():
                    pass
            url = server.new_database()
            study = make_study(url, "s", sweep, train_set)
            ended = run_with_kills(url, folder, 4, num_kills, seed, seconds=7200)
            check_nothing_is_lost_or_run_twice(study, ended, reference)
    finally:
        server.stop()
    print(f"{num_kills} kills: {3 * num_kills} trials, none lost, none run twice, every network the same bit for bit")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, metavar="N", help="kill a random worker so often, instead of the speed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed")
    parser.add_argument("--trials", type=int, default=20, help="in a round of the speed")
    parser.add_argument("--postgresql", type=Path, metavar="FOLDER", help="where its programs are (default: the newest)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = write_idx_folder(Path(folder) / "drawn", make_digits(6000, 1), make_digits(300, 2))
        if options.kills is None:
            measure_speed(data, options.rounds, options.trials)
        else:
            programs = options.postgresql or max(Path("/usr/lib/postgresql").glob("*/bin"))
            kill(data, options.kills, options.seed, programs)


if __name__ == "__main__":
    main()
