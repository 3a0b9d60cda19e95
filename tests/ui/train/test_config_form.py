"""The settings on the Train page."""

import pytest
from pages import button, open_app, widget

from engine import Config
from engine.data import mnist as mnist_module
from engine.data.augmentation import Augmentation
from engine.layers import Activation, Dense
from engine.recipes import RECIPES
from tests.ui.train.steps import open_train, runs, says
from ui import datasets


def test_every_setting_has_a_help_text():
    app = open_train()
    widgets = [*app.slider, *app.select_slider, *app.selectbox, *app.number_input, *app.toggle]
    assert len(widgets) >= 20
    assert [w.label for w in widgets if not w.help and w.label != "Speed"] == []  # which is run control


def test_a_closed_page_shows_only_the_settings_that_matter_most():
    app = open_app("ui/train/page.py")
    shown = [w.label for w in (*app.selectbox, *app.select_slider, *app.number_input)]
    assert shown == ["Data", "Preset", "Batch size", "Speed", "Learning rate", "Epochs"]


def test_choosing_an_optimizer_sets_a_usual_learning_rate():
    app = open_train()
    widget(app.selectbox, "Optimizer").select("sgd").run()
    assert widget(app.select_slider, "Learning rate").value == 0.2


@pytest.mark.parametrize("name", RECIPES)
def test_a_preset_sets_everything_and_says_where_it_comes_from(name, sets):
    app = open_train()
    widget(app.selectbox, "Preset").select(name).run()
    assert not app.exception
    assert says(app.caption, RECIPES[name].title)
    button(app, "1 batch").click().run()
    assert runs(app)[-1].config == RECIPES[name].config


def test_every_setting_reaches_the_training(sets):
    app = open_train()
    for label, value in {
        "Function": "tanh",
        "Optimizer": "nesterov",
        "Batch size": 32,
        "Loss": "softmax_mse",
        "Schedule": "cosine",
        "Augmentation": "custom",
        "Weight decay": 0.001,
        "L1": 0.0001,
        "Weight averaging": 0.99,
        "Early stopping": 5,
        "Gradient clipping": 1.0,
        "Training images": 1_000,
    }.items():
        widget(app.selectbox, label).select(value).run()
    widget(app.select_slider, "Learning rate").set_value(0.05).run()
    widget(app.toggle, "Shuffle").set_value(False).run()
    numbers = {"Units": 20, "Momentum": 0.5, "Label smoothing": 0.1, "Epochs": 1, "Seed": 7, "Rotation": 12.0}
    for label, value in numbers.items():
        widget(app.number_input, label).set_value(value).run()
    button(app, "Start").click().run()
    assert runs(app)[-1].config == Config(
        layers=(Dense(20), Activation("tanh"), Dense(10)),
        optimizer="nesterov",
        batch_size=32,
        loss="softmax_mse",
        schedule="cosine",
        augmentation=Augmentation(rotation=12),
        learning_rate=0.05,
        label_smoothing=0.1,
        weight_decay=0.001,
        l1=0.0001,
        ema_decay=0.99,
        max_grad_norm=1.0,
        momentum=0.5,
        shuffle=False,
        train_size=1_000,
        epochs=1,
        seed=7,
        patience=5,
    )


def test_nothing_is_a_choice_like_any_other(sets):
    app = open_train()
    batch = widget(app.selectbox, "Batch size")
    assert "all images" in batch.options
    batch.select("").run()
    widget(app.selectbox, "Training images").select(1_000).run()
    button(app, "1 batch").click().run()
    assert runs(app)[0].config.batch_size is None


def test_what_was_changed_since_the_preset_is_shown_and_can_be_undone():
    app = open_train()
    widget(app.number_input, "Epochs").set_value(9).run()
    assert says(app.caption, "epochs 6 → 9")
    button(app, "Undo the changes").click().run()
    assert widget(app.number_input, "Epochs").value == 6
    assert not says(app.caption, "Changed from")


def test_without_mnist_the_page_says_so_and_has_chosen_data_that_needs_no_download(monkeypatch, tmp_path):
    monkeypatch.delenv(mnist_module.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_module, "cache_folder", lambda: tmp_path)
    app = open_train()
    assert widget(app.selectbox, "Data").value == "synthetic"
    assert says(app.caption, "It is not on this machine yet: Start downloads it first.")
    offer = app.segmented_control[0] if hasattr(app, "segmented_control") else app.button_group[0]
    assert offer.value == "synthetic"
    offer.set_value("mnist").run()
    assert widget(app.selectbox, "Data").value == "mnist"
    assert says(app.caption, "Start downloads it first (11 MB)")
    datasets._loaded.clear()
    button(app, "Start").click().run()
    assert not app.exception
    assert str(tmp_path) in app.error[0].value.replace("\\", "")
    assert "\n" not in app.error[0].value
    assert runs(app) == []
