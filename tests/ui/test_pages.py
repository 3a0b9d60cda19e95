"""Each page run through ``AppTest``, from ``streamlit_app.py`` as a visitor comes in."""

import base64
import io
from time import monotonic, sleep

import numpy as np
import pytest
from helpers import make_digits
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.data import mnist as mnist_module
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
    assert widget(app.selectbox, "Network").value == session.label(app.session_state["runs"][0], snapshot)


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
