"""What a pressed node shows of its weighted sum, and what is sent to the browser of a convolution's window."""

import base64
import re

import numpy as np
import pytest
from examples import READER
from helpers import ROOT, make_digits
from pages import SEVEN, draw, open_app

import engine
from engine import Network
from engine.layer_outputs import activity
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.weighted_sum import Trace
from tests.ui.train.steps import workspace
from ui.draw.panels.activations import PICKED
from ui.draw.panels.tabs import KEY as TABS
from ui.draw.panels.unit import MAX_INPUTS, diverging, window_data

SEEN = make_digits(3, 5).images[2] / np.float32(255)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def decoded(data):
    """The contributions of the inputs that are sent, of the others, and the sums, each at every place."""
    added = [floats(shown["added"]) for shown in data["inputs"]]
    return added, floats(data["rest"]) if data["rest"] else 0, floats(data["sums"])


def picked(app, node):
    """The HTML and the components of the panel for the pressed node."""
    app.session_state[PICKED], app.session_state[TABS] = node, "Inside"
    app.run()
    assert not app.exception
    html = "\n".join(part.proto.body for part in app.get("html"))
    return html[html.index('class="inkling-picked"') :], [part.proto.component_name for part in app.get("bidi_component")]


@pytest.mark.parametrize(("position", "filters"), [(0, 24), (4, 64), (11, 128)])
def test_what_the_window_adds_up_is_the_map(position, filters):
    network = engine.load(ROOT / "pretrained" / "cnn.npz")
    trace, maps = Trace(network, SEEN), activity(network, SEEN)[position].values
    assert len(maps) == filters
    for channel in (0, filters - 1):
        highest = tuple(map(int, np.unravel_index(maps[channel].argmax(), maps.shape[1:])))
        (step,) = trace.steps(position, (channel, *highest))
        data = window_data(trace, step)
        added, rest, sums = decoded(data)
        assert len(added) == min(MAX_INPUTS, network.layers[position].W.shape[1])
        np.testing.assert_allclose(sums.reshape(data["out"]), maps[channel], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(sum(added) + rest + data["bias"], sums, rtol=1e-4, atol=1e-4)
        (row, column), kernel, padding = data["at"], data["kernel"], data["padding"]
        assert (row, column) == highest
        place = row * data["out"][1] + column
        for shown, contributions in zip(data["inputs"], added, strict=True):
            values = np.pad(floats(shown["values"]).reshape(data["size"]), padding)
            window = values[row * data["stride"] :, column * data["stride"] :][:kernel, :kernel]
            total = (window * floats(shown["weights"]).reshape(kernel, kernel)).sum()
            assert total == pytest.approx(contributions[place], rel=1e-4, abs=1e-4)


def test_the_sum_stands_below_its_terms_and_before_what_follows():
    app = draw(open_app(), SEVEN)
    app.session_state["network"] = "mlp"
    html, components = picked(app, (0, 3))
    assert "inkling_convolution" not in components
    network = engine.load(ROOT / "pretrained" / "mlp.npz")
    ledger = html[html.index("inkling-ledger") : html.index("</dl>")]
    rows = [
        (re.sub("<[^>]*>", "", text), float(value)) for text, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", ledger)
    ]
    names = [name for name, _ in rows]
    total = names.index("sum")
    assert names[total - 2 :] == ["780 other products", "bias", "sum", "after batch norm: moved and scaled", "after ReLU"]
    assert sum(value for _, value in rows[:total]) == pytest.approx(rows[total][1], abs=0.006)
    for name, value in rows[: total - 2]:
        pixel, weight = map(float, re.findall(r"-?\d+\.\d+", name))
        assert pixel * weight == pytest.approx(value, abs=2e-3)
        assert re.search(r"row \d+, column \d+$", name)
    assert rows[-1][1] == max(rows[-2][1], 0)
    assert f"Into layer {next(i for i, layer in enumerate(network.layers) if i and hasattr(layer, 'W')) + 1}." in html
    assert html.count("weights, up to ±") == html.count("products, up to ±") == 2  # the picture's text and its caption


def test_the_last_hidden_units_go_to_scores_and_these_to_probabilities():
    app = draw(open_app(), SEVEN)
    app.session_state["network"] = "mlp"
    html, _ = picked(app, (2, 7))
    assert re.search(r"the score of \d</dt><dd>[+-]\d", html) or "It is 0, so it adds nothing" in html
    html, _ = picked(app, (3, 7))
    assert "All scores together become the probabilities." in html


@pytest.mark.parametrize(
    ("layers", "texts"),
    [
        (
            (MaxPool2D(4), BatchNorm(), Flatten(), Dense(10)),
            ["No weights", "Max pooling: of each window", "Batch norm: the values"],
        ),
        (
            (AvgPool2D(2), Dropout(), Activation("tanh"), Flatten(), Dense(10)),
            ["Mean pooling", "Dropout: it works only", "tanh: it is used"],
        ),
    ],
)
def test_a_node_without_weights_gets_a_plain_sentence(layers, texts):
    app = draw(open_app(), SEVEN)
    workspace(app).networks |= {"plain": Network(layers, rng=np.random.default_rng(0))}
    app.run()
    app.session_state["network"] = "Uploaded: plain"
    html, components = picked(app, (0, 0))
    assert "inkling_convolution" not in components
    for text in texts:
        assert text.lower() in html.lower()


def test_a_convolution_of_every_kind_has_its_window():
    app = draw(open_app(), SEVEN)
    pools = (Conv2D(3, 5, 2, 2), AvgPool2D(2), Activation("tanh"), Conv2D(4, 2), Flatten(), Dense(10))
    broken = Network(READER, rng=np.random.default_rng(0))
    broken.state_vector[:] = np.nan
    workspace(app).networks |= {"pools": Network(pools, rng=np.random.default_rng(0)), "broken": broken}
    app.run()
    for name in ("pools", "broken"):
        app.session_state["network"] = f"Uploaded: {name}"
        for block in (0, 1):
            _, components = picked(app, (block, 1))
            assert "inkling_convolution" in components


def test_zero_is_clear_and_the_signs_have_colours():
    colours = diverging(np.array([[0.0, 2.0, -1.0, np.nan]]), 2)
    assert colours[0, :, 3].tolist() == [0, 255, 128, 0]
    assert colours[0, 1, 0] > colours[0, 1, 2]
    assert colours[0, 2, 2] > colours[0, 2, 0]
