"""Drawings of one digit, of numbers and of several lines are read as a person reads them."""

from collections import defaultdict

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

import engine
from engine import BlankDrawing, prepare, read
from engine import reading as reading_module
from engine.calibration import threshold
from engine.data.synthetic.scribbles import HELD_OUT_KINDS, draw_scribbles
from engine.data.synthetic.strokes import part_of
from engine.pen import draw_strokes, fit_strokes
from engine.preprocessing import separate_ink
from engine.reading import find_writing, read_writing

ONE = [[(20, 0), (20, 100)]]
TWO = [[(2, 22), (12, 4), (32, 0), (48, 10), (50, 28), (30, 60), (2, 98), (56, 98)]]
THREE = [[(4, 10), (25, 0), (46, 12), (44, 34), (22, 46), (46, 56), (52, 78), (32, 98), (2, 90)]]
SEVEN = [[(0, 0), (50, 0), (20, 100)]]
OPEN_FOUR = [[(20, 0), (0, 60), (50, 60)], [(38, 20), (38, 100)]]
FIVE = [[(8, 22), (5, 50), (40, 52), (48, 75), (30, 98), (0, 92)], [(10, 0), (62, 0)]]
LOOSE_FIVE = [[(8, 22), (5, 50), (40, 52), (44, 75), (30, 98), (0, 92)], [(60, 4), (84, 0)]]  # its bar is beside it
ANGLES = np.linspace(0, 2 * np.pi, 40)
ZERO = [np.stack([30 + 30 * np.cos(ANGLES), 50 + 50 * np.sin(ANGLES)], axis=1).round()]
BROKEN_ZERO = [ZERO[0][1:19], ZERO[0][21:39]]  # an upper and a lower half
WIDE_FOOT = [[(85, 95), (100, 60), (140, 45), (180, 70), (175, 110), (120, 196)], [(85, 200), (230, 197)]]  # of a 2
UNDERLINED_SEVEN = [[(90, 50), (190, 50), (140, 200)], [(70, 212), (225, 212)]]
SLASH = [[(50, -15), (0, 115)]]
DIGITS = {"0": ZERO, "1": ONE, "2": TWO, "3": THREE, "4": OPEN_FOUR, "5": FIVE, "7": SEVEN, "/": SLASH}


@pytest.fixture(scope="module", params=["cnn", "mlp"])
def network(request):
    return engine.load(ROOT / "pretrained" / f"{request.param}.npz")


def sheet(*lines, gap=25, pen=8, slant=0.0, shape=(200, 700)):
    """Digits side by side, ``gap`` pixels apart, bright on black; each line is a list of strokes' lists."""
    strokes = []
    for number, digits in enumerate(lines):
        left = 40
        for digit in digits:
            points = [np.asarray(stroke, float) @ np.array([[1, 0], [-slant, 1]]) for stroke in digit]
            corner = np.array([left - np.concatenate(points)[:, 0].min(), 40 + 170 * number])
            strokes += [stroke + corner for stroke in points]
            left = max(stroke[:, 0].max() for stroke in strokes[-len(points) :]) + gap + pen
    height = shape[0] + 170 * (len(lines) - 1)
    return draw_strokes(strokes, max(shape[1], height), pen)[:height, : shape[1]]


def write(text, **conditions):
    return sheet(*([DIGITS[digit] for digit in line] for line in text.split()), **conditions)


def text_of(reading, least=0.0):
    """The digits, with a question mark for those below the threshold, and a space between lines."""
    symbol = {True: lambda row: str(row.argmax()), False: lambda row: "?"}
    return " ".join(
        "".join(symbol[digit.probabilities.max() >= least](digit.probabilities) for digit in line) for line in reading.lines
    )


@pytest.mark.parametrize("digit", [ONE, SEVEN, FIVE, LOOSE_FIVE, OPEN_FOUR, ZERO, BROKEN_ZERO])
def test_a_single_digit_is_prepared_as_usual(network, digit):
    drawing = sheet([digit])
    (result,) = read(network, drawing).digits
    np.testing.assert_array_equal(result.image, prepare(drawing))
    np.testing.assert_allclose(result.probabilities, network.predict_proba(result.image[None])[0], atol=1e-6)
    rows, columns = np.nonzero(drawing > 40)
    np.testing.assert_allclose(result.box, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), atol=1)


@pytest.mark.parametrize("text", ["11", "10", "175", "2537", "4501", "777777", "30 12", "7 1 2", "205 3 4157"])
def test_numbers_are_read_from_left_to_right_and_from_top_to_bottom(network, text):
    drawing = write(text)
    reading = read(network, drawing)
    assert text_of(reading, threshold(network)) == text
    assert reading.left_out == []
    for line, digits in zip(reading.lines, text.split(), strict=True):
        assert [digit.box[0] for digit in line] == sorted(digit.box[0] for digit in line)
        for result, digit in zip(line, digits, strict=True):
            np.testing.assert_allclose(result.image, prepare(write(digit)), atol=0.01)
            left, top, right, bottom = result.box
            assert result.ink is not None
            assert result.ink.shape == (bottom - top, right - left)


@pytest.mark.parametrize("text", ["00", "27", "35", "270"])
@pytest.mark.parametrize("gap", [-8, -5])
def test_digits_that_touch_are_taken_apart(network, text, gap):
    assert text_of(read(network, write(text, gap=gap, pen=10))) == text


@pytest.mark.parametrize(("digit", "text"), [(BROKEN_ZERO, "0"), (LOOSE_FIVE, "5"), (FIVE, "5"), (OPEN_FOUR, "4")])
def test_the_parts_of_a_digit_stay_together_beside_others(network, digit, text):
    assert text_of(read(network, sheet([TWO, digit, SEVEN], gap=40))) == f"2{text}7"


def test_slanted_digits_may_overlap_horizontally(network):
    drawing = write("1731", gap=4, slant=0.45)
    assert text_of(read(network, drawing)) == "1731"


def test_specks_join_the_digit_beside_them_or_are_reported(network):
    drawing = write("27", gap=60).copy()
    drawing[170:180, 600:610] = 255
    reading = read(network, drawing)
    assert text_of(reading) == "27"
    assert reading.left_out == [(600, 170, 610, 180)]


def test_a_dash_between_digits_is_reported(network):
    drawing = write("72", gap=150).copy()
    drawing[85:95, 140:200] = 255
    reading = read(network, drawing)
    assert text_of(reading) == "72"
    assert reading.left_out == [(140, 85, 200, 95)]


@pytest.mark.parametrize("text", ["3/4", "1/2", "12/5/04", "10/11"])
def test_a_slash_between_digits_is_reported(network, text):
    reading = read(network, write(text, gap=40))
    assert text_of(reading, threshold(network)) == text.replace("/", "")
    assert len(reading.left_out) == text.count("/")
    for left, top, right, bottom in reading.left_out:
        assert (right - left, bottom - top) == pytest.approx((58, 138), abs=2)


@pytest.mark.parametrize("text", ["317", "71", "17", "1111", "0110"])
def test_ones_that_lean_like_the_other_digits_are_no_slashes(network, text):
    reading = read(network, write(text, slant=0.45))
    assert (text_of(reading), reading.left_out) == (text, [])


def on_uneven_paper(ink, seed=0):
    """Ink (H, W) uint8 as a scanner sees it, and as a camera does."""
    rng, bright = np.random.default_rng(seed), 1 - 0.85 * (ink / 255)
    light = np.linspace(0.6, 1, ink.shape[1])
    pages = 252 * bright + rng.uniform(-4, 4, ink.shape), 240 * light * bright + rng.normal(0, 3, ink.shape)
    return [np.clip(page, 0, 255).astype(np.uint8) for page in pages]


def with_dot(ink, x, y, width):
    return np.maximum(ink, draw_strokes([[(x, y)]], max(ink.shape), width)[: len(ink)])


@pytest.mark.parametrize("pen", [6, 9, 12])
def test_a_decimal_point_on_uneven_paper_is_reported_as_on_clean_paper(network, pen):
    drawing = with_dot(write("27", gap=60, pen=pen), 126, 140 - pen / 2, 1.2 * pen)
    expected = read(network, drawing)
    assert text_of(expected) == "27"
    assert len(expected.left_out) == 1
    for page in on_uneven_paper(drawing):
        reading = read(network, page)
        assert text_of(reading) == "27"
        np.testing.assert_allclose(reading.left_out, expected.left_out, atol=2)


@pytest.mark.parametrize(("x", "y", "width"), [(126, 60, 9), (126, 137, 4), (25, 137, 9), (300, 137, 9), (126, 185, 9)])
def test_a_dot_that_is_no_decimal_point_stays_dirt_on_uneven_paper(network, x, y, width):
    drawing = write("27", gap=60, pen=8)
    for page, clean in zip(on_uneven_paper(with_dot(drawing, x, y, width)), on_uneven_paper(drawing), strict=True):
        ink, expected = find_writing(page).parts.ink, find_writing(clean).parts.ink
        assert (ink > 0)[max(y - 10, 0) : y + 10, max(x - 10, 0) : x + 10].sum() == 0
        assert np.mean((ink > 0) != (expected > 0)) < 0.001


def test_a_slash_without_digits_on_both_sides_is_read_as_before(network):
    for text in ("/", "/3", "3/"):
        assert read(network, write(text)).left_out == []


def numbers_with_a_one(strokes, rng, count):
    """Drawings of a one between two other digits by the same validation writer, as high as they were written."""
    digits_of_writer = defaultdict(list)
    for digit in strokes:
        if part_of(digit["writer"]) == "validation" and digit["source"] not in ("apb", "ibm"):  # whose sizes mean nothing
            digits_of_writer[digit["writer"]].append(digit)
    writers = [digits for digits in digits_of_writer.values() if {1} < {digit["label"] for digit in digits}]
    for number in range(count):
        digits = writers[number % len(writers)]
        scale = 80 / np.median([np.ptp(np.concatenate(digit["strokes"])[:, 1]) for digit in digits])
        ones, others = ([digit for digit in digits if (digit["label"] == 1) == is_one] for is_one in (True, False))
        symbols = [
            [np.array(stroke) * scale for stroke in choices[rng.integers(len(choices))]["strokes"]]
            for choices in (others, ones, others)
        ]
        on_line = [[stroke - (0, np.concatenate(symbol)[:, 1].max() - 100) for stroke in symbol] for symbol in symbols]
        yield sheet(on_line, gap=int(rng.integers(20, 40)), pen=int(rng.integers(4, 10)), shape=(180, 400))


def test_hardly_any_one_of_a_validation_writer_is_a_slash(strokes):
    network, rng = engine.load(ROOT / "pretrained" / "mlp.npz"), np.random.default_rng(0)
    readings = [read(network, drawing) for drawing in numbers_with_a_one(strokes, rng, 250)]
    assert np.mean([len(reading.digits) >= 2 for reading in readings]) > 0.99
    assert sum(bottom - top > 40 for reading in readings for _, top, _, bottom in reading.left_out) <= 1  # others are specks


@pytest.mark.parametrize(
    "convert",
    [lambda a: 255 - a, lambda a: np.dstack([a] * 3), lambda a: np.dstack([a * 0] * 3 + [a]), Image.fromarray],
    ids=["dark on light", "RGB", "ink in alpha", "Pillow"],
)
def test_any_kind_of_drawing(network, convert):
    expected, results = read(network, write("15")).digits, read(network, convert(write("15"))).digits
    for digit, result in zip(expected, results, strict=True):
        np.testing.assert_allclose(digit.box, result.box, atol=1)
        np.testing.assert_allclose(digit.image, result.image, atol=0.06)


def test_boxes_are_in_the_pixels_of_the_drawing_even_if_it_is_large(network):
    small = write("15")
    large = np.asarray(Image.fromarray(small).resize((2100, 600), Image.Resampling.BICUBIC))
    for digit, enlarged in zip(read(network, small).digits, read(network, large).digits, strict=True):
        np.testing.assert_allclose(3 * np.array(digit.box), enlarged.box, atol=6)


def test_a_number_on_a_photo(network):
    ink = write("715") / 255
    light = np.linspace(0.3, 1, ink.shape[1])
    noise = np.random.default_rng(0).normal(0, 3, ink.shape)
    photo = np.clip(240 * light * (1 - 0.8 * ink) + noise, 0, 255).astype(np.uint8)
    assert text_of(read(network, photo)) == "715"


def test_what_is_no_digit_at_all_is_taken_as_a_whole(network):
    scribbles = draw_scribbles(HELD_OUT_KINDS, 100, 9).images
    readings = [read(network, np.pad(np.kron(image, np.ones((4, 4), np.uint8)), 60)) for image in scribbles]
    sure = [text_of(reading, threshold(network)) for reading in readings]
    assert np.mean([text == "?" for text in sure]) > 0.85


def test_a_blank_sheet(network):
    with pytest.raises(BlankDrawing):
        read(network, np.zeros((100, 200), np.uint8))


class Counting:
    """A network that notes how many images it is asked about."""

    def __init__(self, network):
        self.network, self.info, self.batches = network, network.info, []

    def predict_proba(self, images):
        self.batches.append(len(images))
        return self.network.predict_proba(images)


@pytest.mark.parametrize("digit", [ZERO, ONE, TWO, THREE, SEVEN], ids=list("01237"))
def test_a_digit_in_one_piece_takes_one_prediction(network, digit):
    counting = Counting(network)
    read(counting, sheet([digit]))
    assert counting.batches == [1]


def test_a_page_full_of_ink_takes_a_limited_number_of_predictions(network):
    rng, page = np.random.default_rng(0), np.zeros((1000, 1000), np.uint8)
    for row in range(10, 980, 20):
        for column in range(5, 980, 13):
            page[row : row + rng.integers(6, 14), column : column + rng.integers(4, 9)] = 255
    for drawing in (page, np.where(rng.random((280, 280)) < 0.3, 255, 0).astype(np.uint8)):
        counting = Counting(network)
        assert read(counting, drawing).digits
        assert sum(counting.batches) <= 2 * reading_module.MAX_IMAGES + 1


def test_a_writing_can_be_read_by_several_networks():
    writing = find_writing(write("204"))
    for name in ("cnn", "mlp"):
        assert text_of(read_writing(engine.load(ROOT / "pretrained" / f"{name}.npz"), writing)) == "204"


def test_comparing_readings_does_not_raise(network):
    assert read(network, sheet([ONE])) != read(network, sheet([ONE]))


def test_digits_of_many_writers_stay_in_one_piece(network, strokes):
    rng, counts, right, usual = np.random.default_rng(2), [], [], []
    for number in rng.choice(len(strokes), 200, replace=False):
        example = strokes[number]
        drawing = draw_strokes(fit_strokes(example["strokes"], 0.7, 260, rng.random(2)), 280, rng.integers(8, 25))
        digits = read(network, drawing).digits
        counts.append(len(digits))
        right.append(digits[0].probabilities.argmax() == example["label"])
        usual.append(network.predict(prepare(drawing)[None])[0] == example["label"])
    assert np.mean(np.array(counts) == 1) > 0.985
    assert np.mean(right) >= np.mean(usual) - 0.01


@pytest.mark.parametrize(("strokes", "text"), [(WIDE_FOOT, "2"), (UNDERLINED_SEVEN, "7")])
def test_the_network_decides_whether_a_touching_line_is_a_foot_or_an_underline(network, strokes, text):
    canvas = draw_strokes(strokes, 280, 14)
    assert separate_ink(canvas).with_underline is not None
    reading = read(network, canvas)
    assert text_of(reading) == text
    assert len(reading.left_out) == (text == "7")


def test_a_digit_under_the_arm_of_another_one_is_read(network):
    drawing = draw_strokes([[[40, 60], [150, 60], [80, 220]], [[144, 110], [144, 220]]], 280, 8)
    assert text_of(read(network, drawing)) == "71"


@pytest.mark.parametrize("letter", [[[(0, 0), (38, 100), (76, 0)]], [[(0, 0), (20, 100), (45, 30), (70, 100), (90, 0)]]])
def test_the_strokes_of_a_letter_are_not_ones(network, letter):
    assert len(read(network, sheet([letter])).digits) == 1


def test_the_ink_of_a_digit_keeps_no_page_in_memory(network):
    for digit in read(network, write("7")).digits + read(network, write("71")).digits:
        assert digit.ink.base is None
