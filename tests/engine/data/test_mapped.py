"""Data sets in files that processes share."""

import os
import pickle
import stat
from dataclasses import replace
from time import time

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.data import Dataset, mapped
from engine.data.mapped import MAX_UNUSED_DAYS, map_dataset


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for cached files."""
    monkeypatch.setattr(mapped, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "arrays"


@pytest.fixture
def dataset():
    """A new object in each test: what is mapped is remembered by object."""
    return replace(make_digits(300, 8), name="some digits", sources=(("a", 100), ("b", 200)))


def test_a_mapped_data_set_is_the_same_after_a_journey_to_another_process(dataset):
    opened = pickle.loads(pickle.dumps(map_dataset(dataset))).open()
    assert opened.fingerprint() == dataset.fingerprint()
    assert (opened.name, opened.sources, opened.rows) == (dataset.name, dataset.sources, None)
    np.testing.assert_array_equal(opened.images, dataset.images)
    np.testing.assert_array_equal(opened.labels, dataset.labels)


def test_what_travels_is_small_and_the_images_are_read_from_the_file(dataset, cache):
    reference = map_dataset(dataset)
    assert len(pickle.dumps(reference)) < 2_000
    opened = reference.open()
    array = opened.images
    while not isinstance(array, np.memmap):
        array = array.base
    assert os.path.samefile(array.filename, reference.images)
    assert reference.images.parent == cache


def test_the_arrays_cannot_be_written(dataset):
    opened = map_dataset(dataset).open()
    with pytest.raises(ValueError, match="read-only"):
        opened.images[0] = 0
    with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
        opened.labels.setflags(write=True)


def test_subsets_share_the_files_and_keep_their_order(dataset, cache):
    subset = dataset.subset(np.array([7, 3, 299]))
    opened = map_dataset(subset).open()
    np.testing.assert_array_equal(opened.own_labels, dataset.labels[[7, 3, 299]])
    np.testing.assert_array_equal(opened.take(slice(None))[0], dataset.images[[7, 3, 299]])
    map_dataset(dataset)
    assert len(list(cache.iterdir())) == 2


def test_an_empty_data_set_can_be_opened(dataset):
    empty = Dataset(dataset.images[:0], dataset.labels[:0], "nothing")
    opened = map_dataset(empty).open()
    assert (len(opened), opened.images.shape, opened.name) == (0, (0, 28, 28), "nothing")


def test_files_are_written_once(dataset, monkeypatch):
    first = map_dataset(dataset)
    monkeypatch.setattr(np, "save", None)
    assert map_dataset(dataset) is first
    assert map_dataset(first.open()) is first  # also what was opened from them
    same = map_dataset(replace(dataset, name="another name"))
    assert (same.images, same.labels, same.name) == (first.images, first.labels, "another name")


def test_files_that_were_deleted_are_written_again(dataset):
    first = map_dataset(dataset)
    assert first.exists()
    first.labels.unlink()
    assert not first.exists()
    again = map_dataset(dataset)
    assert again.exists()
    np.testing.assert_array_equal(again.open().labels, dataset.labels)


def test_files_that_nothing_has_used_for_long_are_deleted(dataset, cache):
    old, used = map_dataset(dataset), map_dataset(make_digits(20, 9))
    for path in (old.images, old.labels, used.images, used.labels):
        os.utime(path, (time() - 86_400 * (MAX_UNUSED_DAYS + 1),) * 2)
    map_dataset(replace(make_digits(20, 9), name="used again"))
    assert used.exists()
    assert not old.images.exists()
    assert not old.labels.exists()


@pytest.mark.parametrize("error", [OSError("read-only"), InklingError("the disk is full")], ids=repr)
def test_without_a_cache_the_files_are_in_a_temporary_folder(dataset, cache, monkeypatch, error):
    write = mapped._write

    def refuse(folder, *arguments):
        if folder == cache:
            raise error
        return write(folder, *arguments)

    monkeypatch.setattr(mapped, "_write", refuse)
    reference = map_dataset(dataset)
    assert reference.images.parent != cache
    np.testing.assert_array_equal(reference.open().images, dataset.images)
    if os.name == "posix":
        assert stat.S_IMODE(reference.images.parent.stat().st_mode) == 0o700
    assert reference.images.parent == map_dataset(replace(dataset, name="another")).images.parent


def test_files_in_a_folder_that_cannot_be_written_are_used(dataset, monkeypatch):
    first = map_dataset(dataset)

    def refuse(*_, **__):
        raise PermissionError("read-only file system")

    monkeypatch.setattr(type(first.images), "touch", refuse)
    assert map_dataset(replace(dataset, name="again")).images == first.images
