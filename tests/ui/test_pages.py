"""Each page run through ``AppTest``, from ``streamlit_app.py`` as a visitor comes in."""

import base64
import io
from time import monotonic, sleep

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine import Config, dense_layers
from engine.data import mnist as mnist_module
from engine.data.augmentation import AUGMENTATIONS
from engine.recipes import RECIPES
from ui import session
from ui.canvas import KEY

WAIT = 30  # seconds that a tiny training may take on a busy machine
SEVEN = [["M", 60, 60], ["Q", 200, 60, 200, 60], ["L", 120, 220]]
ONE = [["M", 140, 50], ["L", 140, 230]]


def open_app(page=None):
    app = AppTest.from_file("../../streamlit_app.py", default_timeout=20).run()
    return app.switch_page(page).run() if page else app


def draw(app, *paths):
    """Report these strokes as the canvas does."""
    picture = io.BytesIO()
    Image.new("RGBA", (280, 280)).save(picture, "PNG")
    objects = [{"type": "Path", "strokeWidth": 18, "path": path} for path in paths]
    url = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    app.session_state[KEY] = {"drawing": {"raw": {"objects": objects}, "data": url}}
    return app.run()


def answer(app):
    return next(block.proto.body for block in app.get("html") if "inkling-answer" in block.proto.body)


def button(app, label):
    return next(b for b in app.button if b.label == label)


def widget(widgets, label):
    return next(w for w in widgets if w.label == label)


@pytest.fixture
def tiny_mnist(monkeypatch):
    """The page's MNIST replaced by a small set, so that a run takes a moment."""
    sets = make_digits(1200, 1), make_digits(300, 2)
    monkeypatch.setattr(session, "load_mnist", lambda bar: sets)
    return sets


def run_to_end(app):
    deadline = monotonic() + WAIT
    run = app.session_state["runs"][-1]
    while not run.job.snapshot().over:
        assert monotonic() < deadline, "the training did not end"
        sleep(0.05)
    return app.run()


def test_an_empty_canvas_says_what_to_do_and_predicts_nothing():
    app = open_app()
    assert not app.exception
    assert "Draw a digit from 0 to 9" in answer(app)
    assert "%" not in answer(app).replace("width:0.00%", "")


def test_a_drawing_is_read_with_ten_probabilities_and_the_image_that_was_seen():
    app = draw(open_app(), SEVEN)
    body = answer(app)
    assert '<div class="inkling-digit" data-empty="False">7</div>' in body
    assert body.count("<li") == 10
    assert body.count('class="winner"') == 1
    encoded = body.split("data:image/png;base64,")[1].split('"')[0]
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert seen.shape == (28, 28)
    assert seen.max() == 255


def test_undo_takes_back_the_last_stroke_and_clear_all():
    app = draw(open_app(), ONE, SEVEN)
    both = answer(app)
    button(app, "Undo").click().run()
    assert len(app.session_state["drawing"].objects) == 1
    assert answer(app) != both
    button(app, "Clear").click().run()
    assert "Draw a digit from 0 to 9" in answer(app)
    assert button(app, "Undo").disabled
    assert button(app, "Clear").disabled


def test_the_drawing_and_the_settings_survive_a_page_switch():
    app = draw(open_app(), SEVEN)
    before = answer(app)
    app.switch_page("ui/train.py").run()
    widget(app.number_input, "Epochs").set_value(3).run()
    app.switch_page("ui/draw.py").run()
    assert answer(app) == before
    app.switch_page("ui/train.py").run()
    assert widget(app.number_input, "Epochs").value == 3


def test_every_setting_has_a_help_text():
    app = open_app("ui/train.py")
    widgets = [*app.slider, *app.select_slider, *app.selectbox, *app.number_input, *app.toggle]
    assert len(widgets) >= 13
    assert [w.label for w in widgets if not w.help] == []


def test_choosing_an_optimizer_sets_a_usual_learning_rate():
    app = open_app("ui/train.py")
    widget(app.selectbox, "Optimizer").select("sgd").run()
    assert widget(app.select_slider, "Learning rate").value == 0.2


@pytest.mark.usefixtures("tiny_mnist")
def test_a_network_is_trained_and_then_drawn_with():
    app = open_app("ui/train.py")
    widget(app.number_input, "Epochs").set_value(20).run()
    button(app, "Start").click().run()
    assert not app.exception
    run_to_end(app)
    assert not button(app, "Start").disabled
    assert "300 test images right" in app.success[0].value
    snapshot = app.session_state["runs"][0].job.snapshot()
    assert snapshot.state == "finished"
    assert len(snapshot.history) == 20
    button(app, "Draw with this network").click().run()
    assert widget(app.selectbox, "Network").value == "Run 1"


@pytest.mark.usefixtures("tiny_mnist")
def test_pause_stands_still_resume_goes_on_and_stop_keeps_the_network():
    app = open_app("ui/train.py")
    widget(app.number_input, "Epochs").set_value(2_000).run()
    button(app, "Start").click().run()
    button(app, "Pause").click().run()
    job = app.session_state["runs"][0].job
    sleep(0.2)
    step = job.snapshot().step
    sleep(0.3)
    assert job.snapshot().step == step
    button(app.run(), "Resume").click().run()
    deadline = monotonic() + WAIT
    while job.snapshot().step == step:
        assert monotonic() < deadline
        sleep(0.05)
    button(app, "Stop").click().run()
    assert job.snapshot().state == "stopped"
    assert any(
        label.startswith("Run 1") for label in widget(app.switch_page("ui/draw.py").run().selectbox, "Network").options
    )


@pytest.mark.usefixtures("tiny_mnist")
def test_a_run_that_diverges_is_explained_and_can_be_started_again():
    app = open_app("ui/train.py")
    widget(app.selectbox, "Optimizer").select("sgd").run()
    widget(app.select_slider, "Learning rate").set_value(10.0).run()
    widget(app.selectbox, "Loss").select("mse").run()
    widget(app.selectbox, "Activation").select("identity").run()
    widget(app.slider, "Hidden layers").set_value(3).run()
    button(app, "Start").click().run()
    run_to_end(app)
    assert "learning rate smaller than 10" in app.error[0].value
    assert not button(app, "Start").disabled


@pytest.mark.usefixtures("tiny_mnist")
def test_a_run_that_learned_nothing_says_so():
    app = open_app("ui/train.py")
    widget(app.selectbox, "Initialiser").select("zeros").run()
    button(app, "Start").click().run()
    run_to_end(app)
    assert "by guessing" in app.warning[0].value


def test_without_mnist_and_without_network_the_page_says_so_and_drawing_goes_on(monkeypatch, tmp_path):
    monkeypatch.delenv(mnist_module.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_module, "cache_folder", lambda: tmp_path)
    session.load_mnist.clear()
    app = open_app("ui/train.py")
    assert any("Start downloads it" in caption.value for caption in app.caption)
    button(app, "Start").click().run()
    assert not app.exception
    assert str(tmp_path) in app.error[0].value
    assert "\n" not in app.error[0].value
    app.switch_page("ui/draw.py").run()
    assert '<div class="inkling-digit" data-empty="False">7</div>' in answer(draw(app, SEVEN))


def test_a_broken_shipped_network_is_named_and_the_page_still_opens(monkeypatch, tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"not a network")
    monkeypatch.setattr(session, "PRETRAINED", tmp_path)
    session.shipped_networks.clear()
    try:
        app = open_app()
        assert not app.exception
        assert "broken.npz" in app.warning[0].value
        assert "Train page" in app.info[0].value
    finally:
        session.shipped_networks.clear()


@pytest.mark.usefixtures("tiny_mnist")
def test_every_setting_reaches_the_training():
    app = open_app("ui/train.py")
    for label, value in {
        "Activation": "tanh",
        "Optimizer": "nesterov",
        "Batch size": 32,
        "Loss": "softmax_mse",
        "Initialiser": "glorot_normal",
        "Schedule": "cosine",
        "Augmentation": "light",
    }.items():
        widget(app.selectbox, label).select(value).run()
    for label, value in {"Learning rate": 0.05, "Weight decay": 0.001, "Training images": 5_000}.items():
        widget(app.select_slider, label).set_value(value).run()
    widget(app.slider, "Hidden layers").set_value(2).run()
    widget(app.slider, "Momentum").set_value(0.5).run()
    for label, value in {"Units in layer 1": 20, "Units in layer 2": 30, "Epochs": 1, "Seed": 7}.items():
        widget(app.number_input, label).set_value(value).run()
    widget(app.toggle, "Stop early").set_value(True).run()
    button(app, "Start").click().run()
    assert app.session_state["runs"][-1].config == Config(
        layers=dense_layers((20, 30), "tanh", "glorot_normal"),
        optimizer="nesterov",
        batch_size=32,
        loss="softmax_mse",
        schedule="cosine",
        augmentation=AUGMENTATIONS["light"],
        learning_rate=0.05,
        weight_decay=0.001,
        momentum=0.5,
        images=5_000,
        epochs=1,
        seed=7,
        patience=5,
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_chosen_and_says_what_it_is(name):
    app = open_app("ui/train.py")
    widget(app.selectbox, "Start from").select(name).run()
    assert not app.exception
    assert any(RECIPES[name].title in markdown.value for markdown in app.markdown)
    assert widget(app.number_input, "Epochs").value == RECIPES[name].config.epochs


@pytest.mark.usefixtures("tiny_mnist")
def test_a_convolutional_recipe_trains_from_the_page():
    app = open_app("ui/train.py")
    widget(app.selectbox, "Start from").select("cnn").run()
    widget(app.number_input, "Epochs").set_value(1).run()
    button(app, "Start").click().run()
    app = run_to_end(app)
    assert not app.exception
    assert app.session_state["runs"][-1].job.snapshot().state == "finished"


@pytest.mark.usefixtures("tiny_mnist")
def test_a_network_that_still_trains_can_be_drawn_with_and_one_that_ends_meanwhile_appears():
    app = open_app("ui/train.py")
    widget(app.number_input, "Epochs").set_value(2_000).run()
    button(app, "Start").click().run()
    app.switch_page("ui/draw.py").run()
    choice = widget(app.selectbox, "Network")
    assert any("as it is now" in option for option in choice.options)
    job = app.session_state["runs"][-1].job
    job.stop()
    assert job.wait(10)
    draw(app, SEVEN)
    assert any(option.startswith("Run 1 (") and "now" not in option for option in widget(app.selectbox, "Network").options)
