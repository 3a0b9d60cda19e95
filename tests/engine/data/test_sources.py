"""Loading data by name: each source, and several joined."""

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder

from engine.data import DataError, default_source, load_data, mnist
from engine.data.sources import SOURCES
from engine.data.synthetic import generator


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    """No MNIST, an empty cache, and 50 drawn digits are enough."""
    monkeypatch.setattr(generator, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(mnist.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(generator, "TRAIN_SIZE", 40)
    monkeypatch.setattr(generator, "TEST_SIZE", 10)


@pytest.fixture
def folder(tmp_path):
    return write_idx_folder(tmp_path / "blots", make_digits(30, 1), make_digits(20, 2))


def test_without_mnist_drawn_digits_are_the_default(monkeypatch):
    assert default_source() == "synthetic"
    monkeypatch.setattr("engine.data.sources.local_folder", lambda: "folder")
    assert default_source() == "mnist"


def test_each_source_on_the_list_has_a_description():
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
    part_of_image = {image.tobytes(): number for number, part in enumerate(parts) for image in part.images}
    origin = np.array([part_of_image[image.tobytes()] for image in images])
    assert np.bincount(origin).tolist() == [30, 40]
    assert 10 < np.bincount(origin[:35])[0] < 25
    for image, label in zip(images, labels, strict=True):
        part = parts[part_of_image[image.tobytes()]]
        assert label in part.labels[(part.images == image).all(axis=(1, 2))]
    assert np.array_equal(load_data(f"{folder}+synthetic")[0].take(slice(None))[0], images)
    for part, (name, subset) in zip(parts, train_set.subset(slice(50)).by_source().items(), strict=True):
        assert name in (str(folder), "synthetic")
        assert 0 < len(subset) < len(part)
        assert {image.tobytes() for image in subset.take(slice(None))[0]} <= {image.tobytes() for image in part.images}


def test_mixed_is_mnist_and_drawn_digits(monkeypatch):
    monkeypatch.setattr("engine.data.sources.load_mnist", lambda _: (make_digits(40, 1), make_digits(20, 2)))
    train_set, test_set = load_data("mixed")
    assert len(train_set) == 80
    assert np.array_equal(test_set.images, make_digits(20, 2).images)


def test_a_plus_in_the_name_of_a_folder_joins_nothing(folder):
    renamed = folder.rename(folder.with_name("a+b"))
    assert len(load_data(str(renamed))[0]) == 30


def test_a_missing_source_is_an_error_of_one_line(tmp_path):
    for source in ("nothing", "synthetic+nothing", str(tmp_path / "empty")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(DataError) as caught:
            load_data(source)
        assert "\n" not in str(caught.value)
