import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, make_noise, write_idx_folder

import engine
from engine.activations import ACTIVATIONS
from engine.cli.main import make_parser
from engine.cli.options import given_settings
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.initializers import INITIALIZERS
from engine.layers import LAYERS, Activation, Conv2D, Dense, Flatten
from engine.losses import LOSSES
from engine.network import dense_layers
from engine.optimizers import OPTIMIZERS
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES
from engine.setting_fields import settings_of

QUICK = ["--hidden", "16", "--epochs", "2", "--train-size", "600", "--validation-size", "100"]


def test_json_reports_the_results(run, idx_folder, tmp_path):
    out = tmp_path / "network.npz"
    status, text, err = run("train", "--data", idx_folder, *QUICK, "--out", out, "--json")
    assert (status, err) == (0, "")
    report = json.loads(text)
    assert report["samples_per_second"] > 0
    assert report["seconds"] > 0
    assert report["parameters"] == 784 * 16 + 16 + 160 + 10
    assert [row["epoch"] for row in report["history"]] == [1, 2]
    assert {"loss", "accuracy", "validation_loss", "validation_accuracy"} <= report["history"][0].keys()
    assert report["validation_accuracy"] == report["history"][-1]["validation_accuracy"]

    network = engine.load(out)
    _, test = engine.data.read_folder(idx_folder)
    assert report["test_accuracy"] == np.mean(network.predict(test.images) == test.labels)
    config = Config.from_json(network.info["config"])
    assert (config.epochs, config.train_size, config.validation_size, config.layers) == (2, 600, 100, dense_layers((16,)))
    assert network.info["metrics"]["test_accuracy"] == report["test_accuracy"]
    assert network.info["data"]["images"] == 500  # what it was trained on


def test_no_test_does_not_look_at_the_test_images(run, refused, idx_folder, monkeypatch, tmp_path):
    monkeypatch.setattr("engine.cli.train.evaluate", lambda *_: pytest.fail("it measured on the test images"))
    status, text, _ = run("train", "--data", idx_folder, *QUICK, "--no-test", "--json", "--out", tmp_path / "network.npz")
    assert status == 0
    assert not {name for name in json.loads(text) if name.startswith("test")}
    assert engine.load(tmp_path / "network.npz").info["metrics"]["validation_accuracy"] > 0
    assert "validation accuracy" in run("train", "--data", idx_folder, *QUICK, "--no-test")[1]
    for flag in ("--no-test", "--calibrate"):
        refused(["train", "--data", idx_folder, *QUICK[:4], "--validation", 0, flag], "validation images")


def test_each_epoch_is_printed(run, idx_folder):
    status, out, _ = run("train", "--data", idx_folder, "--hidden", "32,16", "--activation", "tanh", "--epochs", "3")
    assert status == 0
    assert [f"epoch   {epoch}" in out for epoch in (1, 2, 3, 4)] == [True, True, True, False]
    assert "test accuracy" in out


def test_same_seed_same_file(run, idx_folder, tmp_path):
    vectors = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        run("train", "--data", idx_folder, *QUICK, "--seed", seed, "--out", tmp_path / name)
        vectors.append(engine.load(tmp_path / name).parameters.tobytes())
    assert vectors[0] == vectors[1] != vectors[2]


def test_options_reach_the_training(run, idx_folder, tmp_path):
    out = tmp_path / "network.npz"
    options = "--hidden= --initializer zeros --loss mse --optimizer nesterov --momentum 0.5 --learning-rate 0.02"
    options += " --weight-decay 0.01 --batch-size full --epochs 1 --validation 0 --images 50 --seed 9"
    status, text, _ = run("train", "--data", idx_folder, *options.split(), "--out", out, "--json")
    assert status == 0
    assert json.loads(text)["validation_accuracy"] is None
    assert Config.from_json(engine.load(out).info["config"]) == Config(
        layers=(Dense(10, "zeros"),),
        loss="mse",
        optimizer="nesterov",
        momentum=0.5,
        learning_rate=0.02,
        weight_decay=0.01,
        batch_size=None,
        epochs=1,
        validation_size=0,
        train_size=50,
        seed=9,
    )


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (
            "--layers conv2d:2:kernel=5,relu,flatten,dense:10",
            {"layers": (Conv2D(2, 5), Activation("relu"), Flatten(), Dense(10))},
        ),
        ("--layers dense:9,tanh,dense:10:frozen=on", {"layers": (Dense(9), Activation("tanh"), Dense(10, frozen=True))}),
        ("--shuffle off", {"shuffle": False}),
        ("--shuffle on", {}),
        ("--batch-size none", {"batch_size": None}),
        ("--validation-size none --patience none", {}),
        ("--augmentation light", {"augmentation": AUGMENTATIONS["light"]}),
        ("--augmentation none", {}),
        ("--augmentation shift=1:noise=0.1", {"augmentation": Augmentation(shift=1, noise=0.1)}),
        ("--images 50 --validation 9", {"train_size": 50, "validation_size": 9}),
        ("--clip-norm 2 --averaging 0.9", {"max_grad_norm": 2.0, "ema_decay": 0.9}),
    ],
)
def test_every_setting_has_a_flag(options, changes):
    parsed = make_parser().parse_args(["train", *options.split()])
    assert Config(**given_settings(parsed)) == Config(**changes)


def test_help_lists_all_settings_and_choices_but_not_the_old_names(run):
    words = run("train", "--help")[1].replace("{", " ").replace("}", " ").replace(",", " ").split()
    for name, setting in settings_of(Config).items():
        assert f"--{name.replace('_', '-')}" in words
        for old_name in setting.old_names:
            assert f"--{old_name.replace('_', '-')}" not in words
    for registry in (ACTIVATIONS, INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, AUGMENTATIONS, RECIPES):
        assert set(registry) <= set(words)


def test_after_early_stopping_the_reported_accuracy_is_that_of_the_saved_network(run, tmp_path):
    folder = write_idx_folder(tmp_path, make_noise(300), make_noise(50, 1))
    last_epoch_differs = False
    for seed in range(3):
        options = "--hidden 16 --learning-rate 0.003 --batch-size 16 --epochs 200 --validation 150 --patience 3"
        status, text, _ = run("train", "--data", folder, *options.split(), "--seed", seed, "--json")
        report = json.loads(text)
        assert status == 0
        best = min(report["history"], key=lambda row: row["validation_loss"])
        assert report["validation_accuracy"] == best["validation_accuracy"]
        last_epoch_differs |= best["validation_accuracy"] != report["history"][-1]["validation_accuracy"]
    assert last_epoch_differs  # otherwise the test shows nothing


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("--hidden 12,x", ["--hidden", "12,x"]),
        ("--hidden 0", ["units", "got 0"]),
        ("--hidden -3", []),
        ("--hidden 65536,65536", ["parameters"]),
        ("--hidden 99999999999", ["units"]),
        ("--activation swish", ["swish", "relu"]),
        ("--initializer ones", ["ones", "he_normal"]),
        ("--loss hinge", ["hinge", "cross_entropy"]),
        ("--optimizer lbfgs", ["lbfgs", "adam"]),
        ("--learning-rate 0", ["--learning-rate", "(0, 10]"]),
        ("--learning-rate nan", ["--learning-rate", "nan"]),
        ("--learning-rate fast", ["--learning-rate", "fast"]),
        ("--momentum 1", ["--momentum"]),
        ("--weight-decay -1", ["--weight-decay"]),
        ("--batch-size 0", ["--batch-size", "got 0"]),
        ("--batch-size some", ["--batch-size", "some"]),
        ("--epochs 0", ["--epochs"]),
        ("--epochs 1.5", ["--epochs"]),
        ("--images 0", ["--train-size"]),
        ("--validation -1", ["--validation-size"]),
        ("--validation 60000", ["validation_size"]),
        ("--patience 0", ["patience"]),
        ("--patience 2 --validation 0", ["patience"]),
        ("--seed -1", ["--seed"]),
        ("--shuffle maybe", ["--shuffle", "on, off", "maybe"]),
        ("--shuffle none", ["--shuffle"]),
        ("--layers dense:10,swish", ["swish", "relu"]),
        ("--layers conv3d:8,flatten,dense:10", ["conv3d"]),
        ("--layers dense:8,dense:9", ["layers", "10"]),
        ("--layers dense:10 --hidden 8", ["--layers", "--hidden"]),
        ("--layers dense:10 --activation tanh", ["--layers", "--activation"]),
        ("--augmentation wild", ["--augmentation", "strong", "wild"]),
        ("--augmentation shift=-1", ["--augmentation shift", "-1"]),
        ("--input-shape 5", ["input_shape"]),
        ("--no-such-option", ["--no-such-option"]),
        ("surplus", ["surplus"]),
    ],
)
def test_wrong_options_are_refused_in_one_line(refused, idx_folder, options, parts):
    refused(["train", "--data", idx_folder, *options.split()], *parts)


def test_divergence_is_one_line_and_saves_nothing(refused, idx_folder, tmp_path):
    out = tmp_path / "network.npz"
    options = "--hidden 32,32,32 --activation identity --loss mse --optimizer sgd --learning-rate 10 --epochs 3"
    refused(
        ["train", "--data", idx_folder, *options.split(), "--json", "--out", out], "diverged", "Try a learning rate of 0.2"
    )
    assert not out.exists()


def test_a_path_that_cannot_be_written_is_refused_before_training(refused, run, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.cli.train.load_data", lambda *_, **__: pytest.fail("it began to work"))
    for place in (tmp_path / "missing" / "network.npz", tmp_path, "."):
        refused(["train", "--data", tmp_path, "--out", place], "--out", place)


def test_as_a_process(idx_folder, tmp_path):
    def python(*arguments):
        command = [sys.executable, "-m", "engine", *map(str, arguments)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INKLING")}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    out = tmp_path / "network.npz"
    trained = python("train", "--data", idx_folder, *QUICK, "--json", "--out", out)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert json.loads(trained.stdout)["test_accuracy"] > 0.3
    shutil.copy(out, tmp_path / "copy.npz")
    failed = python("evaluate", tmp_path / "none.npz", "--data", idx_folder)
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (2, "", 1)


INTERRUPTED = """
import os, signal, sys
sys.path[:0] = [{root!r}]
from engine.cli import main
from engine import optimizers
count, update = 0, optimizers.Adam.update
def interrupt(self, *arguments):  # Ctrl-C in the middle of a step
    global count
    count += 1
    if count == 40:
        os.kill(os.getpid(), signal.SIGINT)
    update(self, *arguments)
optimizers.Adam.update = interrupt
sys.exit(main.main({arguments!r}))
"""


def test_an_interrupted_training_continues_bit_for_bit(idx_folder, tmp_path):
    """Each runs in its own process, so that all have as many BLAS threads."""

    def python(*arguments):
        return subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=60)

    paused, whole, resumed = tmp_path / "paused.npz", tmp_path / "whole.npz", tmp_path / "resumed.npz"
    settings = [
        "--data",
        str(idx_folder),
        "--images",
        "600",
        "--epochs",
        "5",
        "--ema-decay",
        "0.9",
        "--augmentation",
        "light",
    ]
    assert python("-m", "engine", "train", *settings, "--out", whole).returncode == 0
    code = INTERRUPTED.format(root=str(ROOT), arguments=["train", *settings, "--pause-to", str(paused)])
    ended = python("-c", code)
    assert (ended.returncode, ended.stderr.strip().splitlines()[-1]) == (130, "inkling: interrupted")
    assert python("-m", "engine", "train", "--data", idx_folder, "--resume", paused, "--out", resumed).returncode == 0
    np.testing.assert_array_equal(engine.load(resumed).state_vector, engine.load(whole).state_vector)


def test_begin_with_copies_the_weights_of_a_network(run, idx_folder, tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert run("train", "--data", idx_folder, *QUICK, "--out", first)[0] == 0
    no_steps = ["--learning-rate", "1e-30", "--out", second]
    assert run("train", "--data", idx_folder, *QUICK, "--begin-with", first, *no_steps)[0] == 0
    np.testing.assert_allclose(engine.load(second).state_vector, engine.load(first).state_vector, atol=1e-6)
    status, _, err = run("train", "--data", idx_folder, "--hidden", "9", "--begin-with", first)
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "layer" in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--recipe", "cnn", "--activation", "tanh"], "--recipe cnn"),
        (["--resume", "{paused}", "--epochs", "9"], "epochs"),
        (["--resume", "{paused}", "--recipe", "cnn"], "--recipe"),
        (["--resume", "{paused}", "--begin-with", "model.npz"], "--begin-with"),
    ],
)
def test_options_that_would_be_ignored_are_refused(run, idx_folder, tmp_path, arguments, named):
    paused = tmp_path / "paused.npz"
    assert run("train", "--data", idx_folder, *QUICK, "--pause-to", paused)[0] == 0
    status, _, err = run("train", "--data", idx_folder, *[a.format(paused=paused) for a in arguments])
    assert status == 2
    assert named in err
    assert len(err.strip().splitlines()) == 1
