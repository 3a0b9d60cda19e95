"""``Prediction`` as text and as HTML, and the sentence about several predictions."""

import numpy as np
import pytest
from helpers import ROOT

import engine
from engine import prepare
from engine.data.synthetic.generator import draw_digits
from engine.data.synthetic.scribbles import HELD_OUT_KINDS, draw_scribbles
from engine.pen import draw_strokes
from ui.draw.panels.comparison import agreement
from ui.draw.prediction import Answer, Prediction, answer, panel_html, predict

SEEN, IMAGE = np.zeros((28, 28), np.float32), np.zeros((280, 280), np.uint8)
SEVEN, ONE, FOUR = (
    [[(20, 100), (100, 100), (50, 220)]],
    [[(150, 90), (150, 220)]],
    [[(210, 90), (190, 160), (260, 160)], [(240, 110), (240, 220)]],
)
SCRIBBLE = [[(20, 140), (260, 100), (30, 200), (250, 60), (120, 240), (60, 40), (250, 250), (30, 30)]]


def prediction(*probabilities, threshold=0.5):
    return Prediction(np.array([*probabilities, *[0] * (10 - len(probabilities))], np.float32), threshold)


def panel(*predictions):
    return panel_html(Answer(list(predictions), IMAGE, SEEN))


@pytest.fixture(scope="module", params=["cnn", "mlp"])
def network(request):
    return engine.load(ROOT / "pretrained" / f"{request.param}.npz")


def test_a_prediction_as_text():
    sure, unsure = prediction(0.1, 0.9), prediction(0.45, 0.35, 0.1)
    assert (sure.symbol, sure.text) == ("1", "1, 90.0 % sure")
    assert (unsure.symbol, unsure.text) == ("?", "not sure: 0 (45.0 %) or 1 (35.0 %)")
    assert 'aria-label="Probabilities: 1 90.0 %, 0 10.0 %"' in sure.chart()
    assert sure.chart().count('class="winner"') == 1
    assert 'class="winner"' not in unsure.chart()
    assert prediction(0.45, 0.35, threshold=0).symbol == "0"
    assert prediction(0.0003, 0.9997).text == "1, >99.9 % sure"


@pytest.mark.parametrize("p", [0.9996, 0.99999, 1])
def test_a_percentage_never_says_100_and_is_the_same_everywhere(p):
    sure = prediction(1 - p, p)
    for text in (sure.text, sure.chart(), panel(sure)):
        assert ">99.9 %" in text
        assert "100.0 %" not in text.replace("--p:100.00%", "")
        assert "more than" not in text


def test_the_winner_is_marked_once_and_the_rest_adds_up():
    body = panel(prediction(0, 0, 0.7, 0.3, threshold=0))
    assert body.count('class="winner"') == 1
    assert '<li class="winner"><span class="digit">2</span>' in body
    assert "70.0 %" in body
    assert "30.0 %" in body


def test_below_the_threshold_the_panel_names_no_digit_but_the_two_most_likely():
    probabilities = [0.05, 0.3, 0, 0.4, 0, 0.05, 0.1, 0.1]
    body = panel(prediction(*probabilities, threshold=0.41))
    assert "Not sure" in body
    assert "3 (40.0 %) or 1 (30.0 %)?" in body
    assert 'class="winner"' not in body
    assert "<br>sure" not in body
    assert ">?</div>" in body
    for threshold in (0.0, 0.4):
        sure = panel(prediction(*probabilities, threshold=threshold))
        assert "Not sure" not in sure
        assert ">3</div>" in sure


@pytest.mark.parametrize(
    ("probabilities", "text"),
    [
        ([0.45, 0.4, 0.15], "<b>Not sure</b> <br>0 (45.0 %) or 1 (40.0 %)?"),
        ([0.4, 0.3, 0.3], "<b>Not sure</b>"),  # three, not two
        ([0.45, 0.15, 0.13, 0.12, 0.15], "<b>Not sure</b>"),
        ([0.19, 0.18, *[0.08] * 8], "<b>This doesn't look like a digit</b>"),
        ([0.1] * 10, "<b>This doesn't look like a digit</b>"),
        ([np.nan] * 10, "<b>Not sure</b>"),
    ],
)
def test_two_candidates_are_named_only_where_they_stand_out(probabilities, text):
    assert f"<p>{text}</p>" in panel(prediction(*probabilities))


def test_several_digits_give_the_number_and_how_sure_the_network_is_of_all():
    body = panel(prediction(0, 0.99), prediction(0, 0, 0, 0, 0, 0, 0, 0.8), prediction(0, 0, 0, 0, 0.95))
    assert '<div class="inkling-digit" data-sure="True">174</div>' in body
    assert "<b>75.2 %</b> sure of all digits" in body  # 0.99 x 0.8 x 0.95
    assert '<li class="winner"><span class="digit">4</span>' in body
    doubtful = panel(prediction(0, 0.99), prediction(0.4, 0.4))
    assert '<div class="inkling-digit" data-sure="False">1?</div>' in doubtful
    assert "<b>Not sure</b> of each digit" in doubtful


def test_a_number_is_read_digit_by_digit(network):
    number = answer(network, draw_strokes([*SEVEN, *ONE, *FOUR]))
    assert number is not None
    assert number.symbol == "714"
    assert number.confidence == pytest.approx(np.prod([prediction.confidence for prediction in number.predictions]))
    assert number.text.startswith("714: 7, ")
    np.testing.assert_allclose(prepare(number.image), number.seen, atol=0.02)
    (four,) = predict(network, [prepare(draw_strokes(FOUR))])
    assert number.last.probabilities == pytest.approx(four.probabilities, abs=0.02)


def test_numbers_in_two_lines_have_a_space_between(network):
    lines = [np.array(stroke) / 2.5 + (20, top) for top in (0, 130) for stroke in [*SEVEN, *ONE, *FOUR]]
    reply = answer(network, draw_strokes(lines, width=8))
    assert reply is not None
    assert reply.symbol == "714 714"


def test_the_last_of_two_digits_that_touch_is_shown_without_the_other(network):
    angle = np.linspace(0, 2 * np.pi, 40)
    zero = np.stack([35 * np.cos(angle), 50 * np.sin(angle)], axis=1)
    reply = answer(network, draw_strokes([np.add(zero, [70, 140]), np.add(zero, [148, 140])], width=12))
    assert reply is not None
    assert reply.symbol == "00"
    np.testing.assert_allclose(prepare(reply.image), reply.seen, atol=0.02)


def test_one_digit_in_pieces_is_one_digit(network):
    """A bar beside the rest of a 5 makes no number of two digits."""
    five = [[(110, 60), (100, 130), (160, 120), (190, 170), (150, 225), (85, 215)], [(114, 60), (195, 55)]]
    reply = answer(network, draw_strokes(five))
    assert reply is not None
    assert reply.symbol == "5"


def test_a_scribble_is_no_digit(network):
    reply = answer(network, draw_strokes(SCRIBBLE))
    assert reply is not None
    assert reply.text == "this doesn't look like a digit"
    assert answer(network, IMAGE) is None
    assert answer(network, None) is None


def test_the_rule_suits_scribbles_and_digits(network):
    """Most scribbles of kinds that no network has trained on are no digit, and hardly any gets two candidates."""
    scribbles = predict(network, list(draw_scribbles(HELD_OUT_KINDS, 300, 9).images / np.float32(255)))
    digits = predict(network, list(draw_digits(500, 5).images / np.float32(255)))
    assert np.mean([scribble.is_no_digit for scribble in scribbles]) > 0.85
    assert np.mean([bool(scribble.candidates) for scribble in scribbles]) < 0.02
    assert np.mean([digit.is_no_digit for digit in digits]) < 0.005


@pytest.mark.parametrize(
    ("predictions", "sentence"),
    [
        ([prediction(0.9)], "There is only one network. Its prediction: 0, 90.0 % sure."),
        ([prediction(0.9), prediction(0.8)], "Both read a 0."),
        ([prediction(0.9)] * 3, "All 3 read a 0."),
        ([prediction(0.4)] * 2, "No network is sure what this is."),
        ([prediction(0, 0.9), prediction(0, 0.9), prediction(0.9)], "They disagree: 2 read a 1, 1 reads a 0."),
        ([prediction(0.9), prediction(0.4), prediction(0.4)], "They disagree: 1 reads a 0, 2 are not sure."),
    ],
)
def test_agreement_in_one_sentence(predictions, sentence):
    assert agreement(predictions) == sentence
