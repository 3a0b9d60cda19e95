"""Two runs side by side."""

from pages import button, session, widget

from engine.jobs import JobState
from tests.ui.train.steps import WAIT, open_panel, open_train, run_to_end, runs, says, start, wait_for


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


def test_the_play_bar_moves_both_trainings_of_the_race_that_is_shown(sets):
    app = open_train()
    start(app, Epochs=2_000)
    button(app, "Stop").click().run()
    run_to_end(app)
    button(app, "Race").click().run()
    pair = runs(app)[1:]
    widget(app.selectbox, "Speed").select(20.0).run()
    assert [run.series.speed for run in pair] == [20.0, 20.0]
    button(app, "Pause").click().run()
    assert all(run.series.wait_until_still(WAIT) for run in pair)
    steps = [run.snapshot().step for run in pair]
    button(app, "1 batch").click().run()
    assert all(run.series.wait_until_still(WAIT) for run in pair)
    assert [run.snapshot().step for run in pair] == [step + 1 for step in steps]
    session(app).open_parts["panel"] = "Curves"
    button(app, "1 batch").click().run()  # moves only the run that is shown now
    assert all(run.series.wait_until_still(WAIT) for run in pair)
    assert [run.snapshot().step for run in pair] == [steps[0] + 1, steps[1] + 2]
    session(app).open_parts["panel"] = "Race"
    button(app, "Resume").click().run()
    wait_for(lambda: all(run.snapshot().step > max(steps) + 9 for run in pair), "they do not resume")
    button(app, "Reset").click().run()
    assert all(run.series.wait_until_over(WAIT) for run in pair)
    again = runs(app)[3:]
    assert [run.config for run in again] == [run.config for run in pair]
    button(app, "Stop").click().run()
    assert all(run.series.wait_until_over(WAIT) for run in again)
