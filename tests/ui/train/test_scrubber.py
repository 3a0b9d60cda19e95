"""The slider that goes back through a training."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits
from pages import button, widget

from engine.jobs import Keyframe, Keyframes, Series
from tests.ui.train.steps import WAIT, open_train, run_to_end, runs, says, start, workspace
from ui import state
from ui.run import Run
from ui.train import scrubber


def moment(run, snapshot):
    return scrubber.moment(run, snapshot, scrubber.past(run, snapshot))


def show(run, snapshot):
    scrubber.show(run, snapshot, scrubber.past(run, snapshot))


@pytest.fixture
def run(snapshot, monkeypatch):
    """A run that is over, with three moments, on a page without a browser: the slider's value is in ``page``."""
    monkeypatch.setattr(state.st, "session_state", page := {})
    series = Series(snapshot.config, lambda: (make_digits(600), make_digits(100, 1)), finished=[snapshot])
    run = Run(1, "Run 1", snapshot.config, "mnist", series)
    size = snapshot.network.state_vector.size
    run.last_keyframes.add(Keyframe.of(step, step / 8, (2.0, 0.1), np.full(size, step, np.float32)) for step in (0, 2, 9))

    def select_slider(label, options, format_func, disabled, key, **look):
        run.slider = label, [format_func(option) for option in options], disabled
        return page[key]

    monkeypatch.setattr(scrubber.st, "select_slider", select_slider)
    run.page = page
    return run


def test_its_right_end_is_now_and_gives_the_snapshot_itself(run, snapshot):
    assert moment(run, snapshot) is snapshot
    show(run, snapshot)
    names = ["start", "epoch 0.25 of 3 · step 2", "epoch 1.12 of 3 · step 9", "now"]
    assert run.slider == ("Look back", names, False)


def test_a_moment_is_shown_as_it_was(run, snapshot):
    run.page["Run 1 moment"] = 9
    then = moment(run, snapshot)
    assert (then.step, then.network.state_vector[0]) == (9, 9)


def test_a_moment_that_was_dropped_gives_its_place_to_the_nearest(run, snapshot):
    run.page["Run 1 moment"] = 8
    assert moment(run, snapshot).step == 9
    run.last_keyframes.drop_after(2)
    assert moment(run, snapshot).step == 2
    run.last_keyframes.drop()
    assert moment(run, snapshot) is snapshot


def test_without_moments_it_has_its_place_and_says_why(run, snapshot):
    for keyframes, why in ((Keyframes(), "are not saved with it"), (run.last_keyframes, "to free memory")):
        run.last_keyframes = keyframes
        keyframes.drop() if keyframes.frames else None
        assert moment(run, snapshot) is snapshot
        show(run, snapshot)
        label, names, disabled = run.slider
        assert why in label
        assert (names, disabled) == (["start", "now"], True)
    show(run, replace(snapshot, step=0))
    assert run.slider[0] == "Look back"


def test_moments_after_a_checkpoint_that_was_gone_back_to_are_not_offered(run, snapshot):
    show(run, replace(snapshot, step=5))
    assert run.slider[1][-2:] == ["epoch 0.25 of 3 · step 2", "now"]


def test_on_the_page_a_run_is_looked_back_at_while_it_goes_on_and_when_it_is_over_and_stored(sets):
    app = open_train()
    run = start(app, Epochs=3)
    run_to_end(app)
    workspace(app).store_changes()
    assert not run.series.jobs
    slider = widget(app.run().select_slider, "Look back")
    assert (slider.value, slider.disabled) == (scrubber.NOW, False)
    step = run.keyframes.frames[5].step
    slider.set_value(step).run()
    assert not app.exception
    assert widget(app.select_slider, "Look back").value == step
    assert says(app.markdown, f"**Looking back** to step {step}")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Test accuracy"] == "…" != figures["Training loss"]
    app.switch_page("ui/draw/page.py").run()
    app.switch_page("ui/train/page.py").run()
    assert widget(app.select_slider, "Look back").value == step
    button(app, "1 batch").click().run()
    assert runs(app)[1].series.wait_until_still(WAIT)
    assert widget(app.run().select_slider, "Look back").value == scrubber.NOW  # each run has its own
