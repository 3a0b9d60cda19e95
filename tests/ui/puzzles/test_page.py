"""The page Broken networks, through ``AppTest``."""

import numpy as np
import pytest
from helpers import make_digits
from pages import button, open_app, session

from engine.data.dataset import Dataset
from engine.faults import FAULTS
from ui import BROKEN_PAGE, datasets
from ui.puzzles import puzzle as puzzles
from ui.puzzles.puzzle import NUM_HINTS, Puzzle
from ui.puzzles.texts import TEXTS

WAIT = 60  # seconds after which a tiny training hangs


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch):
    sets: tuple[Dataset, Dataset] = make_digits(2_000), make_digits(1_000, 1)
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    monkeypatch.setattr(puzzles, "SECONDS", 0.1)


def begin(fault):
    """The page with this fault to find, when its training is over."""
    app = open_app(str(BROKEN_PAGE))
    puzzle = session(app).puzzle = Puzzle(1, fault, 0)
    app.run()
    assert not app.exception
    assert puzzle.broken
    assert puzzle.broken.series.wait_until_over(WAIT)
    app.run()
    return app, puzzle


def guess(app, fault):
    app.radio[0].set_value(fault).run()
    button(app, "That is it").click().run()
    assert not app.exception


def test_it_begins_with_one_of_the_mistakes_and_does_not_say_which():
    app = open_app(str(BROKEN_PAGE))
    button(app, "Start a broken training").click().run()
    assert not app.exception
    puzzle = session(app).puzzle
    assert puzzle.fault in FAULTS
    assert list(app.radio[0].options) == [fault.label for fault in FAULTS.values()]
    assert app.radio[0].value is None
    assert puzzle.broken not in session(app).workspace.runs


@pytest.mark.parametrize("fault", ["unscaled_pixels", "leaked_test", "transposed_prediction"])
def test_a_mistake_is_named_and_mended(fault):
    app, puzzle = begin(fault)
    for panel in ("What it learned", "Predictions", "Mistakes"):
        app.session_state["puzzle panel"] = panel
        app.run()
        assert not app.exception
    other = next(name for name in FAULTS if name != fault)
    guess(app, other)
    assert "It is not" in app.warning[0].value
    guess(app, fault)
    assert "You found it" in app.success[0].value
    button(app, "Mend it").click().run()
    assert not app.exception
    assert puzzle.mended
    assert puzzle.mended.series.wait_until_over(WAIT)
    app.run()
    names = [metric.label for metric in app.metric]
    assert names == ["Broken: test accuracy", "Mended: test accuracy"]
    assert len(app.get("vega_lite_chart")) == 2
    button(app, "Next broken training").click().run()
    assert session(app).puzzle.fault != fault
    assert session(app).workspace.value("puzzles") == [fault]


def test_hints_come_one_by_one_and_the_last_one_is_the_evidence():
    app, puzzle = begin("softmax_twice")
    for number in range(1, NUM_HINTS + 1):
        button(app, f"Hint {number} of {NUM_HINTS}").click().run()
        assert len(app.info) == number
    assert "the loss has its own" in app.info[0].value  # the newest is the first
    button(app, "Tell me").click().run()
    assert "It was" in app.info[0].value
    assert session(app).workspace.value("puzzles") is None
    assert puzzle.is_told


def test_every_fault_has_its_texts_and_its_own_place_among_the_puzzles():
    assert TEXTS.keys() == FAULTS.keys()
    assert len({text for texts in TEXTS.values() for text in texts}) == 4 * len(TEXTS)
    assert all(text.endswith((".", "?")) for texts in TEXTS.values() for text in texts)
    left = "large_decay"
    assert Puzzle.new(1, FAULTS.keys() - {left}).fault == left
    assert Puzzle.new(1, list(FAULTS)).fault in FAULTS


def test_the_images_of_a_set_are_chosen_anew_for_each_puzzle():
    dataset = make_digits(600)
    first, second = (puzzles._some(dataset, 50, np.random.default_rng(seed)).own_labels for seed in (0, 1))
    assert len(first) == 50
    assert not np.array_equal(first, second)
