"""Own data with other classes than digits, from training to prediction."""

import json

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder
from PIL import Image

import engine
from engine.data.dataset import Dataset

NAMES = ("dark shirt", "bag", *"abcdefghij")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve classes whose labels start at 1, with names."""
    sets = [make_digits(count, seed) for count, seed in ((1_200, 1), (300, 2))]
    halves = [
        Dataset(part.images, part.labels + 1 + 2 * (np.arange(len(part)) % 2).astype(np.uint8), "own") for part in sets
    ]
    path = write_idx_folder(tmp_path_factory.mktemp("own") / "clothes", *halves)
    (path / "classes.txt").write_text("\n".join(NAMES))
    return path


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    from engine.cli.main import main

    path = tmp_path_factory.mktemp("networks") / "clothes.npz"
    assert main(["train", "--data", str(folder), "--hidden", "32", "--epochs", "2", "--json", "--out", str(path)]) == 0
    return path


def test_a_network_gets_an_output_for_each_class_and_knows_their_names(trained, run, folder):
    network = engine.load(trained)
    assert network.output_shape == (12,)
    assert network.class_names == NAMES
    status, text, err = run("evaluate", trained, "--data", folder, "--json")
    assert status == 0
    assert json.loads(text)["accuracy"] > 2 / 12
    assert err == "inkling: The labels start at 1. Each was made one smaller, so that they start at 0.\n"


def test_predict_names_the_class(trained, run, tmp_path):
    Image.fromarray(make_digits(1).images[0]).resize((90, 90)).save(tmp_path / "picture.png")
    status, text, _ = run("predict", trained, tmp_path / "picture.png", "--json")
    ((prediction,), probabilities) = json.loads(text), json.loads(text)[0]["probabilities"]
    assert status == 0
    assert tuple(probabilities) == NAMES
    assert prediction["class"] == max(probabilities, key=probabilities.get)
    assert f"{tmp_path / 'picture.png'}: {prediction['class']} (" in run("predict", trained, tmp_path / "picture.png")[1]


def test_other_classes_are_refused_in_one_line(trained, refused, idx_folder, tmp_path):
    refused(["evaluate", trained, "--data", idx_folder], "must have the classes that", "dark shirt")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    refused(["predict", trained, tmp_path / "broken.png"], "broken.png")
    refused(["export", trained, tmp_path / "network.onnx"], "10 digits")


def test_a_recipe_is_given_as_many_outputs_as_there_are_classes(folder, run, tmp_path):
    arguments = ["--train-size", 300, "--validation-size", 0, "--epochs", 1, "--out", tmp_path / "m.npz", "--json"]
    status, _, _ = run("train", "--data", folder, "--recipe", "quick", *arguments)
    assert status == 0
    assert engine.load(tmp_path / "m.npz").output_shape == (12,)


@pytest.mark.parametrize("names", [None, 5, ["a"] * 3, [""] * 12, [1] * 12])
def test_names_in_a_file_that_do_not_fit_are_numbers(trained, tmp_path, names):
    network = engine.load(trained)
    engine.save(tmp_path / "other.npz", network, class_names=names)
    assert engine.load(tmp_path / "other.npz").class_names == tuple(map(str, range(12)))
