"""Which workspace a session has: the one in the address, the one that the browser remembers, or a new one."""

import secrets

import numpy as np
import pytest
from helpers import ROOT
from pages import ONE, SEVEN, answer, button, draw, draw_live, drawing, press, session, widget
from streamlit.testing.v1 import AppTest

from engine import InklingError
from engine.recipes import RECIPES
from tests.ui.train.steps import open_train, run_to_end, runs, says, start, tick, wait_for, workspace
from ui.draw import keyboard_grid
from ui.run import VALUES
from ui.workspace import NOT_STORED, workspaces

MISSING = secrets.token_urlsafe(24)
HOSTILE = [
    "",
    "a",
    "../" * 30,
    "x" * 10_000,
    "'; DROP TABLE runs; --",
    "\x00" * 32,
    "é" * 32,
    "<script>alert(1)</script>",
    MISSING,
]


def visit(id: str | None = None, page: str | None = None) -> AppTest:
    """A new session, at the address of this workspace if one is given."""
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=20)
    if id is not None:
        app.query_params["w"] = id
    app.run()
    app = app.switch_page(page).run() if page else app
    assert not app.exception
    return app


def visit_again(app: AppTest, page: str | None = None) -> AppTest:
    """Another session of the same visitor, after everything was stored: as after a reload."""
    workspace(app).store_changes()
    return visit(workspace(app).id, page)


def drawn(app: AppTest) -> list[list[str]]:
    """The kinds of objects that are drawn."""
    return [[command[0] for command in shape["path"]] for shape in drawing(app).objects]


def test_a_new_visitor_gets_a_workspace_in_the_address():
    first, second = visit(), visit()
    for app in (first, second):
        assert app.query_params["w"] == workspace(app).id
        assert workspaces().exists(workspace(app).id)
    assert workspace(first) is not workspace(second)


def test_the_address_and_then_the_browser_say_which_workspace(remembered):
    mine, others = workspace(visit()).id, workspace(visit()).id
    assert workspace(visit(mine)).id == mine
    remembered["id"] = others
    assert workspace(visit()).id == others
    assert workspace(visit(mine)).id == mine
    assert workspace(visit(MISSING)).id == others


@pytest.mark.parametrize("id", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_an_address_that_names_no_workspace_gives_a_new_one(id, remembered):
    app = visit(id)
    assert workspace(app).id != id
    assert app.query_params["w"] == workspace(app).id
    assert runs(app) == []
    remembered["id"] = id
    assert workspace(visit()).id != id


def test_the_browser_is_asked_to_remember_a_workspace_unless_it_knows_one(remembered):
    def asks(app: AppTest) -> bool:
        return any(element.proto.component_name == "inkling_remember" for element in app.get("bidi_component"))

    app = visit()
    assert asks(app)
    remembered["id"] = workspace(app).id
    assert not asks(app.run())
    assert not asks(visit(workspace(visit()).id))  # somebody else's link does not replace it
    remembered["id"] = MISSING
    assert asks(visit())


def test_the_drawing_is_there_again_with_its_history():
    app = draw(visit(), SEVEN, ONE)
    press(app, "undo")
    draw_live(app, [[140, 50], [140, 230]], [[20, 20], [60, 60]])  # which the canvas has not reported yet
    before = drawing(app)
    kinds, steps = [*drawn(app), *(["M", "Q", "L"] for _ in before.pending)], len(before.past) + len(before.pending)
    again = visit_again(app)
    assert drawn(again) == kinds
    difference = np.asarray(drawing(again).image(), float) - np.asarray(drawing(app).image(), float)
    assert np.abs(difference).mean() < 0.1
    assert "inkling-digit" in answer(again)
    assert len(drawing(again).past) == steps
    for _ in range(steps):
        press(again, "undo")
    assert drawing(again).objects == []
    press(again, "redo")
    assert len(drawing(again).objects) == 1
    once_more = visit_again(again)
    assert len(drawing(once_more).objects) == 1
    assert drawing(once_more).possible_actions["redo"]
    press(once_more, "redo")
    assert drawn(once_more) == drawn(again)[:1] + kinds[1:2]


def test_the_cells_of_the_grid_are_there_again():
    app = visit()
    widget(app.toggle, "Draw with keys").set_value(True).run()
    app.session_state[keyboard_grid.KEY] = {"cells": [30, 31, 59]}
    app.run()
    again = visit_again(app)
    widget(again.toggle, "Draw with keys").set_value(True).run()
    assert not again.exception
    assert session(again).cells.to_json() == [30, 31, 59]  # pyright: ignore[reportOptionalMemberAccess]


def test_the_settings_are_there_again(sets):
    app = open_train()
    widget(app.selectbox, "Data").select("synthetic").run()
    widget(app.selectbox, "Preset").select("cnn").run()
    widget(app.number_input, "Epochs").set_value(3).run()
    widget(app.number_input, "Number of seeds").set_value(2).run()
    again = visit_again(app, "ui/train/page.py")
    assert widget(again.selectbox, "Data").value == "synthetic"
    assert widget(again.selectbox, "Preset").value == "cnn"
    assert any("epochs" in caption.value and "→ 3" in caption.value for caption in again.caption)
    button(again, "1 batch").click().run()
    (run,) = runs(again)
    assert (run.config.epochs, run.config.layers, run.series.num_seeds) == (3, RECIPES["cnn"].config.layers, 2)


def test_settings_that_cannot_work_leave_the_last_ones_that_could(sets):
    app = open_train()
    widget(app.number_input, "Epochs").set_value(3).run()
    widget(app.select_slider, "Learning rate").set_value(0.01).run()
    widget(app.selectbox, "New layer").select("conv2d").run()
    button(app, "Add").click().run()
    assert button(app, "Start").disabled
    again = visit_again(app, "ui/train/page.py")
    assert widget(again.number_input, "Epochs").value == 3
    assert widget(again.select_slider, "Learning rate").value == 0.01
    assert not button(again, "Start").disabled


def test_settings_from_a_link_go_before_the_stored_ones_and_are_stored_themselves(sets):
    app = open_train()
    widget(app.number_input, "Epochs").set_value(3).run()
    workspace(app).store_changes()
    linked = visit(workspace(app).id)
    linked.query_params |= {"preset": "mlp", "epochs": "7"}
    linked.switch_page("ui/train/page.py").run()
    assert widget(linked.number_input, "Epochs").value == 7
    assert widget(linked.selectbox, "Preset").value == ""
    again = visit_again(linked, "ui/train/page.py")
    assert widget(again.number_input, "Epochs").value == 7
    assert "from your link" in widget(again.selectbox, "Preset").options


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    "value",
    [
        *(5, "text", [], {}, [[[]]], {"objects": 5}, float("nan")),
        {"objects": [{"type": "Path"}], "past": [[0]], "now": [[0, 7]], "future": []},
        {"objects": [], "past": [], "now": [], "future": []},
        {
            "objects": [{"type": "Path", "path": [["M", None, 2]]}] * 9,
            "past": [[-1]],
            "now": [["a"]],
            "future": [[{}]],
        },
        [-1, 784, 1e9, True, "a", None],
        {"source": "mnist", "origin": "x" * 10_000, "num_seeds": 99, "base": {}, "config": {}},
        {"source": ["mnist"], "origin": None, "num_seeds": 1, "base": {"epochs": []}, "config": {"layers": {}}},
        {"source": "mnist", "origin": "**a**", "num_seeds": 1, "base": {}, "config": {"input_shape": [3, 4], "seed": 2**60}},
        {"source": "mnist", "origin": "a", "num_seeds": 1, "base": {"epochs": 3}, "config": {"epochs": [9]}},
    ],
)
def test_no_stored_value_breaks_a_page(name, value):
    app = visit()
    workspace(app).store_changes()
    workspace(app).store.put(workspace(app).id, name, value)  # pyright: ignore[reportOptionalMemberAccess]
    again = visit(workspace(app).id)
    widget(again.toggle, "Draw with keys").set_value(True).run()
    assert not again.exception
    again.switch_page("ui/train/page.py").run()
    assert not again.exception
    assert not button(again, "Start").disabled


def test_two_tabs_see_the_same_runs(sets):
    first = open_train()
    second = visit(workspace(first).id, "ui/train/page.py")
    assert workspace(second) is workspace(first)
    run = start(first, Epochs=2_000)
    second.run()
    assert button(second, "Pause")
    button(second, "Pause").click().run()
    wait_for(lambda: run.series.is_still, "it does not pause")
    assert button(first.run(), "Resume")
    button(second, "Stop").click().run()
    run_to_end(first)
    tick(first, 0)
    widget(first.text_input, "Name").set_value("a first try").run()
    assert list(second.run().dataframe[0].value["Name"]) == ["a first try"]
    tick(second, 0)
    button(second, "Delete").click().run()
    assert runs(first.run()) == []
    assert not first.exception
    wait_for(lambda: len(workspace(first).removed_runs()) > 0, "it is not stored that the run was removed")
    button(first.switch_page("ui/work/page.py").run(), "Bring back a first try").click().run()
    assert [run.name for run in runs(second.run())] == ["a first try"]


def test_runs_are_there_again_in_a_new_session(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    again = visit_again(app, "ui/train/page.py")
    assert list(again.dataframe[0].value["Name"]) == ["Run 1"]
    assert says([*again.success, *again.info, *again.warning], "300 test images right")
    assert "Run 1" in widget(again.switch_page("ui/draw/page.py").run().selectbox, "Network").options


def test_another_visitor_sees_none_of_it(sets):
    app = open_train()
    start(app, Epochs=1)
    run_to_end(app)
    other = visit(page="ui/train/page.py")
    assert runs(other) == []
    assert widget(other.number_input, "Epochs").value != 1


def test_a_tab_goes_on_in_a_new_workspace_after_another_has_forgotten_everything():
    first = visit()
    second = visit(workspace(first).id)
    workspaces().forget(workspace(first))
    second.run()
    assert not second.exception
    assert workspace(second).id != workspace(first).id
    assert second.query_params["w"] == workspace(second).id


def test_that_nothing_can_be_stored_is_said_on_every_page_and_the_pages_work(sets, monkeypatch):
    app = open_train()
    store = workspace(app).store
    assert store is not None
    with monkeypatch.context() as patch:
        patch.setattr(store, "_engine", None)  # whatever is tried fails
        patch.setattr(store, "_transaction", _away)
        workspace(app).problem = NOT_STORED
        start(app, Epochs=1)
        run_to_end(app)
        for page in ("ui/draw/page.py", "ui/train/page.py", "ui/work/page.py"):
            app.switch_page(page).run()
            assert not app.exception
            assert app.warning[0].value.startswith("Your work cannot be saved at the moment: ")
        new = visit()
        assert new.warning[0].value.startswith("Your work cannot be saved at the moment: ")
    workspace(app).store_changes()
    assert not app.run().warning
    assert [run.name for run in runs(visit_again(app))] == ["Run 1"]


def test_a_reload_without_the_database_does_not_lose_the_drawing(monkeypatch):
    app = draw(visit(), SEVEN, ONE)
    store = workspace(app).store
    assert store is not None
    workspace(app).store_changes()
    before = drawn(app)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_transaction", _away)
        again = visit(workspace(app).id)
        assert drawn(again) == []
        assert again.warning[0].value.startswith("Your work cannot be saved at the moment: ")
        draw(again, ONE)
        assert len(drawn(again)) == 1
    workspace(app).store_changes()
    assert any(toast.value.startswith("Your saved drawing could not be read") for toast in again.run().toast)
    assert drawn(visit_again(app)) == before


def _away(write: bool = True) -> None:
    raise InklingError("the store cannot be reached at the moment: try again in a few seconds")


def test_a_link_to_work_that_is_not_there_says_so():
    assert not visit().toast
    assert not visit(workspace(visit()).id).toast
    (notice,) = visit(MISSING).toast
    assert notice.value.startswith("There is no work under the link that you opened")
