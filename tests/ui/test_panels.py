"""What can be asked of a drawing, run through ``AppTest`` as a visitor asks it."""

import re

import numpy as np
import pytest
from examples import READER
from helpers import ROOT, make_digits
from pages import ONE, SEVEN, button, draw, open_app, widget

import engine
from engine import Network, dense_layers
from engine.attribution import contrast, integrated_gradients
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.pen import draw_strokes
from engine.preprocessing import stages
from ui import data, session
from ui.inside import parts
from ui.panels import PANELS
from ui.reading import Reading, read
from ui.seeing import STEPS
from ui.side_by_side import agreement
from ui.why import METHODS

NETWORKS = {  # every kind that a visitor may train or upload, before it has learned anything
    "no-hidden": (dense_layers(()), "softmax"),
    "sigmoid": ((Dense(30), Activation("sigmoid"), Dense(10), Activation("sigmoid")), "normalised"),
    "frozen": ((Dense(20, frozen=True), Activation("tanh"), Dropout(0.2), Dense(10)), "softmax"),
    "no-weights-first": ((BatchNorm(), Dropout(0.1), Dense(12), Activation("softmax"), Dense(10)), "softmax"),
    "reader": (READER, "softmax"),
    "pool-first": ((MaxPool2D(4), Flatten(), Dense(10)), "softmax"),
    "no-dense": ((Conv2D(10, 28), Flatten()), "normalised"),
}
NARROW_SEVEN = [["M", 20, 100], ["L", 100, 100], ["L", 50, 220]]
NARROW_ONE = [["M", 150, 90], ["L", 150, 220]]
NARROW_FOUR = [["M", 210, 90], ["L", 190, 160], ["L", 260, 160]], [["M", 240, 110], ["L", 240, 220]]


@pytest.fixture(scope="module")
def network():
    """The one that the page reads with by itself."""
    return next(iter(session.shipped_networks()[0].values()))


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """Have the app ship these networks instead."""

    def ship(networks):
        for name, (layers, output) in networks.items():
            engine.save(tmp_path / f"{name}.npz", Network(layers, output=output, rng=np.random.default_rng(0)))
        monkeypatch.setattr(session, "PRETRAINED", tmp_path)
        session.shipped_networks.clear()

    yield ship
    session.shipped_networks.clear()


def ask(app, panel):
    app.session_state["kept:asked of the drawing"] = panel
    app.run()
    assert not app.exception
    return app


def seen(app):
    return engine.prepare(app.session_state["drawing"].image())


def html(app):
    return "\n".join(block.proto.body for block in app.get("html") if "inkling-answer" not in block.proto.body)


def test_an_empty_canvas_leaves_every_panel_waiting():
    app = open_app()
    for panel in PANELS:
        assert "Draw a digit above" in html(ask(app, panel))


def test_every_panel_answers_for_every_kind_of_network(shipped):
    shipped(NETWORKS)
    app = draw(open_app(), SEVEN)
    for name in NETWORKS:
        app.session_state["kept:network"] = name
        for panel in PANELS:
            body = html(ask(app, panel))
            assert "<img" in body or panel == "Side by side"
            assert "nan" not in re.sub('src="[^"]*"', "", body)
            assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in re.findall("<img[^>]*>", body))


def test_every_panel_answers_for_a_network_that_exploded():
    app = draw(open_app(), SEVEN)
    exploded = Network(dense_layers((16,)), rng=np.random.default_rng(0))
    exploded.values[:] = np.nan
    app.session_state["uploaded"] = {"exploded": exploded}
    app.run()
    app.session_state["kept:network"] = "Uploaded: exploded"
    for panel in PANELS:
        assert "Draw a digit above" not in html(ask(app, panel))


def test_every_panel_answers_for_a_network_in_training(monkeypatch):
    sets = make_digits(600), make_digits(100, 1)
    monkeypatch.setattr(data, "load", lambda source: sets)
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train.py").run()
    button(app, "1 batch").click().run()
    app.switch_page("ui/draw.py").run()
    (run,) = app.session_state["runs"]
    app.session_state["kept:network"] = run.key
    for panel in PANELS:
        assert "Draw a digit above" not in html(ask(app, panel))
    assert "Run 1<br><small>as it is now, in epoch 1</small><br><small>chosen above" in html(ask(app, "Side by side"))
    assert not [caption for caption in app.caption if "only the shipped" in caption.value]
    button(app.switch_page("ui/train.py").run(), "Stop").click().run()


def test_each_stage_is_shown_with_its_size_and_can_be_left_out():
    app = ask(draw(open_app(), SEVEN), "What it sees")
    body = html(app)
    found = stages(app.session_state["drawing"].image())
    assert "280 x 280 pixels" in body
    assert f"{found.cropped.shape[1]} x {found.cropped.shape[0]} pixels" in body
    assert f"{found.scaled.shape[1]} x 20 pixels" in body
    assert "28 x 28 pixels" in body
    assert 'class="cross"' in body
    assert "Without" not in body
    for name, step in STEPS.items():
        widget(app.toggle, step.label).set_value(False).run()
        body = html(app)
        assert f"Without {step.doing}" in body
        assert step.loss in [caption.value for caption in app.caption]
        assert body.count('class="inkling-ten"') == 2
        widget(app.toggle, step.label).set_value(True).run()
        assert app.session_state[f"kept:step {name}"]


def test_a_digit_in_a_corner_needs_its_centring():
    """The panel says that centring matters: it does."""
    drawing = draw_strokes([[(15, 15), (75, 15), (40, 85)]])
    network = engine.load(ROOT / "pretrained" / "mlp.npz")
    with_all, without = read(network, [stages(drawing, skip).centred for skip in ((), ("crop", "scale", "centre"))])
    assert with_all.sign == "7"
    assert without.sign != "7"


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_map_says_what_it_adds_up_to(name):
    app = draw(open_app(), SEVEN)
    app.session_state["kept:network"] = name
    body = html(ask(app, "Why"))
    network, seven = engine.load(ROOT / "pretrained" / f"{name}.npz"), seen(app)
    total, full, blank, difference = map(float, re.findall(r"-?\d+\.\d+", body[body.index("The map adds up") :])[:4])
    assert total == pytest.approx(integrated_gradients(network, seven, 7).sum(), abs=0.01)
    assert full - blank == pytest.approx(difference, abs=0.011)
    assert total == pytest.approx(difference, rel=0.012)


def test_a_switch_holds_that_is_turned_as_its_panel_is_left(network):
    app = ask(draw(open_app(), SEVEN), "What it sees")
    widget(app.toggle, "Crop").set_value(False)
    assert "inkling-why" in html(ask(app, "Why"))
    assert not widget(ask(app, "What it sees").toggle, "Crop").value


def test_two_digits_are_set_against_each_other(network):
    app = ask(draw(open_app(), SEVEN), "Why")
    seven = seen(app)
    widget(app.selectbox, "and not a").set_value(4).run()
    body = html(app)
    assert "for a 7 and against a 4" in body
    assert re.search('alt="Where more ink would speak for a 4, strongest at the (top|middle|bottom)', body)
    assert f"The map adds up to {contrast(network, seven, 7, 4).sum():.2f}" in body
    widget(app.selectbox, "and not a").set_value(7).run()
    assert not app.exception
    assert "choose two different digits" in app.caption[-1].value


def test_the_quick_method_claims_no_sum():
    app = ask(draw(open_app(), SEVEN), "Why")
    app.session_state["kept:method"] = list(METHODS)[1]
    app.run()
    assert "which means little" in html(app)


def test_the_strongest_units_and_the_feature_maps_are_shown():
    app = draw(open_app(), SEVEN)
    app.session_state["kept:network"] = "mlp"
    assert html(ask(app, "Inside")).count("unit ") > 16  # of two hidden layers
    app.session_state["kept:network"] = "cnn"
    body = html(ask(app, "Inside"))
    convolutions = [layer for layer in engine.load(ROOT / "pretrained" / "cnn.npz").layers if layer.kind == "conv2d"]
    assert body.count("feature maps") == len(convolutions)
    assert f"{convolutions[0].filters} maps of " in body
    assert "dropout" not in body


def test_the_parts_of_a_network_are_its_layers_with_weights():
    for layers, output in NETWORKS.values():
        network = Network(layers, output=output, rng=np.random.default_rng(0))
        outputs, x = [], np.zeros((1, *network.input_shape), np.float32)
        for layer in network.layers:
            x = layer.forward(x)
            outputs.append(x[0])
        found = parts(network.layers, outputs)
        assert found[-1][1] == len(layers)
        weighted = [i for i, layer in enumerate(layers) if layer.kind in ("dense", "conv2d")]
        assert set(weighted) <= {start for start, _, _ in found}
        assert all(start <= position < stop for start, stop, position in found)


def test_several_networks_stand_side_by_side(shipped):
    app = draw(open_app(), SEVEN)
    body = html(ask(app, "Side by side"))
    assert "Both read a 7." in body
    assert body.count('class="inkling-ten"') == 2
    assert "only the shipped networks" in app.caption[-1].value
    weak = Network(dense_layers((16,)), rng=np.random.default_rng(1))
    weak.info["threshold"] = 0.99
    app.session_state["uploaded"] = {"<weak>": weak}
    app.run()
    body = html(app)
    assert "Uploaded: &lt;weak&gt;" in body
    assert "not sure" in body
    assert "They disagree: 2 read a 7, 1 is not sure." in body
    assert not [caption for caption in app.caption if "only the shipped" in caption.value]


def test_several_digits_are_found_and_read_by_themselves():
    app = draw(open_app(), NARROW_SEVEN, NARROW_ONE, *NARROW_FOUR)
    body = html(ask(app, "What it sees"))
    assert re.search(r"This looks like 3 digits: <b>71\d</b>", body)
    body = html(ask(app, "Number"))
    assert body.count('class="inkling-ten"') == 3
    boxes = [tuple(map(float, box)) for box in re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%", body)]
    assert len(boxes) == 3
    assert boxes == sorted(boxes)
    assert all(left + width <= 100 for left, _, width in boxes)


def test_a_single_digit_gives_no_hint():
    app = draw(open_app(), SEVEN)
    assert "This looks like" not in html(ask(app, "Number"))
    assert "one digit here" in app.caption[0].value


def test_only_the_open_panel_is_computed(monkeypatch):
    app = ask(draw(open_app(), SEVEN, ONE), "Side by side")
    assert 'class="inkling-why"' not in html(app)
    assert 'class="inkling-stages"' not in html(app)


def reading(*probabilities, threshold=0.5):
    return Reading(np.array([*probabilities, *[0] * (10 - len(probabilities))], np.float32), threshold)


def test_a_reading_in_words():
    sure, unsure = reading(0.1, 0.9), reading(0.45, 0.35, 0.2)
    assert (sure.sign, sure.words) == ("1", "1, 90.0 % confident")
    assert (unsure.sign, unsure.words) == ("?", "not sure: 0 (45.0 %) or 1 (35.0 %)")
    assert 'aria-label="Probabilities: 1 90.0 %, 0 10.0 %"' in sure.chart()
    assert sure.chart().count('class="winner"') == 1
    assert 'class="winner"' not in unsure.chart()
    assert reading(0.45, 0.35, threshold=0).sign == "0"


@pytest.mark.parametrize(
    ("readings", "sentence"),
    [
        ([reading(0.9)], "There is one network, and it reads it as 0, 90.0 % confident."),
        ([reading(0.9), reading(0.8)], "Both read a 0."),
        ([reading(0.9)] * 3, "All 3 read a 0."),
        ([reading(0.4)] * 2, "None of them is sure what this is."),
        ([reading(0, 0.9), reading(0, 0.9), reading(0.9)], "They disagree: 2 read a 1, 1 reads a 0."),
        ([reading(0.9), reading(0.4), reading(0.4)], "They disagree: 1 reads a 0, 2 are not sure."),
    ],
)
def test_agreement_in_words(readings, sentence):
    assert agreement(readings) == sentence
