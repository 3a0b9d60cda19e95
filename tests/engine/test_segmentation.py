"""Several digits side by side: each is separated, boxed, and prepared as if it stood alone."""

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image

from engine.config import Config
from engine.network import dense_layers
from engine.pen import draw_strokes, fit_strokes
from engine.preprocessing import BlankDrawing, prepare
from engine.segmentation import find_digits
from engine.training import Trainer

ONE = [[(20, 0), (20, 100)]]
SEVEN = [[(0, 0), (50, 0), (20, 100)]]
OPEN_FOUR = [[(20, 0), (0, 60), (50, 60)], [(38, 20), (38, 46)]]  # in two strokes that do not touch
FIVE = [[(8, 22), (5, 50), (40, 52), (48, 75), (30, 98), (0, 92)], [(10, 0), (62, 0)]]
LOOSE_FIVE = [[(8, 22), (5, 50), (40, 52), (44, 75), (30, 98), (0, 92)], [(60, 4), (84, 0)]]  # its bar is beside it
SLASHED_ZERO = [[(30, 0), (0, 50), (30, 100), (60, 50), (30, 0)], [(27, 60), (33, 40)]]


def sheet(*digits, gap=25, pen=8, shape=(200, 700)):
    """Digits side by side, ``gap`` pixels apart, bright on black."""
    strokes, left = [], 30
    for digit in digits:
        points = [np.asarray(stroke, float) for stroke in digit]
        corner = np.array([left - np.concatenate(points)[:, 0].min(), 40])
        strokes += [stroke + corner for stroke in points]
        left = max(stroke[:, 0].max() for stroke in strokes) + gap + pen
    return draw_strokes(strokes, max(shape), pen)[: shape[0]]


@pytest.mark.parametrize(
    "digit",
    [ONE, SEVEN, FIVE, LOOSE_FIVE, OPEN_FOUR, SLASHED_ZERO],
    ids=["1", "7", "5", "5 with a loose bar", "4 in two", "slashed 0"],
)
def test_a_single_digit_is_prepared_as_usual(digit):
    drawing = sheet(digit)
    (result,) = find_digits(drawing)
    assert result.image.tobytes() == prepare(drawing).tobytes()
    rows, columns = np.nonzero(drawing > 40)
    np.testing.assert_allclose(result.box, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), atol=1)


@pytest.mark.parametrize(
    "digits",
    [(ONE, ONE), (ONE, SEVEN, FIVE), (FIVE, LOOSE_FIVE, ONE), (OPEN_FOUR, FIVE, SLASHED_ZERO, ONE), (SEVEN,) * 6],
    ids=["11", "175", "551", "4501", "777777"],
)
def test_digits_side_by_side_are_separated_from_left_to_right(digits):
    drawing = sheet(*digits)
    results = find_digits(drawing)
    assert len(results) == len(digits)
    for digit, strokes in zip(results, digits, strict=True):
        np.testing.assert_allclose(digit.image, prepare(sheet(strokes)), atol=0.01)
        left, top, right, bottom = digit.box
        (alone,) = find_digits(sheet(strokes))
        assert (right - left, top, bottom) == (alone.box[2] - alone.box[0], alone.box[1], alone.box[3])
    assert [digit.box[0] for digit in results] == sorted(digit.box[0] for digit in results)


def test_slanted_digits_may_overlap_horizontally():
    slanted = [[(60, 0), (0, 100)]]
    results = find_digits(sheet(slanted, slanted, slanted, gap=-18))
    assert len(results) == 3
    alone = prepare(sheet(slanted))
    for digit in results:  # the neighbours' ink in its box is left out
        np.testing.assert_allclose(digit.image, alone, atol=0.01)


def test_dots_belong_to_the_nearest_digit():
    drawing = sheet(ONE, SEVEN, gap=60).copy()
    drawing[120:126, 48:54] = 255
    first, second = find_digits(drawing)
    assert first.box[2] == 54
    assert second.image.tobytes() == find_digits(sheet(ONE, SEVEN, gap=60))[1].image.tobytes()


@pytest.mark.parametrize(
    "convert",
    [lambda a: 255 - a, lambda a: np.dstack([a] * 3), lambda a: np.dstack([a * 0] * 3 + [a]), Image.fromarray],
    ids=["dark on light", "RGB", "ink in alpha", "Pillow"],
)
def test_any_kind_of_drawing(convert):
    expected, results = find_digits(sheet(ONE, FIVE)), find_digits(convert(sheet(ONE, FIVE)))
    for digit, result in zip(expected, results, strict=True):
        np.testing.assert_allclose(digit.box, result.box, atol=1)
        np.testing.assert_allclose(digit.image, result.image, atol=0.06)


def test_boxes_are_in_the_pixels_of_the_drawing_even_if_it_is_large():
    small = sheet(ONE, FIVE)
    large = np.asarray(Image.fromarray(small).resize((2100, 600), Image.Resampling.BICUBIC))
    for digit, enlarged in zip(find_digits(small), find_digits(large), strict=True):
        np.testing.assert_allclose(3 * np.array(digit.box), enlarged.box, atol=6)


def test_digits_on_a_photo():
    ink = sheet(SEVEN, ONE, FIVE) / 255
    light = np.linspace(0.3, 1, ink.shape[1])
    noise = np.random.default_rng(0).normal(0, 3, ink.shape)
    results = find_digits(np.clip(240 * light * (1 - 0.8 * ink) + noise, 0, 255).astype(np.uint8))
    assert len(results) == 3
    for digit, strokes in zip(results, (SEVEN, ONE, FIVE), strict=True):
        assert np.abs(digit.image - prepare(sheet(strokes))).mean() < 0.03


def test_ink_that_touches_by_a_corner_is_connected():
    drawing = np.zeros((40, 60), np.uint8)
    for corner in range(4, 36, 4):  # a staircase of squares
        drawing[corner : corner + 4, corner : corner + 4] = 255
    (digit,) = find_digits(drawing)
    assert digit.box == (4, 4, 36, 36)


def test_comparing_digits_does_not_raise():
    assert find_digits(sheet(ONE)) != find_digits(sheet(ONE))


def test_a_blank_sheet():
    with pytest.raises(BlankDrawing):
        find_digits(np.zeros((100, 200), np.uint8))


def test_a_solid_bar_is_one_digit():
    assert len(find_digits(np.kron([[0, 1, 0]], np.full((9, 9), 255)).astype(np.uint8))) == 1


def test_numbers_are_read(digits):
    """Digits side by side, read by a network that was trained on single digits."""
    config = Config(layers=dense_layers((64,)), batch_size=50, epochs=16, validation_size=100)
    trainer = Trainer.from_config(config, digits)
    list(trainer)
    test, rng = make_digits(300, 9), np.random.default_rng(0)
    alone = (trainer.network.predict(test.images) == test.labels).mean()
    right = []
    for start in range(0, 300, 5):
        images = test.images[start : start + 5]
        row = np.zeros((60, 200), np.uint8)
        for place, image in enumerate(images):
            columns = np.flatnonzero(image.any(axis=0))
            top, left = rng.integers(5, 20), 8 + 38 * place + rng.integers(0, 4)
            row[top : top + 28, left : left + np.ptp(columns) + 1] = image[:, columns[0] : columns[-1] + 1]
        results = find_digits(row)
        assert len(results) == 5
        predictions = trainer.network.predict(np.array([digit.image for digit in results]))
        right += (predictions == test.labels[start : start + 5]).tolist()
    assert np.mean(right) > alone - 0.03 > 0.8


def test_digits_of_many_writers_stay_in_one_piece(strokes):
    rng = np.random.default_rng(2)
    counts = []
    for number in rng.choice(len(strokes), 200, replace=False):
        drawing = draw_strokes(fit_strokes(strokes[number]["strokes"], 0.7, 260, rng.random(2)), 280, rng.integers(8, 25))
        counts.append(len(find_digits(drawing)))
    assert np.mean(np.array(counts) == 1) > 0.97
