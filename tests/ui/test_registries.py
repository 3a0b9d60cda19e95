"""What is registered in the engine is offered on the Train page, with its label, and reaches the training."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from pages import open_app, widget

from engine.activations import ACTIVATIONS, ReLU
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.initializers import INITIALIZERS
from engine.layers import LAYERS, Layer
from engine.losses import LOSSES, CrossEntropy
from engine.optimizers import OPTIMIZERS, SGD
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES, Constant
from engine.setting_fields import Number, setting


class Softplus(ReLU):
    label = "softplus"


class FocalLoss(CrossEntropy):
    label = "focal loss"


@dataclass
class SignSGD(SGD):
    label = "Sign SGD"
    usual_learning_rate = 0.0005


@dataclass(frozen=True)
class Triangle(Constant):
    label = "triangle"


@dataclass
class Scale(Layer):
    kind = "scale"
    label = "Scale"
    main_setting = "factor"
    factor: float = setting("Factor", "What every number is multiplied by.", Number(0, 10), default=2.0)

    def forward(self, x, training=False):
        return x * np.float32(self.factor)

    def backward(self, dy, input_gradient=True):
        return dy * np.float32(self.factor)


@pytest.fixture
def page(monkeypatch):
    """The Train page with everything unfolded, after one new entry in every registry."""
    for registry, key, entry in (
        (ACTIVATIONS, "softplus", Softplus()),
        (INITIALIZERS, "orthogonal", INITIALIZERS["he_normal"]),
        (LAYERS, "scale", Scale),
        (LOSSES, "focal", FocalLoss()),
        (OPTIMIZERS, "sign_sgd", SignSGD),
        (SCHEDULES, "triangle", Triangle()),
        (AUGMENTATIONS, "upside_down", Augmentation(rotation=180)),
        (RECIPES, "shallow", replace(RECIPES["quick"], name="shallow", title="One layer", config=Config(epochs=3))),
    ):
        monkeypatch.setitem(registry, key, entry)
    app = open_app("ui/train/page.py")
    app.session_state["network_open"] = app.session_state["more_open"] = True
    app.run()
    return app


@pytest.mark.parametrize(
    ("box", "label"),
    [
        ("Function", "softplus"),
        ("New layer", "Scale"),
        ("Loss", "focal loss"),
        ("Optimizer", "Sign SGD"),
        ("Schedule", "triangle"),
        ("Augmentation", "upside_down"),
        ("Preset", "shallow"),
    ],
)
def test_a_new_entry_of_a_registry_is_offered(page, box, label):
    assert label in widget(page.selectbox, box).options


def test_a_new_initializer_is_offered_in_a_layers_settings(page):
    page.session_state[f"more of layer {page.session_state['session'].blocks[0].number}"] = True
    assert "orthogonal" in widget(page.run().selectbox, "Initial weights").options


def test_a_new_layer_gets_a_row_with_its_main_setting(page):
    widget(page.selectbox, "New layer").select("scale").run()
    next(button for button in page.button if button.label == "Add").click().run()
    assert not page.exception
    assert widget(page.number_input, "Factor").value == 2.0
    assert page.session_state["session"].blocks[-2].layer == Scale()


def test_a_new_optimizer_sets_its_usual_learning_rate(page):
    widget(page.selectbox, "Optimizer").select("sign_sgd").run()
    assert widget(page.select_slider, "Learning rate").value == 0.0005


def test_a_new_recipe_fills_the_form(page):
    widget(page.selectbox, "Preset").select("shallow").run()
    assert widget(page.number_input, "Epochs").value == 3
    assert any("One layer" in caption.value for caption in page.caption)
