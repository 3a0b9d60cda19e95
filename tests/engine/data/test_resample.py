"""Bilinear look-up: whole-number arithmetic against its definition, its reference and SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from engine.data.resample import SUBPIXELS, pad, sample, sample_reference


def look_up(images, x, y):
    """``sample`` at x and y (N, H, W) in pixels of the images."""
    positions = ((np.stack([x, y]) + 1) * SUBPIXELS).astype(np.float32)
    out = np.empty(images.shape, np.float32)
    sample(pad(images), positions, out)
    return out


def bilinear(image, x, y):
    """One image at one position, from the definition: each pixel's weight is its nearness along both axes."""
    columns, rows = np.arange(image.shape[1]), np.arange(image.shape[0])
    near_x, near_y = np.maximum(0, 1 - abs(columns - x)), np.maximum(0, 1 - abs(rows - y))
    return near_y @ (image / 255) @ near_x


@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 5, 11), (2, 1, 1)])
def test_sample_is_bilinear_and_black_outside(shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    count, height, width = shape
    x = rng.uniform(-3, width + 2, shape).round(2)
    y = rng.uniform(-3, height + 2, shape).round(2)
    x, y = np.floor(x * SUBPIXELS) / SUBPIXELS, np.floor(y * SUBPIXELS) / SUBPIXELS
    expected = [
        [[bilinear(images[n], x[n, i, j], y[n, i, j]) for j in range(width)] for i in range(height)] for n in range(count)
    ]
    np.testing.assert_allclose(look_up(images, x, y), expected, atol=1e-6)


def test_sample_far_outside_is_black():
    images = np.full((1, 6, 9), 255, np.uint8)
    for far in (-1e5, -300, -2, 300, 1e5):
        for x, y in ((far, 3.0), (4.0, far), (far, far)):
            assert not look_up(images, np.full(images.shape, x), np.full(images.shape, y)).any()


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 9), st.integers(1, 40), st.integers(1, 40)),
    spread=st.sampled_from([0.0, 1.0, 50.0, 1e5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_sample_agrees_with_its_reference(shape, spread, seed):
    rng = np.random.default_rng(seed)
    _, height, width = shape
    padded = pad(rng.integers(0, 256, shape, dtype=np.uint8))
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)))[:, None] + 1
    positions = SUBPIXELS * (grid + spread * rng.standard_normal((2, *shape)))
    positions = positions.astype(np.float32)
    expected = sample_reference(padded, positions)
    assert expected.shape == shape
    out = np.empty(shape, np.float32)
    sample(padded, positions, out)
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_the_reference_agrees_with_scipy_and_leaves_its_arguments_unchanged():
    rng = np.random.default_rng(1)
    padded = pad(rng.integers(0, 256, (4, 9, 13), dtype=np.uint8)).copy()
    positions = SUBPIXELS * rng.uniform(-1, 14, (2, 4, 9, 13))
    arguments = padded.copy(), positions.copy()
    x, y = np.floor(positions) / SUBPIXELS
    expected = [
        ndimage.map_coordinates(image / 255, (y[n], x[n]), order=1, mode="grid-constant") for n, image in enumerate(padded)
    ]
    np.testing.assert_allclose(sample_reference(padded, positions), expected, atol=1e-12)
    np.testing.assert_array_equal(padded, arguments[0])
    np.testing.assert_array_equal(positions, arguments[1])


def test_pad_adds_a_black_border_and_rounds_to_8_bits():
    images = np.random.default_rng(2).integers(0, 256, (3, 4, 6), dtype=np.uint8)
    for same in (images, images / 255, images / np.float32(255)):
        np.testing.assert_array_equal(pad(same), np.pad(images, ((0, 0), (1, 1), (1, 1))))
