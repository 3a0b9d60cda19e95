"""What ``ui.compat`` relies on. A failure names what an upgrade of Streamlit or the canvas has changed.

``tests/browser/test_compat.py`` does the same for scripts and styles.
"""

import inspect
import weakref
from dataclasses import fields
from types import SimpleNamespace

from streamlit import runtime
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.testing.v1 import AppTest

from ui import compat


def show_canvas():
    import streamlit as st
    from streamlit_drawable_canvas import st_canvas

    from ui import compat

    before = compat.canvas_report("canvas")
    result = st_canvas(initial_drawing={"objects": []}, key="canvas")
    st.session_state["reports"] = before, result.json_data


def watch_session():
    import streamlit as st

    from ui import compat

    st.session_state["connected"] = compat.session_watcher()()


def test_the_canvas_reports_where_compat_looks():
    app = AppTest.from_function(show_canvas).run()
    assert not app.exception, "streamlit_drawable_canvas.st_canvas has other parameters: update ui.draw.canvas.show_canvas"
    assert app.session_state["reports"][0] is None
    app.session_state["canvas"] = {"drawing": {"raw": {"objects": ["a stroke"]}, "data": None}}
    before, report = app.run().session_state["reports"]
    assert report == {"objects": ["a stroke"]}, "st_canvas has another session state: update ui.compat.canvas_report"
    assert before == report, "ui.compat.canvas_report does not find what st_canvas returns as json_data: update it"


def test_a_file_in_memory_has_the_address_of_an_image(monkeypatch):
    assert callable(getattr(MediaFileManager, "add", None)), (
        "Streamlit has another media file manager: update ui.compat.media_url"
    )
    names = [*inspect.signature(MediaFileManager.add).parameters]
    assert names[:4] == ["self", "path_or_data", "mimetype", "coordinates"], "update ui.compat.media_url"
    manager = SimpleNamespace(add=lambda content, kind, coordinates: f"/media/{kind}")
    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", lambda: SimpleNamespace(media_file_mgr=manager))
    monkeypatch.setattr(compat.st, "get_option", {"server.baseUrlPath": "digits/"}.get)
    assert compat.media_url(b"\x89PNG", "a place") == "/digits/media/image/png"
    assert compat.media_url(b"\xff\xd8", "a place") == "/digits/media/image/jpeg"


def test_a_session_has_an_id_and_can_be_looked_up():
    names = {field.name for field in fields(ScriptRunContext)}
    assert "session_id" in names, "ScriptRunContext has no session_id: update ui.compat.session_watcher"
    assert callable(getattr(runtime.Runtime, "is_active_session", None)), (
        "streamlit.runtime.Runtime has no is_active_session: update ui.compat.session_watcher"
    )


def test_without_a_server_a_session_counts_as_connected():
    app = AppTest.from_function(watch_session).run()
    assert not app.exception, "Streamlit's runtime has changed: update ui.compat.session_watcher"
    assert app.session_state["connected"]


def test_sessions_whose_time_is_over_are_forgotten(monkeypatch):
    assert "_session_mgr" in runtime.Runtime.__init__.__code__.co_names, "update ui.compat.forget_sessions"
    storage = MemorySessionStorage(ttl_seconds=0)
    manager = WebsocketSessionManager(storage, None, None, None)
    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", lambda: SimpleNamespace(_session_mgr=manager))
    assert compat.forget_sessions() == 0
    session = type("Session", (), {"id": "gone"})()
    ended = weakref.ref(session)
    storage.save(SessionInfo(None, session))
    del session
    assert ended() is not None, "Streamlit forgets old sessions by itself: remove ui.compat.forget_sessions"
    assert compat.forget_sessions() == 1
    assert ended() is None
