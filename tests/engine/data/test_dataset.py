import numpy as np
import pytest
from helpers import make_digits

from engine.data import DataError, Dataset


def test_arrays_are_read_only_and_shared(tiny):
    part = tiny.subset(slice(10, 20)).subset(np.array([3, 1]))
    assert np.shares_memory(part.images, tiny.images)
    for array in (tiny.images, tiny.labels, part.images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_take_copies_so_that_nobody_reaches_the_original(tiny):
    images, labels = tiny.take(np.array([0, 1]))
    images[:] = 0
    labels[:] = 0
    assert tiny.images[:2].any()


def test_subsets_of_subsets_pick_the_rows_they_say(tiny):
    part = tiny.subset(slice(100, 200)).subset(np.array([5, 0, 99]))
    assert len(part) == 3
    for positions in (slice(None), np.arange(3)):
        images, labels = part.take(positions)
        np.testing.assert_array_equal(images, tiny.images[[105, 100, 199]])
        np.testing.assert_array_equal(labels, tiny.labels[[105, 100, 199]])
    np.testing.assert_array_equal(part.take(slice(1, 2))[0], tiny.images[[100]])


def test_split_gives_two_disjoint_sets_that_are_all_of_it(tiny):
    part = tiny.subset(np.arange(0, 600, 3))
    rest, held = part.split(50, np.random.default_rng(1))
    assert (len(rest), len(held)) == (150, 50)
    np.testing.assert_array_equal(np.sort(np.concatenate([rest.rows, held.rows])), np.arange(0, 600, 3))


def test_as_many_labels_as_images():
    with pytest.raises(DataError, match="3 images and 2 labels"):
        Dataset(np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.uint8))


def test_fingerprint_tells_contents_and_order_apart(tiny):
    same = make_digits(600).fingerprint()
    assert tiny.fingerprint() == same
    assert same["images"] == 600
    others = [tiny.subset(slice(1, None)), tiny.subset(np.arange(600)[::-1]), make_digits(600, 9)]
    assert len({part.fingerprint()["sha256"] for part in [tiny, *others]}) == 4


def test_what_is_of_each_source(tiny):
    """Of a shuffled, joined set and of parts of it: every image once, with the source it came from."""
    order = np.random.default_rng(1).permutation(600)
    joined = Dataset(tiny.images, tiny.labels, "a+b", order, (("a", 250), ("b", 350)))
    for part in (joined, joined.subset(slice(100)), *joined.split(80, np.random.default_rng(2))):
        sources = part.by_source()
        assert list(sources) == ["a", "b"]
        for name, rows in (("a", part.rows[part.rows < 250]), ("b", part.rows[part.rows >= 250])):
            assert sources[name].name == name
            np.testing.assert_array_equal(sources[name].take(slice(None))[0], tiny.images[rows])
            np.testing.assert_array_equal(sources[name].own_labels, tiny.labels[rows])
    assert tiny.by_source() == {tiny.name: tiny}


def test_own_labels_are_those_that_take_gives(tiny):
    for part in (tiny, tiny.subset(np.array([5, 0, 99]))):
        np.testing.assert_array_equal(part.own_labels, part.take(slice(None))[1])
