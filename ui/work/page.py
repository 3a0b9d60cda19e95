"""The page My work: what is saved, the way back to it from any device, and downloading, uploading and deleting all of it."""

from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import urlencode

import segno
import streamlit as st

from engine import InklingError
from ui import compat, presentation, runs
from ui.formatting import escape_markdown
from ui.run import check_file
from ui.state import report_error, session, show_error
from ui.store import Store
from ui.visitor import PARAMETER, forget_everything, remember, remembered, workspace

UPLOAD = "work upload"  # key of the file uploader


def show_page() -> None:
    st.title("My work", anchor=False)
    show_error()
    if result := session().upload_result:
        st.success(escape_markdown(result))
        session().upload_result = ""
    store = workspace().store
    if store is None:
        st.warning(
            "Nothing is saved on this server at the moment. Download what you want to keep.", icon=":material/cloud_off:"
        )
        return
    until = " until the server restarts" if store.is_temporary else ""
    st.markdown(
        f"Your drawings, your settings, your networks and all runs are saved here{until}. "
        f"They are deleted {store.keep_days} days after your last visit."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _contents(store)
        _removed()
        _files()
    with right:
        _link()
        _forget()


def _contents(store: Store) -> None:
    st.header("What is saved", anchor=False)
    current, sizes, used = workspace(), {}, ""
    with suppress(InklingError):  # the page says already that the database cannot be reached
        sizes = store.sizes(current.id)
        used = f"Used: {sum(sizes.values()) / 1e6:.1f} of {store.max_bytes / 1e6:,.0f} MB."
    rows: list[dict[str, Any]] = [
        {"Name": run.name, "Kind": "run", "State": str(run.state), "Size": sizes.get(("run", run.id))}
        for run in runs.all_runs()
    ]
    rows += [
        {"Name": name, "Kind": "network", "State": "uploaded", "Size": sizes.get(("network", name))}
        for name in current.networks
    ]
    if drawing := sum(sizes.get(("value", name), 0) for name in ("drawing", "cells", "picture")):
        rows.append({"Name": "Drawing", "Kind": "drawing", "State": "", "Size": drawing})
    if drawings := sum(size for (kind, _), size in sizes.items() if kind == "drawings"):
        rows.append({"Name": "My handwriting", "Kind": "drawings", "State": "", "Size": drawings})
    if rows:
        size = st.column_config.NumberColumn(format="bytes")
        st.dataframe(rows, column_config={"Size": size}, hide_index=True, width="stretch")
    if not runs.all_runs():
        st.caption("No run yet. Train a network on the Train page, and its run appears here.")
    if used:
        st.caption(f"{used} If there is no room left, the oldest runs are deleted first.")
    for name in current.networks:
        label = f"Delete the network {escape_markdown(name)}"
        st.button(label, icon=":material/delete:", type="tertiary", on_click=current.remove_network, args=(name,))


def _removed() -> None:
    """Runs that were deleted a short time ago."""
    if removed := workspace().removed_runs():
        st.header("Deleted runs", anchor=False)
        st.caption("You can bring them back for one day.")
        for run in reversed(removed):
            label = f"Bring back {escape_markdown(run.name)}"
            st.button(label, icon=":material/undo:", key=run.key, on_click=workspace().restore_run, args=(run.key,))


def _files() -> None:
    st.header("All of it as a file", anchor=False)
    st.download_button(
        "Download everything",
        workspace().export_zip,
        f"inkling-{date.today()}.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
    )
    st.file_uploader("Upload a file that you downloaded here (.zip)", "zip", key=UPLOAD, on_change=_upload)


def _upload() -> None:
    file = st.session_state[UPLOAD]
    if file is None or compat.was_dropped(file):
        return
    try:
        added = workspace().import_zip(file.getvalue(), check_file)
        session().upload_result = f"Added: {', '.join(added) or 'nothing new'}."
    except InklingError as error:
        report_error(error)
    finally:
        compat.drop_upload(file)


def _link() -> None:
    st.header("On another device", anchor=False)
    if presentation.is_on():
        st.caption("The link to your work is not shown on the wall: everyone who has it could change and delete your work.")
        return
    st.markdown("Open this link or scan the code. Bookmark the page to come back.")
    address = f"{(st.context.url or '').split('?')[0].removesuffix('/work')}?{urlencode({PARAMETER: workspace().id})}"
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    st.html(f'<img class="inkling-code" src="{picture}" alt="QR code of the link">')
    st.code(address, language=None, wrap_lines=True)
    st.caption("Keep the link to yourself: everyone who has it can see, change and delete your work.")
    if remembered() not in (None, workspace().id):
        st.caption("This browser remembers other work. It opens that if you come without a link.")
        if st.button("Remember this one instead", icon=":material/bookmark:"):
            remember(replace=True)


def _forget() -> None:
    st.header("Delete", anchor=False)
    if st.button("Forget everything", icon=":material/delete_forever:"):
        _confirm()


@st.dialog("Forget everything?")
def _confirm() -> None:
    st.markdown(
        "Your runs, networks, drawings and settings will be deleted, and the class collections that you opened. "
        "Drawings that you gave to a class stay there: take them back first. **You cannot undo this.**"
    )
    if st.button("Delete everything", type="primary", icon=":material/delete_forever:"):
        try:
            forget_everything()
        except InklingError as error:
            report_error(error)
        st.rerun()


show_page()
