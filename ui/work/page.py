"""The page My work: what is saved, the way back to it from any device, and downloading, uploading and deleting all of it."""

from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import urlencode

import segno
import streamlit as st

from engine import InklingError
from ui import compat, presentation, runs, studies
from ui.formatting import escape_markdown, number
from ui.run import check_file
from ui.state import report_error, session, show_error
from ui.store import Store
from ui.translation import _
from ui.visitor import PARAMETER, forget_everything, remember, remembered, workspace

UPLOAD = "work upload"  # key of the file uploader


def show_page() -> None:
    st.title(_("My work"), anchor=False)
    show_error()
    if result := session().upload_result:
        st.success(escape_markdown(result))
        session().upload_result = ""
    store = workspace().store
    if store is None:
        st.warning(
            _("Nothing is saved on this server at the moment. Download what you want to keep."), icon=":material/cloud_off:"
        )
        return
    saved = _("Your drawings, your settings, your networks and all runs are saved here.")
    if store.is_temporary:
        saved = _("Your drawings, your settings, your networks and all runs are saved here until the server restarts.")
    deleted = _("They are deleted {days} days after your last visit.").format(days=store.keep_days)
    st.markdown(f"{saved} {deleted}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _contents(store)
        _removed()
        _files()
    with right:
        _link()
        _forget()


def _contents(store: Store) -> None:
    st.header(_("What is saved"), anchor=False)
    current, sizes, used = workspace(), {}, ""
    with suppress(InklingError):  # the page says already that the database cannot be reached
        sizes = store.sizes(current.id)
        used = _("Used: {used} of {room} MB.").format(
            used=number(sum(sizes.values()) / 1e6, ".1f"), room=number(store.max_bytes / 1e6, ",.0f")
        )
    rows: list[dict[str, Any]] = [
        {"Name": run.name, "Kind": _("run"), "State": _(str(run.state)), "Size": sizes.get(("run", run.id))}
        for run in runs.all_runs()
    ]
    rows += [
        {"Name": name, "Kind": _("network"), "State": _("uploaded"), "Size": sizes.get(("network", name))}
        for name in current.networks
    ]
    if drawing := sum(sizes.get(("value", name), 0) for name in ("drawing", "cells", "picture")):
        rows.append({"Name": _("Drawing"), "Kind": _("drawing"), "State": "", "Size": drawing})
    if drawings := sum(size for (kind, _key), size in sizes.items() if kind == "drawings"):
        rows.append({"Name": _("My handwriting"), "Kind": _("drawings"), "State": "", "Size": drawings})
    rows += [{"Name": title, "Kind": _("sweep"), "State": "", "Size": size} for title, size in studies.sizes().items()]
    of_classes = {code: size for (kind, code), size in sizes.items() if kind == "class"}
    rows += [{"Name": code, "Kind": _("class"), "State": "", "Size": size} for code, size in of_classes.items()]
    if rows:
        columns = {
            "Name": st.column_config.TextColumn(_("Name")),
            "Kind": st.column_config.TextColumn(_("Kind")),
            "State": st.column_config.TextColumn(_("State")),
            "Size": st.column_config.NumberColumn(_("Size"), format="bytes"),
        }
        st.dataframe(rows, column_config=columns, hide_index=True, width="stretch")
    if not runs.all_runs():
        st.caption(_("No run yet. Train a network on the Train page, and its run appears here."))
    if used:
        st.caption(f"{used} {_('If there is no room left, the oldest runs are deleted first.')}")
    for name in current.networks:
        label = _("Delete the network {name}").format(name=escape_markdown(name))
        st.button(label, icon=":material/delete:", type="tertiary", on_click=current.remove_network, args=(name,))


def _removed() -> None:
    """Runs that were deleted a short time ago."""
    if removed := workspace().removed_runs():
        st.header(_("Deleted runs"), anchor=False)
        st.caption(_("You can bring them back for one day."))
        for run in reversed(removed):
            label = _("Bring back {run}").format(run=escape_markdown(run.name))
            st.button(label, icon=":material/undo:", key=run.key, on_click=workspace().restore_run, args=(run.key,))


def _files() -> None:
    st.header(_("All of it as a file"), anchor=False)
    st.download_button(
        _("Download everything"),
        workspace().export_zip,
        f"inkling-{date.today()}.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
    )
    st.file_uploader(_("Upload a file that you downloaded here (.zip)"), "zip", key=UPLOAD, on_change=_upload)


def _upload() -> None:
    file = st.session_state[UPLOAD]
    if file is None or compat.was_dropped(file):
        return
    try:
        added = workspace().import_zip(file.getvalue(), check_file)
        session().upload_result = _("Added: {names}.").format(names=", ".join(added) or _("nothing new"))
    except InklingError as error:
        report_error(error)
    finally:
        compat.drop_upload(file)


def _link() -> None:
    st.header(_("On another device"), anchor=False)
    if presentation.is_on():
        st.caption(
            _("The link to your work is not shown on the wall: everyone who has it could change and delete your work.")
        )
        return
    st.markdown(_("Open this link or scan the code. Bookmark the page to come back."))
    address = f"{(st.context.url or '').split('?')[0].removesuffix('/work')}?{urlencode({PARAMETER: workspace().id})}"
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    st.html(f'<img class="inkling-code" src="{picture}" alt="{_("QR code of the link")}">')
    st.code(address, language=None, wrap_lines=True)
    st.caption(_("Keep the link to yourself: everyone who has it can see, change and delete your work."))
    if remembered() not in (None, workspace().id):
        st.caption(_("This browser remembers other work. It opens that if you come without a link."))
        if st.button(_("Remember this one instead"), icon=":material/bookmark:"):
            remember(replace=True)


def _forget() -> None:
    st.header(_("Delete"), anchor=False)
    if st.button(_("Forget everything"), icon=":material/delete_forever:"):
        _confirm()


def _confirm() -> None:
    st.dialog(_("Forget everything?"))(_ask)()


def _ask() -> None:
    st.markdown(
        _(
            "Your runs, sweeps, networks, drawings and settings will be deleted, and the class collections that you opened. "
            "Drawings that you gave to a class stay there: take them back first. **You cannot undo this.**"
        )
    )
    if st.button(_("Delete everything"), type="primary", icon=":material/delete_forever:"):
        with suppress(InklingError):  # what cannot be deleted now is deleted within the hour, as it belongs to nobody
            studies.forget()
        try:
            forget_everything()
        except InklingError as error:
            report_error(error)
        st.rerun()


show_page()
