"""Everything in Python that relies on parts of Streamlit or the canvas which their authors do not promise.

Selectors that do so stand at the top of ``assets/companion.js`` and at the end of the style sheets in ``assets``. Each has a
test in ``tests/ui/test_compat.py`` or ``tests/browser/test_compat.py`` that says what broke after an upgrade.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st
from google.protobuf.message import DecodeError
from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import DeletedFile


def session_watcher() -> Callable[[], bool]:
    """A function, safe to call from any thread, that says whether this session's browser is still connected."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    instance, session_id = runtime.get_instance(), context.session_id
    return lambda: instance.is_active_session(session_id)


def has_session() -> bool:
    """Whether the calling thread runs a page for a visitor."""
    return get_script_run_ctx(suppress_warning=True) is not None


def send_at_once() -> None:
    """Have the server send small messages at once; without it, a phone waits 40 ms longer for each answer.

    asyncio sets TCP_NODELAY, but not for the sockets that Streamlit makes. Connections inherit it from the socket that
    listens, which is looked for among this process's open files. Does nothing where these cannot be listed.
    """
    for file in Path("/proc/self/fd").glob("*"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(file.name))) as opened:
            if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and opened.family != socket.AF_UNIX:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class RunRequest(NamedTuple):
    """A browser's request to run a page, or a fragment of it."""

    page: str  # its hash; empty if the browser does not know it yet
    is_fragment: bool
    is_page_link: bool


def run_request(message: bytes) -> RunRequest | None:
    """What a message from the browser asks to run; None if it asks for something else."""
    try:
        decoded = BackMsg.FromString(message)
    except DecodeError:
        return None
    if not decoded.HasField("rerun_script"):
        return None
    state = decoded.rerun_script
    is_fragment = bool(state.fragment_id)
    return RunRequest(state.page_script_hash, is_fragment, not is_fragment and not state.widget_states.widgets)


def num_visitors() -> int:
    """How many tabs are connected."""
    if not runtime.exists():
        return 0
    stats = runtime.get_instance().stats_mgr.get_stats(["active_sessions"])
    return sum(int(stat.value) for stat in stats.get("active_sessions", ()))  # pyright: ignore[reportAttributeAccessIssue]


def forget_sessions() -> int:
    """Have Streamlit forget the sessions that cannot come back any more; return how many these are.

    By itself it does so only when it puts the next one aside. To be called in the server's own thread.
    """
    if not runtime.exists():
        return 0
    storage = runtime.get_instance()._session_mgr._session_storage  # pyright: ignore[reportAttributeAccessIssue]
    return len(storage._cache.expire())


def upload_bytes(session: str) -> tuple[int, int]:
    """How many bytes of uploaded files are in memory: of this session, and of all."""
    if not runtime.exists():
        return 0, 0
    files = runtime.get_instance().uploaded_file_mgr.file_storage  # pyright: ignore[reportAttributeAccessIssue]
    sizes = {id: sum(len(file.data) for file in [*of_session.values()]) for id, of_session in [*files.items()]}
    return sizes.get(session, 0), sum(sizes.values())


def was_dropped(file: Any) -> bool:
    """Whether an upload's widget reports a change only because ``drop_upload`` has freed its file."""
    return isinstance(file, DeletedFile)


def drop_upload(file: Any) -> None:
    """Free the memory of an uploaded file that is used no more: Streamlit would keep it until the session ends."""
    context = get_script_run_ctx()
    if context and runtime.exists():
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)  # pyright: ignore[reportAttributeAccessIssue]


def media_url(content: bytes, coordinates: str) -> str:
    """The address of an image file that the server has in memory as long as the session's page shows it.

    ``coordinates`` name its place on the page. Like the address of ``st.image``, it has to be asked for in each run.
    """
    if not runtime.exists():
        return ""
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    return base_path() + runtime.get_instance().media_file_mgr.add(content, kind, coordinates)


def base_path() -> str:
    """The path below which the server is reached: "" or "/digits"."""
    return "".join(f"/{name}" for name in (st.get_option("server.baseUrlPath") or "").split("/") if name)


def canvas_report(key: str) -> dict[str, Any] | None:
    """The latest report of the canvas with this key, also before the canvas is shown in this run; None if there is none."""
    drawing = _item(st.session_state.get(key), "drawing")  # as the browser sent it, so it may be anything
    return _item(drawing, "raw")


def _item(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
