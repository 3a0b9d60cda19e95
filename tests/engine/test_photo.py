"""Photos: uneven light, shadows and ruled lines do not matter, and drawings are not mistaken for photos."""

import io
import warnings

import numpy as np
import pytest
from helpers import ROOT, make_digits, outcome
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import engine
from engine.data.synthetic.scribbles import HELD_OUT_KINDS, TRAINING_KINDS
from engine.image_file import MAX_SIDE, read_image
from engine.pen import draw_strokes, fit_strokes
from engine.photo import _light, ink_of_photo, is_photo
from engine.preprocessing import BlankDrawing, find_ink, prepare

SIDE = 420
SHAPES = {  # with straight and round lines, in one stroke and in two
    2: [[(0, 20), (15, 3), (35, 0), (55, 10), (55, 30), (35, 60), (0, 100), (65, 96)]],
    4: [[(35, 0), (0, 60), (70, 60)], [(50, 30), (48, 100)]],
    5: [[(10, 0), (5, 45), (30, 38), (52, 50), (58, 70), (45, 92), (20, 100), (0, 92)], [(10, 0), (60, 3)]],
    0: [[(30, 0), (8, 15), (0, 50), (8, 85), (30, 100), (52, 85), (60, 50), (52, 15), (30, 0)]],
}


def draw_ink(strokes, pen=14, size=0.5, place=(0.6, 0.4)):
    """How much ink is on each pixel of the paper, in [0, 1]."""
    points = [stroke + pen for stroke in fit_strokes(strokes, size, SIDE - 2 * pen, place)]
    return draw_strokes(points, SIDE, pen) / 255


def photo(ink, seed=0, dimmest=0.25, shadow=False, ruled=False, board=False, noise=4):
    """What a camera sees, (H, W) uint8: the light times the fraction that the paper reflects, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]] / max(ink.shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    light = dimmest + (1 - dimmest) * (along - along.min()) / np.ptp(along)
    if shadow:  # such as a hand's: it takes half of the light and has a soft edge through the middle
        across = np.cos(angle + 1) * (x - 0.5) + np.sin(angle + 1) * (y - 0.5)
        light *= 1 - 0.5 / (1 + np.exp(-60 * across))
    paper = np.full(ink.shape, 0.9)
    if ruled:
        paper[np.arange(len(ink)) % 30 < 2] *= 0.72
    reflected = 0.12 + 0.8 * ink if board else paper * (1 - ink) + 0.2 * ink
    return np.clip(250 * light * reflected + rng.normal(0, noise, ink.shape), 0, 255).astype(np.uint8)


def difference(image, other):
    """The mean difference of two images; the centre of the ink may have been rounded to a neighbouring pixel."""
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return min(np.abs(np.roll(image, shift, (0, 1)) - other).mean() for shift in shifts)


CONDITIONS = {
    "from one side": {},
    "hardly any light in a corner": {"dimmest": 0.1},
    "a little uneven": {"dimmest": 0.85},
    "shadow": {"shadow": True},
    "ruled paper": {"ruled": True},
    "ruled paper in flat light": {"ruled": True, "dimmest": 0.95},
    "shadow on ruled paper": {"shadow": True, "ruled": True},
    "chalk on a board": {"board": True},
    "a poor camera": {"noise": 12},
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_photo_gives_the_same_as_the_ink_alone(condition, seed):
    for number, (digit, strokes) in enumerate(SHAPES.items()):
        ink = draw_ink(strokes, pen=(8, 14, 22, 16)[number], place=(0.2 + 0.2 * number, 0.3))
        clean = prepare(np.round(255 * ink).astype(np.uint8))
        assert difference(prepare(photo(ink, 10 * seed + digit, **condition)), clean) < 0.03


def test_colours_files_and_rotated_cameras_do_not_matter(tmp_path):
    ink = draw_ink(SHAPES[5])
    clean, path = prepare(np.round(255 * ink).astype(np.uint8)), tmp_path / "five.jpg"
    grey = photo(ink, shadow=True).astype(float)
    pixels = np.dstack([grey, 0.93 * grey, 0.8 * grey]).astype(np.uint8)  # a warm lamp
    image = Image.fromarray(np.rot90(pixels))
    exif = image.getexif()
    exif[0x0112] = 6  # "rotate clockwise"
    image.save(path, exif=exif, quality=70)
    assert difference(prepare(read_image(path)), clean) < 0.03
    with path.open("rb") as file:
        assert difference(prepare(read_image(file)), clean) < 0.03


def test_large_photos_are_made_smaller():
    ink = draw_ink(SHAPES[2])
    large = np.asarray(Image.fromarray(photo(ink)).resize((1900, 1900), Image.Resampling.BICUBIC))
    assert max(find_ink(large).shape) <= MAX_SIDE
    clean = prepare(np.round(255 * ink).astype(np.uint8))
    assert difference(prepare(large), clean) < 0.05


def test_dirt_and_marks_that_touch_the_border_are_left_out():
    ink = draw_ink(SHAPES[4], place=(0.5, 0.5))
    clean = prepare(np.round(255 * ink).astype(np.uint8))
    dirty = ink.copy()
    dirty[20:24, 30:34] = dirty[390:393, 200:204] = 1  # crumbs
    dirty[:300, :9] = 1  # the edge of the sheet
    assert difference(prepare(photo(dirty)), clean) < 0.05


def test_a_digit_that_is_cut_off_at_the_border_is_still_read():
    ink = np.roll(draw_ink(SHAPES[2], place=(0, 0.5)), -20, axis=1)
    ink[:, -40:] = 0
    ink[30:33, 300:303] = 1  # a crumb
    has_ink = find_ink(photo(ink)) > 0
    assert (has_ink & (ink > 0.5)).sum() > 0.9 * (ink[100:] > 0.5).sum()


@pytest.mark.parametrize("condition", [{}, {"shadow": True}, {"dimmest": 0.6}], ids=str)
def test_paper_without_ink_is_blank(condition):
    with pytest.raises(BlankDrawing):
        prepare(photo(np.zeros((SIDE, SIDE)), **condition))


SMALL_IMAGES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def check_arithmetic(function, *arguments):
    """Call the function so that any division by zero, overflow or invalid value raises an error."""
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*arguments)


@settings(max_examples=300, deadline=None)
@given(coarse=SMALL_IMAGES, size=st.tuples(st.integers(1, 150), st.integers(1, 150)), smooth=st.booleans())
@example(coarse=np.array([[0, 0, 0], [0, 0, 255], [0, 0, 0]], np.uint8), size=(90, 90), smooth=True)
def test_any_image_gives_finite_ink(coarse, size, smooth):
    """Whatever the image shows, no light is estimated to be 0 or negative: dividing by it would give infinite ink."""
    resampling = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    grey = np.asarray(Image.fromarray(coarse).resize(size, resampling))
    for ink_is_bright in (False, True):
        assert (_light(grey.astype(np.float32), int(min(grey.shape) / 5) | 1, ink_is_bright) >= 0).all()
    ink, _ = check_arithmetic(ink_of_photo, grey)
    assert ink.shape == grey.shape
    assert ink.dtype == np.float32
    assert ((ink >= 0) & (ink <= 1)).all()
    image, _ = check_arithmetic(outcome, BlankDrawing, prepare, grey)
    assert image is None or ((image >= 0) & (image <= 1)).all()


@pytest.mark.parametrize("side", [64, 69, 90])
def test_thick_bright_ink_in_a_tight_crop_gives_finite_ink(side):
    """The ink touches the border, so the estimated light drops steeply towards it."""
    for strokes in SHAPES.values():
        ink = draw_ink(strokes, pen=90, size=0.9)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        cropped = np.round(255 * ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).astype(np.uint8)
        grey = np.asarray(Image.fromarray(cropped).resize((side, side), Image.Resampling.BICUBIC))
        ink, _ = check_arithmetic(ink_of_photo, grey)
        assert ((ink >= 0) & (ink <= 1)).all()


def test_no_drawing_is_mistaken_for_a_photo():
    rng = np.random.default_rng(0)
    for pen in (4, 8, 16, 32, 60):
        for strokes in (*SHAPES.values(), list(rng.random((4, 12, 2)))):  # digits, and a sheet full of scribbles
            sheet = draw_strokes(fit_strokes(strokes, 0.9, 280), 280, pen)
            for drawing in (sheet, 255 - sheet):
                assert not is_photo(np.asarray(Image.fromarray(drawing).reduce(4)))


def test_a_drawing_in_a_jpeg_file_is_no_photo():
    for strokes in SHAPES.values():
        file = io.BytesIO()
        Image.fromarray(255 - draw_strokes(fit_strokes(strokes, 0.9, 280), 280, 18)).save(file, "JPEG", quality=60)
        assert not is_photo(np.asarray(Image.open(file).reduce(4)))


def test_no_training_image_is_mistaken_for_a_photo():
    rng = np.random.default_rng(0)
    for make in (*TRAINING_KINDS.values(), *HELD_OUT_KINDS.values()):
        for drawing in (make(rng) for _ in range(5)):
            if isinstance(drawing, np.ndarray):  # the others are strokes, on sheets too small for photos
                assert not is_photo(drawing)
    assert not any(is_photo(image) for image in make_digits(50).images)


@pytest.mark.parametrize("side", [64, 70, 90, 140])
@pytest.mark.parametrize("pen", [14, 30, 60])
def test_a_bright_digit_on_black_is_no_photo_however_tightly_cropped(pen, side):
    """Neither its soft edges, nor the noise of JPEG in its black and white, are uneven light."""
    for strokes in SHAPES.values():
        ink = np.round(255 * draw_ink(strokes, pen, size=0.8)).astype(np.uint8)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        cropped = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        file = io.BytesIO()
        cropped.resize((side, side), Image.Resampling.BICUBIC).save(file, "JPEG", quality=75)
        grey = np.asarray(Image.open(file))
        assert not is_photo(grey)
        image = check_arithmetic(prepare, grey)
        assert np.abs(image - prepare(np.asarray(cropped.resize((side, side))))).mean() < 0.03


def test_a_crumb_does_not_displace_a_digit_that_touches_the_border():
    ink = draw_ink(SHAPES[5], place=(0.5, 0.5))
    top = np.flatnonzero(ink.any(axis=1))[0]
    cut = np.roll(ink, -top - 4, axis=0)
    cut[350:364, 20:34] = 1
    strength = find_ink(photo(cut))
    assert (strength[:300] > 0).sum() > 0.8 * (cut[:300] > 0.5).sum()


def test_a_drawing_in_uneven_light_is_a_photo():
    assert is_photo(photo(draw_ink(SHAPES[2]))[::6, ::6])


def test_the_shipped_network_reads_photos_as_well_as_drawings(strokes):
    network = engine.load(ROOT / "pretrained" / "mlp.npz")
    rng = np.random.default_rng(1)
    conditions = list(CONDITIONS.values())
    drawings, photos, labels = [], [], []
    for i, number in enumerate(rng.choice(len(strokes), 90, replace=False)):
        digit = strokes[number]
        ink = draw_ink(digit["strokes"], pen=rng.integers(8, 24), size=rng.uniform(0.3, 0.7), place=rng.uniform(0.1, 0.9, 2))
        drawings.append(prepare(np.round(255 * ink).astype(np.uint8)))
        photos.append(prepare(photo(ink, i, **conditions[i % len(conditions)])))
        labels.append(digit["label"])
    on_drawings, on_photos = (np.mean(network.predict(np.array(images)) == labels) for images in (drawings, photos))
    assert on_drawings > 0.9
    assert on_photos > on_drawings - 0.04
