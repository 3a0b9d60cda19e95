"""The network builder."""

import numpy as np
import pytest
from pages import button, session, widget

import engine
from engine.layers import MAX_LAYERS, Flatten
from engine.recipes import RECIPES
from tests.ui.train.steps import open_train, says
from ui.train import network_builder


def kinds(app):
    return [block.layer.kind for block in session(app).blocks]


def press(app, key):
    next(button for button in app.button if button.key == key).click().run()
    assert not app.exception


def test_the_builder_shows_each_layers_output_and_parameters():
    app = open_train()
    widget(app.selectbox, "Preset").select("cnn").run()
    network = engine.Network(RECIPES["cnn"].config.layers)
    rows = [block.proto.body for block in app.get("html") if '<div class="inkling-layer' in block.proto.body]
    assert len(rows) == len(network.layers)
    x = np.zeros((1, 1, 28, 28), np.float32)
    for row, layer in zip(rows, network.layers, strict=True):
        x = layer.forward(x)
        assert f"→ {' x '.join(map(str, x.shape[1:]))}" in row
        if layer.kind in ("dense", "conv2d"):
            assert f"· {layer.W.size + layer.b.size:,}" in row


def test_layers_are_added_moved_changed_and_removed():
    app = open_train()
    widget(app.selectbox, "New layer").select("dropout").run()
    button(app, "Add").click().run()
    assert kinds(app) == ["dense", "activation", "dropout", "dense"]
    dropout, activation = session(app).blocks[2].number, session(app).blocks[1].number
    app.session_state[f"more of layer {dropout}"] = True
    app.run()
    press(app, f"Up layer {dropout}")
    assert kinds(app) == ["dense", "dropout", "activation", "dense"]
    press(app, f"Remove layer {dropout}")
    assert kinds(app) == ["dense", "activation", "dense"]
    assert session(app).blocks[1].number == activation


def test_a_network_that_cannot_work_says_which_two_layers_do_not_fit_and_cannot_be_started():
    app = open_train()
    widget(app.selectbox, "New layer").select("conv2d").run()
    button(app, "Add").click().run()
    error = app.error[0].value.replace("\\", "")
    assert "layer 3, Conv2D(" in error
    assert "layer 2, Activation(" in error
    assert button(app, "Start").disabled
    assert any("fix the error" in caption.value for caption in app.caption)


def test_a_network_of_100_layers_is_planned_once_a_run_and_takes_no_more_layers(monkeypatch):
    app = open_train(layers="flatten," * (MAX_LAYERS - 2) + "dense:10")
    assert len(kinds(app)) == MAX_LAYERS - 1
    planned = []
    monkeypatch.setattr(Flatten, "parameter_shapes", lambda layer, shape: planned.append(layer) or {})
    app.run()
    few = len(planned)
    assert few <= 5 * MAX_LAYERS  # by the builder, the configuration and the number of parameters
    button(app, "Add").click().run()
    assert len(kinds(app)) == MAX_LAYERS
    assert button(app, "Add").disabled


def test_a_network_that_stays_linear_is_pointed_out_and_put_right():
    app = open_train()
    assert not app.warning
    button(app, "Add").click().run()
    assert says(app.warning, "4 Dense needs an activation before it")
    button(app, "Add ReLU before 4 Dense").click().run()
    assert not app.exception
    assert kinds(app) == ["dense", "activation", "dense", "activation", "dense"]
    assert not app.warning


def test_two_activations_in_a_row_are_pointed_out():
    app = open_train()
    widget(app.selectbox, "New layer").select("activation").run()
    button(app, "Add").click().run()
    assert says(app.warning, "3 Activation comes straight after 2 Activation")


@pytest.mark.parametrize("name", RECIPES)
def test_no_preset_is_called_linear(name):
    assert not network_builder.missing_activation(RECIPES[name].config.layers)
