import io

import numpy as np
import pytest
from helpers import ROOT, make_digits
from PIL import Image

import engine
from engine.data.scribbles import HELD_OUT, TRAINED
from engine.pen import draw_strokes, fit_strokes
from engine.photo import is_photo
from engine.preprocessing import BlankDrawing, find_ink, prepare, read_image

SIDE = 420
SHAPES = {  # with every kind of line: straight, round, in two parts
    2: [[(0, 20), (15, 3), (35, 0), (55, 10), (55, 30), (35, 60), (0, 100), (65, 96)]],
    4: [[(35, 0), (0, 60), (70, 60)], [(50, 30), (48, 100)]],
    5: [[(10, 0), (5, 45), (30, 38), (52, 50), (58, 70), (45, 92), (20, 100), (0, 92)], [(10, 0), (60, 3)]],
    0: [[(30, 0), (8, 15), (0, 50), (8, 85), (30, 100), (52, 85), (60, 50), (52, 15), (30, 0)]],
}


def written(strokes, pen=14, size=0.5, place=(0.6, 0.4)):
    """How much ink is on each pixel of the paper, in [0, 1]."""
    points = [stroke + pen for stroke in fit_strokes(strokes, size, SIDE - 2 * pen, place)]
    return draw_strokes(points, SIDE, pen) / 255


def photo(ink, seed=0, dimmest=0.25, shadow=False, ruled=False, board=False, noise=4):
    """What a camera sees of the paper, (H, W) uint8: the light on it times what it gives back, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]] / max(ink.shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    light = dimmest + (1 - dimmest) * (along - along.min()) / np.ptp(along)
    if shadow:  # of a hand, say: half of the light, with a soft edge through the middle
        across = np.cos(angle + 1) * (x - 0.5) + np.sin(angle + 1) * (y - 0.5)
        light *= 1 - 0.5 / (1 + np.exp(-60 * across))
    paper = np.full(ink.shape, 0.9)
    if ruled:
        paper[np.arange(len(ink)) % 30 < 2] *= 0.72
    back = 0.12 + 0.8 * ink if board else paper * (1 - ink) + 0.2 * ink
    return np.clip(250 * light * back + rng.normal(0, noise, ink.shape), 0, 255).astype(np.uint8)


def apart(one, other):
    """The mean difference of two images; the middle of the ink may have been rounded to the next pixel."""
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return min(np.abs(np.roll(one, shift, (0, 1)) - other).mean() for shift in shifts)


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
def test_a_photo_gives_what_the_ink_alone_gives(condition, seed):
    for number, (digit, strokes) in enumerate(SHAPES.items()):
        ink = written(strokes, pen=(8, 14, 22, 16)[number], place=(0.2 + 0.2 * number, 0.3))
        clean, found = prepare(np.round(255 * ink).astype(np.uint8)), prepare(photo(ink, 10 * seed + digit, **condition))
        assert apart(found, clean) < 0.03


def test_colours_files_and_turned_cameras_do_not_matter(tmp_path):
    ink = written(SHAPES[5])
    clean, path = prepare(np.round(255 * ink).astype(np.uint8)), tmp_path / "five.jpg"
    grey = photo(ink, shadow=True).astype(float)
    pixels = np.dstack([grey, 0.93 * grey, 0.8 * grey]).astype(np.uint8)  # a warm lamp
    image = Image.fromarray(np.rot90(pixels))
    exif = image.getexif()
    exif[0x0112] = 6  # "turn me clockwise"
    image.save(path, exif=exif, quality=70)
    assert apart(prepare(read_image(path)), clean) < 0.03
    with path.open("rb") as file:
        assert apart(prepare(read_image(file)), clean) < 0.03


def test_large_photos_are_read_at_a_size_that_is_enough():
    ink = written(SHAPES[2])
    large = np.asarray(Image.fromarray(photo(ink)).resize((1900, 1900), Image.Resampling.BICUBIC))
    found = find_ink(large)
    assert max(found.shape) <= 512
    clean = prepare(np.round(255 * ink).astype(np.uint8))
    assert apart(prepare(large), clean) < 0.05


def test_dirt_and_what_reaches_in_from_the_side_are_left_out():
    ink = written(SHAPES[4], place=(0.5, 0.5))
    clean = prepare(np.round(255 * ink).astype(np.uint8))
    spoilt = ink.copy()
    spoilt[20:24, 30:34] = spoilt[390:393, 200:204] = 1  # crumbs
    spoilt[:300, :9] = 1  # the edge of the sheet
    assert apart(prepare(photo(spoilt)), clean) < 0.05


def test_a_digit_that_the_picture_cuts_off_is_kept_all_the_same():
    ink = np.roll(written(SHAPES[2], place=(0, 0.5)), -20, axis=1)
    ink[:, -40:] = 0
    ink[30:33, 300:303] = 1  # a crumb
    found = find_ink(photo(ink)) > 0
    assert (found & (ink > 0.5)).sum() > 0.9 * (ink[100:] > 0.5).sum()


@pytest.mark.parametrize("condition", [{}, {"shadow": True}, {"dimmest": 0.6}], ids=str)
def test_paper_without_ink_is_blank(condition):
    with pytest.raises(BlankDrawing):
        prepare(photo(np.zeros((SIDE, SIDE)), **condition))


def test_no_drawing_is_taken_for_a_photo():
    rng = np.random.default_rng(0)
    for pen in (4, 8, 16, 32, 60):
        for strokes in (*SHAPES.values(), list(rng.random((4, 12, 2)))):  # digits, and a sheet full of scribbles
            sheet = draw_strokes(fit_strokes(strokes, 0.9, 280), 280, pen)
            for drawing in (sheet, 255 - sheet):
                assert not is_photo(np.asarray(Image.fromarray(drawing).reduce(4)))


def test_a_drawing_in_a_jpeg_file_stays_one():
    for strokes in SHAPES.values():
        file = io.BytesIO()
        Image.fromarray(255 - draw_strokes(fit_strokes(strokes, 0.9, 280), 280, 18)).save(file, "JPEG", quality=60)
        assert not is_photo(np.asarray(Image.open(file).reduce(4)))


def test_nothing_that_networks_train_on_is_taken_for_a_photo():
    rng = np.random.default_rng(0)
    for make in (*TRAINED.values(), *HELD_OUT.values()):
        for drawing in (make(rng) for _ in range(5)):
            if isinstance(drawing, np.ndarray):  # the others are strokes on small sheets
                assert not is_photo(drawing)
    assert not any(is_photo(image) for image in make_digits(50).images)


def test_a_drawing_is_a_photo_once_light_falls_on_it():
    assert is_photo(photo(written(SHAPES[2]))[::6, ::6])


def test_the_shipped_network_reads_photos_as_well_as_drawings(strokes):
    network = engine.load(ROOT / "pretrained" / "mlp.npz")
    rng = np.random.default_rng(1)
    conditions = list(CONDITIONS.values())
    drawn, seen, labels = [], [], []
    for i, number in enumerate(rng.choice(len(strokes), 90, replace=False)):
        digit = strokes[number]
        ink = written(digit["strokes"], pen=rng.integers(8, 24), size=rng.uniform(0.3, 0.7), place=rng.uniform(0.1, 0.9, 2))
        drawn.append(prepare(np.round(255 * ink).astype(np.uint8)))
        seen.append(prepare(photo(ink, i, **conditions[i % len(conditions)])))
        labels.append(digit["label"])
    right_drawn, right_seen = (np.mean(network.predict(np.array(images)) == labels) for images in (drawn, seen))
    assert right_drawn > 0.9
    assert right_seen > right_drawn - 0.04
