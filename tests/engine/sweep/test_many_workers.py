"""Several worker processes over a real PostgreSQL, killed at random: ``tests/benchmarks/sweep.py`` does it for longer."""

import pytest
from helpers import need_optuna
from sweep_kills import check_nothing_is_lost_or_run_twice, run_with_kills
from threadpoolctl import threadpool_limits

from engine.data import load_data
from engine.sweep.plan import Sweep

SETTINGS = {"epochs": 4, "hidden": "32", "batch_size": 16}


def test_four_workers_that_are_killed_lose_nothing_and_repeat_nothing(postgresql, idx_folder, tmp_path):
    need_optuna()
    from engine.sweep.study import make_study
    from engine.sweep.worker import Worker

    train_set, _ = load_data(idx_folder)
    table = {"data": str(idx_folder), "trials": 10, "sampler": "random", "settings": SETTINGS}
    sweep = Sweep.from_table(table | {"search": {"learning_rate": "1e-4..1e-2:log"}})
    reference = make_study(f"sqlite:///{tmp_path / 'reference.sqlite3'}", "s", sweep, train_set)
    with threadpool_limits(1):
        for _ in Worker(reference, train_set).run():
            pass
    url = postgresql.new_database()
    study = make_study(url, "s", sweep, train_set)
    ended, _ = run_with_kills(url, tmp_path, num_workers=4, num_kills=3)
    check_nothing_is_lost_or_run_twice(study, ended, reference)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_both_storages_give_the_same(kind, request, tiny, tmp_path):
    need_optuna()
    from engine.sweep.study import make_study, open_study
    from engine.sweep.worker import Worker

    sqlite = f"sqlite:///{tmp_path / 's.sqlite3'}"
    url = request.getfixturevalue("postgresql").new_database() if kind == "postgresql" else sqlite
    settings = {"hidden": "8", "epochs": 1, "train_size": 200}
    search = {"learning_rate": "1e-3..1e-2"}
    sweep = Sweep.from_table({"search": search, "settings": settings, "trials": 2, "sampler": "random"})
    make_study(url, "s", sweep, tiny)
    trials = list(Worker(open_study(url, "s"), tiny).run())
    assert [trial.number for trial in trials] == [0, 1]
    assert open_study(url.replace("+psycopg", ""), "s").best.values  # postgresql:// without a driver is read, too
