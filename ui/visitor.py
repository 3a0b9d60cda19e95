"""Whose session this is: the workspace in the page's address, or else the one that the browser remembers."""

import streamlit as st

from ui import compat
from ui.components import make_component
from ui.formatting import escape_markdown
from ui.state import session
from ui.translation import N_, _
from ui.workspace import Workspace, workspaces

PARAMETER = "w"  # of the page's address
COOKIE = "inkling_workspace"
NOT_FOUND = N_(
    "There is no work under the link that you opened: it is not complete, the work was deleted, or nobody opened it for too "
    "long. You now see another workspace."
)


def workspace() -> Workspace:
    """This session's workspace."""
    return session().workspace or open_workspace()


def open_workspace() -> Workspace:
    """Open the workspace of the address, or the one that the browser remembers, or a new one, and name it in the address."""
    current = session().workspace
    is_new = current is None
    if current and current.is_forgotten:  # in another tab
        current = None
    opened = workspaces().open(current.id if current else _known_id() or workspaces().new_id())
    if opened is not current:  # in a new session, or in one that was away for so long that the workspace left memory
        session().workspace = opened
        opened.add_viewer(compat.session_watcher())
        opened.check_store()
        if is_new and st.query_params.get(PARAMETER, opened.id) != opened.id:
            opened.notices.append(_(NOT_FOUND))
    if st.query_params.get(PARAMETER) != opened.id:
        st.query_params[PARAMETER] = opened.id
    return opened


def _known_id() -> str | None:
    for id in (st.query_params.get(PARAMETER), remembered()):
        if id and workspaces().exists(id):
            return id
    return None


def remembered() -> str | None:
    """The workspace that the browser remembers."""
    return st.context.cookies.get(COOKIE)


def remember(replace: bool = False) -> None:
    """Have the browser remember this workspace, if it remembers none, or in any case with ``replace``."""
    known = remembered()
    if known and not replace and workspaces().exists(known):
        return
    if known != workspace().id:
        data = {"name": COOKIE, "value": workspace().id}
        make_component("remember", "<span></span>")(data=data, key="remember")


def show_notices() -> None:
    """Say that nothing can be saved at the moment, or that runs were deleted to make room."""
    if problem := workspace().problem:
        st.warning(_(problem), icon=":material/cloud_off:")
    if notices := workspace().notices:
        for notice in notices:  # each stays until it is closed: the page is often redrawn at once
            st.toast(escape_markdown(_(notice)), icon=":material/info:", duration="infinite")
        workspace().notices = []


def forget_everything() -> None:
    """Delete this workspace with everything in it, and continue in a new one; raises ``InklingError`` if it cannot be."""
    workspaces().forget(workspace())
    for key in list(st.session_state):
        del st.session_state[key]
    session().workspace = workspaces().open(workspaces().new_id())
    workspace().add_viewer(compat.session_watcher())
