"""The result of a run in words."""

import pytest
from pages import button, session, widget

from engine.data import SOURCES
from engine.jobs import Job, JobState
from engine.jobs.messages import Failure, Report
from tests.ui.train.steps import evaluation, open_train, run_to_end, says, start
from ui.train import run_summary


def test_a_network_is_trained_and_then_drawn_with(sets):
    app = open_train()
    start(app, Epochs=20)
    run = run_to_end(app)
    assert not button(app, "Start").disabled
    assert says([*app.success, *app.info, *app.warning], "300 test images right")
    assert run.state is JobState.FINISHED
    assert len(run.snapshot().history) == 20
    button(app, "Draw with this network").click().run()
    assert widget(app.selectbox, "Network").value == "Run 1"


def test_a_run_that_diverges_is_explained_and_can_be_started_again(sets):
    app = open_train()
    for label, value in {"Optimizer": "sgd", "Loss": "mse", "Function": "identity"}.items():
        widget(app.selectbox, label).select(value).run()
    widget(app.select_slider, "Learning rate").set_value(10.0).run()
    start(app)
    assert run_to_end(app).state is JobState.DIVERGED
    assert "a learning rate of 0.2 instead of 10, or use gradient clipping" in app.error[0].value.replace("\\", "")
    widget(app.select_slider, "Learning rate").set_value(0.05).run()
    start(app, Epochs=1)
    assert run_to_end(app).state is JobState.FINISHED


def test_a_run_that_learned_nothing_says_so(sets):
    app = open_train()
    for position in (0, 2):
        app.session_state[f"more of layer {session(app).blocks[position].number}"] = True
    app.run()
    for box in [box for box in app.selectbox if box.label == "Initial weights"]:
        box.select("zeros").run()
    start(app)
    run_to_end(app)
    assert "by guessing" in app.warning[0].value
    assert "All units of layer 1 have the same weights" in app.warning[0].value
    assert "learning rate" not in app.warning[0].value


def test_a_run_that_was_stopped_before_its_first_step_says_so(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    button(app, "Reset").click().run()
    button(app, "Stop").click().run()
    run_to_end(app)
    assert "stopped before its first step" in app.warning[0].value


def test_the_error_of_a_training_is_shown_word_for_word(sets, monkeypatch):
    receive = Job.receive

    def fail(job, message):
        is_end = isinstance(message, Report) and message.snapshot.is_over
        receive(job, Failure("ValueError: a `strange` _error_") if is_end else message)

    monkeypatch.setattr(Job, "receive", fail)
    app = open_train()
    start(app, Epochs=1)
    assert run_to_end(app).state is JobState.FAILED
    assert r"ValueError\: a \`strange\` \_error\_" in app.error[0].value


def test_several_seeds_are_summed_up(sets):
    app = open_train()
    start(app, Number_of_seeds=3, Epochs=2)
    run = run_to_end(app)
    assert [seed.config.seed for seed in run.series.snapshots()] == [0, 1, 2]
    assert says(app.caption, "Its 3 seeds: ")


@pytest.mark.parametrize("accuracy", [0.1, 0.9])
def test_only_a_network_that_is_worse_than_its_threshold_counts_as_guessing(sets, monkeypatch, accuracy):
    monkeypatch.setattr(run_summary, "GUESSING_ACCURACY", accuracy)
    app = open_train()
    button(app, "1 epoch").click().run()
    button(app, "Stop").click().run()
    run = run_to_end(app)
    assert says(app.warning, "by guessing") == (evaluation(run).accuracy < accuracy)


@pytest.mark.parametrize(
    ("fair", "good", "look", "words"),
    [(0.0, 0.0, "success", "Good: "), (0.0, 1.0, "info", "Fair: "), (1.0, 1.0, "warning", "Poor for ")],
)
def test_the_tone_follows_the_result(sets, monkeypatch, fair, good, look, words):
    monkeypatch.setattr(run_summary, "FAIR_AND_GOOD", dict.fromkeys(("mnist", "synthetic"), (fair, good)))
    app = open_train()
    start(app, Epochs=2)
    run_to_end(app)
    boxes = {name: [box.value for box in getattr(app, name)] for name in ("success", "info", "warning")}
    assert {name: len(texts) for name, texts in boxes.items() if texts} == {look: 1}
    assert "300 test images right" in boxes[look][0]
    assert words in boxes[look][0]


def test_the_tone_of_a_result_is_known_for_all_data():
    assert set(run_summary.FAIR_AND_GOOD) == set(SOURCES)
    assert all(run_summary.GUESSING_ACCURACY < fair < good < 1 for fair, good in run_summary.FAIR_AND_GOOD.values())
