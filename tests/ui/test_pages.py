"""The Draw page, and the way between the pages, through ``AppTest``."""

import numpy as np
import pytest
from pages import ONE, SEVEN, answer, draw, draw_live, drawing, open_app, press, session, widget
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

import engine
from engine.recipes import RECIPES
from ui import networks
from ui.draw import image_input
from ui.draw.panels.tabs import KEY
from ui.train import run_controls


def test_an_empty_canvas_says_what_to_do_and_predicts_nothing():
    app = open_app()
    assert not app.exception
    assert "Draw a digit from 0 to 9" in answer(app)
    assert "%" not in answer(app).replace("--p:0.00%", "")


def test_a_drawing_is_read_with_ten_probabilities():
    app = draw(open_app(), SEVEN)
    body = answer(app)
    assert '<div class="inkling-digit" data-sure="True">7</div>' in body
    assert body.count("<li") == 10
    assert body.count('class="winner"') == 1


def test_if_the_network_is_not_sure_the_page_names_no_digit(monkeypatch, tmp_path):
    untrained = engine.Network(engine.dense_layers((16,)), rng=np.random.default_rng(0))
    engine.save(tmp_path / "mlp.npz", untrained, threshold=0.99)
    monkeypatch.setattr(networks, "PRETRAINED", tmp_path)
    networks.shipped_networks.cache_clear()
    try:
        body = answer(draw(open_app(), SEVEN))
    finally:
        networks.shipped_networks.cache_clear()
    assert "This doesn't look like a digit" in body
    assert 'class="winner"' not in body
    assert body.count("<li") == 10


def test_a_stroke_is_read_while_it_is_drawn_and_spoken_after_the_canvas_has_reported_it():
    points = [[60, 60], [200, 60], [120, 220]]
    app = open_app()
    panels = [answer(draw_live(app, points[:length])) for length in (2, 3)]
    assert panels[0] != panels[1]
    assert ">7</div>" in panels[1]
    assert '<p class="inkling-spoken" role="status"></p>' in panels[1]
    body = answer(draw(app, SEVEN))
    assert ">7</div>" in body
    spoken = body.split('role="status">')[1]
    assert spoken.startswith("7, ")
    assert "sure" in spoken
    assert len(drawing(app).objects) == 1
    assert drawing(app).pending == []


def test_a_growing_stroke_and_the_history_survive_a_page_switch():
    app = draw(open_app(), SEVEN)
    press(app, "clear")
    press(app, "undo")
    draw_live(app, [[140, 50], [140, 230]])
    app.switch_page("ui/train/page.py").run()
    app.switch_page("ui/draw/page.py").run()
    assert len(drawing(app).objects) == 2
    press(app, "undo")
    assert len(drawing(app).objects) == 1
    press(app, "undo")
    assert "Draw a digit from 0 to 9" in answer(app)


def test_undo_takes_back_the_last_stroke_and_clear_all():
    app = draw(open_app(), ONE, SEVEN)
    both = answer(app)
    press(app, "undo")
    assert len(drawing(app).objects) == 1
    assert answer(app) != both
    press(app, "clear")
    assert "Draw a digit from 0 to 9" in answer(app)
    assert not drawing(app).possible_actions["redo"]


def test_clear_can_be_undone_and_redone():
    app = draw(open_app(), SEVEN)
    assert not drawing(app).possible_actions["redo"]
    before = answer(app)
    press(app, "clear")
    press(app, "undo")
    assert answer(app) == before
    press(app, "redo")
    assert "Draw a digit from 0 to 9" in answer(app)


def test_the_drawing_and_the_settings_survive_a_page_switch():
    app = draw(open_app(), SEVEN)
    before = answer(app)
    app.switch_page("ui/train/page.py").run()
    widget(app.number_input, "Epochs").set_value(3).run()
    app.switch_page("ui/draw/page.py").run()
    assert answer(app) == before
    app.switch_page("ui/train/page.py").run()
    assert widget(app.number_input, "Epochs").value == 3


def test_a_broken_shipped_network_is_named_and_the_page_still_opens(monkeypatch, tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"not a network")
    monkeypatch.setattr(networks, "PRETRAINED", tmp_path)
    networks.shipped_networks.cache_clear()
    try:
        app = open_app()
        assert not app.exception
        assert r"broken\.npz" in app.warning[0].value  # escaped for Markdown
        assert "Train page" in app.info[0].value
    finally:
        networks.shipped_networks.cache_clear()


@pytest.mark.parametrize("page", ["ui/draw/page.py", "ui/train/page.py"])
def test_a_page_drawn_again_sends_no_values_to_its_widgets(page):
    """Otherwise a click while the page is being drawn would be undone."""
    app = open_app(page)
    app.run()
    assert written(app) == []


def test_settings_shown_again_have_their_values_sent_to_the_browser():
    """Otherwise it would show a widget with its first value, and send that back."""
    app = open_app("ui/train/page.py")
    app.session_state["seed"] = 5  # other than the first value of its widget
    widget(app.number_input, "Epochs").set_value(3).run()
    app.session_state["more_open"] = True
    app.run()
    assert {"Seed", "Optimizer"} <= {widget.label for widget in written(app)}
    app.run()
    assert written(app) == []
    session(app).open_parts["more_open"] = True  # as a click does
    app.switch_page("ui/draw/page.py").run()
    app.switch_page("ui/train/page.py").run()
    assert {"Seed", "Epochs"} <= {widget.label for widget in written(app)}
    assert widget(app.number_input, "Epochs").value == 3


def test_settings_of_a_preset_hold_if_another_click_cuts_its_run_short(monkeypatch):
    app = open_app("ui/train/page.py")
    earlier = [widget._widget_state for widget in (*app.number_input, *app.select_slider)]
    cut_short(monkeypatch, earlier)  # that click left the browser before it had the new values
    widget(app.selectbox, "Preset").select("cnn").run()
    config = RECIPES["cnn"].config
    assert widget(app.select_slider, "Learning rate").value == config.learning_rate
    assert widget(app.number_input, "Epochs").value == config.epochs
    assert {"Learning rate", "Epochs"} <= {widget.label for widget in written(app)}
    widget(app.number_input, "Epochs").set_value(9).run()
    assert app.run().number_input[0].value == 9


def test_an_earlier_optimizer_in_a_late_click_does_not_change_the_rate_of_a_new_preset(monkeypatch):
    app = open_app("ui/train/page.py")
    app.session_state["more_open"] = True
    app.run()
    widget(app.selectbox, "Preset").select("mlp").run()
    earlier = [box._widget_state for box in app.selectbox if box.label != "Preset"]  # with the optimizer of mlp
    cut_short(monkeypatch, earlier)
    widget(app.selectbox, "Preset").select("cnn").run()
    assert widget(app.select_slider, "Learning rate").value == RECIPES["cnn"].config.learning_rate
    assert widget(app.selectbox, "Optimizer").value == RECIPES["cnn"].config.optimizer


def test_settings_first_shown_in_a_run_that_was_cut_short_are_sent_again(monkeypatch):
    app = open_app("ui/train/page.py")
    app.session_state["seed"] = 5
    app.run()
    app.session_state["more_open"] = True
    cut_short(monkeypatch, [])
    app.run()
    assert {"Seed", "Optimizer"} <= {widget.label for widget in written(app)}


def test_values_survive_a_page_switch_that_was_cut_short(monkeypatch):
    app = open_app()
    widget(app.slider, "Pen width").set_value(30).run()
    cut_short(monkeypatch, [], page="")
    app.switch_page("ui/train/page.py").run()
    assert app.title[0].value == "Inkling: draw a digit"
    assert "Pen width" in {widget.label for widget in written(app)}
    assert widget(app.slider, "Pen width").value == 30


def test_the_choice_of_a_network_and_of_a_surface_is_not_undone_by_the_next_page_switch():
    app = draw(open_app(), SEVEN)
    widget(app.toggle, "Draw with keys").set_value(True).run()
    app.button(key="sample 4").click().run()  # returns to the canvas
    widget(app.toggle, "Draw with keys").set_value(True).run()
    widget(app.selectbox, "Network").select("mlp").run()
    app.switch_page("ui/train/page.py").run()
    app.switch_page("ui/draw/page.py").run()
    assert widget(app.toggle, "Draw with keys").value
    assert widget(app.selectbox, "Network").value == "mlp"


def test_names_from_outside_are_shown_literally():
    """They may hold characters of Markdown."""
    app = draw(open_app(), SEVEN)
    app.session_state[image_input.MENU.format(0)] = True
    app.run().file_uploader(key="picture").upload("a*b*$c$.png", b"no image").run()
    assert app.error[0].value.startswith(r"a\*b\*\$c\$\.png is not an image")


def test_the_labels_of_select_boxes_do_not_change_with_what_is_drawn():
    """The browser stores a choice as its label, and would go on with a label that no longer exists."""
    app = draw(open_app(), SEVEN)
    app.session_state[KEY] = "Why"
    before = [(box.label, box.options) for box in app.run().selectbox]
    assert {"Network", "Why", "instead of"} == {label for label, _ in before}
    assert before == [(box.label, box.options) for box in draw(app, ONE).selectbox]


def cut_short(monkeypatch, widgets, page=None):
    """Interrupt the next run of the Train page, once its settings are drawn, by a rerun with these widget states.

    The rerun is of the ``page`` with this hash, or of the same page.
    """
    follow_drawing, states = run_controls.follow_drawing, WidgetStates(widgets=widgets)

    def interrupted(run):
        monkeypatch.setattr(run_controls, "follow_drawing", follow_drawing)
        context = get_script_run_ctx()
        assert context is not None
        page_hash = context.page_script_hash if page is None else page
        raise RerunException(RerunData(widget_states=states, page_script_hash=page_hash))

    monkeypatch.setattr(run_controls, "follow_drawing", interrupted)


def written(app):
    """The widgets whose value is sent to the browser, where it replaces the visitor's."""
    widgets = [*app.selectbox, *app.slider, *app.toggle, *app.number_input, *app.select_slider]
    assert len(widgets) > 2
    return [widget for widget in widgets if widget.proto.set_value and not widget.proto.disabled]
