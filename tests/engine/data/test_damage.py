"""Damage: each kind does what its name says, and agrees with what ``prepare`` and Pillow do."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engine.data.damage import (
    DAMAGES,
    SHRUNK,
    _resampling,
    _scaling,
    blurred,
    broken,
    coarse,
    damage,
    noisy,
    specked,
    squared,
    thinned,
)
from engine.data.synthetic.generator import draw_digits


@pytest.fixture(scope="module")
def digits():
    return draw_digits(200).images / np.float32(255)


def boxes(images):
    """The height and width (2, N) of the ink."""
    inked = images > 0.15
    return np.array([[np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for image in inked] for axis in (1, 0)])


def test_it_is_the_chosen_fraction_and_every_kind_has_its_turn(digits, monkeypatch):
    seen = []

    def kind(number):
        def mark(images, rng):
            seen.append((number, len(images)))
            return np.full_like(images, 2)

        return mark

    monkeypatch.setattr("engine.data.damage.DAMAGES", [kind(number) for number in range(len(DAMAGES))])
    images = np.repeat(digits, 5, axis=0)
    damage(images, 0.4, np.random.default_rng(0))
    assert (images == 1).all(axis=(1, 2)).mean() == pytest.approx(0.4, abs=0.05)  # clipped
    assert [number for number, _ in seen] == list(range(len(DAMAGES)))
    assert min(count for _, count in seen) > 30


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_digit_changes_but_stays_alike_and_blank_paper_never_breaks(kind, digits):
    changed = kind(digits.copy(), np.random.default_rng(1))
    assert changed.shape == digits.shape
    assert np.isfinite(changed).all()
    assert (changed != digits).any(axis=(1, 2)).mean() > 0.9
    assert changed.max(axis=(1, 2)).min() > 0.15  # no digit vanishes
    assert np.isfinite(kind(np.zeros((3, 28, 28), np.float32), np.random.default_rng(1))).all()


def test_noise_and_specks_are_everywhere_or_inside_the_box_that_prepare_makes(digits):
    for kind, blank in ((noisy, digits == 0), (specked, digits == 0)):
        changed = kind(digits.copy(), np.random.default_rng(2))
        corners = np.abs(changed[:, :4]).max(axis=(1, 2)) > 0
        assert 0.3 < corners.mean() < 0.95  # the others were made smaller
        assert (changed[blank] > 0.15).mean() < 0.25


def test_smaller_images_are_those_of_pillow():
    image = np.random.default_rng(0).random((28, 28), np.float32)
    down, up = _resampling(28, 19)
    small = Image.fromarray(image).resize((19, 19), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(down @ image @ down.T, small, atol=1e-5)
    np.testing.assert_allclose(up @ np.asarray(small) @ up.T, small.resize((28, 28), Image.Resampling.BILINEAR), atol=1e-5)
    to_box = _scaling(28, np.array([13.5]), np.array([SHRUNK]))[0]
    expected = Image.fromarray(image).resize((20, 20), Image.Resampling.BILINEAR)
    np.testing.assert_allclose((to_box @ image @ to_box.T)[4:-4, 4:-4], expected, atol=1e-5)


def test_blur_spreads_the_ink_as_pillow_does(digits):
    changed = blurred(digits.copy(), np.random.default_rng(3))
    strong = np.stack(
        [np.asarray(Image.fromarray(d * 255).convert("L").filter(ImageFilter.GaussianBlur(1.4))) / 255 for d in digits]
    )
    edges = [np.abs(np.diff(images, axis=2)).max(axis=(1, 2)).mean() for images in (strong, changed, digits)]
    assert edges[0] < edges[1] < edges[2]


def test_thin_lines_are_thinner_and_still_as_long(digits):
    changed = thinned(digits.copy(), np.random.default_rng(4))
    assert (changed.sum(axis=(1, 2)) < digits.sum(axis=(1, 2))).mean() > 0.9
    shorter = boxes(digits) - boxes(changed)
    assert np.median(shorter) <= 2
    line = np.zeros((9, 28, 28), np.float32)
    line[:, 4:24, 14] = 1  # erosion would erase it
    np.testing.assert_array_equal(thinned(line, np.random.default_rng(4)), line)


def test_no_straight_line_lies_in_the_gaps_of_a_broken_one():
    lines = np.zeros((400, 28, 28), np.float32)
    lines[:200, 4:24, 13:15] = lines[200:, 13:15, 4:24] = 1
    changed = broken(lines, np.random.default_rng(5))
    along = np.concatenate([changed[:200].max(axis=2), changed[200:].max(axis=1)])
    assert ((along[:, 4:24] > 0.5).sum(axis=1) >= 5).all()
    assert ((along[:, 4:24] < 0.5).sum(axis=1) >= 1).mean() > 0.5


def test_few_pixels_are_few(digits):
    changed = coarse(digits.copy(), np.random.default_rng(6))
    for image in changed[:20]:
        assert np.linalg.matrix_rank(image, tol=1e-3) <= 24
    assert np.abs(changed - digits).mean() > 0.01


def test_a_square_box_is_nearly_filled_but_a_one_stays_a_line(digits):
    changed = squared(digits.copy(), np.random.default_rng(7))
    before, after = (np.abs(np.subtract(*boxes(images))) for images in (digits, changed))
    assert after.mean() < 0.6 * before.mean()
    line = np.zeros((50, 28, 28), np.float32)
    line[:, 4:24, 12:15] = 1
    assert boxes(squared(line, np.random.default_rng(7)))[1].max() < 13
