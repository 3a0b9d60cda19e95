"""A picture on the Draw page: what is read on it, dragged boxes, turns, and what is stored of it."""

import base64
import io
import json

import numpy as np
import pytest
from fuzz.test_browser_messages import json_values, numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import SEVEN as SEVEN_PATH
from pages import answer, draw, drawing, open_app, session
from PIL import Image

from engine import BlankDrawing, prepare
from engine.pen import draw_strokes
from engine.reading import Digit, Reading
from ui import networks
from ui.draw import image_input, picture
from ui.draw.picture import Picture, encode, text_html, valid_box, with_digit
from ui.draw.prediction import Prediction

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]


def page(*digits, size=(700, 1000), side=150):
    """White paper (H, W) with digits: (strokes, left, top) each, the digit's sheet ``side`` pixels large."""
    paper = np.full(size, 255, np.uint8)
    for stroke, left, top in digits:
        sheet = np.asarray(Image.fromarray(draw_strokes([stroke])).resize((side, side)))
        paper[top : top + side, left : left + side] -= sheet
    return paper


TWO_LINES = page((SEVEN, 300, 100), (ONE, 450, 100), (SEVEN, 300, 420), (SEVEN, 480, 420))
ONE_SEVEN = page((SEVEN, 400, 300))


def of(pixels):
    return Picture.from_image(Image.fromarray(pixels))


@pytest.fixture(scope="module")
def network():
    return next(iter(networks.shipped_networks()[0].values()))


def symbols(reading):
    return ["".join(str(digit.probabilities.argmax()) for digit in line) for line in reading.lines]


def digit(left, top, right, bottom, symbol=7):
    return Digit((left, top, right, bottom), np.zeros((28, 28), np.float32), np.eye(10, dtype=np.float32)[symbol])


def test_each_line_is_a_number_of_its_own(network):
    assert symbols(of(TWO_LINES).read(network)) == ["71", "77"]


def test_a_reading_is_made_once_for_each_network(network, monkeypatch):
    shown = of(TWO_LINES)
    first = shown.read(network)
    monkeypatch.setattr(picture, "read_writing", None)
    assert shown.read(network) is first


def test_a_turned_picture_is_read_anew(network):
    shown = of(np.rot90(TWO_LINES))  # its top is on the left
    assert symbols(shown.read(network)) != ["71", "77"]
    first = shown.act(["right"], network)
    assert symbols(shown.read(network)) == ["71", "77"]
    assert first is shown.read(network).digits[0]
    assert np.asarray(Image.open(io.BytesIO(shown.view_file()))).shape == TWO_LINES.shape
    shown.act(["left"], network)
    assert symbols(shown.read(network)) != ["71", "77"]


def test_a_box_round_a_digit_that_was_missed_adds_it(network, monkeypatch):
    shown = of(TWO_LINES)
    monkeypatch.setattr(picture, "read_writing", lambda *_: Reading([[digit(330, 130, 420, 230)]], [(490, 440, 600, 560)]))
    added = shown.act(["box", 480.4, 430.2, 625.0, 570.9], network)
    assert added.box == (480, 430, 625, 571)
    reading = shown.read(network)
    assert symbols(reading) == ["7", "7"]
    assert reading.digits[1].box == added.box
    assert reading.left_out == []
    shown.act(["undo"], network)
    assert symbols(shown.read(network)) == ["7"]


def test_a_box_replaces_the_digits_in_it():
    reading = Reading([[digit(0, 0, 10, 20, 1), digit(12, 0, 20, 20, 1), digit(40, 0, 60, 20, 2)]], [(0, 30, 60, 32)])
    assert symbols(with_digit(reading, digit(-1, -2, 21, 22, 4))) == ["42"]
    assert symbols(with_digit(reading, digit(22, 2, 38, 20, 4))) == ["1142"]
    assert symbols(with_digit(reading, digit(0, 100, 20, 120, 4))) == ["112", "4"]
    assert symbols(with_digit(reading, digit(0, -100, 20, -70, 4))) == ["4", "112"]


def test_a_box_without_ink_is_refused_in_a_sentence(network):
    shown = of(TWO_LINES)
    assert shown.act(["box", 10, 10, 90, 90], network) is None
    assert shown.problem == picture.NO_INK_IN_BOX
    assert shown.boxes == ()
    shown.act(["press", *shown.read(network).digits[0].box], network)
    assert shown.problem == ""


@pytest.mark.parametrize("by", [0, 0.15, 0.4])
def test_a_box_round_a_digit_reads_the_pages_own_ink(network, by):
    rows, columns = np.mgrid[:700, :1000]
    light = 230 - 0.1 * columns - 60 * (columns + rows > 900)  # with the edge of a shadow
    shown = of((light * TWO_LINES / 255 + np.random.default_rng(0).normal(0, 3, TWO_LINES.shape)).astype(np.uint8))
    for one in shown.read(network).digits:
        left, top, right, bottom = one.box
        across, down = by / 2 * (right - left), by / 2 * (bottom - top)
        box = left - across, top - down, right + across, bottom + down
        again = Picture(shown.content, shown.upright).act(["box", *box], network)
        np.testing.assert_allclose(again.image, one.image, atol=0.02)
        assert again.ink is not None


def test_a_box_with_only_the_edge_of_a_digit_is_looked_at_anew(network):
    shown = of(TWO_LINES)
    left, _, _, bottom = shown.read(network).digits[0].box
    added = shown.act(["box", left - 60, bottom - 40, left + 100, bottom + 150], network)
    assert added is None or added.ink is None


def test_a_box_that_was_pressed_is_found_after_the_network_has_changed(network):
    shown = of(TWO_LINES)
    last = shown.read(network).digits[-1]
    assert shown.act(["press", *last.box], network) is last
    assert shown.act(["press", 1, 2, 3, 4], network) is None
    assert shown.act(["press", 0], network) is None


def test_there_is_room_for_so_many_boxes(network, monkeypatch):
    monkeypatch.setattr(picture, "MAX_BOXES", 2)
    shown = of(TWO_LINES)
    boxes = [digit.box for digit in shown.read(network).digits]
    assert [shown.act(["box", *box], network) is not None for box in boxes[:3]] == [True, True, False]
    assert shown.problem == picture.NO_ROOM.format(count=2)
    assert shown.act(["box", *boxes[0]], network)  # again
    assert shown.problem == ""
    assert shown.boxes == (boxes[1], boxes[0])


def test_the_boxes_have_a_largest_area_which_goes_for_stored_ones_too(network):
    shown = of(TWO_LINES)
    height, width = TWO_LINES.shape
    added = [shown.act(["box", 0, 0, width - n, height], network) is not None for n in range(1, 5)]
    assert added == [True, True, True, False]
    assert shown.problem == picture.TOO_LARGE
    stored = shown.to_json() | {"boxes": [[0, 0, width - n, height] for n in range(20)]}
    assert len(Picture.from_json(stored).boxes) == 3


def test_stored_boxes_are_looked_at_when_they_are_read_and_not_again(network, monkeypatch):
    stored = of(TWO_LINES).to_json() | {"boxes": [[10, 10, 90, 90], [480, 430, 625, 571]]}
    looks = []
    monkeypatch.setattr(picture, "prepare", lambda part: looks.append(part) or prepare(part))
    shown = Picture.from_json(stored)
    assert looks == []
    for _ in range(2):
        shown.readings.clear()
        assert symbols(shown.read(network)) == ["71", "77"]
    assert len(looks) == 1  # the other one has ink of the page


def test_a_picture_without_writing_is_searched_once(network, monkeypatch):
    shown = of(np.tile(np.linspace(150, 200, 400).astype(np.uint8), (301, 1)))
    assert shown.read(network).lines == []
    shown.readings.clear()
    monkeypatch.setattr(picture, "find_writing", None)
    assert shown.read(network).lines == []


def test_without_a_network_the_picture_is_turned_and_says_what_is_missing(network):
    shown = of(TWO_LINES)
    box = shown.read(network).digits[0].box
    shown.act(["box", *box], network)
    assert shown.act(["press", *box], None) is None
    shown.act(["undo"], None)
    assert shown.boxes == ()
    assert shown.act(["right"], None) is None
    assert shown.turns == 1


@pytest.mark.parametrize(
    ("box", "checked"),
    [
        ([1.6, 2, 30, 40.2], (2, 2, 30, 40)),
        ([-5, -5, 5000, 9e5], (0, 0, 100, 50)),
        ([10, 10, 12, 40], None),
        ([30, 30, 10, 10], None),
        ([float("nan"), 0, 50, 50], None),
        ([0, 0, float("inf"), 50], None),
        ([0, 0, 10**400, 50], None),
        ([True, 0, 50, 50], None),
        (["0", 0, 50, 50], None),
        ([0, 0, 50], None),
        ({"left": 0}, None),
    ],
)
def test_a_box_from_the_browser_is_checked(box, checked):
    assert valid_box(box, (50, 100)) == checked


kinds = st.sampled_from(["press", "box", "left", "right", "undo", "remove"])
actions = st.builds(lambda kind, values: [kind, *values], kinds, st.lists(numbers, max_size=5)) | json_values


@settings(deadline=None, max_examples=60)
@given(st.lists(actions, max_size=4))
def test_whatever_a_browser_sends_the_picture_goes_on(sent):
    network = next(iter(networks.shipped_networks()[0].values()))
    shown = of(TWO_LINES[::4, ::4])
    for action in sent:
        shown.act(action, network)
    shown.read(network)
    again = Picture.from_json(json.loads(json.dumps(shown.to_json())))
    assert again.to_json() == shown.to_json()


def test_the_ink_of_a_digit_is_that_digit_alone(network):
    shown = of(TWO_LINES)
    for one in shown.read(network).digits:
        seen = prepare(shown.ink_of(one))
        assert network.predict_proba(seen[None]).argmax() == one.probabilities.argmax()
        assert np.abs(seen - one.image).mean() < 0.03


def test_a_picture_comes_back_from_the_store_and_is_read_the_same(network):
    rng = np.random.default_rng(0)
    noisy = np.clip(TWO_LINES.astype(int) + rng.normal(0, 6, TWO_LINES.shape), 0, 255).astype(np.uint8)
    shown = of(noisy)
    shown.act(["left"], network)
    shown.act(["box", 100, 400, 250, 560], network)
    again = Picture.from_json(json.loads(json.dumps(shown.to_json())))
    np.testing.assert_array_equal(again.pixels, shown.pixels)
    assert again.boxes == shown.boxes
    assert symbols(again.read(network)) == symbols(shown.read(network))


def test_the_largest_picture_fits_into_the_limit():
    noise = np.random.default_rng(0).integers(0, 256, (1600, 1600), np.uint8)
    assert len(encode(noise)) <= picture.MAX_BYTES
    small = noise[:100, :100]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode(small)))), small)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {},
        {"image": "", "turns": 0, "boxes": []},
        {"image": "%%%", "turns": 0, "boxes": []},
        {"image": base64.b64encode(b"GIF89a").decode(), "turns": 0, "boxes": []},
        {"image": base64.b64encode(encode(ONE_SEVEN)).decode(), "turns": "1", "boxes": []},
        {"image": base64.b64encode(encode(ONE_SEVEN)).decode(), "turns": 0, "boxes": 5},
    ],
)
def test_anything_else_in_the_store_is_no_picture(value):
    assert Picture.from_json(value) is None


stored = st.fixed_dictionaries(
    {
        "image": st.just(base64.b64encode(encode(ONE_SEVEN[::5, ::5])).decode()) | json_values,
        "turns": st.integers(0, 3) | json_values,
        "boxes": st.lists(st.lists(numbers, max_size=5), max_size=3) | json_values,
    }
)


@settings(deadline=None, max_examples=100)
@given(stored | json_values)
def test_whatever_the_store_has_can_be_read_and_stored_again(value):
    shown = Picture.from_json(value)
    if shown:
        again = Picture.from_json(json.loads(json.dumps(shown.to_json(), allow_nan=False)))
        assert again
        assert again.to_json() == shown.to_json()


def test_a_picture_of_one_brightness_is_blank():
    with pytest.raises(BlankDrawing):
        of(np.full((90, 90), 255, np.uint8))


def test_ink_on_transparent_paper_has_the_paper_that_shows_it():
    for colour in (0, 255):
        pixels = np.dstack([np.full((280, 280, 3), colour, np.uint8), draw_strokes([SEVEN])])
        assert np.ptp(of(pixels).pixels) > 200


def test_the_text_names_each_number_and_what_is_not_sure():
    sure, unsure = (Prediction(np.array([0.97, 0.03, *[0] * 8], np.float32), least) for least in (0.5, 0.99))
    html = text_html([[sure, sure], [sure, unsure], [unsure, unsure, sure]], 2, "")
    assert "<b>00</b> <span>94.1 % sure</span>" in html
    assert "<b>0?</b> <span>not sure of digit 2: 0 (97.0 %) or 1 (3.0 %)</span>" in html
    assert "<b>??0</b> <span>not sure of 2 of 3 digits</span>" in html
    assert "2 marks skipped" in html
    assert picture.NO_WRITING in text_html([], 0, "")


def uploaded(pixels):
    app = open_app()
    app.session_state[image_input.MENU.format(0)] = True
    app.run()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    app.file_uploader(key="picture").upload("page.png", file.getvalue()).run()
    assert not app.exception
    return app


def view(app):
    """What the page sends to the picture's view; None if there is none."""
    elements = [e for e in app.get("bidi_component") if e.proto.component_name == "inkling_picture"]
    return json.loads(elements[0].proto.json) if elements else None


def test_the_page_outlines_each_digit_and_puts_the_first_on_the_canvas():
    data = view(uploaded(TWO_LINES))
    assert [mark["symbol"] for mark in data["marks"]] == ["7", "1", "7", "7"]
    assert [mark["is_picked"] for mark in data["marks"]] == [True, False, False, False]
    assert data["marks"][0]["name"].startswith("7, ")
    assert (data["width"], data["height"]) == TWO_LINES.shape[::-1]
    assert data["src"]
    assert "<b>71</b>" in data["html"]


def test_a_single_digit_goes_to_the_canvas_and_stays_beside_it():
    app = uploaded(ONE_SEVEN)
    assert 'data-sure="True">7</div>' in answer(app)
    assert view(app)["is_small"]
    draw(app, SEVEN_PATH)
    assert [mark["is_picked"] for mark in view(app)["marks"]] == [False]


def test_the_picture_is_read_again_by_another_network():
    app = uploaded(TWO_LINES)
    app.session_state["network"] = app.selectbox(key="network").options and [*networks.shipped_networks()[0]][-1]
    app.run()
    assert not app.exception
    assert len(session(app).picture.readings) == 2


def test_without_a_network_the_page_says_that_one_is_needed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "candidates", dict)
        patch.setattr(picture.networks, "candidates", dict)
        assert picture.NO_NETWORK in view(uploaded(TWO_LINES))["html"]


def test_without_a_picture_there_is_no_view():
    assert view(open_app()) is None


def test_a_picture_without_writing_is_shown_with_what_can_be_done():
    pixels = np.tile(np.linspace(150, 200, 400).astype(np.uint8), (300, 1))  # light from one side
    app = uploaded(pixels)
    assert picture.NO_WRITING in view(app)["html"]
    assert drawing(app).image() is None
