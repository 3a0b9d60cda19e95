import gzip
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, make_digits, make_noise, write_idx_folder
from PIL import Image

import engine
from engine.cli import main
from engine.config import Config
from engine.data import mnist as mnist_module
from engine.data.strokes import held_out
from engine.layers import Dense
from engine.network import Network, dense_layers
from engine.training import streams

QUICK = ["--hidden", "16", "--epochs", "2", "--images", "600", "--validation", "100"]


@pytest.fixture
def run(capsys):
    """Call with the arguments of the command line; gives status, stdout and stderr."""

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refused(run):
    """The command must end with status 2 and one line on stderr that has these parts."""

    def check(arguments, *parts):
        status, out, err = run(*arguments)
        assert status == 2, (out, err)
        assert err.count("\n") == 1, err
        assert err.startswith("inkling: ")
        assert "Traceback" not in err
        for part in parts:
            assert str(part) in err, err
        return out

    return check


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "untrained.npz"
    engine.save(path, Network(dense_layers((8,)), rng=np.random.default_rng(0)))
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "blot.png"
    Image.fromarray(make_digits(1).images[0] // 2).save(path)
    return path


def test_train_json_has_its_shape_and_says_the_truth(run, idx_folder, tmp_path):
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
    assert (config.epochs, config.images, config.validation_size, config.layers) == (2, 600, 100, dense_layers((16,)))
    assert network.info["metrics"]["test_accuracy"] == report["test_accuracy"]
    assert network.info["data"]["images"] == 500  # what it was trained on


def test_train_can_leave_the_test_images_alone(run, refused, idx_folder, monkeypatch, tmp_path):
    monkeypatch.setattr("engine.cli.evaluate", lambda *_: pytest.fail("it measured on the test images"))
    status, text, _ = run("train", "--data", idx_folder, *QUICK, "--no-test", "--json", "--out", tmp_path / "network.npz")
    assert status == 0
    assert not {name for name in json.loads(text) if name.startswith("test")}
    assert engine.load(tmp_path / "network.npz").info["metrics"]["validation_accuracy"] > 0
    assert "validation accuracy" in run("train", "--data", idx_folder, *QUICK, "--no-test")[1]
    for flag in ("--no-test", "--calibrate"):
        refused(["train", "--data", idx_folder, *QUICK[:4], "--validation", 0, flag], "validation images")


@pytest.fixture
def sources(idx_folder, tmp_path, monkeypatch):
    """Digits, digits of a pen and scribbles, joined; few of each."""
    monkeypatch.setattr("engine.data.scribbles.TRAIN_SIZE", 100)
    monkeypatch.setattr("engine.data.scribbles.TEST_SIZE", 20)
    strokes = [[[0, 0], [60, 0], [20, 100]]]
    lines = [json.dumps({"label": 7, "writer": f"writer {n}", "strokes": strokes}) for n in range(30)]
    (tmp_path / "pen.jsonl").write_text("\n".join(lines))
    return f"{idx_folder}+{tmp_path / 'pen.jsonl'}+scribbles"


def test_train_joins_sources_calibrates_and_halves_the_file(run, sources, tmp_path):
    out = tmp_path / "network.npz"
    options = ["--data", sources, "--hidden", "32", "--epochs", "6", "--validation", "300", "--calibrate", "--float16"]
    status, text, err = run("train", *options, "--out", out, "--json")
    assert (status, err) == (0, "")
    network = engine.load(out)
    assert np.array_equal(network.values, network.values.astype(np.float16))
    assert json.loads(text)["test_images"] == 300  # the first source's
    assert json.loads(text)["test_accuracy"] == engine.evaluate(network, engine.data.load_data(sources)[1]).accuracy
    assert 0.1 < network.info["temperature"] < 10

    # by the book: of the digits held back, at most 0.25 % of the unsurest source are under the threshold
    config = Config.from_json(network.info["config"])
    train_set, held_back = config.split(engine.data.load_data(sources)[0], streams(config.seed)["split"])
    assert train_set.fingerprint()["sha256"] == network.info["data"]["sha256"]
    images, _ = held_back.take(slice(None))
    drawn = {image.tobytes() for image in engine.data.load_data(sources.split("+")[0])[0].images}
    of_folder = images[[image.tobytes() in drawn for image in images]]
    pen = held_out(sources.split("+")[1], "validation").dataset.images
    sure = [network.predict_proba(part).max(axis=1) for part in (of_folder, pen)]
    assert network.info["threshold"] == pytest.approx(min(np.quantile(part, 0.0025) for part in sure), abs=1e-5)

    again = tmp_path / "again.npz"
    status, text, _ = run("calibrate", out, "--data", sources, "--out", again, "--json")
    assert status == 0
    found = engine.load(again)
    assert json.loads(text) == {name: found.info[name] for name in ("temperature", "threshold")}
    assert found.info["temperature"] == pytest.approx(network.info["temperature"], rel=0.01)
    assert found.info["threshold"] == pytest.approx(network.info["threshold"], abs=0.01)
    assert "temperature" in run("calibrate", out, "--data", sources, "--out", again)[1]


def test_calibrate_needs_the_data_that_were_held_back(run, refused, model, idx_folder, tmp_path):
    out, other = tmp_path / "network.npz", write_idx_folder(tmp_path / "other", make_digits(300), make_digits(20))
    refused(["calibrate", model, "--data", idx_folder, "--out", out], model, "how it was trained")
    run("train", "--data", idx_folder, *QUICK, "--out", out)
    refused(["calibrate", out, "--data", other, "--out", tmp_path / "new.npz"], "--data", out)
    refused(["calibrate", out, "--data", idx_folder, "--out", tmp_path / "none" / "new.npz"], "--out")
    run("train", "--data", idx_folder, *QUICK[:4], "--validation", "0", "--out", out)
    refused(["calibrate", out, "--data", idx_folder, "--out", tmp_path / "new.npz"], "held back")
    assert not (tmp_path / "new.npz").exists()


def test_predict_says_where_a_network_is_not_sure(run, picture, tmp_path):
    path, network = tmp_path / "network.npz", Network(dense_layers((8,)), rng=np.random.default_rng(0))
    for least, sure in ((0.0, True), (0.999, False)):
        engine.save(path, network, threshold=least)
        assert json.loads(run("predict", path, picture, "--json")[1])[0]["sure"] is sure
        assert ("not sure this is a digit" in run("predict", path, picture)[1]) is not sure


def test_train_learns_and_tells_each_epoch(run, idx_folder):
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
        images=50,
        seed=9,
    )


def test_after_stopping_early_the_accuracy_told_is_the_saved_networks(run, tmp_path):
    folder = write_idx_folder(tmp_path, make_noise(300), make_noise(50, 1))
    last_ones_differ = False
    for seed in range(3):
        options = "--hidden 16 --learning-rate 0.003 --batch-size 16 --epochs 200 --validation 150 --patience 3"
        status, text, _ = run("train", "--data", folder, *options.split(), "--seed", seed, "--json")
        report = json.loads(text)
        assert status == 0
        best = min(report["history"], key=lambda row: row["validation_loss"])
        assert report["validation_accuracy"] == best["validation_accuracy"]
        last_ones_differ |= best["validation_accuracy"] != report["history"][-1]["validation_accuracy"]
    assert last_ones_differ  # else the test shows nothing


def test_evaluate(run, idx_folder, model):
    status, text, err = run("evaluate", model, "--data", idx_folder, "--json")
    assert (status, err) == (0, "")
    _, test = engine.data.read_folder(idx_folder)
    right = int((engine.load(model).predict(test.images) == test.labels).sum())
    assert json.loads(text) == {"accuracy": right / 300, "errors": 300 - right, "images": 300}
    status, text, _ = run("evaluate", model, "--data", idx_folder)
    assert status == 0
    assert f"{300 - right} errors" in text


def test_predict(run, model, picture):
    status, text, err = run("predict", model, picture, picture, "--json")
    assert (status, err) == (0, "")
    first, second = json.loads(text)
    expected = engine.load(model).predict_proba(engine.prepare(Image.open(picture))[None])[0]
    assert first == second
    np.testing.assert_allclose(first["probabilities"], expected, atol=1e-6)
    assert first["digit"] == expected.argmax()
    assert first["confidence"] == max(first["probabilities"])
    status, text, _ = run("predict", model, picture)
    assert (status, text.count("\n")) == (0, 1)
    assert f"{picture}: {first['digit']}" in text


def test_samples_writes_the_test_images(run, idx_folder, tmp_path):
    status, text, _ = run("samples", tmp_path / "new" / "folder", "--each", "2", "--data", idx_folder)
    assert status == 0
    assert "20 images" in text
    _, test = engine.data.read_folder(idx_folder)
    for digit in range(10):
        for position in range(2):
            written = np.asarray(Image.open(tmp_path / "new" / "folder" / f"digit_{digit}_sample_{position}.png"))
            np.testing.assert_array_equal(written, test.images[test.labels == digit][position])


def test_samples_counts_only_what_it_wrote(run, idx_folder, tmp_path):
    run("samples", tmp_path, "--each", "3", "--data", idx_folder)
    assert "10 images" in run("samples", tmp_path, "--data", idx_folder)[1]


@pytest.mark.mnist
def test_data_verifies_mnist(run, mnist):
    status, out, _ = run("data")
    assert status == 0
    assert "60,000" in out
    assert "10,000" in out


def test_data_without_network_and_cache(refused, tmp_path, monkeypatch, model):
    monkeypatch.delenv("INKLING_MNIST_DIR", raising=False)
    monkeypatch.setattr(mnist_module, "cache_folder", lambda: tmp_path / "cache")
    for arguments in (["data"], ["evaluate", model], ["train", "--epochs", "1"], ["samples", tmp_path / "s"]):
        refused(arguments, tmp_path / "cache", "INKLING_MNIST_DIR")


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
        ("--learning-rate 0", ["learning_rate", "(0, 10]"]),
        ("--learning-rate nan", ["learning_rate", "nan"]),
        ("--learning-rate fast", ["--learning-rate", "fast"]),
        ("--momentum 1", ["momentum"]),
        ("--weight-decay -1", ["weight_decay"]),
        ("--batch-size 0", ["batch_size", "got 0"]),
        ("--batch-size some", ["--batch-size", "full"]),
        ("--epochs 0", ["epochs"]),
        ("--epochs 1.5", ["--epochs"]),
        ("--images 0", ["images"]),
        ("--validation -1", ["validation_size"]),
        ("--validation 60000", ["validation_size"]),
        ("--patience 0", ["patience"]),
        ("--patience 2 --validation 0", ["patience"]),
        ("--seed -1", ["seed"]),
        ("--no-such-option", ["--no-such-option"]),
        ("surplus", ["surplus"]),
    ],
)
def test_train_refuses_in_one_line(refused, idx_folder, options, parts):
    refused(["train", "--data", idx_folder, *options.split()], *parts)


def test_no_command_and_unknown_command(refused):
    refused([])
    refused(["fly"], "fly")


def test_divergence_is_one_line_and_saves_nothing(refused, idx_folder, tmp_path):
    out = tmp_path / "network.npz"
    options = "--hidden 32,32,32 --activation identity --loss mse --optimizer sgd --learning-rate 10 --epochs 3"
    refused(["train", "--data", idx_folder, *options.split(), "--json", "--out", out], "diverged", "--learning-rate")
    assert not out.exists()


def test_a_place_that_cannot_take_the_network_is_told_before_training(refused, run, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.cli.load_data", lambda *_, **__: pytest.fail("it began to work"))
    for place in (tmp_path / "missing" / "network.npz", tmp_path, "."):
        refused(["train", "--data", tmp_path, "--out", place], "--out", place)


@pytest.mark.parametrize("command", [["train"], ["evaluate", "MODEL"], ["samples", "OUT"]])
def test_broken_data_folders(refused, model, tmp_path, command):
    command = [{"MODEL": model, "OUT": tmp_path / "out"}.get(word, word) for word in command]
    refused([*command, "--data", tmp_path / "none"], tmp_path / "none")
    folder = write_idx_folder(tmp_path / "bad", make_digits(30), make_digits(20))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(gzip.compress(b"junk"))
    refused([*command, "--data", folder], folder / "t10k-labels-idx1-ubyte")


def test_files_that_are_no_network(refused, idx_folder, picture, tmp_path):
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"PK\x03\x04 and then nothing")
    for path in (junk, tmp_path / "none.npz", tmp_path, picture):
        refused(["evaluate", path, "--data", idx_folder], path)
        refused(["predict", path, picture], path)


@pytest.mark.parametrize(("layers", "input_shape"), [((Dense(3),), (784,)), ((Dense(12),), (784,)), ((Dense(10),), (2,))])
def test_networks_that_read_no_digits(refused, idx_folder, picture, tmp_path, layers, input_shape):
    path = tmp_path / "other.npz"
    engine.save(path, Network(layers, input_shape, rng=np.random.default_rng(0)))
    refused(["evaluate", path, "--data", idx_folder], path)
    refused(["predict", path, picture], path)


def test_files_that_are_no_picture_of_a_digit(refused, model, picture, tmp_path):
    text, blank = tmp_path / "seven.png", tmp_path / "blank.png"
    text.write_text("seven")
    Image.new("L", (50, 50), 255).save(blank)
    for path in (text, blank, tmp_path / "none.png", tmp_path):
        out = refused(["predict", model, picture, path, "--json"], path)
        assert out == ""


def test_pillows_warnings_stay_off_the_screen(run, model, picture, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # 28 x 28 are more, which makes Pillow warn
    assert run("predict", model, picture)[0] == 0
    assert not recwarn.list


def test_samples_into_what_is_no_folder(refused, idx_folder, picture):
    refused(["samples", picture, "--data", idx_folder], picture)
    refused(["samples", picture / "below", "--data", idx_folder], picture)


@pytest.mark.parametrize("each", [0, -1])
def test_samples_of_fewer_than_one(refused, idx_folder, tmp_path, each):
    refused(["samples", tmp_path / "out", "--each", each, "--data", idx_folder], "--each", each)
    assert not (tmp_path / "out").exists()


def test_help_shows_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("train", "evaluate", "predict", "samples", "data"):
        assert command in out
        assert run(command, "--help")[0] == 0


def test_as_a_process_of_its_own(idx_folder, tmp_path):
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
from engine import cli, optimizers
count, update = 0, optimizers.Adam.update
def interrupt(self, *arguments):  # Ctrl-C in the middle of a step
    global count
    count += 1
    if count == 40:
        os.kill(os.getpid(), signal.SIGINT)
    update(self, *arguments)
optimizers.Adam.update = interrupt
sys.exit(cli.main({arguments!r}))
"""


def test_an_interrupted_training_goes_on_bit_for_bit(idx_folder, tmp_path):
    """Each in a process of its own, so that all have as many BLAS threads."""

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
        "--averaging",
        "0.9",
        "--augmentation",
        "light",
    ]
    assert python("-m", "engine", "train", *settings, "--out", whole).returncode == 0
    code = INTERRUPTED.format(root=str(ROOT), arguments=["train", *settings, "--pause-to", str(paused)])
    ended = python("-c", code)
    assert (ended.returncode, ended.stderr.strip().splitlines()[-1]) == (130, "inkling: interrupted")
    assert python("-m", "engine", "train", "--data", idx_folder, "--resume", paused, "--out", resumed).returncode == 0
    np.testing.assert_array_equal(engine.load(resumed).values, engine.load(whole).values)


def test_a_training_can_begin_with_another_networks_weights(run, idx_folder, tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert run("train", "--data", idx_folder, *QUICK, "--out", first)[0] == 0
    still = ["--learning-rate", "1e-30", "--out", second]
    assert run("train", "--data", idx_folder, *QUICK, "--begin-with", first, *still)[0] == 0
    np.testing.assert_allclose(engine.load(second).values, engine.load(first).values, atol=1e-6)
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
def test_what_would_be_ignored_is_refused(run, idx_folder, tmp_path, arguments, named):
    paused = tmp_path / "paused.npz"
    assert run("train", "--data", idx_folder, *QUICK, "--pause-to", paused)[0] == 0
    status, _, err = run("train", "--data", idx_folder, *[a.format(paused=paused) for a in arguments])
    assert status == 2
    assert named in err
    assert len(err.strip().splitlines()) == 1
