"""Run control on the Train page."""

from dataclasses import replace
from time import sleep

import pytest
from pages import button, widget

from engine.jobs import Job, JobState
from engine.jobs import series as series_module
from tests.ui.train.steps import WAIT, open_train, run_to_end, runs, says, start, wait_for
from ui import datasets, state
from ui.train import run_controls

CONTROLS = ("Start", "Pause", "Resume", "1 batch", "1 epoch", "Stop", "Reset")


def enabled_controls(app):
    return [b.label for b in app.button if b.label in CONTROLS and not b.disabled]


def test_pause_holds_steps_count_resume_continues_and_stop_leaves_a_network(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    button(app, "Pause").click().run()
    assert run.series.wait_until_still(WAIT)
    step = run.snapshot().step
    sleep(0.3)
    assert run.snapshot().step == step
    button(app, "1 batch").click().run()
    assert run.series.wait_until_still(WAIT)
    assert run.snapshot().step == step + 1
    epochs = len(run.snapshot().history)
    button(app, "1 epoch").click().run()
    assert run.series.wait_until_still(WAIT)
    assert len(run.snapshot().history) == epochs + 1
    step = run.snapshot().step
    button(app, "Resume").click().run()
    wait_for(lambda: run.snapshot().step > step, "it does not continue")
    button(app, "Stop").click().run()
    assert run.series.wait_until_over(WAIT)
    assert run.state is JobState.STOPPED
    options = widget(app.switch_page("ui/draw/page.py").run().selectbox, "Network").options
    assert any(option.startswith("Run 1") for option in options)


def test_a_run_that_is_stopped_is_shown_being_tested_until_that_is_done(sets, monkeypatch):
    app = open_train()
    run = start(app, Epochs=2_000)
    with monkeypatch.context() as patch:
        patch.setattr(run.series, "snapshot", lambda: replace(run.series.job.snapshot(), state=JobState.TESTING))
        app.run()
        assert not app.exception
        assert enabled_controls(app) == ["Reset"]
        assert "being measured on the test images" in app.get("progress")[0].proto.text
    button(app.run(), "Stop").click().run()
    run_to_end(app)
    assert run.state is JobState.STOPPED
    assert enabled_controls(app) == ["Start", "1 batch", "1 epoch"]


def test_the_estimate_beside_start_appears_as_soon_as_it_was_measured(monkeypatch):
    seconds = None
    monkeypatch.setattr(run_controls, "seconds_per_epoch", lambda *_: seconds)
    app = open_train()
    assert says(app.caption, "101,770 parameters · measuring the speed")
    seconds = 12.4
    app.run()
    assert says(app.caption, "101,770 parameters · about **12 s** per epoch here")
    seconds = 0.01
    assert says(app.run().caption, "101,770 parameters · **less than 0.1 s** per epoch here")


def test_a_first_step_needs_no_start(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    assert runs(app)[0].series.wait_until_still(WAIT)
    assert runs(app)[0].snapshot().step == 1
    assert button(app.run(), "Resume")


def test_reset_goes_back_to_before_the_first_step_with_the_same_settings(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    wait_for(lambda: run.snapshot().step > 3, "it does not begin")
    config = run.config
    button(app, "Reset").click().run()
    _, again = runs(app)
    assert (again.name, again.config) == ("Run 2", config)
    assert again.snapshot().step == 0
    assert again.state is JobState.PAUSED
    assert run.series.wait_until_over(WAIT)  # and stays in the table with what it has learned
    assert run.snapshot().step > 3


def test_after_a_reset_the_run_is_still_the_one_that_the_draw_page_has_chosen(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    wait_for(lambda: run.snapshot().step > 0, "it does not begin")
    app.switch_page("ui/draw/page.py").run()
    widget(app.selectbox, "Network").select("Run 1").run()
    app.switch_page("ui/train/page.py").run()
    button(app, "Reset").click().run()
    app.switch_page("ui/draw/page.py").run()
    assert widget(app.selectbox, "Network").value == "Run 1"


def test_settings_change_during_a_run_and_the_change_is_marked(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    button(app, "Pause").click().run()
    assert run.series.wait_until_still(WAIT)
    assert says(app.markdown, "This run: **Run 1**")
    change = next(box for box in app.selectbox if box.key == f"{run.key} learning_rate")
    change.select(0.5).run()
    assert not app.exception
    assert run.snapshot().config.learning_rate == 0.5
    assert says(app.caption, "learning rate changed to 0\\.5 at epoch")
    button(app, "Reset").click().run()
    assert next(box for box in app.selectbox if box.key == f"{runs(app)[-1].key} learning_rate").value == 0.002


def test_no_key_ends_or_resets_a_training(sets):
    app = open_train()
    start(app, Epochs=2_000)
    shortcuts = {button.label: button.proto.shortcut for button in app.button if button.label in CONTROLS}
    assert {label: bool(shortcut) for label, shortcut in shortcuts.items()} == {
        "Pause": True,
        "1 batch": True,
        "1 epoch": True,
        "Stop": False,
        "Reset": False,
    }


@pytest.mark.parametrize("is_over", [False, True])
def test_a_change_that_comes_after_the_end_is_no_error(sets, is_over):
    app = open_train()
    run = start(app, Epochs=2_000)
    change = next(box for box in app.selectbox if box.key == f"{run.key} learning_rate")
    run.series.stop()
    if is_over:
        assert run.series.wait_until_over(WAIT)
    change.select(0.5).run()
    assert not app.exception
    assert not app.error


def test_the_speed_is_chosen_before_the_start_and_changed_at_any_time(sets):
    app = open_train()
    speed = widget(app.selectbox, "Speed")
    assert (speed.value, speed.options) == (0.0, ["1 batch/s", "5 batches/s", "20 batches/s", "Full speed"])
    speed.select(1.0).run()
    run = start(app, Epochs=2_000)
    assert run.series.speed == 1.0
    wait_for(lambda: run.snapshot().step > 0, "it does not begin")
    widget(app.selectbox, "Speed").select(5.0).run()
    assert run.series.speed == 5.0
    assert run_controls.refresh_seconds(run) == 0.2
    button(app, "Pause").click().run()
    widget(app.selectbox, "Speed").select(0.0).run()
    assert run.series.speed is None
    step = run.snapshot().step
    button(app, "Resume").click().run()
    wait_for(lambda: run.snapshot().step > step + 50, "it is still slow")
    run.series.set_speed(20.0)  # in another tab
    assert widget(app.run().selectbox, "Speed").value == 20.0
    app.switch_page("ui/draw/page.py").run()
    app.switch_page("ui/train/page.py").run()
    assert widget(app.selectbox, "Speed").value == 20.0
    button(app, "Stop").click().run()
    assert run.series.wait_until_over(WAIT)


def test_the_estimate_beside_start_is_that_of_slow_motion(monkeypatch):
    monkeypatch.setattr(datasets, "num_train_images", lambda source: 1_200)
    app = open_train()
    widget(app.selectbox, "Speed").select(1.0).run()
    assert says(app.caption, "about **9.0 s** per epoch here")  # 9 batches


def test_only_an_optimizer_with_momentum_offers_to_change_it(sets):
    app = open_train()
    for number, (optimizer, offered) in enumerate({"adam": False, "momentum": True}.items(), start=1):
        widget(app.selectbox, "Optimizer").select(optimizer).run()
        button(app, "1 batch").click().run()
        boxes = [box.label for box in (*app.selectbox, *app.number_input) if str(box.key).startswith(f"Run {number} ")]
        assert sorted(boxes) == ["Batch size", "Learning rate", *(["Momentum"] if offered else []), "Weight decay"]
        button(app, "Stop").click().run()
        assert runs(app)[-1].series.wait_until_over(WAIT)
        app.run()


@pytest.mark.parametrize("error", [MemoryError(), ValueError("a *bold* mistake")])
def test_a_seed_that_cannot_be_started_is_reported_and_start_comes_back(sets, monkeypatch, error):
    def make_job(config, *arguments):
        if config.seed == 1:
            raise error
        return Job(config, *arguments)

    monkeypatch.setattr(series_module, "Job", make_job)
    app = open_train()
    start(app, Number_of_seeds=2, Epochs=1)
    run_to_end(app)
    assert "The next seed could not be started" in app.error[0].value
    assert "*bold*" not in app.error[0].value.replace("\\*", "")
    assert not button(app, "Start").disabled


def test_an_error_is_shown_for_a_while_and_no_longer(monkeypatch):
    app = open_train(config="nonsense")
    assert len(app.run().error) == 1
    monkeypatch.setattr(state, "ERROR_SECONDS", 0)
    assert len(app.run().error) == 0
