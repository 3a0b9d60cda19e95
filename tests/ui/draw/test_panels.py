"""The panels below the canvas, run through ``AppTest``."""

import re

import numpy as np
import pytest
from examples import READER
from helpers import ROOT, make_digits
from pages import ONE, SEVEN, answer, button, draw, drawing, open_app, session, widget

import engine
from engine import Network, dense_layers
from engine.attribution import contrast, integrated_gradients
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.pen import draw_strokes
from engine.preprocessing import BOX, SIDE, stages
from tests.ui.train.steps import runs, workspace
from ui import datasets, glossary, networks
from ui.draw import prediction
from ui.draw.panels.activations import blocks
from ui.draw.panels.attribution import METHODS, explain
from ui.draw.panels.preprocessing import STEPS
from ui.draw.panels.tabs import KEY, PANELS
from ui.draw.prediction import predict

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
    """The network that the page uses by default."""
    return next(iter(networks.shipped_networks()[0].values()))


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """Replace the shipped networks."""

    def ship(examples):
        for name, (layers, output) in examples.items():
            engine.save(tmp_path / f"{name}.npz", Network(layers, output=output, rng=np.random.default_rng(0)))
        monkeypatch.setattr(networks, "PRETRAINED", tmp_path)
        networks.shipped_networks.cache_clear()

    yield ship
    networks.shipped_networks.cache_clear()


def open_panel(app, panel):
    app.session_state[KEY] = panel
    app.run()
    assert not app.exception
    return app


def seen(app):
    return engine.prepare(np.asarray(drawing(app).image()))


def html(app):
    return "\n".join([block.proto.body for block in app.get("html")] + [block.value for block in app.markdown])


def test_without_a_drawing_every_panel_says_what_to_do():
    app = open_app()
    for panel in PANELS:
        assert "Draw a digit above" in html(open_panel(app, panel)) or panel == "Map"


def test_every_panel_works_for_every_kind_of_network(shipped):
    shipped(NETWORKS)
    app = draw(open_app(), SEVEN)
    for name in NETWORKS:
        app.session_state["network"] = name
        for panel in PANELS:
            body = html(open_panel(app, panel))
            assert "<img" in body or panel in ("Map", "Side by side")
            assert not re.search(r"\bnan\b", re.sub('src="[^"]*"', "", body))
            assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in re.findall("<img[^>]*>", body))


def test_every_panel_works_for_a_network_of_nans():
    app = draw(open_app(), SEVEN)
    broken = Network(dense_layers((16,)), rng=np.random.default_rng(0))
    broken.state_vector[:] = np.nan
    workspace(app).networks |= {"broken": broken}
    app.run()
    app.session_state["network"] = "Uploaded: broken"
    for panel in PANELS:
        assert "Draw a digit above" not in html(open_panel(app, panel))


def test_every_panel_works_for_a_network_in_training(monkeypatch):
    sets = make_digits(600), make_digits(100, 1)
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    button(app, "1 batch").click().run()
    app.switch_page("ui/draw/page.py").run()
    (run,) = runs(app)
    assert run.series.wait_until_still(30)
    app.session_state["network"] = run.key
    for panel in PANELS:
        assert "Draw a digit above" not in html(open_panel(app, panel))
    assert "Run 1<br><small>paused, in epoch 1</small><br><small>chosen above" in html(open_panel(app, "Side by side"))
    assert not [caption for caption in app.caption if "So far you see" in caption.value]
    button(app.switch_page("ui/train/page.py").run(), "Stop").click().run()


def test_each_stage_is_shown_with_its_size_and_can_be_left_out():
    app = open_panel(draw(open_app(), SEVEN), "What it sees")
    body = html(app)
    result = stages(np.asarray(drawing(app).image()))
    assert "280 x 280 pixels" in body
    assert f"{result.cropped.shape[1]} x {result.cropped.shape[0]} pixels" in body
    assert f"{result.scaled.shape[1]} x 20 pixels" in body
    assert "28 x 28 pixels" in body
    assert 'class="cross"' in body
    assert "Without" not in body
    for name, step in STEPS.items():
        label = step.label.format(box=BOX)
        widget(app.toggle, label).set_value(False).run()
        body = html(app)
        assert step.without in body
        assert glossary.explain(step.effect.format(side=SIDE)) in [caption.value for caption in app.caption]
        assert body.count('class="inkling-ten"') == 2
        widget(app.toggle, label).set_value(True).run()
        assert app.session_state[f"step {name}"]


def test_a_digit_in_a_corner_needs_centring():
    """The panel says that centring matters: it does."""
    image = draw_strokes([[(15, 15), (75, 15), (40, 85)]])
    network = engine.load(ROOT / "pretrained" / "mlp.npz")
    complete, reduced = predict(network, [stages(image, skip).centred for skip in ((), ("crop", "scale", "centre"))])
    assert complete.symbol == "7"
    assert reduced.symbol != "7"


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_map_says_what_it_adds_up_to(name):
    app = draw(open_app(), SEVEN)
    app.session_state["network"] = name
    body = html(open_panel(app, "Why"))
    network, seven = engine.load(ROOT / "pretrained" / f"{name}.npz"), seen(app)
    total, full, blank, difference = map(float, re.findall(r"-?\d+\.\d+", body[body.index("The map adds up") :])[:4])
    assert total == pytest.approx(integrated_gradients(network, seven, 7).sum(), abs=0.01)
    assert full - blank == pytest.approx(difference, abs=0.011)
    assert total == pytest.approx(difference, rel=0.012)


def test_a_switch_turned_just_before_its_panel_is_left_stays_turned(network):
    app = open_panel(draw(open_app(), SEVEN), "What it sees")
    widget(app.toggle, "Crop").set_value(False)
    assert "inkling-why" in html(open_panel(app, "Why"))
    assert not widget(open_panel(app, "What it sees").toggle, "Crop").value


def test_two_digits_are_compared(network):
    app = open_panel(draw(open_app(), SEVEN), "Why")
    seven = seen(app)
    widget(app.selectbox, "instead of").set_value(4).run()
    body = html(app)
    assert "for a 7 and against a 4" in body
    assert re.search('alt="Where more ink would count for a 4, strongest (at the|in the middle)', body)
    assert f"The map adds up to {contrast(network, seven, 7, 4).sum():.2f}" in body
    widget(app.selectbox, "instead of").set_value(7).run()
    assert not app.exception
    assert "choose two different digits" in app.caption[-1].value


def test_the_quick_method_claims_no_sum():
    app = open_panel(draw(open_app(), SEVEN), "Why")
    app.session_state["method"] = list(METHODS)[1]
    app.run()
    assert "which means little" in html(app)


def test_the_strongest_units_and_the_feature_maps_are_shown():
    app = draw(open_app(), SEVEN)
    app.session_state["network"] = "mlp"
    body = html(open_panel(app, "Inside"))
    assert body.count("unit ") > 16  # of two hidden layers
    assert "<b>Layers 1 to 4 · 1200" in body  # as the Train page counts
    scores = body[body.index("The 10 scores, highest first") :]
    assert scores.count("<figure>") == 10
    app.session_state["network"] = "cnn"
    body = html(open_panel(app, "Inside"))
    convolutions = [layer for layer in engine.load(ROOT / "pretrained" / "cnn.npz").layers if layer.kind == "conv2d"]
    assert body.count("feature maps") == len(convolutions)
    assert f"{convolutions[0].filters} maps of " in body
    assert "dropout" not in body


def test_units_that_are_off_say_so():
    app = draw(open_app(), SEVEN)
    layers = (Dense(12), Activation("relu"), Dense(10))
    network = Network(layers, rng=np.random.default_rng(0))
    network.layers[0].b[:] = -100
    workspace(app).networks |= {"dead": network}
    app.run()
    app.session_state["network"] = "Uploaded: dead"
    body = html(open_panel(app, "Inside"))
    assert body.count("0.00 · off</small>") == 8
    assert "A black picture belongs to a unit or a map that is off" in app.caption[0].value


def test_the_map_says_why_its_sum_differs():
    values = np.full((28, 28), 0.1 / 784)
    network = Network(dense_layers(()), rng=np.random.default_rng(0))
    _, line = explain(network, np.zeros((28, 28), np.float32), 3, next(iter(METHODS)), values)
    assert line.startswith("The map adds up to 0.10: the 3's score is 0.00 for this drawing and 0.00 for an empty sheet.")
    assert line.endswith("in small steps, which leaves a small error.")
    _, line = explain(network, np.zeros((28, 28), np.float32), 3, next(iter(METHODS)), 0 * values)
    assert line.endswith("The difference is 0.00.")


def test_the_blocks_of_a_network_begin_at_its_layers_with_weights():
    for layers, output in NETWORKS.values():
        network = Network(layers, output=output, rng=np.random.default_rng(0))
        outputs, x = [], np.zeros((1, *network.input_shape), np.float32)
        for layer in network.layers:
            x = layer.forward(x)
            outputs.append(x[0])
        result = blocks(network.layers, outputs)
        assert result[-1].stop == len(layers)
        weighted = [i for i, layer in enumerate(layers) if layer.kind in ("dense", "conv2d")]
        assert set(weighted) <= {block.start for block in result}
        assert all(block.start <= block.shown < block.stop for block in result)


def test_several_networks_are_compared(shipped):
    app = draw(open_app(), SEVEN)
    body = html(open_panel(app, "Side by side"))
    assert "Both read a 7." in body
    assert body.count('class="inkling-ten"') == 2
    assert "So far you see" in app.caption[-1].value
    weak = Network(dense_layers((16,)), rng=np.random.default_rng(1))
    weak.info["threshold"] = 0.99
    workspace(app).networks |= {"<weak>": weak}
    app.run()
    body = html(app)
    assert "Uploaded: &lt;weak&gt;" in body
    assert "not sure" in body
    assert "They disagree: 2 read a 7, 1 is not sure." in body
    assert not [caption for caption in app.caption if "So far you see" in caption.value]


def test_several_digits_are_read_one_by_one():
    app = draw(open_app(), NARROW_SEVEN, NARROW_ONE, *NARROW_FOUR)
    assert re.search(r'data-sure="True">71\d</div>', answer(app))
    body = html(open_panel(app, "What it sees"))
    assert "Of the 3 digits, this is about the last one" in app.caption[0].value
    network = next(iter(networks.shipped_networks()[0].values()))
    left, top, right, bottom = engine.read(network, np.asarray(drawing(app).image())).digits[-1].box
    assert f"{right - left} x {bottom - top} pixels" in body  # cropped
    body = html(open_panel(app, "Number"))
    assert body.count('class="inkling-ten"') == 3
    boxes = [tuple(map(float, box)) for box in re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%", body)]
    assert len(boxes) == 3
    assert boxes == sorted(boxes)
    assert all(left + width <= 100 for left, _, width in boxes)


def test_a_single_digit_is_no_number():
    app = open_panel(draw(open_app(), SEVEN), "Number")
    assert "This is one digit" in app.caption[0].value


def test_only_the_open_panel_is_computed(monkeypatch):
    app = open_panel(draw(open_app(), SEVEN, ONE), "Side by side")
    assert 'class="inkling-why"' not in html(app)
    assert 'class="inkling-stages"' not in html(app)


def test_a_drawing_is_looked_at_once_for_all_who_ask(monkeypatch):
    app, looks = draw(open_app(), SEVEN), []
    look = prediction.look
    monkeypatch.setattr(prediction, "look", lambda image: looks.append(1) or look(image))
    monkeypatch.setattr(prediction, "session", lambda: session(app))
    image, shipped = drawing(app).image(), [*networks.shipped_networks()[0].values()]
    first, again = ([prediction.answer(network, image) for network in shipped] for _ in range(2))
    assert looks == []  # the page has looked already
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert prediction.answer(shipped[0], image[::-1]) is not first[0]
    assert len(looks) == 1
