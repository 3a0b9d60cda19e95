import numpy as np
import pytest

from engine.data import load_data
from engine.data.dataset import NO_DIGIT
from engine.data.scribbles import HELD_OUT, LETTERS, OTHER_SHAPES, SHAPES, TRAINED, draw_scribbles

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


def test_no_upright_line_that_could_be_a_one(drawn):
    """Lines alone lie flat: wider than high."""
    for image in drawn["flat lines"].images:
        assert np.ptp(np.flatnonzero(image.any(axis=0))) > np.ptp(np.flatnonzero(image.any(axis=1)))


def test_the_same_seed_gives_the_same_images_whatever_the_processors(monkeypatch):
    first = draw_scribbles(TRAINED, 600, 5).images
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    np.testing.assert_array_equal(draw_scribbles(TRAINED, 600, 5).images, first)
    assert (draw_scribbles(TRAINED, 600, 6).images != first).any(axis=(1, 2)).mean() > 0.9


def test_as_a_source_it_trains_on_one_family_and_is_tested_on_the_other(monkeypatch):
    monkeypatch.setattr("engine.data.scribbles.TRAIN_SIZE", 60)
    monkeypatch.setattr("engine.data.scribbles.TEST_SIZE", 30)
    train_set, test_set = load_data("scribbles")
    np.testing.assert_array_equal(train_set.images, draw_scribbles(TRAINED, 60, 0).images)
    np.testing.assert_array_equal(test_set.images, draw_scribbles(HELD_OUT, 30, 1).images)
    assert (len(train_set), len(test_set), train_set.name) == (60, 30, "scribbles")
