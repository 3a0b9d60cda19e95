"""The picture of the network between the canvas and the bars: what is sent to the browser, and what a press opens."""

import base64
import json

import numpy as np
import pytest
from examples import READER
from helpers import ROOT, make_digits
from pages import SEVEN, draw, open_app

import engine
from engine import Network, dense_layers
from engine.layer_outputs import activity
from engine.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from tests.ui.train.steps import workspace
from ui.draw.network_view import MAX_COLUMNS, MAX_MAPS, MAX_UNITS, view_data
from ui.draw.panels.activations import PICKED
from ui.draw.panels.tabs import KEY as TABS

SEEN = make_digits(3, 5).images[2] / np.float32(255)
MAX_MESSAGE = 12_000  # bytes
WIDE = (*[layer for _ in range(4) for layer in (Conv2D(64, 3, padding=1), Activation("tanh"))], Flatten(), Dense(10))
NETWORKS = {
    "no-hidden": dense_layers(()),
    "dense": dense_layers((300, 40)),
    "deep": dense_layers((20,) * 30),
    "reader": READER,
    "pool-first": (MaxPool2D(4), Flatten(), Dense(10)),
    "no-dense": (Conv2D(10, 28), Flatten()),
    "wide": WIDE,
}


def make(layers):
    return Network(layers, rng=np.random.default_rng(0))


def values(data):
    """The bytes of each column."""
    content, columns, start = np.frombuffer(base64.b64decode(data["values"]), np.uint8), [], 0
    for column in data["columns"]:
        size = column["count"] * int(np.prod(column["size"]))
        columns.append(content[start : start + size].astype(int))
        start += size
    assert start == len(content)
    return columns


def sent(app):
    """The last message to the browser."""
    return next(
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == "inkling_network"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_shown_from_the_image_to_ten_scores(name):
    network = make(NETWORKS[name])
    data = view_data(network, SEEN)
    columns = data["columns"]
    assert [columns[0]["kind"], columns[-1]["kind"], columns[-1]["count"]] == ["image", "scores", 10]
    assert len(columns) <= MAX_COLUMNS + 1
    assert columns[-1]["block"] - len(columns) + 2 == sum(column["skipped"] for column in columns)
    for column in columns:
        assert column["count"] <= {"image": 1, "maps": MAX_MAPS, "units": MAX_UNITS, "scores": 10}[column["kind"]]
    assert len(json.dumps(data)) < MAX_MESSAGE
    pixels, *_, scores = values(data)
    assert (pixels == 128 + np.round(127 * SEEN).astype(int).ravel()).all()
    outputs = activity(network, SEEN)[-1].values
    assert scores.argmax() == outputs.argmax()
    assert data["numbers"][-1]["values"] == [f"{score:.2f}" for score in outputs]
    empty = view_data(network, None)
    assert (empty["columns"], empty["values"]) == (columns, "")


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_the_message_of_a_shipped_network_is_small_and_has_its_values(name):
    network = engine.load(ROOT / "pretrained" / f"{name}.npz")
    data = view_data(network, SEEN)
    assert len(json.dumps(data)) < MAX_MESSAGE
    outputs = activity(network, SEEN)
    column = data["columns"][1]
    shown = outputs[3].values[: column["count"]]
    expected = np.round(127 * shown / np.abs(outputs[3].values).max()).ravel()
    assert np.abs(values(data)[1] - 128 - expected).max() <= 1
    assert column["layers"] == "Layers 1 to 4"
    assert column["more"] == len(outputs[3].values) - column["count"]
    lines = data["lines"][-1]
    assert lines
    assert {target for _, target, _ in lines} == {int(outputs[-1].values.argmax())}
    strengths = [abs(strength) for *_, strength in lines]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == 100


def test_lines_show_what_counts_most():
    network = make((Dense(3), Dense(10)))
    network.layers[0].W[:] = 0
    network.layers[0].b[:] = [1, 2, 0]
    network.layers[1].W[:] = 0
    network.layers[1].W[:, 7] = [4, -1, 9]
    assert view_data(network, SEEN)["lines"][-1] == [(0, 7, 100), (1, 7, -50)]


def test_a_network_of_nans_is_dark():
    network = make(READER)
    network.state_vector[:] = np.nan
    for column in values(view_data(network, SEEN))[1:]:
        assert (column == 128).all()


def test_the_page_shows_the_architecture_before_and_the_values_after_a_drawing():
    app = open_app()
    before = sent(app)
    assert [column["text"][0] for column in before["columns"]][:2] == ["It sees", "24 maps"]
    assert before["values"] == ""
    after = sent(draw(app, SEVEN))
    assert after["columns"] == before["columns"]
    assert after["values"]
    app.session_state["network"] = "mlp"
    assert [column["text"][0] for column in sent(app.run())["columns"]] == ["It sees", "1,200", "1,000", "500", "Scores"]


@pytest.mark.parametrize(
    ("block", "node", "text"), [(0, 4, "<b>Map 5</b>"), (4, 90, "<b>Unit 91</b>"), (5, 7, "<b>The score of 7</b>")]
)
def test_the_panel_inside_shows_the_pressed_node_first(block, node, text):
    app = draw(open_app(), SEVEN)
    app.session_state[PICKED], app.session_state[TABS] = (block, node), "Inside"
    app.run()
    assert not app.exception
    bodies = [part.proto.body for part in app.get("html")]
    picked = next(body for body in bodies if 'class="inkling-picked"' in body)
    assert text in picked
    assert bodies.index(picked) < next(i for i, body in enumerate(bodies) if 'class="inkling-part"><b>Layer' in body)
    assert picked.count("<img") == (2 if block == 0 else 1)


@pytest.mark.parametrize("picked", [(0, 10_000), (99, 0), (-1, 0), None])
def test_a_node_that_the_network_does_not_have_is_ignored(picked):
    app = draw(open_app(), SEVEN)
    app.session_state[PICKED], app.session_state[TABS] = picked, "Inside"
    app.run()
    assert not app.exception
    assert not [part for part in app.get("html") if 'class="inkling-picked"' in part.proto.body]


def test_every_node_of_every_network_can_be_looked_into():
    app = draw(open_app(), SEVEN)
    app.session_state[TABS] = "Inside"
    for name, layers in NETWORKS.items():
        if name not in ("deep", "wide"):
            workspace(app).networks |= {name: make(layers)}
    app.run()
    for name in workspace(app).networks:
        app.session_state["network"], app.session_state[PICKED] = f"Uploaded: {name}", (0, 0)
        app.run()
        assert not app.exception
        assert [part for part in app.get("html") if 'class="inkling-picked"' in part.proto.body]
