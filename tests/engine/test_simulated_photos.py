"""Photos of numbers as people take them: the writing is separated from paper, light, lines, edges and dirt.

``python tests/engine/test_simulated_photos.py`` prints the figures for many photos of each kind.
"""

import sys

import numpy as np
import pytest
from PIL import Image
from simulated_photos import KINDS, simulate, take_photo

from engine.preprocessing import BlankDrawing, separate_ink

HARD = {"tight", "everything"}  # not all of these photos are read yet


def judge(photo, strength):
    """The part of each digit's ink that ``strength`` has, and how much of all ink in it belongs to digits."""
    from scipy import ndimage

    size = strength.shape[::-1]
    true = np.asarray(Image.fromarray(photo.ink.astype(np.float32)).resize(size, Image.Resampling.BOX))
    near_ink, near_true = (ndimage.binary_dilation(mask, iterations=2) for mask in (strength > 0, true > 0.1))
    recalls = []
    for left, top, right, bottom in photo.boxes:
        digit = true[top:bottom, left:right] > 0.5
        recalls.append((digit & near_ink[top:bottom, left:right]).sum() / digit.sum())
    return recalls, (near_true & (strength > 0)).sum() / max((strength > 0).sum(), 1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in HARD])
def test_the_writing_is_separated_from_all_else(kind):
    recalls, precisions = [], []
    for seed in range(3):
        photo = take_photo(seed, kind)
        digits, precision = judge(photo, separate_ink(photo.pixels).strength)
        recalls += digits
        precisions.append(precision)
    assert np.mean(np.array(recalls) > 0.85) > 0.9
    assert np.mean(precisions) > 0.9


@pytest.mark.parametrize("kind", ["ruled", "squared", "underlined", "frame", "boxed", "cells"])
def test_the_lines_that_are_taken_away_are_reported(kind):
    photo = take_photo(1, kind)
    ink = separate_ink(photo.pixels)
    height, width = ink.strength.shape
    assert ink.left_out
    for left, top, right, bottom in ink.left_out:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    longest = max(max(right - left, bottom - top) for left, top, right, bottom in ink.left_out)
    assert longest > max(bottom - top for _, top, _, bottom in photo.boxes)


def test_a_photo_depends_on_its_seed_alone():
    pixels, text, boxes = simulate(4, "pencil")
    again = simulate(4, "pencil")
    np.testing.assert_array_equal(pixels, again[0])
    assert (text, boxes) == again[1:]
    assert len(text) == len(boxes)
    assert simulate(5, "pencil")[1] != text


def main(count=20):
    for kind in KINDS:
        recalls, precisions, num_blank = [], [], 0
        for seed in range(1_000, 1_000 + count):
            photo = take_photo(seed, kind)
            try:
                strength = separate_ink(photo.pixels).strength
            except BlankDrawing:
                num_blank, strength = num_blank + 1, np.zeros(photo.pixels.shape, np.float32)
            digits, precision = judge(photo, strength)
            recalls += digits
            precisions.append(precision)
        found = np.mean(np.array(recalls) > 0.9)
        print(
            f"{kind:18}{len(recalls):5} digits, {found:6.1%} whole; {np.mean(precisions):6.1%} of the ink; {num_blank} blank"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
