"""Links that set the page up."""

from urllib.parse import parse_qsl, urlparse

import pytest
from pages import button, widget

from engine.data.augmentation import AUGMENTATIONS
from tests.ui.train.steps import open_train, runs, start
from ui.train.links import link


def test_a_link_sets_the_page_up_in_the_same_way(sets):
    app = open_train()
    for label, value in {"Optimizer": "rmsprop", "Function": "gelu", "Augmentation": "strong"}.items():
        widget(app.selectbox, label).select(value).run()
    run = start(app, Epochs=1, Units=17)
    run.source = "synthetic"
    fresh = open_train(**dict(parse_qsl(urlparse(link(run, "http://localhost/train?old=1")).query)))
    assert widget(fresh.selectbox, "Data").value == "synthetic"
    button(fresh, "1 batch").click().run()
    assert runs(fresh)[0].config == run.config
    assert run.config.augmentation == AUGMENTATIONS["strong"]


def test_a_link_may_name_the_data_alone(sets):
    assert widget(open_train(data="synthetic").selectbox, "Data").value == "synthetic"


@pytest.mark.parametrize(("data", "words"), [("own", "somebody's own data"), ("imagenet`", "imagenet")])
def test_a_link_to_data_that_are_not_here_says_so(data, words):
    app = open_train(data=data, epochs="7")
    assert words in app.error[0].value
    assert widget(app.number_input, "Epochs").value == 7


def test_a_broken_link_says_so_in_one_line_and_the_page_still_works():
    wrong = ": epochs must be a whole number from 1 to 100,000, got 'many'"
    for query, reason in (({"config": "nonsense"}, ""), ({"preset": "quick", "epochs": "many"}, wrong)):
        app = open_train(**query)
        assert not app.exception
        assert app.error[0].value.replace("\\", "") == f"This link is incomplete or damaged{reason}. Using defaults."
        assert not button(app, "Start").disabled


def test_a_link_with_thousands_of_layers_is_refused_before_a_layer_is_made(monkeypatch):
    made = []
    monkeypatch.setattr("engine.layers._make", lambda *_: made.append(1))
    app = open_train(layers="flatten," * 480 + "dense:10")
    assert "a network must have at most 100 layers, got 481" in app.error[0].value.replace("\\", "")
    assert not made
