"""Augmentation: each change is measured against what it should do, and all together on pen-drawn signs."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from engine.checks import InklingError
from engine.data.augmentation import AUGMENTATIONS, BLOCK_SIZE, Augmentation, AugmentationKind, thicken
from engine.data.resample import SUBPIXELS, pad
from engine.pen import draw_strokes, fit_strokes
from engine.setting_fields import settings_of

FIELDS = settings_of(Augmentation)
EVERYTHING = Augmentation(
    shift=2, rotation=15, scale=0.2, shear=15, elastic=1.5, smoothness=3, thickness=1.5, noise=0.1, damage=0.5
)  # fmt: skip
MOVES = ("shift_x", "shift_y", "angle", "stretch_x", "stretch_y", "lean", "thicker")


def pen_images():
    """Four signs (4, 28, 28) uint8 with a blank margin: a seven, a triangle, a line that leans, a bow."""
    turn = np.linspace(0, 5, 40)
    signs = [
        [[(0, 0), (3, 0), (1, 5)], [(0.5, 2.5), (2.5, 2.5)]],
        [[(0, 4), (2, 0), (4, 4), (0, 4)]],
        [[(0, 5), (2, 0)]],
        [list(zip(np.cos(turn), np.sin(turn), strict=True))],
    ]
    drawn = [draw_strokes(fit_strokes(sign, 0.6, place=(0.5, 0.5)), width=24) for sign in signs]
    return np.stack([np.asarray(Image.fromarray(image).reduce(10)) for image in drawn])


class FixedMoves:
    """Stands in for a generator: the given moves, in [-1, 1], are the same for all images, and all others are 0."""

    def __init__(self, **moves):
        self.moves = np.array([moves.get(name, 0) for name in MOVES], np.float32)[:, None]

    def random(self, shape, dtype):
        return np.broadcast_to((self.moves + 1) / 2, shape).astype(dtype)


def centre_of_mass(image):
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return (image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()


def test_without_strength_not_a_bit_changes():
    images = np.random.default_rng(1).integers(0, 256, (BLOCK_SIZE + 3, 28, 28), dtype=np.uint8)
    expected = images / np.float32(255)
    for given_images in (images, expected, images / 255):
        changed = Augmentation()(given_images, np.random.default_rng(0))
        assert changed.dtype == np.float32
        np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize(("x", "y"), [(1, 0), (0, 1), (-1, -1), (1, -1)])
def test_a_shift_by_whole_pixels_moves_the_bytes(x, y):
    images = np.random.default_rng(2).integers(0, 256, (3, 12, 17), dtype=np.uint8)
    changed = Augmentation(shift=3)(images, FixedMoves(shift_x=x, shift_y=y))
    expected = np.zeros(images.shape, np.float32)
    for row in range(12):
        for column in range(17):
            if 0 <= row - 3 * y < 12 and 0 <= column - 3 * x < 17:
                expected[:, row, column] = images[:, row - 3 * y, column - 3 * x] / np.float32(255)
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize("move", [-1, -0.4, 0.5, 1])
def test_rotation_agrees_with_pillow(move):
    images = pen_images()
    changed = Augmentation(rotation=30)(images, FixedMoves(angle=move))
    expected = [Image.fromarray(image).rotate(30 * move, Image.Resampling.BILINEAR) for image in images]
    np.testing.assert_allclose(changed, np.stack(expected) / 255, atol=0.012)


@pytest.mark.parametrize(("x", "y", "lean"), [(1, 0, 0), (0, -1, 0), (-1, 1, 0), (0, 0, 1), (0.5, -0.5, -1)])
def test_scale_and_shear_agree_with_pillow(x, y, lean):
    images = pen_images()
    changed = Augmentation(scale=0.3, shear=20)(images, FixedMoves(stretch_x=x, stretch_y=y, lean=lean))
    forward = np.array([[1, np.tan(np.deg2rad(20 * lean))], [0, 1]]) @ np.diag([1 + 0.3 * x, 1 + 0.3 * y])
    back = np.linalg.inv(forward)
    offset = 14 - back @ (14, 14)  # Pillow's origin is the corner of the first pixel
    map_back = (*back[0], offset[0], *back[1], offset[1])
    expected = [
        Image.fromarray(image).transform((28, 28), Image.Transform.AFFINE, map_back, Image.Resampling.BILINEAR)
        for image in images
    ]
    np.testing.assert_allclose(changed, np.stack(expected) / 255, atol=0.012)


def test_all_moves_together_carry_a_blot_to_the_right_place():
    image = np.zeros((1, 41, 41), np.uint8)
    image[0, 12:15, 25:28] = 255  # (6, -7) from the centre, (20, 20)
    augmentation = Augmentation(shift=2, rotation=40, scale=0.2, shear=15)
    moves = {"shift_x": 1, "shift_y": -0.5, "angle": 0.75, "stretch_x": 1, "stretch_y": -0.5, "lean": 1}
    changed = augmentation(image, FixedMoves(**moves))[0]
    angle, lean = np.deg2rad(30), np.tan(np.deg2rad(15))
    x, y = 6 * 1.2, -7 * 0.9
    x += lean * y
    x, y = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y  # anticlockwise on the screen
    assert centre_of_mass(changed) == pytest.approx((20 + x + 2, 20 + y - 1), abs=0.1)


@pytest.mark.parametrize(("elastic", "smoothness"), [(1.0, 4.0), (2.5, 3.0), (0.5, 8.0)])
def test_elastic_displacement_is_as_strong_and_as_smooth_as_documented(elastic, smoothness):
    augmentation, rng = Augmentation(elastic=elastic, smoothness=smoothness), np.random.default_rng(5)
    still = augmentation._affine(np.zeros((6, 3000), np.float32), 20, 28)
    centre = np.stack(np.broadcast_arrays(np.arange(28) + 1, np.arange(20)[:, None] + 1))[:, None]
    field = (augmentation._positions(still, 20, 28, rng) - 0.5) / SUBPIXELS - centre  # (2, N, 20, 28)
    np.testing.assert_allclose(field.mean(axis=1), 0, atol=0.1 * elastic)
    np.testing.assert_allclose(field.std(axis=1), elastic, rtol=0.08)
    for distance in (1, 3, 5, 8):  # smoothing by a Gaussian correlates noise by a Gaussian that is sqrt(2) wider
        expected = np.exp(-((distance / smoothness) ** 2) / 4)
        along_x = (field[..., :-distance] * field[..., distance:]).mean(axis=(0, 1)) / elastic**2
        along_y = (field[..., :-distance, :] * field[..., distance:, :]).mean(axis=(0, 1)) / elastic**2
        assert along_x.mean() == pytest.approx(expected, abs=0.06)
        assert along_y.mean() == pytest.approx(expected, abs=0.06)
    assert (field[0] * field[1]).mean() == pytest.approx(0, abs=0.02 * elastic**2)


def test_elastic_bends_every_image_differently():
    images = np.repeat(pen_images()[:1], 2 * BLOCK_SIZE, axis=0)
    changed = Augmentation(elastic=1.5)(images, np.random.default_rng(0))
    assert len(np.unique(changed.reshape(len(changed), -1), axis=0)) == len(changed)


def test_thickness_adds_and_removes_ink_steadily():
    pixels = np.linspace(-2, 2, 41)
    bar = np.zeros((41, 20, 20), np.uint8)
    bar[:, 4:16, 8:12] = 255
    padded = pad(bar)
    thicken(padded, pixels)
    middle = padded[:, 11].sum(axis=1) / 255
    np.testing.assert_allclose(middle, 4 + pixels, atol=0.02)  # the bar is 4 pixels wide
    assert (np.diff(padded.sum(axis=(1, 2), dtype=int)) > 0).all()
    assert not padded[:, [0, -1]].any()
    assert not padded[:, :, [0, -1]].any()


@pytest.mark.parametrize("move", [-1.0, 1.0])
def test_full_thickness_is_grey_erosion_and_dilation(move):
    images = np.random.default_rng(3).integers(0, 256, (2, 9, 13), dtype=np.uint8)
    changed = Augmentation(thickness=2)(images, FixedMoves(thicker=move))
    cross = ndimage.generate_binary_structure(2, 1)[None]
    extreme = ndimage.grey_dilation if move > 0 else ndimage.grey_erosion
    expected = extreme(images, footprint=cross, mode="constant", cval=0)
    np.testing.assert_array_equal(changed, expected / np.float32(255))


def test_noise_has_its_standard_deviation():
    grey = np.full((20, 28, 28), 128, np.uint8)
    change = Augmentation(noise=0.1)(grey, np.random.default_rng(4)) - 128 / 255
    assert change.mean() == pytest.approx(0, abs=0.003)
    assert change.std() == pytest.approx(0.1, rel=0.03)
    black = Augmentation(noise=0.5)(np.zeros((5, 28, 28), np.uint8), np.random.default_rng(4))
    assert (black.min(), black.max()) == (0, 1)


@pytest.mark.parametrize("name", [name for name, preset in AUGMENTATIONS.items() if preset])
def test_presets_change_images_and_preserve_their_ink(name):
    images = np.repeat(pen_images(), 150, axis=0)
    preset = dataclasses.replace(AUGMENTATIONS[name], damage=0)  # which may add and remove a lot of ink
    changed = preset(images, np.random.default_rng(6))
    before = images / 255
    moved = abs(changed - before).mean(axis=(1, 2)) > 0.002
    assert 1 - moved.mean() == pytest.approx(preset.untouched, abs=0.05)
    assert changed.mean() == pytest.approx(before.mean(), rel=0.05)
    ratio = changed.mean(axis=(1, 2)) / before.mean(axis=(1, 2))
    assert 0.4 < ratio.min() < ratio.max() < 2.2


@pytest.mark.parametrize("as_float", [False, True])
def test_untouched_images_stay_the_same_and_do_not_affect_the_others(as_float):
    images = np.repeat(pen_images(), 40, axis=0)
    if as_float:
        images = images / 255
    strong = dataclasses.replace(AUGMENTATIONS["strong"], noise=0.1)
    changed = strong(images, np.random.default_rng(3))
    half = dataclasses.replace(strong, untouched=0.5)(images, np.random.default_rng(3))
    unchanged = (half == (images / (1 if as_float else 255)).astype(np.float32)).all(axis=(1, 2))
    assert 0.3 < unchanged.mean() < 0.7
    np.testing.assert_array_equal(half[~unchanged], changed[~unchanged])


def test_damage_comes_last_and_leaves_all_other_images_as_they_were():
    images = np.repeat(pen_images(), 100, axis=0)
    half = AUGMENTATIONS["half"]
    before = half(images, np.random.default_rng(3))
    after = dataclasses.replace(half, damage=0.3)(images, np.random.default_rng(3))
    assert (after != before).any(axis=(1, 2)).mean() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(dataclasses.replace(half, damage=0.0)(images, np.random.default_rng(3)), before)


def test_one_seed_gives_the_same_bits_and_another_does_not():
    images = np.repeat(pen_images(), 40, axis=0)
    images.setflags(write=False)
    before = images.copy()
    first, again, other = (EVERYTHING(images, np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(first, again)


@pytest.mark.parametrize("images", [np.zeros((70, 9, 9), np.uint8), np.full((70, 9, 9), 255, np.uint8)])
def test_the_random_numbers_used_depend_only_on_shape_and_fields(images):
    rng, reference = np.random.default_rng(0), np.random.default_rng(0)
    EVERYTHING(images, rng)
    EVERYTHING(np.random.default_rng(9).random((70, 9, 9)), reference)
    assert rng.bit_generator.state == reference.bit_generator.state


def test_threads_do_not_disturb_each_other():
    images = np.repeat(pen_images(), 50, axis=0)
    alone = [EVERYTHING(images, np.random.default_rng(seed)) for seed in range(16)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda seed: EVERYTHING(images, np.random.default_rng(seed)), range(16)))
    np.testing.assert_array_equal(alone, together)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 2 * BLOCK_SIZE + 1), st.integers(1, 40), st.integers(1, 40)),
    values=st.fixed_dictionaries({name: st.floats(f.kind.low, f.kind.high) for name, f in FIELDS.items()}),
    as_float=st.booleans(),
)
def test_any_shape_and_any_strength_gives_images(shape, values, as_float):
    rng = np.random.default_rng(0)
    images = rng.random(shape) if as_float else rng.integers(0, 256, shape, dtype=np.uint8)
    images.setflags(write=False)
    changed = Augmentation(**values)(images, rng)
    assert changed.shape == shape
    assert changed.dtype == np.float32
    assert ((changed >= 0) & (changed <= 1)).all()


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [-0.5, 1e6, float("nan"), float("inf"), "much", None, True])
def test_bad_fields_are_refused_in_one_line(name, value):
    with pytest.raises(InklingError, match=rf"^{name} must be in \[.*\], got .*$") as caught:
        Augmentation(**{name: value})
    assert "\n" not in str(caught.value)


AUGMENTATION_EXAMPLES = (EVERYTHING, Augmentation(shift=2, noise=0), *filter(None, AUGMENTATIONS.values()))


@pytest.mark.parametrize("augmentation", AUGMENTATION_EXAMPLES)
def test_json_and_back(augmentation):
    assert Augmentation.from_json(json.loads(json.dumps(dataclasses.asdict(augmentation)))) == augmentation
    with pytest.raises(InklingError, match=r"augmentation takes shift, rotation, .*, got .*'blur'"):
        Augmentation.from_json(dataclasses.asdict(augmentation) | {"blur": 1})


@pytest.mark.parametrize("augmentation", AUGMENTATION_EXAMPLES)
def test_text_and_back(augmentation):
    kind = AugmentationKind()
    text = kind.to_text(augmentation)
    assert kind.from_text("augmentation", text) == augmentation
    assert (kind.show(augmentation) == text) == (augmentation in AUGMENTATIONS.values())


@pytest.mark.parametrize("text", ["strongest", "shift=much", "shift=-1", "blur=1", "shift=1:", "=", ""])
def test_other_text_is_refused_in_one_line(text):
    with pytest.raises(InklingError, match=r"^augmentation.* must be ") as caught:
        AugmentationKind().from_text("augmentation", text)
    assert "\n" not in str(caught.value)
