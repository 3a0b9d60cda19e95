"""A run and its panels on the Train page."""

import numpy as np
from pages import SEVEN, button, draw, open_app
from streamlit.testing.v1 import AppTest

from engine.jobs import JobState
from tests.ui.train.steps import WAIT, evaluation, html, open_panel, open_train, run_to_end, runs, says, start
from ui.train.run_dashboard import headline

PANELS = ("Curves", "What it learned", "Map", "Predictions", "Mistakes", "Save and share")


def figures(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_every_panel_can_be_opened_before_during_and_after_a_run(sets):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    button(app, "1 batch").click().run()
    run = runs(app)[0]
    for panel in PANELS:
        open_panel(app, panel)
    button(app, "1 epoch").click().run()
    assert run.series.wait_until_still(WAIT)
    open_panel(app, "What it learned")
    table = app.table[0].value
    assert list(table.columns) == ["Layer", "Gradient", "Change per step", "Status"]
    assert list(table["Layer"]) == ["1 Dense", "3 Dense"]
    assert set(table["Status"]) == {":green[learning]"}
    assert "data:image/png" in html(app, "inkling-weights")
    open_panel(app, "Predictions")
    assert html(app, "inkling-digits").count("<figure") == 12
    assert says(app.caption, "It reads a **")
    open_panel(app, "Mistakes")
    assert says(app.markdown, "after epoch 1")
    button(app, "Resume").click().run()
    run_to_end(app)
    for panel in PANELS:
        open_panel(app, panel)


def test_figures_that_are_not_known_yet_have_their_place(sets):
    app = open_train()
    button(app, "1 batch").click().run()
    run = runs(app)[0]
    assert run.series.wait_until_still(WAIT)
    shown = figures(app.run())
    assert list(shown) == ["Training loss", "Validation accuracy", "Test accuracy"]
    assert shown["Training loss"] == f"{run.snapshot().curve[-1, 2]:.4f}"
    assert (shown["Validation accuracy"], shown["Test accuracy"]) == ("…", "…")
    button(app, "Resume").click().run()
    run_to_end(app)
    assert figures(app)["Test accuracy"] == f"{evaluation(run).accuracy:.2%}".replace("%", " %")


def test_a_name_is_shown_as_it_was_typed(sets):
    app = open_train()
    run = start(app, Epochs=1)
    run_to_end(app)
    run.name = "a*b* $x$ :tada:"
    app.run()
    assert app.get("progress")[0].proto.text.startswith(r"**a\*b\* \$x\$ \:tada\:** on ")


def test_the_time_of_a_run_from_a_file_is_not_given_as_this_machines(sets):
    app = open_train()
    run = start(app, Epochs=1)
    run_to_end(app)
    assert "before the upload" not in headline(run, run.snapshot())
    run.from_file = True
    assert "(partly before the upload)" in headline(run, run.snapshot())


def test_the_drawing_is_followed_through_a_training(sets):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    start(app)
    run = run_to_end(app)
    followed = run.snapshot().followed
    assert run.state is JobState.FINISHED
    assert len(followed) > 1
    np.testing.assert_allclose(followed[:, 2:].sum(axis=1), 1, atol=1e-5)
