"""All drawings as small images by digit: any can be looked at, given another label, and removed."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine import InklingError
from ui import collection, images
from ui.class_names import with_article
from ui.components import make_component
from ui.state import report_error, session
from ui.store import DrawingRecord
from ui.translation import N_, _
from ui.visitor import workspace

KEY = "wall"
NEWEST = 24  # of each digit, while all digits are shown
ALL = N_("All")
HTML = '<div class="inkling-wall"></div>'


@dataclass
class Wall:
    """Which drawing is looked at, and what was removed last."""

    picked: str = ""
    removed: tuple[DrawingRecord, list[Any]] | None = None


def show() -> None:
    """The wall, and the drawing that is looked at."""
    records = workspace().drawings()
    wall = current()
    if wall.removed:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            removed = _("Removed {digit}.").format(digit=with_article(wall.removed[0].label))
            st.html(f'<p role="status">{removed}</p>', width="content")
            st.button(_("Bring it back"), icon=":material/undo:", type="tertiary", on_click=_bring_back)
    if not records:
        st.info(_("No drawing yet. Draw some under Collect, or press a key below the canvas on the Draw page."))
        return
    with st.container(key="wall-filter"):
        chosen = st.segmented_control(
            _("Which digit"), [ALL, *map(str, range(10))], default=ALL, required=True, format_func=_, key="wall digit"
        )
    groups = []
    for digit in range(10) if chosen == ALL else [int(chosen)]:
        of_digit = [record for record in reversed(records) if record.label == digit]
        shown = of_digit[:NEWEST] if chosen == ALL else of_digit
        if shown:
            groups.append({"digit": digit, "total": len(of_digit), "drawings": [[r.key, picture(r)] for r in shown]})
    picked = next((record for record in records if record.key == wall.picked), None)
    data = {"groups": groups, "picked": picked and picked.key, "texts": texts()}
    make_component("wall", HTML)(data=data, key=KEY, on_picked_change=_pick)
    if not groups:
        st.caption(_("No drawing of {digit} yet.").format(digit=with_article(int(chosen))))
    if picked:
        _show_picked(picked)


def current() -> Wall:
    """This session's."""
    session().wall = session().wall or Wall()
    return session().wall  # pyright: ignore[reportReturnType]


def texts() -> dict[str, str]:
    """The texts of the component."""
    return {"newest": _("{total}, the newest {count} shown"), "drawing": _("A {digit}, number {number} of {total}")}


def picture(record: DrawingRecord) -> str:
    """The address of a drawing's image."""
    return images.digit_url(collection.image(record))


def _show_picked(record: DrawingRecord) -> None:
    with st.container(key="picked-drawing", horizontal=True, vertical_alignment="center"):
        alternative = _("Your drawing of {digit}").format(digit=with_article(record.label))
        st.html(f'<img class="inkling-large" src="{picture(record)}" alt="{alternative}">', width="content")
        with st.container(width="stretch", gap="small"):
            st.segmented_control(
                _("It is a ..."),
                list(range(10)),
                default=record.label,
                required=True,
                key=f"label of {record.key} {record.label}",
                on_change=_relabel,
                args=(record,),
            )
            with st.container(horizontal=True, gap="small"):
                st.button(_("Remove"), icon=":material/delete:", key="remove drawing", on_click=_remove, args=(record,))
                st.button(_("Close"), icon=":material/close:", key="close drawing", on_click=_close)


def _pick() -> None:
    picked = st.session_state[KEY].get("picked")
    if isinstance(picked, str):
        current().picked = "" if picked == current().picked else picked


def _close() -> None:
    current().picked = ""


def _relabel(record: DrawingRecord) -> None:
    label = st.session_state[f"label of {record.key} {record.label}"]
    _try(lambda: workspace().relabel_drawing(record.key, label))


def _remove(record: DrawingRecord) -> None:
    def remove() -> None:
        current().removed = workspace().remove_drawing(record.key)
        current().picked = ""

    _try(remove)


def _bring_back() -> None:
    if removed := current().removed:
        _try(lambda: workspace().add_drawings([removed]))
        current().removed = None


def _try(action: Any) -> None:
    try:
        action()
    except InklingError as error:
        report_error(error)
