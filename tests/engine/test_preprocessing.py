"""From a drawing to 28 x 28 pixels: colours, polarity, size and place do not matter, and each stage can be left out."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from engine.checks import InklingError
from engine.pen import draw_strokes
from engine.preprocessing import STEPS, BlankDrawing, find_ink, prepare, separate_ink, stages

SEVEN = [[(20, 20), (90, 25), (50, 120)], [(35, 75), (80, 70)]]


def drawing(left=60, top=70, size=280):
    """A seven, bright on black, (size, size) uint8."""
    return draw_strokes([[(x + left, y + top) for x, y in stroke] for stroke in SEVEN], size, width=14)


def rgba(grey, alpha):
    return np.dstack([grey, grey, grey, alpha]).astype(np.uint8)


INK = drawing()
EXPECTED = prepare(INK)
NONE, FULL = np.zeros_like(INK), np.full_like(INK, 255)


def centre_of_mass(image):
    rows, columns = np.indices(image.shape)
    return (image * rows).sum() / image.sum(), (image * columns).sum() / image.sum()


def check(image):
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == pytest.approx(1)


def test_result_is_28_by_28_float32_with_the_ink_at_1():
    check(EXPECTED)
    rows, columns = np.flatnonzero(EXPECTED.any(axis=1)), np.flatnonzero(EXPECTED.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20  # the longer side fills MNIST's box


@pytest.mark.parametrize(
    "variant",
    [
        255 - INK,
        rgba(INK, FULL),
        rgba(255 - INK, FULL),
        rgba(NONE, INK),  # black ink in the alpha channel
        rgba(FULL, INK),  # white ink
        rgba(INK, INK.astype(bool) * 255),
        np.dstack([INK] * 3),
        255 - np.dstack([INK] * 3),
        np.dstack([INK, NONE, NONE]),  # red on black
        255 - np.dstack([INK, INK, NONE]),  # blue on white
        np.dstack([255 - INK, FULL, FULL]),  # cyan on white
    ],
    ids=[
        "black on white",
        "white on black, opaque",
        "black on white, opaque",
        "black in alpha",
        "white in alpha",
        "white on nothing",
        "RGB",
        "RGB, black on white",
        "red on black",
        "blue on white",
        "cyan on white",
    ],
)
def test_colour_polarity_and_alpha_do_not_matter(variant):
    np.testing.assert_allclose(prepare(variant), EXPECTED, atol=0.06)


def test_grey_paper_and_faint_ink_do_not_matter():
    paper = np.full(INK.shape, 120.0)
    for strength in (-80, 60, 120):
        np.testing.assert_allclose(prepare((paper + strength / 255 * INK).astype(np.uint8)), EXPECTED, atol=0.06)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "YCbCr", "HSV", "I", "F", "I;16", "1"])
def test_every_mode_of_pillow_images(mode):
    grey = Image.fromarray(INK)
    if mode == "I;16":
        image = Image.fromarray(INK.astype(np.uint16) * 257)
        assert image.mode == "I;16"
    else:
        image = grey.convert(mode)
    np.testing.assert_allclose(prepare(image), EXPECTED, atol=0.3 if mode == "1" else 0.06)


def test_images_with_16_and_32_bits_are_not_clipped():
    for values in (INK.astype(np.int32) * 1000 - 7, INK.astype(np.float32) / 255, INK.astype(np.float32) * 1e6):
        np.testing.assert_allclose(prepare(Image.fromarray(values)), EXPECTED, atol=0.06)


def test_a_transparent_colour_in_a_palette():
    image = Image.fromarray((INK > 127).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.info["transparency"] = 0
    np.testing.assert_allclose(prepare(image), EXPECTED, atol=0.3)


@pytest.mark.parametrize(
    "blank",
    [
        NONE,
        FULL,
        np.full_like(INK, 99),
        rgba(NONE, NONE),
        rgba(FULL, NONE),
        rgba(INK, NONE),  # invisible ink
        rgba(NONE, FULL),
        rgba(FULL, FULL),
        rgba(NONE, NONE + 128),
        np.random.default_rng(0).integers(250, 256, (100, 100), dtype=np.uint8),
        np.random.default_rng(0).integers(0, 8, (100, 100, 3), dtype=np.uint8),
        np.zeros((1, 1), np.uint8),
        Image.new("L", (30, 30), 255),
        Image.new("RGBA", (30, 30)),
        Image.new("1", (30, 30)),
        Image.new("I;16", (30, 30), 5),
        Image.new("F", (30, 30), 0.5),
    ],
    ids=lambda value: "",
)
def test_blank_drawings_raise(blank):
    with pytest.raises(BlankDrawing):
        prepare(blank)


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_moving_a_drawing_does_not_change_a_bit(channels, bright):
    results = []
    for left, top in [(60, 70), (0, 0), (170, 0), (0, 150), (170, 150), (33, 91), (62, 71)]:
        image = drawing(left, top) if bright else 255 - drawing(left, top)
        if channels > 1:
            image = np.dstack([image] * 3 + [np.full_like(image, 255)] * (channels == 4))
        results.append(prepare(image).tobytes())
    assert len(set(results)) == 1


def test_moving_ink_in_the_alpha_channel_does_not_change_a_bit():
    places = [(0, 0), (170, 0), (33, 91), (170, 150)]
    for colour in (0, 255):
        results = {prepare(rgba(NONE + colour, drawing(*place))).tobytes() for place in places}
        assert len(results) == 1


@pytest.mark.parametrize("factor", [0.4, 0.7, 1.5, 2.0, 3.0])
def test_size_hardly_matters(factor):
    strokes = [[(x * factor + 10, y * factor + 10) for x, y in stroke] for stroke in SEVEN]
    other = prepare(draw_strokes(strokes, 420, width=14 * factor))
    assert abs(other - EXPECTED).mean() < 0.02


def test_a_larger_canvas_around_the_drawing_does_not_matter():
    np.testing.assert_array_equal(prepare(np.pad(INK, ((0, 300), (500, 0)))), EXPECTED)


def test_the_centre_of_mass_is_in_the_middle():
    rng = np.random.default_rng(1)
    for _ in range(20):
        strokes = [rng.uniform(30, 250, (int(rng.integers(2, 6)), 2)) for _ in range(int(rng.integers(1, 4)))]
        image = prepare(draw_strokes(strokes))
        for axis, middle in enumerate(centre_of_mass(image)):
            ink = np.flatnonzero(image.any(axis=1 - axis))
            touches = ink[0] == 0 or ink[-1] == 27
            assert touches or abs(middle - 14) <= 0.5 + 1e-4
    for middle in centre_of_mass(EXPECTED):
        assert abs(middle - 14) <= 0.5


def test_ink_at_one_end_stays_inside_the_image():
    heavy = np.zeros((280, 280), np.uint8)
    heavy[10:250, 10:14] = 255  # a long thin line with most of the ink at its foot
    heavy[230:250, 10:250] = 255
    check(prepare(heavy))


@pytest.mark.parametrize("shape", [(280, 280), (28, 28), (3, 3), (2, 1000), (1000, 2)])
def test_one_pixel_of_ink(shape):
    image = np.zeros(shape, np.uint8)
    image[-1, 0] = 255
    result = prepare(image)
    check(result)
    assert (result > 0).sum() == 400  # a square stays a square


@pytest.mark.parametrize(("height", "width"), [(1, 200), (200, 1), (1, 3), (5, 2000), (2000, 5)])
def test_long_and_thin_ink_stays_long_and_thin(height, width):
    image = np.zeros((height * 2 + 10, width * 2 + 10), np.uint8)
    image[3 : 3 + height, 4 : 4 + width] = 255
    result = prepare(image)
    check(result)
    tall, wide = (np.ptp(np.flatnonzero(result.any(axis=axis))) + 1 for axis in (1, 0))
    assert max(tall, wide) == 20
    assert (tall > wide) == (height > width)
    assert min(tall, wide) == max(1, round(20 * min(height, width) / max(height, width)))


def test_images_with_one_row_or_column():
    row = np.zeros((1, 50), np.uint8)
    row[0, 20:30] = 200
    check(prepare(row))
    check(prepare(row.T))


@pytest.mark.parametrize(
    "bad",
    [
        INK.astype(float),
        INK / 255,
        INK.astype(np.int64),
        INK.astype(bool),
        INK.astype(str),
        np.zeros((28, 28, 2), np.uint8),
        np.zeros((28, 28, 5), np.uint8),
        np.zeros((1, 28, 28, 3), np.uint8),
        np.zeros(784, np.uint8),
        np.zeros((0, 0), np.uint8),
        np.zeros((0, 28, 4), np.uint8),
        np.uint8(3),
        None,
        "seven.png",
        [[0, 1], [2]],
    ],
    ids=lambda value: getattr(value, "dtype", type(value).__name__).__str__(),
)
def test_anything_else_is_refused(bad):
    with pytest.raises(InklingError) as caught:
        prepare(bad)
    assert not isinstance(caught.value, BlankDrawing)
    assert "\n" not in str(caught.value)


def test_the_drawing_is_not_changed():
    image = rgba(255 - INK, FULL)
    before = image.tobytes()
    image.setflags(write=False)
    prepare(image)
    assert image.tobytes() == before


def test_the_last_stage_is_what_the_network_sees():
    for variant in (INK, 255 - INK, rgba(NONE, INK), Image.fromarray(INK)):
        result = stages(variant)
        assert result.centred.tobytes() == prepare(variant).tobytes()
        assert result.ink.shape == (280, 280)
        rows, columns = np.nonzero(INK > 40)
        assert result.cropped.shape == (np.ptp(rows) + 1, np.ptp(columns) + 1)
        assert max(result.scaled.shape) == 20
        for stage in (result.ink, result.cropped, result.scaled, result.centred):
            assert stage.dtype == np.float32
            assert stage.min() >= 0
            assert stage.max() == pytest.approx(1)


def test_comparing_stages_does_not_raise():
    assert stages(INK) != stages(INK)


@pytest.mark.parametrize("skip", [skip for count in range(4) for skip in combinations(STEPS, count)], ids="-".join)
def test_any_steps_can_be_skipped(skip):
    for part in (INK, INK[:, 60:150], INK[60:200]):
        result = stages(part, skip)
        check(result.centred)
        assert (result.cropped.shape == result.ink.shape) == ("crop" in skip)
        assert max(result.scaled.shape) == (28 if "scale" in skip else 20)
        assert result.centred.sum() == pytest.approx(result.scaled.sum(), rel=1e-5)


def test_without_cropping_a_small_digit_stays_small():
    ink = np.count_nonzero(stages(drawing(0, 0), ["crop"]).centred)
    assert ink < np.count_nonzero(EXPECTED) / 2


def test_without_scaling_the_digit_fills_the_image():
    rows = np.flatnonzero(stages(INK, ["scale"]).centred.any(axis=1))
    assert (rows[0], rows[-1]) == (0, 27)


def test_without_centring_the_box_is_in_the_middle():
    image = stages(INK, ["centre"]).centred
    for axis in (0, 1):
        ink = np.flatnonzero(image.any(axis=1 - axis))
        assert abs(ink[0] + ink[-1] - 27) <= 1
    assert abs(centre_of_mass(image)[0] - 14) > 1  # most ink of a seven is at the top


def test_without_all_steps_the_sheet_is_only_made_smaller():
    for left, top in ((0, 0), (170, 150)):
        image = drawing(left, top)
        shrunk = np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BILINEAR)) / 255
        np.testing.assert_allclose(stages(image, STEPS).centred, shrunk / shrunk.max(), atol=0.05)


def test_skipping_an_unknown_step_is_refused():
    with pytest.raises(InklingError, match="a step to skip must be one of crop, scale, centre, got 'blur'"):
        stages(INK, ["blur"])


def test_blank_drawings_have_no_stages():
    with pytest.raises(BlankDrawing):
        stages(NONE)


@pytest.mark.mnist
def test_mnists_own_images_hardly_change(mnist):
    images = mnist[1].images[:300]
    prepared = np.array([prepare(image) for image in images])
    assert abs(prepared - images / 255).mean() < 0.03
    middles = np.array([centre_of_mass(image) for image in prepared])
    assert abs(middles - 14).max() <= 0.75
    assert abs(middles.mean(axis=0) - 14).max() < 0.1


@pytest.mark.parametrize("bright", [True, False])
def test_impulse_noise_hardly_matters(bright):
    rng = np.random.default_rng(0)
    for size in (28, 56, 280):
        clean = np.asarray(Image.fromarray(INK).resize((size, size), Image.Resampling.BOX))
        noisy, is_hit = clean.copy(), rng.random(clean.shape) < 0.08
        noisy[is_hit] = rng.choice([0, 255], is_hit.sum())
        if not bright:
            clean, noisy = 255 - clean, 255 - noisy
        assert np.abs(prepare(noisy) - prepare(clean)).mean() < 0.05


def test_ink_says_what_it_has_left_out():
    assert separate_ink(INK).left_out == []
    underlined = INK.copy()
    underlined[240:250, 60:200] = 255
    ink = separate_ink(underlined)
    assert ink.left_out == [(60, 240, 200, 250)]
    np.testing.assert_array_equal(ink.strength, separate_ink(INK).strength)
    np.testing.assert_array_equal(find_ink(underlined), ink.strength)


def test_dirt_on_uneven_paper_is_reported():
    paper = np.random.default_rng(0).integers(247, 256, INK.shape)
    dirty = np.minimum(paper, 255 - INK).astype(np.uint8)
    dirty[230:242, 200:212] = 20
    assert separate_ink(dirty).left_out == [(200, 230, 212, 242)]
