"""Own drawings as a file, and drawings from a file."""

from collections.abc import Callable
from datetime import date
from functools import partial
from threading import Lock

import streamlit as st

from engine import InklingError
from engine.data.collection import Collection
from engine.data.collection_files import FORMATS, pack, read_collection
from ui import collection, compat, state
from ui.formatting import escape_markdown, number
from ui.state import session
from ui.store import MAX_DRAWINGS
from ui.translation import _, ngettext
from ui.visitor import workspace
from ui.workspace import Workspace

KEY = "drawings upload"
MAX_UPLOAD_MB = 50
_reading = Lock()  # one file at a time, because a large one takes much memory
MAX_REASONS = 3  # that are shown of what was left out


def show() -> None:
    """Buttons to download all drawings, and a place to drop a file."""
    with state.expander(_("Download and upload"), ":material/swap_vert:", "drawings as files"):
        show_downloads(partial(_packed, workspace()), "my-drawings", "drawings", disabled=not workspace().drawings())
        st.file_uploader(
            _("Add drawings from a file"),
            ["zip", "csv", "jsonl", "gz"],
            key=KEY,
            on_change=_upload,
            max_upload_size=MAX_UPLOAD_MB,
            help=_(
                "A file that you downloaded here, a zip of pictures in folders named 0 to 9, or a table with a label and "
                "784 pixels in each row."
            ),
        )
    if session().added_drawings:
        st.success(escape_markdown(session().added_drawings), icon=":material/check:")
        session().added_drawings = ""


def show_downloads(make_file: Callable[[str], bytes], stem: str, key: str, disabled: bool) -> None:
    """A button for each of the ``FORMATS``, which makes the file when it is pressed; its name has ``stem`` and the day."""
    with st.container(horizontal=True):
        for name, form in FORMATS.items():
            st.download_button(
                _(form.label),
                partial(make_file, name),
                f"{stem}-{date.today()}{form.suffix}",
                form.mime,
                icon=":material/download:",
                help=_(form.help),
                key=f"download {key} {name}",
                on_click="ignore",
                disabled=disabled,
            )


def _packed(source: Workspace, name: str) -> bytes:
    """The file; to be called outside of the session, too."""
    return pack(collection.with_strokes(source), name)


def _upload() -> None:
    file = st.session_state[KEY]
    if file is None or compat.was_dropped(file):
        return
    try:
        with _reading:
            session().added_drawings = add(read_collection(file, MAX_DRAWINGS))
    except InklingError as error:
        state.report_error(_("Nothing was added: {reason}.").format(reason=error))
    finally:
        compat.drop_upload(file)


def add(uploaded: Collection) -> str:
    """Keep the digits among these drawings; return in words what was added, and what was left out."""
    digits = [drawing for drawing in uploaded if drawing.label < 10]
    letters = len(uploaded) - len(digits)
    collection.keep(digits)
    added = ngettext("Added {count} drawing.", "Added {count} drawings.", len(digits))
    sentences = [added.format(count=number(len(digits)))]
    if letters:
        text = ngettext(
            "Left out {count} drawing of letters: this page is for digits.",
            "Left out {count} drawings of letters: this page is for digits.",
            letters,
        )
        sentences.append(text.format(count=number(letters)))
    if reasons := uploaded.skipped:
        text = _("Left out {count} more: {reasons}.")
        if len(reasons) > MAX_REASONS:
            text = _("Left out {count} more: {reasons}; and others.")
        sentences.append(text.format(count=number(len(reasons)), reasons="; ".join(reasons[:MAX_REASONS])))
    return " ".join(sentences)
