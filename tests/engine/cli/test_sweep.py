"""``sweep`` and ``sweep-worker``."""

import csv
import json
import os
import subprocess
import sys

import pytest
from helpers import ROOT, need_optuna

import engine
from engine.sweep.plan import SAMPLERS

QUICK = ["--epochs", "1", "--train-size", "300", "--trials", "3", "--sampler", "random"]
SEARCH = ["--search", "learning_rate=1e-3..1e-1:log", "--search", 'hidden=8,"8,4"']


@pytest.fixture(autouse=True)
def _installed():
    need_optuna()


@pytest.fixture
def place(tmp_path):
    return ["--storage", f"sqlite:///{tmp_path / 'sweeps.sqlite3'}"]


def test_a_sweep_finds_saves_and_tests_a_winner(run, idx_folder, tmp_path, place):
    out, table = tmp_path / "winner.npz", tmp_path / "trials.csv"
    arguments = ["sweep", "--data", idx_folder, *QUICK, *SEARCH, *place, "--workers", 1, "--out", out, "--csv", table]
    status, text, err = run(*arguments)
    assert (status, err) == (0, "")
    assert text.count("\ntrial ") == 2
    rows = list(csv.DictReader(table.open()))
    assert [row["state"] for row in rows] == ["complete"] * 3
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    assert f"best: trial {best['trial']:>3}  validation loss {float(best['validation_loss']):.4f}" in text
    network = engine.load(out)
    test_set = engine.data.read_folder(idx_folder)[1]
    accuracy = (network.predict(test_set.images) == test_set.labels).mean()
    assert f"test accuracy of this one {100 * accuracy:.2f} %" in text

    status, text, _ = run(*arguments, "--json")  # the same command again: nothing is left to do
    report = json.loads(text)
    assert (status, report["trial"], report["trials"]) == (0, int(best["trial"]), 3)
    assert report["winner"]["accuracies"] == [accuracy]
    assert network.info["sweep"]["settings"]["learning_rate"] == float(best["learning_rate"])


@pytest.mark.parametrize(
    ("file", "flags", "message"),
    [
        ("search = 5", [], "[search] and [settings] must be tables"),
        ("settings = 5", SEARCH, "[search] and [settings] must be tables"),
        ('[search]\nhidden = "8,\\r16"', [], "hidden must be a list of values in one line"),
        ("", [*SEARCH, "--grace", "nan"], "--grace must be in [0.1, 86400], got nan"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_one_line_and_no_study_is_made(file, flags, message, run, tmp_path, place):
    path = tmp_path / "sweep.toml"
    path.write_text(file)
    status, text, err = run("sweep", path, *flags, *place)
    assert (status, text, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "sweeps.sqlite3").exists()


def test_a_closed_output_does_not_keep_a_sweep_from_its_table(idx_folder, tmp_path, place):
    table = tmp_path / "trials.csv"
    arguments = [*QUICK, *SEARCH, *place, "--data", str(idx_folder), "--workers", "1", "--csv", str(table)]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "engine", "sweep", *arguments],
            cwd=ROOT,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    assert [row["state"] for row in csv.DictReader(table.open())] == ["complete"] * 3


def test_the_test_images_stay_unseen_without_a_winner_to_test(run, idx_folder, place, monkeypatch):
    monkeypatch.setattr("engine.sweep.study.evaluate", lambda *_: pytest.fail("it measured on the test images"))
    status, text, _ = run("sweep", "--data", idx_folder, *QUICK, *SEARCH, *place, "--workers", 1, "--no-test")
    assert status == 0
    assert "test accuracy" not in text


def test_a_file_and_a_worker_process(run, idx_folder, tmp_path, place):
    file = tmp_path / "sweep.toml"
    file.write_text(
        f'data = "{idx_folder}"\ntrials = 2\nsampler = "grid"\nmeasure = "validation_accuracy"\n'
        "[settings]\nepochs = 1\ntrain_size = 300\n[search]\nhidden = [8, [8, 4]]\n"
    )
    status, text, err = run("sweep", file, *place, "--study", "mine", "--workers", 2)
    assert (status, err) == (0, "")
    assert text.count("validation accuracy") == 3
    status, text, err = run("sweep-worker", *place, "--study", "mine")
    assert (status, text, err) == (0, "", "")  # nothing is left for it


def test_what_is_wrong_is_a_line(refused, tmp_path, place):
    refused(["sweep"], "a sweep must search at least one setting, got none")
    refused(["sweep", "--search", "x=1"], "what is searched must be one of learning_rate, ")
    refused(["sweep", *SEARCH, "--sampler", "cmaes"], "--sampler must be one of", *SAMPLERS)
    refused(["sweep", *SEARCH, "--workers", "0"], "--workers must be a whole number from 1 to 1,000, got 0")
    refused(["sweep", tmp_path / "missing.toml"], "missing.toml cannot be read: No such file or directory")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    refused(["sweep", tmp_path / "bad.toml"], "must be a TOML file in UTF-8")
    refused(["sweep", *SEARCH, "--out", tmp_path / "no" / "out.npz"], "--out: ")
    refused(["sweep-worker", *place, "--study", "mine"], "this storage has no study 'mine'")
    refused(["sweep-worker", "--storage", "mongo://x"], "the storage must be sqlite:///FILE or postgresql://")
