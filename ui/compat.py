"""Everything in Python that relies on parts of Streamlit or the canvas which their authors do not promise.

Selectors that do so stand at the top of ``assets/companion.js`` and at the end of ``assets/style.css``. Each has a
test in ``tests/ui/test_compat.py`` or ``tests/browser/test_compat.py`` that says what broke after an upgrade.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def session_watcher() -> Callable[[], bool]:
    """A function, safe to call from any thread, that says whether this session's browser is still connected."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    instance, session_id = runtime.get_instance(), context.session_id
    return lambda: instance.is_active_session(session_id)


def canvas_report(key: str) -> dict[str, Any] | None:
    """The latest report of the canvas with this key, also before the canvas is shown in this run; None if there is none."""
    drawing = _item(st.session_state.get(key), "drawing")  # as the browser sent it, so it may be anything
    return _item(drawing, "raw")


def _item(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
