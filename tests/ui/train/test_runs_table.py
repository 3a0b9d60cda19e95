"""The table of runs, and comparing them."""

import json
from math import comb

import numpy as np
import pytest
from pages import button, widget

from tests.ui.train.steps import evaluation, open_train, run_to_end, runs, says, start, tick
from ui.train import runs_table


def test_runs_stay_in_a_table_with_what_changed_and_two_are_compared(sets):
    app = open_train()
    first = start(app, Epochs=1)
    run_to_end(app)
    widget(app.select_slider, "Learning rate").set_value(0.0001).run()
    second = start(app)
    run_to_end(app)
    shown = app.dataframe[0].value
    assert list(shown["Name"]) == ["Run 1", "Run 2"]
    assert list(shown["Changed from previous run"])[1] == "learning rate 0.002 → 0.0001"
    np.testing.assert_allclose(shown["Test"], [100 * evaluation(run).accuracy for run in (first, second)])
    tick(app, 0, 1)
    settings = app.table[0].value
    assert settings.to_dict("list") == {
        "Setting": ["Learning rate"],
        "Run 1": [r"0\.002"],
        "Run 2": [r":orange-background[0\.0001]"],
    }
    right = [evaluation(run).probabilities.argmax(axis=1) == sets[1].labels for run in (first, second)]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    tosses = only_a + only_b  # a fair coin for each image that only one of them reads right
    p = min(1, 2 * sum(comb(tosses, k) for k in range(min(only_a, only_b) + 1)) / 2**tosses)
    assert p < 0.001
    verdict = f"**Run 1 is better** than Run 2: {only_a - only_b} fewer errors on 300 test images. By luck alone, such a"
    assert says(app.markdown, verdict)
    assert says(app.markdown, "comes in less than 0.1 % of cases (p < 0.001).")


def test_a_comparison_says_which_run_was_stopped_and_shows_training_curves_where_nothing_was_validated(sets):
    app = open_train()
    app.session_state["validation_size"] = 0
    start(app, Epochs=500)
    button(app, "Stop").click().run()
    stopped = run_to_end(app).snapshot()
    start(app, Epochs=1)
    run_to_end(app)
    tick(app, 0, 1)
    assert says(app.markdown, f"Run 1 was stopped in epoch {stopped.epoch} of 500.")
    titles = [json.loads(chart.proto.spec).get("title") for chart in app.get("vega_lite_chart")]
    assert {"text": "Training loss", "offset": 6} in titles


@pytest.mark.parametrize("axis", runs_table.AXES)
def test_the_curves_of_runs_share_a_chart(sets, axis):
    app = open_train()
    run = start(app, Epochs=3)
    run_to_end(app)
    snapshot = run.snapshot()
    rows = runs_table.overlay_rows([run], "loss", axis, training=False)
    np.testing.assert_allclose(rows["x"], [getattr(end, axis) for end in snapshot.history])
    np.testing.assert_allclose(rows["value"], [end.validation_loss for end in snapshot.history])


def test_several_seeds_show_as_a_band(sets):
    app = open_train()
    start(app, Number_of_seeds=3, Epochs=2)
    run = run_to_end(app)
    rows = runs_table.overlay_rows([run], "accuracy", "epoch", training=True)
    ends = np.array([[end.validation_accuracy for end in seed.history] for seed in run.series.snapshots()])
    validation = np.array(rows["series"]) == "validation"
    for name, expected in {"value": ends.mean(0), "low": ends.min(0), "high": ends.max(0)}.items():
        np.testing.assert_allclose(np.array(rows[name])[validation], expected)


def test_a_run_is_renamed_repeated_with_one_change_and_deleted(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    tick(app, 0)
    widget(app.text_input, "Name").set_value("a first try").run()
    assert runs(app)[0].name == "a first try"
    widget(app.number_input, "Epochs").set_value(5).run()
    button(app, "Repeat with one change").click().run()
    assert widget(app.number_input, "Epochs").value == 1
    widget(app.number_input, "Seed").set_value(3).run()
    assert says(app.caption, "Changed from a first try: **seed 0 → 3**")
    tick(app, 0)
    button(app, "Delete").click().run()
    assert runs(app) == []


def test_a_deleted_run_leaves_its_place_empty_and_comes_back_there(sets):
    app = open_train()
    for _ in range(2):
        start(app, Epochs=1)
        run_to_end(app)
    tick(app, 1)
    button(app, "Delete").click().run()
    assert not app.exception
    assert [run.name for run in runs(app)] == ["Run 1"]
    assert says(app.markdown, "Run 2 was removed.")
    assert not app.get("progress"), "another run has taken its place"
    button(app, "Undo").click().run()
    assert [run.name for run in runs(app)] == ["Run 1", "Run 2"]
    assert app.get("progress")[0].proto.text.startswith("**Run 2**")
    tick(app, 0)
    button(app, "Delete").click().run()
    assert app.get("progress")[0].proto.text.startswith("**Run 2**"), "a run that was not shown is deleted"
    assert says(app.markdown, "Run 1 was removed.")


def test_the_accuracies_stand_beside_the_names(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    assert list(app.dataframe[0].value.columns)[:3] == ["Name", "Test", "Best validation"]


@pytest.mark.parametrize("name", ["", "   ", "Run 2", "  Run   2 "])
def test_a_name_that_is_blank_or_taken_is_refused(sets, name):
    app = open_train()
    for _ in range(2):
        start(app, Epochs=1)
        run_to_end(app)
    tick(app, 0)
    widget(app.text_input, "Name").set_value(name).run()
    assert not app.exception
    assert says(app.error, "A run needs a name that no other run has")
    assert [run.name for run in runs(app)] == ["Run 1", "Run 2"]


def test_names_with_markdown_are_shown_as_they_were_typed(sets):
    app = open_train()
    for _ in range(2):
        start(app, Epochs=1)
        run_to_end(app)
    runs(app)[0].name, runs(app)[1].name = "a*b*", "$x$"
    tick(app, 0, 1)
    assert says(app.markdown, r"a\*b\*")
    assert not says(app.markdown, "a*b*")
    assert not says(app.markdown, "$x$")
    button(app, "Start").click().run()
    tick(app, 0)
    button(app, "Repeat with one change").click().run()
    widget(app.number_input, "Seed").set_value(3).run()
    assert says(app.caption, r"Changed from a\*b\*: ")
