"""``Dataset``: subsets share the images, and know which images are theirs."""

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


def test_take_by_index_copies_so_that_the_original_is_safe(tiny):
    images, labels = tiny.take(np.array([0, 1]))
    images[:] = 0
    labels[:] = 0
    assert tiny.images[:2].any()


def test_subsets_of_subsets_have_the_right_rows(tiny):
    part = tiny.subset(slice(100, 200)).subset(np.array([5, 0, 99]))
    assert len(part) == 3
    for positions in (slice(None), np.arange(3)):
        images, labels = part.take(positions)
        np.testing.assert_array_equal(images, tiny.images[[105, 100, 199]])
        np.testing.assert_array_equal(labels, tiny.labels[[105, 100, 199]])
    np.testing.assert_array_equal(part.take(slice(1, 2))[0], tiny.images[[100]])


def test_split_gives_two_disjoint_sets_that_are_the_whole_together(tiny):
    part = tiny.subset(np.arange(0, 600, 3))
    rest, drawn = part.split(50, np.random.default_rng(1))
    assert (len(rest), len(drawn)) == (150, 50)
    np.testing.assert_array_equal(np.sort(np.concatenate([rest.rows, drawn.rows])), np.arange(0, 600, 3))


def test_images_and_labels_must_be_equally_many():
    with pytest.raises(DataError, match="3 images and 2 labels"):
        Dataset(np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.uint8))


def test_fingerprint_depends_on_contents_and_order(tiny):
    fingerprint = make_digits(600).fingerprint()
    assert tiny.fingerprint() == fingerprint
    assert fingerprint["images"] == 600
    others = [tiny.subset(slice(1, None)), tiny.subset(np.arange(600)[::-1]), make_digits(600, 9)]
    assert len({part.fingerprint()["sha256"] for part in [tiny, *others]}) == 4


def test_by_source_separates_joined_sets(tiny):
    """In a shuffled set and subsets of it: every image once, under the source that it came from."""
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


def test_own_labels_are_those_of_take(tiny):
    for part in (tiny, tiny.subset(np.array([5, 0, 99]))):
        np.testing.assert_array_equal(part.own_labels, part.take(slice(None))[1])


def test_sets_are_equal_only_to_themselves(tiny):
    """Comparing must not raise, as comparing the arrays as truth values would."""
    same = tiny.subset(slice(None))
    assert tiny == tiny
    assert tiny != same
    assert len({tiny, same, tiny}) == 2
    assert tiny.fingerprint() == same.fingerprint()
