"""Data by name: each source, and several joined."""

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder

from engine.data import DataError, default_source, load_data, mnist, synthetic
from engine.data.sources import SOURCES


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    """MNIST and the cache are elsewhere, and 50 digits are enough to draw."""
    monkeypatch.setattr(synthetic, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(mnist.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(synthetic, "TRAIN_SIZE", 40)
    monkeypatch.setattr(synthetic, "TEST_SIZE", 10)


@pytest.fixture
def folder(tmp_path):
    return write_idx_folder(tmp_path / "blots", make_digits(30, 1), make_digits(20, 2))


def test_without_mnist_the_drawn_digits_are_the_default(monkeypatch):
    assert default_source() == "synthetic"
    monkeypatch.setattr("engine.data.sources.local_folder", lambda: "here")
    assert default_source() == "mnist"


def test_the_list_for_a_page_says_what_each_is():
    assert list(SOURCES) == ["mnist", "synthetic", "mixed"]
    assert all(SOURCES.values())


def test_drawn_digits():
    train_set, test_set = load_data("synthetic")
    assert (len(train_set), len(test_set), train_set.name) == (40, 10, "synthetic")


def test_a_folder(folder):
    train_set, test_set = load_data(str(folder))
    assert (len(train_set), len(test_set), train_set.name) == (30, 20, "blots")
    assert len(load_data(folder)[0]) == 30


def test_joined_sources_are_shuffled_together_and_tested_on_the_first(folder):
    train_set, test_set = load_data(f"{folder}+synthetic")
    assert len(train_set) == 70
    assert len(test_set) == 20
    images, labels = train_set.take(slice(None))
    parts = [load_data(str(folder))[0], load_data("synthetic")[0]]
    known = {image.tobytes(): number for number, part in enumerate(parts) for image in part.images}
    origin = np.array([known[image.tobytes()] for image in images])
    assert np.bincount(origin).tolist() == [30, 40]
    assert 10 < np.bincount(origin[:35])[0] < 25
    for image, label in zip(images, labels, strict=True):
        part = parts[known[image.tobytes()]]
        assert label in part.labels[(part.images == image).all(axis=(1, 2))]
    assert np.array_equal(load_data(f"{folder}+synthetic")[0].take(slice(None))[0], images)
    for part, own in zip(parts, train_set.subset(slice(50)).by_source().items(), strict=True):
        name, found = own
        assert name in (str(folder), "synthetic")
        assert 0 < len(found) < len(part)
        assert {image.tobytes() for image in found.take(slice(None))[0]} <= {image.tobytes() for image in part.images}


def test_mixed_is_mnist_and_drawn_digits(monkeypatch):
    monkeypatch.setattr("engine.data.sources.load_mnist", lambda _: (make_digits(40, 1), make_digits(20, 2)))
    train_set, test_set = load_data("mixed")
    assert len(train_set) == 80
    assert np.array_equal(test_set.images, make_digits(20, 2).images)


def test_a_plus_in_a_folders_name_is_only_that(folder):
    renamed = folder.rename(folder.with_name("a+b"))
    assert len(load_data(str(renamed))[0]) == 30


def test_what_is_not_there_is_said_in_one_line(tmp_path):
    for source in ("nothing", "synthetic+nothing", str(tmp_path)):
        with pytest.raises(DataError) as told:
            load_data(source)
        assert "\n" not in str(told.value)
