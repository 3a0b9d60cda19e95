import numpy as np
import pytest

from engine.data import load_data
from engine.data.dataset import NO_DIGIT
from engine.data.scribbles import HELD_OUT, LETTERS, OTHER_SHAPES, SHAPES, TRAINED, _like_a_thick_digit, draw_scribbles

KINDS = TRAINED | HELD_OUT


@pytest.fixture(scope="module")
def drawn():
    return {kind: draw_scribbles({kind: maker}, 40, 3) for kind, maker in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_images_that_differ_and_are_none_of_the_digits(drawn, kind):
    images, labels = drawn[kind].take(slice(None))
    assert images.shape == (40, 28, 28)
    assert images.dtype == np.uint8
    assert (labels == NO_DIGIT).all()
    assert len(np.unique(images, axis=0)) > 10
    assert images.any(axis=(1, 2)).all()


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"uniform noise", "salt and pepper", "gaussian noise", "stripes"}))
def test_drawings_come_as_a_drawing_does(drawn, kind):
    """20 pixels on the longer side, in a black border."""
    for image in drawn[kind].images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
        assert image.max() == 255


def test_the_families_have_no_kind_and_no_skeleton_in_common():
    assert not TRAINED.keys() & HELD_OUT.keys()
    assert len({*LETTERS, *SHAPES, *OTHER_SHAPES}) == len(LETTERS) + len(SHAPES) + len(OTHER_SHAPES)


def test_no_line_that_could_be_a_one(drawn):
    """Lines alone lie flat: wider than high."""
    for image in drawn["flat lines"].images:
        assert np.ptp(np.flatnonzero(image.any(axis=0))) > np.ptp(np.flatnonzero(image.any(axis=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_thick_bar_that_could_be_a_one_or_an_oval_that_could_be_a_zero(drawn, kind):
    """Whatever lies in a box along its own axes that is half as long again as it is wide, and fills that box, lies flat."""
    for image in drawn[kind].images:
        rows, columns = np.nonzero(image > 127)
        points = np.stack([columns - columns.mean(), rows - rows.mean()], axis=1)
        _, _, axes = np.linalg.svd(points, full_matrices=False)
        length, width = np.ptp(points @ axes.T, axis=0) + 1
        if length > 1.5 * width and len(points) > 0.8 * length * width:
            assert abs(axes[0, 0]) > abs(axes[0, 1])


@pytest.mark.mnist
def test_the_thickest_ones_of_mnist_would_be_taken_for_such_and_other_digits_seldom(mnist):
    images, labels = mnist[0].images[:3000], mnist[0].labels[:3000]
    thick = np.array([_like_a_thick_digit(image) for image in images])
    assert thick[labels == 1].mean() > 0.9
    assert thick[labels != 1].mean() < 0.15


def test_the_same_seed_gives_the_same_images_and_another_others():
    first = draw_scribbles(TRAINED, 600, 5).images
    np.testing.assert_array_equal(draw_scribbles(TRAINED, 600, 5).images, first)
    assert (draw_scribbles(TRAINED, 600, 6).images != first).any(axis=(1, 2)).mean() > 0.9


def test_as_a_source_it_trains_on_one_family_and_is_tested_on_the_other(monkeypatch):
    monkeypatch.setattr("engine.data.scribbles.TRAIN_SIZE", 60)
    monkeypatch.setattr("engine.data.scribbles.TEST_SIZE", 30)
    train_set, test_set = load_data("scribbles")
    np.testing.assert_array_equal(train_set.images, draw_scribbles(TRAINED, 60, 0).images)
    np.testing.assert_array_equal(test_set.images, draw_scribbles(HELD_OUT, 30, 1).images)
    assert (len(train_set), len(test_set), train_set.name) == (60, 30, "scribbles")
