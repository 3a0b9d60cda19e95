"""The networks to choose from: which are offered, and that only the chosen one is read from the store."""

from dataclasses import replace

import numpy as np
import pytest
from pages import SEVEN, button, draw, open_app

from engine import dense_layers
from tests.ui.test_stored_runs import DIVERGING, LONG, SHORT, restarted, run_in_pause, run_to_end
from tests.ui.train.steps import runs as runs_of
from tests.ui.train.steps import workspace as workspace_of
from ui import networks
from ui import run as run_module
from ui.draw.panels.tabs import KEY, PANELS
from ui.run import _snapshot

UNREADABLE = "it cannot be read now"


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows with each snapshot that is decoded."""
    decoded, from_bytes = [], run_module.from_bytes
    monkeypatch.setattr(run_module, "from_bytes", lambda content: decoded.append(1) or from_bytes(content))
    return decoded


def damage(store, workspace, run):
    """Replace what the store has of the last seed of this run."""
    record = next(record for record in store.runs(workspace.id) if record.key == run.id)
    store.save_run(workspace.id, record, {f"seed-{run.series.num_seeds - 1}": b"damaged"})
    _snapshot.cache.clear()


def choices_of_runs():
    return {key: choice for key, choice in networks.candidates().items() if key.startswith("Run")}


def test_only_the_chosen_network_is_decoded(open_workspace, decoded):
    workspace = open_workspace()
    run_to_end(SHORT)
    second = run_to_end(replace(SHORT, seed=1), num_seeds=2)
    run_to_end(DIVERGING)
    expected = second.snapshot()
    assert expected.test is not None
    for current in (workspace, restarted(open_workspace, workspace)):  # here, and after a restart
        decoded.clear()
        _snapshot.cache.clear()
        choices = choices_of_runs()
        assert [(key, choice.label) for key, choice in choices.items()] == [("Run 1", "Run 1"), ("Run 2", "Run 2")]
        assert decoded == []
        chosen = choices["Run 2"]
        assert chosen.status == f"{100 * expected.test.accuracy:.1f} % of the test images right"
        np.testing.assert_array_equal(chosen.network.state_vector, expected.network.state_vector)
        assert decoded == [1]
        assert [run.state for run in current.runs] == ["finished", "finished", "diverged"]
        assert decoded == [1]


def test_a_network_in_training_says_so(open_workspace):
    open_workspace()
    run = run_in_pause(LONG)
    (choice,) = choices_of_runs().values()
    assert choice.status == f"paused, in epoch {run.snapshot().epoch}"
    assert choice.network is run.snapshot().network


def test_a_training_starts_from_networks_of_the_same_layers_and_no_others_are_decoded(open_workspace, decoded):
    workspace = open_workspace()
    run_to_end(SHORT)
    run_to_end(replace(SHORT, layers=dense_layers((4,))))
    run_to_end(replace(SHORT, input_shape=(784,)))
    workspace.store_changes()
    _snapshot.cache.clear()
    assert list(networks.starting_networks(SHORT.layers)) == ["Run 1", "Run 3"]
    assert decoded == [1, 1]


def test_a_network_that_cannot_be_read_says_so_and_predicts_nothing(open_workspace, store):
    workspace = open_workspace()
    run = run_to_end(SHORT)
    workspace.store_changes()
    damage(store, workspace, run)
    (choice,) = choices_of_runs().values()
    assert choice.status == UNREADABLE
    assert np.isnan(choice.network.state_vector).all()
    assert networks.starting_networks(SHORT.layers) == {}


def test_a_network_that_cannot_be_read_does_not_break_the_draw_page(sets):
    app = draw(open_app(), SEVEN)
    app.switch_page("ui/train/page.py").run()
    button(app, "Start").click().run()
    (run,) = runs_of(app)
    run.series.stop()
    assert run.series.wait_until_over(60)
    workspace_of(app).store_changes()
    damage(workspace_of(app).store, workspace_of(app), run)
    app.switch_page("ui/draw/page.py").run()
    app.session_state["network"] = run.key
    for panel in PANELS:
        app.session_state[KEY] = panel
        app.run()
        assert not app.exception
    assert any(caption.value == f"Run 1: {UNREADABLE}" for caption in app.caption)
