"""The page My work."""

import re
from dataclasses import replace

import pytest
import segno
from pages import SEVEN, button, draw, session
from streamlit.testing.v1 import AppTest

from engine import Network, dense_layers
from engine.jobs import JobState
from tests.ui.test_visitor import _away, visit, visit_again
from tests.ui.train.steps import open_train, run_to_end, runs, says, start, wait_for, workspace
from ui import visitor
from ui.store.schema import METADATA
from ui.workspace import Workspaces, workspaces

PAGE = "ui/work/page.py"


def open_work(app: AppTest | None = None) -> AppTest:
    app = (app or visit()).switch_page(PAGE).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption, *app.warning, *app.info))


def forget(app: AppTest) -> None:
    """Press both buttons: here the dialog is only shown in the run in which it was opened."""
    button(app, "Forget everything").click().run()
    button(app, "Forget everything").click()
    button(app, "Delete everything").click().run()


def trained(sets, **numbers) -> AppTest:
    """A session with a run that is over, on the Train page."""
    app = open_train()
    start(app, Epochs=1, **numbers)
    run_to_end(app)
    return app


def test_an_empty_workspace_says_how_to_begin():
    app = open_work()
    assert "No run yet. Train a network on the Train page" in texts(app)
    assert "They are deleted 30 days after your last visit." in texts(app)
    room = workspace(app).store.max_bytes // 1_000_000  # pyright: ignore[reportOptionalMemberAccess]
    assert re.search(rf"Used: 0\.\d of {room} MB\.", texts(app))
    assert [header.value for header in app.header] == ["What is saved", "All of it as a file", "On another device", "Delete"]
    assert not app.dataframe


def test_runs_and_networks_are_listed_with_their_state(sets):
    app = trained(sets)
    start(app, Epochs=2_000)
    workspace(app).add_network("a*b*", Network(dense_layers((4,))))
    open_work(app)
    table = app.dataframe[0].value
    assert list(table["Name"]) == ["Run 1", "Run 2", "a*b*"]
    assert list(table["Kind"]) == ["run", "run", "network"]
    first, second, _ = table["State"]
    assert first == "finished"
    assert second in ("waiting", "running")
    button(app, r"Delete the network a\*b\*").click().run()
    assert not app.exception
    assert list(app.dataframe[0].value["Name"]) == ["Run 1", "Run 2"]
    assert workspace(app).networks == {}


def test_each_thing_is_listed_with_its_size(sets):
    app = draw(trained(sets).switch_page("ui/draw/page.py").run(), SEVEN)
    current = workspace(app)
    current.add_network("mine", Network(dense_layers((4,))))
    current.set_value("cells", lambda: [30, 31])
    current.store_changes()
    assert current.store is not None
    sizes = current.store.sizes(current.id)
    open_work(app)
    table = app.dataframe[0].value
    assert list(table["Name"]) == ["Run 1", "mine", "Drawing"]
    assert list(table["Size"]) == [
        sizes["run", runs(app)[0].id],
        sizes["network", "mine"],
        sizes["value", "drawing"] + sizes["value", "cells"],
    ]
    assert min(table["Size"]) > 0


def test_a_drawing_alone_is_listed():
    app = draw(visit(), SEVEN)
    workspace(app).store_changes()
    open_work(app)
    assert list(app.dataframe[0].value["Name"]) == ["Drawing"]
    assert "No run yet." in texts(app)


def test_deleted_runs_can_be_brought_back(sets):
    app = trained(sets)
    (run,) = runs(app)
    workspace(app).remove_run(run)
    open_work(app)
    assert "Deleted runs" in [header.value for header in app.header]
    button(app, "Bring back Run 1").click().run()
    assert not app.exception
    assert list(app.dataframe[0].value["Name"]) == ["Run 1"]
    assert "Deleted runs" not in [header.value for header in app.header]


def test_the_link_and_its_code_lead_to_the_workspace():
    app = visit()
    app.context = {"url": "http://127.0.0.1:8501/inkling/work?w=old"}
    open_work(app)
    address = f"http://127.0.0.1:8501/inkling?w={workspace(app).id}"
    assert app.code[0].value == address
    code = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    (picture,) = [block.proto.body for block in app.get("html") if '<img class="inkling-code"' in block.proto.body]
    assert f'src="{code}"' in picture
    assert 'alt="QR code of the link"' in picture


def test_a_presentation_does_not_show_the_link():
    app = open_work()
    session(app).is_presenting = True
    assert not app.run().code
    assert "not shown on the wall" in texts(app)


def test_a_browser_that_remembers_another_workspace_can_be_told_to_remember_this_one(remembered):
    app = visit()
    remembered["id"] = workspace(visit()).id
    open_work(app)
    assert says(app.caption, "This browser remembers other work")
    button(app, "Remember this one instead").click().run()
    assert not app.exception
    (asked,) = [element for element in app.get("bidi_component") if element.proto.component_name == "inkling_remember"]
    assert workspace(app).id in asked.proto.json


def test_the_work_in_a_file_is_added_to_another_workspace(sets):
    app = trained(sets)
    content = workspace(app).export_zip()
    other = open_work()
    other.file_uploader[0].upload("inkling.zip", content).run()
    assert not other.exception
    assert other.success[0].value == r"Added\: Run 1\."
    assert list(other.dataframe[0].value["Name"]) == ["Run 1"]
    assert not other.run().success
    assert [run.name for run in runs(visit_again(other))] == ["Run 1"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_workspace_is_refused_in_one_line(content):
    app = open_work()
    app.file_uploader[0].upload("*other*.zip", content).run()
    assert not app.exception
    (error,) = [error.value for error in app.error]
    assert "the file is not a workspace of Inkling" in error
    assert "\n" not in error


def test_forget_everything_asks_first_and_then_does(sets):
    app = draw(trained(sets).switch_page("ui/draw/page.py").run(), SEVEN)
    forgotten = workspace(app)
    forgotten.store_changes()
    store = forgotten.store
    assert store is not None
    open_work(app)
    button(app, "Forget everything").click().run()
    assert says(app.markdown, "You cannot undo this")
    assert runs(app)
    forget(app)
    assert not app.exception
    assert workspace(app).id != forgotten.id
    assert runs(app) == []
    assert app.query_params["w"] == workspace(app).id
    with store._transaction(write=False) as connection:
        for table in METADATA.sorted_tables:
            column = table.c.id if table.name == "workspaces" else table.c.get("workspace")
            assert column is None or not connection.execute(table.select().where(column == forgotten.id)).all()
    assert not workspaces().exists(forgotten.id)
    app.switch_page("ui/draw/page.py").run()
    assert session(app).drawing.objects == []  # pyright: ignore[reportOptionalMemberAccess]


def test_forget_everything_stops_what_trains(sets):
    app = open_train()
    run = start(app, Epochs=2_000)
    open_work(app)
    forget(app)
    assert not app.exception
    wait_for(lambda: run.series.is_over, "it still trains")
    assert run.state is JobState.STOPPED
    assert runs(app) == []


def test_without_a_database_the_page_says_so_and_nothing_else(monkeypatch):
    monkeypatch.setattr("ui.workspace.Thread", lambda **_: type("Thread", (), {"start": lambda self: None})())
    alone = Workspaces(None)
    monkeypatch.setattr(visitor, "workspaces", lambda: alone)
    app = open_work()
    assert says(app.warning, "Nothing is saved on this server at the moment.")
    assert not app.header


def test_while_the_database_is_away_the_page_still_works(sets, monkeypatch):
    app = trained(sets)
    workspace(app).store_changes()
    store = workspace(app).store
    with monkeypatch.context() as patch:
        patch.setattr(store, "_transaction", _away)
        open_work(app)
        assert list(app.dataframe[0].value["Name"]) == ["Run 1"]
        assert list(app.dataframe[0].value["Size"]) == [None]
        forget(app)
        assert not app.exception
        assert says(app.error, "the store cannot be reached")
        assert [run.name for run in runs(app)] == ["Run 1"]


def test_a_temporary_store_says_so(monkeypatch):
    app = visit()
    monkeypatch.setattr(workspace(app).store, "is_temporary", True)
    assert "are saved here until the server restarts" in texts(open_work(app))


def test_a_full_workspace_shows_what_is_left(sets, monkeypatch):
    app = trained(sets)
    current = workspace(app)
    current.store_changes()
    assert current.store is not None
    monkeypatch.setattr(current.store, "max_bytes", int(1.5 * current.store.size(current.id)))
    app.session_state["seed"] = 3
    start(app)
    run_to_end(app)
    current.store_changes()
    open_work(app)
    assert list(app.dataframe[0].value["Name"]) == ["Run 2"]


def test_names_from_outside_are_shown_as_they_are(sets):
    app = trained(sets)
    (run,) = runs(app)
    run.name = "**b** $x$ :tada: <i>"
    workspace(app).notices.append("The run *a* cannot be read.")
    open_work(app)
    (notice,) = app.toast
    assert notice.value == r"The run \*a\* cannot be read\."
    assert notice.proto.duration == 0  # it stays until it is closed
    assert not app.run().toast
    workspace(app).remove_run(run)
    app.run()
    assert button(app, r"Bring back \*\*b\*\* \$x\$ \:tada\: \<i\>")
    assert replace(run.config, epochs=1) == run.config
