"""The Draw page with a network of other classes than digits, and with one of digits beside it."""

import numpy as np
import pytest
from pages import SEVEN, answer, draw, open_app, widget

from engine import Network, dense_layers
from engine.data.dataset import DIGITS
from tests.ui.train.steps import workspace
from ui.class_names import listed, short, with_article
from ui.draw.network_view import view_data
from ui.draw.panels.comparison import agreement
from ui.draw.panels.tabs import KEY, PANELS
from ui.draw.prediction import Answer, Prediction, panel_html, predict

NAMES = ("dark <i>shirt</i>", "bag", *"abcdefghij")
NUMBER = [["M", 20, 100], ["L", 100, 100], ["L", 50, 220]], [["M", 150, 90], ["L", 150, 220]]  # 71
SEEN, IMAGE = np.zeros((28, 28), np.float32), np.zeros((280, 280), np.uint8)


def make(names=NAMES):
    layers = dense_layers((16,), classes=len(names))
    return Network(layers, rng=np.random.default_rng(0), info={"class_names": list(names)})


def prediction(*probabilities, names=NAMES, threshold=0.5):
    return Prediction(np.array([*probabilities, *[0] * (len(names) - len(probabilities))], np.float32), threshold, names)


def test_a_class_is_named_and_its_name_is_text():
    sure = prediction(0.9, 0.1)
    assert (sure.symbol, sure.text) == ("dark <i>shirt</i>", "dark <i>shirt</i>, 90.0 % sure")
    assert prediction(0.45, 0.35, 0.1).text == "not sure: dark <i>shirt</i> (45.0 %) or bag (35.0 %)"
    for html in (sure.chart(), *(panel_html(Answer([one], IMAGE, SEEN)) for one in (sure, prediction(0.45, 0.35, 0.1)))):
        assert "<i>shirt" not in html
        assert "bag" in html


def test_of_more_than_ten_classes_the_most_likely_have_bars():
    body = panel_html(Answer([prediction(0.01, 0, 0.04, *[0.05] * 8, 0.5)], IMAGE, SEEN))
    assert body.count("<li") == 10
    assert body.index(">j<") < body.index(">b<") < body.index(">a<")
    assert ">bag<" not in body
    assert ">dark" not in body
    assert panel_html(None, NAMES).count("<li") == 10


@pytest.mark.parametrize("names", [("yes", "no"), tuple("abc"), DIGITS])
def test_up_to_ten_classes_stay_in_their_order(names):
    body = panel_html(Answer([prediction(0.2, 0.8, names=names)], IMAGE, SEEN))
    assert body.count("<li") == len(names)
    assert [body.index(f">{name}</span>") for name in names] == sorted(body.index(f">{name}</span>") for name in names)


def test_two_classes_are_both_candidates_until_the_network_is_sure():
    unsure = prediction(0.4, 0.6, names=("yes", "no"), threshold=0.9)
    assert unsure.candidates == [1, 0]
    assert unsure.digit is None
    assert prediction(0.2, 0.8, names=DIGITS).digit == 1


def test_a_drawing_that_looks_like_no_class():
    nothing = prediction(*[1 / 12] * 12)
    assert nothing.text == "this doesn't look like anything it has learned"


def test_names_as_text():
    assert [with_article(name) for name in (7, "8", "A", "bag")] == ["a 7", "an 8", "“A”", "“bag”"]
    assert short("a very long name of a class") == "a very long..."
    assert listed(NAMES[1:]).endswith("i, j")
    assert listed([*"abcdefghijklmnop"]).endswith("k, l and 4 more")
    assert agreement([prediction(0, 0.9), prediction(0.2, 0.8)]) == "Both read “bag”."


def test_a_prediction_has_the_names_of_its_network():
    assert predict(make(), [SEEN])[0].names == NAMES
    assert predict(make(DIGITS), [SEEN])[0].names == DIGITS


def test_the_scores_in_the_picture_of_the_network_are_named():
    columns = view_data(make(), SEEN)["columns"]
    assert [column["names"] for column in columns] == [(), (), NAMES]
    assert columns[-1]["count"] == 12


def open_with(network, *strokes):
    app = open_app()
    workspace(app).add_network("other", network)
    app.run()
    widget(app.selectbox, "Network").select("Uploaded: other").run()
    return draw(app, *strokes)


def test_several_digits_are_only_looked_for_by_a_network_of_digits():
    app = open_with(make(), *NUMBER)
    assert "of all digits" not in answer(app)
    widget(app.selectbox, "Network").select_index(0).run()
    assert "71" in answer(app)


@pytest.mark.parametrize("names", [NAMES, ("yes", "no"), tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
def test_every_panel_works_with_other_classes(names):
    app = open_with(make(names), SEVEN)
    for panel in PANELS:
        app.session_state[KEY] = panel
        app.run()
        assert not app.exception, panel
        bodies = "".join(block.proto.body for block in app.get("html"))
        assert "<i>shirt" not in bodies
        assert 'aria-label="Challenges"' not in bodies
    app.session_state[KEY] = "Why"
    app.run()
    why = widget(app.selectbox, "Why")
    assert why.options == ["the class it read", *names]
    why.select_index(1).run()
    assert not app.exception
    widget(app.selectbox, "Network").select_index(0).run()
    assert widget(app.selectbox, "Why").options == ["the digit it read", *DIGITS]
    assert not app.exception
    assert 'aria-label="Challenges"' in "".join(block.proto.body for block in app.get("html"))
