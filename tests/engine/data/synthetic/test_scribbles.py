"""Images that are not digits: two families without a common kind, and nothing that could pass for a digit."""

import numpy as np
import pytest

from engine.data import load_data
from engine.data.dataset import NO_DIGIT
from engine.data.synthetic.scribbles import (
    HELD_OUT_KINDS,
    SHAPES,
    TRAINING_KINDS,
    _looks_like_a_thick_digit,
    draw_scribbles,
)

KINDS = TRAINING_KINDS | HELD_OUT_KINDS


@pytest.fixture(scope="module")
def drawn():
    return {kind: draw_scribbles({kind: maker}, 40, 3) for kind, maker in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_different_images_labelled_as_no_digit(drawn, kind):
    images, labels = drawn[kind].take(slice(None))
    assert images.shape == (40, 28, 28)
    assert images.dtype == np.uint8
    assert (labels == NO_DIGIT).all()
    assert len(np.unique(images, axis=0)) > 10
    assert images.any(axis=(1, 2)).all()


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"uniform noise", "salt and pepper", "gaussian noise", "stripes"}))
def test_drawings_are_prepared_as_a_users_drawing_is(drawn, kind):
    """20 pixels on the longer side, with a black border."""
    for image in drawn[kind].images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
        assert image.max() == 255


def test_the_families_have_no_kind_and_no_skeleton_in_common():
    assert not TRAINING_KINDS.keys() & HELD_OUT_KINDS.keys()
    training = ["capital", "small_letter", "bracket", "operator", "punctuation", "shape", "icon"]
    assert list(SHAPES) == [*training, "held_out_shape"]
    assert len(set().union(*SHAPES.values())) == sum(map(len, SHAPES.values()))


def test_no_line_that_could_be_a_one(drawn):
    """Lines alone lie flat: wider than high."""
    for image in drawn["flat lines"].images:
        assert np.ptp(np.flatnonzero(image.any(axis=0))) > np.ptp(np.flatnonzero(image.any(axis=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_thick_bar_that_could_be_a_one_or_an_oval_that_could_be_a_zero(drawn, kind):
    """Ink that fills a box along its own axes, more than 1.5 times as long as wide, lies flat."""
    for image in drawn[kind].images:
        rows, columns = np.nonzero(image > 127)
        points = np.stack([columns - columns.mean(), rows - rows.mean()], axis=1)
        _, _, axes = np.linalg.svd(points, full_matrices=False)
        length, width = np.ptp(points @ axes.T, axis=0) + 1
        if length > 1.5 * width and len(points) > 0.8 * length * width:
            assert abs(axes[0, 0]) > abs(axes[0, 1])


@pytest.mark.mnist
def test_the_thickest_ones_of_mnist_look_like_a_thick_digit_and_few_other_digits_do(mnist):
    images, labels = mnist[0].images[:3000], mnist[0].labels[:3000]
    thick = np.array([_looks_like_a_thick_digit(image) for image in images])
    assert thick[labels == 1].mean() > 0.9
    assert thick[labels != 1].mean() < 0.15


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    first = draw_scribbles(TRAINING_KINDS, 600, 5).images
    np.testing.assert_array_equal(draw_scribbles(TRAINING_KINDS, 600, 5).images, first)
    assert (draw_scribbles(TRAINING_KINDS, 600, 6).images != first).any(axis=(1, 2)).mean() > 0.9


def test_the_source_has_one_family_for_training_and_the_other_for_testing(monkeypatch):
    monkeypatch.setattr("engine.data.synthetic.scribbles.TRAIN_SIZE", 60)
    monkeypatch.setattr("engine.data.synthetic.scribbles.TEST_SIZE", 30)
    train_set, test_set = load_data("scribbles")
    np.testing.assert_array_equal(train_set.images, draw_scribbles(TRAINING_KINDS, 60, 0).images)
    np.testing.assert_array_equal(test_set.images, draw_scribbles(HELD_OUT_KINDS, 30, 1).images)
    assert (len(train_set), len(test_set), train_set.name) == (60, 30, "scribbles")
