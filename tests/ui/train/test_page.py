"""The Train page as a whole, and beside the Draw page."""

import re

from pages import SEVEN, answer, draw, widget

from tests.ui.train.steps import WAIT, open_train, says, start


def test_a_network_that_still_trains_can_be_drawn_with_and_one_that_ends_meanwhile_stays_chosen(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    app.switch_page("ui/draw/page.py").run()
    assert "Run 1" in widget(app.selectbox, "Network").options
    widget(app.selectbox, "Network").select("Run 1").run()
    assert any("still training, in epoch " in caption.value for caption in app.caption)
    run.series.stop()
    assert run.series.wait_until_over(WAIT)
    draw(app, SEVEN)
    assert widget(app.selectbox, "Network").value == "Run 1"
    assert any(re.search(r"[\d.]+ % of the test images right", caption.value) for caption in app.caption)
    assert "inkling-answer" in answer(app)


def test_a_fresh_page_says_how_to_begin():
    app = open_train()
    assert says(app.markdown, "Press **Start**.")


def test_during_a_run_the_page_says_which_settings_can_be_changed(sets):
    app = open_train()
    start(app, Epochs=2_000).series.pause()
    app.run()
    assert says(app.markdown, "**Settings of the next run**, not of Run 1")
    assert not says(app.markdown, "Press **Start**.")
