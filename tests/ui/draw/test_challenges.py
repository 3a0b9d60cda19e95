"""The challenges: which drawings meet them, what is stored, and what is made of anything else in the store."""

import json

import numpy as np
import pytest
from pages import ONE, SEVEN, button, draw, draw_live, open_app, session
from streamlit.testing.v1 import AppTest

from ui import images
from ui.draw import challenges
from ui.draw.challenges import CHALLENGES, Attempt, Progress, Result
from ui.draw.prediction import Answer, Prediction

FOUR = ["M", 110, 60], ["L", 80, 150], ["L", 200, 150]
FOUR_STROKES = [[*FOUR], [["M", 170, 80], ["L", 165, 240]]]
PICTURE = images.url(np.zeros((4, 4), np.uint8))
BLANK = np.zeros((280, 280), np.uint8)


def answered(*digits, confidence=0.95, threshold=0.5):
    """An answer of these digits, each with this confidence."""
    predictions = []
    for digit in digits:
        probabilities = np.full(10, (1 - confidence) / 9, np.float32)
        probabilities[digit] = confidence
        predictions.append(Prediction(probabilities, threshold))
    return Answer(predictions, BLANK, np.zeros((28, 28), np.float32))


def met(answer, weak=None, best=None):
    attempt = Attempt(answer, weak or answer, best or answer)
    return {name for name, (_, meets) in CHALLENGES.items() if meets(attempt)}


@pytest.mark.parametrize(
    ("attempt", "names"),
    [
        ([answered(4)], {"ugliest"}),
        ([answered(4, confidence=0.4)], set()),  # not sure
        ([answered(7)], set()),
        ([answered(4, 4)], set()),
        ([answered(9, 0, 2, 1, 0)], {"postcode"}),
        ([answered(9, 0, 2, 1)], set()),
        ([answered(9, 0, 2, 1, 0, confidence=0.4)], set()),
        ([answered(7), answered(1), answered(7)], {"fooled"}),
        ([answered(7), answered(7, confidence=0.4), answered(7)], {"fooled"}),
        ([answered(7), answered(1), answered(7, confidence=0.4)], set()),
        ([answered(7), answered(7), answered(7)], set()),
        ([answered(4), answered(1), answered(4)], {"ugliest", "fooled"}),
    ],
)
def test_a_challenge_is_met(attempt, names):
    assert met(*attempt) == names


def test_only_a_better_result_replaces_the_last_one():
    progress = Progress()
    for text, confidence in (("good", 0.8), ("worse", 0.9), ("better", 0.6)):
        progress.take("ugliest", text, confidence, BLANK)
    assert progress.results["ugliest"].text == "better"
    assert progress.results["ugliest"].is_valid


def rail(app: AppTest) -> str:
    """The HTML of the rail; empty if it is closed."""
    bodies = [element.proto.body for element in app.get("html")]
    return next((body for body in bodies if '<ul class="inkling-challenges"' in body), "")


def test_the_page_notices_a_four_and_says_so_once():
    app = draw(open_app(), *FOUR_STROKES)
    assert "sure. Can you draw one that it is less sure of?" in rail(app)
    assert "Challenge met: Draw the ugliest 4" in rail(app)
    assert list(session(app).challenges.results) == ["ugliest"]
    app = draw(app, SEVEN)
    assert "Challenge met" not in rail(app)
    assert "Can you draw one that it is less sure of?" in rail(app)


def test_a_stroke_is_checked_only_when_it_has_ended(monkeypatch):
    app, checked = open_app(), []
    monkeypatch.setattr(challenges, "answer", lambda *_: checked.append(1))
    draw_live(app, [(x, 60) for x in range(60, 200, 4)])
    assert checked == []
    draw(app, ONE)
    assert checked
    checked.clear()
    app.run()
    assert checked == []  # the drawing is the same


def test_the_rail_can_be_closed_and_opened_and_stays_so():
    app = open_app()
    button(app, "Close the challenges").click().run()
    assert not rail(app)
    assert session(app).challenges.is_closed
    button(app, "Challenges").click().run()
    assert "Write a postcode" in rail(app)


GOOD = {"text": "90210", "picture": PICTURE, "confidence": 0.2}


def test_progress_is_stored_and_read():
    progress = Progress(True, {"postcode": Result(**GOOD)})
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {"results": 3, "is_closed": "yes"},
        {"results": {"postcode": GOOD | {"picture": "javascript:alert(1)"}}},
        {"results": {"postcode": GOOD | {"picture": PICTURE + '" onerror="'}}},
        {"results": {"postcode": GOOD | {"picture": PICTURE + "A" * 9_000}}},
        {"results": {"postcode": GOOD | {"text": 3}}},
        {"results": {"postcode": GOOD | {"text": "long" * 100}}},
        {"results": {"postcode": GOOD | {"confidence": float("nan")}}},
        {"results": {"postcode": GOOD | {"confidence": "0"}}},
        {"results": {"postcode": GOOD | {"more": 1}}},
        {"results": {"unknown": GOOD}},
    ],
)
def test_what_is_wrong_in_the_store_is_ignored(value):
    progress = Progress.from_json(value)
    assert progress == Progress()
    assert "<i></i>" in challenges._html(progress)


def test_texts_from_the_store_are_escaped():
    html = challenges._html(Progress(results={"postcode": Result("<b>&", PICTURE)}))
    assert "<b>✓ &lt;b&gt;&amp;</b>" in html
