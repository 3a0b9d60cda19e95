"""Two runs side by side."""

from pages import button, widget

from engine.jobs import JobState
from tests.ui.train.steps import WAIT, open_panel, open_train, run_to_end, runs, says, start


def test_the_settings_race_against_those_of_an_earlier_run(sets):
    app = open_train()
    first = start(app, Epochs=2)
    run_to_end(app)
    widget(app.select_slider, "Learning rate").set_value(0.0001).run()
    button(app, "Race").click().run()
    assert not app.exception
    _, rival, own = runs(app)
    assert (rival.name, own.name) == ("Run 1 again", "Run 3")
    assert rival.config == first.config
    assert own.config.learning_rate == 0.0001
    for run in (rival, own):
        assert run.series.wait_until_over(WAIT)
        assert run.state is JobState.FINISHED
    app.run()
    assert not app.exception
    assert widget(app.selectbox, "Against").value == "Run 1 again"
    assert says(app.markdown, "**Run 1 again is ahead**")


def test_before_the_first_run_there_is_no_race(sets):
    app = open_train()
    assert "Race" not in [button.label for button in app.button]


def test_a_run_alone_has_nobody_to_race_against(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    open_panel(app, "Race")
    assert says(app.caption, "A race needs two runs.")
