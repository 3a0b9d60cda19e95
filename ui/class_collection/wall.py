"""The wall: the digits of a class as they arrive, and the one that the teacher looks at."""

from collections import defaultdict

import streamlit as st

from engine import InklingError
from ui.class_collection.visit import classes, current
from ui.class_names import with_article
from ui.components import make_component
from ui.handwriting.wall import HTML, picture, texts
from ui.state import report_error
from ui.store import ClassRecord, Donation
from ui.translation import _
from ui.visitor import workspace

KEY = "class-wall"
NEWEST = 24  # of each digit


def show(collection: ClassRecord, donations: list[Donation], names: dict[str, str]) -> None:
    """The newest drawings of each digit, and the picked one; ``names`` are those of the writers if they are shown."""
    of_digits: defaultdict[int, list[Donation]] = defaultdict(list)
    for donation in reversed(donations):
        of_digits[donation.record.label].append(donation)
    groups = [
        {
            "digit": digit,
            "total": len(of_digits[digit]),
            "drawings": [[d.record.key, picture(d.record)] for d in of_digits[digit][:NEWEST]],
        }
        for digit in range(10)
    ]
    picked = next((donation for donation in donations if donation.record.key == current().picked), None)
    data = {"groups": groups, "picked": picked and picked.record.key, "texts": texts()}
    make_component("wall", HTML)(data=data, key=KEY, on_picked_change=_pick)
    if picked:
        same = sum(donation.phone == picked.phone for donation in donations)
        _show_picked(collection.code, picked, names.get(picked.phone, ""), same)


def _show_picked(code: str, picked: Donation, name: str, same: int) -> None:
    with st.container(key="picked-drawing", horizontal=True, vertical_alignment="center"):
        what = _("A drawing of {digit}").format(digit=with_article(picked.record.label))
        st.html(f'<img class="inkling-large" src="{picture(picked.record)}" alt="{what}">', width="content")
        with st.container(width="stretch", gap="small"):
            by_name = _("A drawing of {digit} by {name}").format(digit=with_article(picked.record.label), name=name)
            st.text(by_name if name else what)
            with st.container(horizontal=True, gap="small"):
                st.button(_("Remove"), icon=":material/delete:", on_click=_remove, args=(code, picked, False))
                if same > 1:
                    all_of_phone = _("Remove all {count} of this phone").format(count=same)
                    st.button(all_of_phone, icon=":material/delete_sweep:", on_click=_remove, args=(code, picked, True))
                st.button(_("Close"), icon=":material/close:", key="close class drawing", on_click=_close)


def _pick() -> None:
    picked = st.session_state[KEY].get("picked")
    if isinstance(picked, str):
        current().picked = "" if picked == current().picked else picked


def _close() -> None:
    current().picked = ""


def _remove(code: str, picked: Donation, all_of_phone: bool) -> None:
    try:
        if all_of_phone:
            classes().remove_phone(workspace().id, code, picked.phone)
        else:
            classes().remove(workspace().id, code, picked.record.key)
        current().picked = ""
    except InklingError as error:
        report_error(error)
