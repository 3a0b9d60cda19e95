"""Steps on the Train page that several of its tests take, through ``AppTest``."""

import io
import re
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from pages import button, open_app, session, widget
from streamlit.testing.v1 import AppTest

import engine
from engine.metrics import Evaluation
from ui.run import Run
from ui.workspace import Workspace

WAIT = 60  # seconds after which a tiny training hangs
OPEN = ("network_open", "more_open")  # the expanders of settings


def open_train(**query: str) -> AppTest:
    """The Train page with all settings unfolded, at an address with this query."""
    app = open_app()
    for name, value in query.items():
        app.query_params[name] = value
    for name in OPEN:
        app.session_state[name] = True
    return app.switch_page("ui/train/page.py").run()


def workspace(app: AppTest) -> Workspace:
    workspace = session(app).workspace
    assert workspace is not None
    return workspace


def runs(app: AppTest) -> list[Run]:
    return workspace(app).runs


def start(app: AppTest, **numbers: int) -> Run:
    """Set these number inputs, by label, then press Start."""
    for label, value in numbers.items():
        widget(app.number_input, label.replace("_", " ")).set_value(value).run()
    button(app, "Start").click().run()
    assert not app.exception
    return runs(app)[-1]


def wait_for(condition: Callable[[], bool], problem: str) -> None:
    deadline = monotonic() + WAIT
    while not condition():
        assert monotonic() < deadline, problem
        sleep(0.02)


def run_to_end(app: AppTest) -> Run:
    run = runs(app)[-1]
    assert run.series.wait_until_over(WAIT), "the training did not end"
    app.run()
    assert not app.exception
    return run


def evaluation(run: Run) -> Evaluation:
    """The result on the test images."""
    test = run.snapshot().test
    assert test is not None
    return test


def open_panel(app: AppTest, name: str) -> None:
    app.session_state["panel"] = name
    app.run()
    assert not app.exception


def html(app: AppTest, part: str) -> str:
    """The HTML blocks that contain this part."""
    return "".join(block.proto.body for block in app.get("html") if part in block.proto.body)


def tick(app: AppTest, *rows: int) -> None:
    """Tick rows of the runs' table."""
    app.session_state["runs table"] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    app.run()
    assert not app.exception


def upload(app: AppTest, name: str, content: bytes) -> None:
    app.file_uploader(key="upload").upload(name, content).run()
    assert not app.exception


def says(elements: Any, text: str) -> bool:
    """Whether one of these elements contains the text, in which words may be explained."""
    return any(text in re.sub(r"</?abbr[^>]*>", "", element.value) for element in elements)


def network_bytes(network: engine.Network) -> bytes:
    file = io.BytesIO()
    engine.save(file, network)
    return file.getvalue()
