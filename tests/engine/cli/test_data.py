import gzip

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder
from PIL import Image

import engine
from engine.data import mnist as mnist_module


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


def test_samples_need_a_folder(refused, idx_folder, picture):
    refused(["samples", picture, "--data", idx_folder], picture)
    refused(["samples", picture / "below", "--data", idx_folder], picture)


@pytest.mark.parametrize("each", [0, -1])
def test_samples_must_be_at_least_one_of_each(refused, idx_folder, tmp_path, each):
    refused(["samples", tmp_path / "out", "--each", each, "--data", idx_folder], "--each", each)
    assert not (tmp_path / "out").exists()


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


@pytest.mark.parametrize("command", [["train"], ["evaluate", "MODEL"], ["samples", "OUT"]])
def test_broken_data_folders(refused, model, tmp_path, command):
    command = [{"MODEL": model, "OUT": tmp_path / "out"}.get(word, word) for word in command]
    refused([*command, "--data", tmp_path / "none"], tmp_path / "none")
    folder = write_idx_folder(tmp_path / "bad", make_digits(30), make_digits(20))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(gzip.compress(b"junk"))
    refused([*command, "--data", folder], folder / "t10k-labels-idx1-ubyte")
