"""Each page run through ``AppTest``, from ``streamlit_app.py`` as a visitor comes in. The Train page: ``test_train.py``."""

import base64
import io

import numpy as np
import pytest
from pages import ONE, SEVEN, answer, button, draw, open_app, under_way, widget
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

import engine
from engine.recipes import RECIPES
from ui import controls, session


def test_an_empty_canvas_says_what_to_do_and_predicts_nothing():
    app = open_app()
    assert not app.exception
    assert "Draw a digit from 0 to 9" in answer(app)
    assert "%" not in answer(app).replace("width:0.00%", "")


def test_a_drawing_is_read_with_ten_probabilities_and_the_image_that_was_seen():
    app = draw(open_app(), SEVEN)
    body = answer(app)
    assert '<div class="inkling-digit" data-sure="True">7</div>' in body
    assert body.count("<li") == 10
    assert body.count('class="winner"') == 1
    encoded = body.split("data:image/png;base64,")[1].split('"')[0]
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert seen.shape == (28, 28)
    assert seen.max() == 255


def test_where_the_network_is_not_sure_the_page_names_no_digit(monkeypatch, tmp_path):
    untrained = engine.Network(engine.dense_layers((16,)), rng=np.random.default_rng(0))
    engine.save(tmp_path / "mlp.npz", untrained, threshold=0.99)
    monkeypatch.setattr(session, "PRETRAINED", tmp_path)
    session.shipped_networks.clear()
    try:
        body = answer(draw(open_app(), SEVEN))
    finally:
        session.shipped_networks.clear()
    assert "Not sure" in body
    assert 'class="winner"' not in body
    assert body.count("<li") == 10


def test_a_stroke_is_read_while_it_is_drawn_and_said_aloud_when_the_canvas_has_it():
    points = [[60, 60], [200, 60], [120, 220]]
    app = open_app()
    readings = [answer(under_way(app, points[:length])) for length in (2, 3)]
    assert readings[0] != readings[1]
    assert ">7</div>" in readings[1]
    assert '<p class="inkling-spoken" role="status"></p>' in readings[1]
    body = answer(draw(app, SEVEN))
    assert ">7</div>" in body
    spoken = body.split('role="status">')[1]
    assert spoken.startswith("7, ")
    assert "confident" in spoken
    assert len(app.session_state["drawing"].objects) == 1
    assert app.session_state["drawing"].pending == []


def test_a_page_switch_keeps_a_stroke_under_way_and_the_history():
    app = draw(open_app(), SEVEN)
    button(app, "Clear").click().run()
    button(app, "Undo").click().run()
    under_way(app, [[140, 50], [140, 230]])
    app.switch_page("ui/train.py").run()
    app.switch_page("ui/draw.py").run()
    assert len(app.session_state["drawing"].objects) == 2
    button(app, "Undo").click().run()
    assert len(app.session_state["drawing"].objects) == 1
    button(app, "Undo").click().run()
    assert "Draw a digit from 0 to 9" in answer(app)


def test_undo_takes_back_the_last_stroke_and_clear_all():
    app = draw(open_app(), ONE, SEVEN)
    both = answer(app)
    button(app, "Undo").click().run()
    assert len(app.session_state["drawing"].objects) == 1
    assert answer(app) != both
    button(app, "Clear").click().run()
    assert "Draw a digit from 0 to 9" in answer(app)
    assert button(app, "Redo").disabled


def test_clear_can_be_undone_and_redone():
    app = draw(open_app(), SEVEN)
    assert button(app, "Redo").disabled
    before = answer(app)
    button(app, "Clear").click().run()
    button(app, "Undo").click().run()
    assert answer(app) == before
    button(app, "Redo").click().run()
    assert "Draw a digit from 0 to 9" in answer(app)


def test_the_drawing_and_the_settings_survive_a_page_switch():
    app = draw(open_app(), SEVEN)
    before = answer(app)
    app.switch_page("ui/train.py").run()
    widget(app.number_input, "Epochs").set_value(3).run()
    app.switch_page("ui/draw.py").run()
    assert answer(app) == before
    app.switch_page("ui/train.py").run()
    assert widget(app.number_input, "Epochs").value == 3


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


@pytest.mark.parametrize("page", ["ui/draw.py", "ui/train.py"])
def test_a_page_drawn_anew_leaves_its_widgets_to_the_visitor(page):
    """Else a click that comes while the page is drawn would be taken back."""
    app = open_app(page)
    app.run()
    assert written(app) == []


def test_settings_that_are_unfolded_or_of_a_page_come_back_to_are_told_to_the_browser():
    """It shows a widget that it has not kept as at first, and would then say that back."""
    app = open_app("ui/train.py")
    widget(app.number_input, "Epochs").set_value(3).run()
    app.session_state["kept:more open"] = True
    app.run()
    assert {"Seed", "Optimizer"} <= {widget.label for widget in written(app)}
    app.run()
    assert written(app) == []
    app.switch_page("ui/draw.py").run()
    app.switch_page("ui/train.py").run()
    assert {"Seed", "Epochs"} <= {widget.label for widget in written(app)}
    assert widget(app.number_input, "Epochs").value == 3


def test_settings_of_a_preset_hold_where_its_run_is_cut_short_by_another_click(monkeypatch):
    app = open_app("ui/train.py")
    earlier = [widget._widget_state for widget in (*app.number_input, *app.select_slider)]
    cut_short(monkeypatch, earlier)  # that click left the browser before it had heard of the new values
    widget(app.selectbox, "Preset").select("cnn").run()
    config = RECIPES["cnn"].config
    assert widget(app.select_slider, "Learning rate").value == config.learning_rate
    assert widget(app.number_input, "Epochs").value == config.epochs
    assert {"Learning rate", "Epochs"} <= {widget.label for widget in written(app)}
    widget(app.number_input, "Epochs").set_value(9).run()
    assert app.run().number_input[0].value == 9


def test_settings_that_were_unfolded_in_a_run_that_was_cut_short_are_told_again(monkeypatch):
    app = open_app("ui/train.py")
    app.session_state["kept:more open"] = True
    cut_short(monkeypatch, [])
    app.run()
    assert {"Seed", "Optimizer"} <= {widget.label for widget in written(app)}


def test_settings_of_a_page_that_is_come_back_to_are_told_again_though_no_run_of_the_other_was_complete(monkeypatch):
    app = open_app()
    widget(app.slider, "Pen width").set_value(30).run()
    cut_short(monkeypatch, [], page="")
    app.switch_page("ui/train.py").run()
    assert app.title[0].value == "Draw a digit"
    assert "Pen width" in {widget.label for widget in written(app)}
    assert widget(app.slider, "Pen width").value == 30


def test_the_labels_of_select_boxes_do_not_change_with_what_is_drawn():
    """The browser holds a choice as its label, and would go on with one that is no more."""
    app = draw(open_app(), SEVEN)
    app.session_state["kept:asked of the drawing"] = "Why"
    before = [(box.label, box.options) for box in app.run().selectbox]
    assert {"Network", "Why a", "and not a"} == {label for label, _ in before}
    assert before == [(box.label, box.options) for box in draw(app, ONE).selectbox]


def cut_short(monkeypatch, widgets, page=None):
    """Have the next run of the Train page give way, once its settings are drawn, to one that these states came with, of
    that ``page`` by its hash, else of the same."""
    follow, states = controls.follow, WidgetStates(widgets=widgets)

    def interrupted(run):
        monkeypatch.setattr(controls, "follow", follow)
        here = get_script_run_ctx().page_script_hash
        raise RerunException(RerunData(widget_states=states, page_script_hash=here if page is None else page))

    monkeypatch.setattr(controls, "follow", interrupted)


def written(app):
    """The widgets whose value is sent to the browser, where it takes the place of the visitor's."""
    widgets = [*app.selectbox, *app.slider, *app.toggle, *app.number_input, *app.select_slider]
    assert len(widgets) > 2
    return [widget for widget in widgets if widget.proto.set_value and not widget.proto.disabled]
