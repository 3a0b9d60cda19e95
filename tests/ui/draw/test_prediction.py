"""``Prediction`` as text and as HTML, and the sentence about several predictions."""

import numpy as np
import pytest

from ui.draw.panels.comparison import agreement
from ui.draw.prediction import Prediction, panel_html, with_article

SEEN = np.zeros((28, 28), np.float32)


def prediction(*probabilities, threshold=0.5):
    return Prediction(np.array([*probabilities, *[0] * (10 - len(probabilities))], np.float32), threshold)


def test_a_prediction_as_text():
    sure, unsure = prediction(0.1, 0.9), prediction(0.45, 0.35, 0.2)
    assert (sure.symbol, sure.text) == ("1", "1, 90.0 % sure")
    assert (unsure.symbol, unsure.text) == ("?", "not sure: 0 (45.0 %) or 1 (35.0 %)")
    assert 'aria-label="Probabilities: 1 90.0 %, 0 10.0 %"' in sure.chart()
    assert sure.chart().count('class="winner"') == 1
    assert 'class="winner"' not in unsure.chart()
    assert prediction(0.45, 0.35, threshold=0).symbol == "0"
    assert prediction(0.0003, 0.9997).text == "1, more than 99.9 % sure"


def test_the_winner_is_marked_once_and_the_rest_adds_up():
    body = panel_html(prediction(0, 0, 0.7, 0.3, threshold=0), SEEN)
    assert body.count('class="winner"') == 1
    assert '<li class="winner"><span class="digit">2</span>' in body
    assert "70.0 %" in body
    assert "30.0 %" in body
    assert ">99.9 %" in panel_html(prediction(0.0003, 0.9997), SEEN)


def test_below_the_threshold_the_panel_names_no_digit_but_the_two_most_likely():
    probabilities = [0.05, 0.3, 0, 0.4, 0, 0.05, 0.1, 0.1]
    body = panel_html(prediction(*probabilities, threshold=0.41), SEEN)
    assert "Not sure" in body
    assert "3 (40.0 %) or 1 (30.0 %)?" in body
    assert 'class="winner"' not in body
    assert "<br>sure" not in body
    assert ">?</div>" in body
    for threshold in (0.0, 0.4):
        sure = panel_html(prediction(*probabilities, threshold=threshold), SEEN)
        assert "Not sure" not in sure
        assert ">3</div>" in sure


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


def test_the_article_of_a_digit():
    assert [with_article(digit) for digit in (7, 8)] == ["a 7", "an 8"]
