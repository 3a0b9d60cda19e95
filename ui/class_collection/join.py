"""A phone in a class collection: agree, give a nickname or none, draw, and take drawings back."""

import secrets
from collections import Counter
from zlib import crc32

import streamlit as st

from engine import InklingError
from engine.data.collection import LabelledDrawing, check_writer
from ui.class_collection.visit import classes, current, join, leave, phone
from ui.formatting import escape_markdown
from ui.handwriting import collecting
from ui.store import ClassRecord, Donation, DrawingRecord
from ui.store.class_collections import CODE_LENGTH
from ui.translation import N_, _, ngettext

PARAMETER = "c"  # of the page's address
CONSENT = N_(
    "Your drawings, the way your pen moved, and your nickname if you give one, go to the person who opened this collection. "
    "That person can show them to the class, download them and train networks with them. "
    "You can take your drawings back from this phone at any time. What was downloaded or learned before stays. "
    "All of it is deleted with the collection."
)


def open_link() -> None:
    """Join the collection that the address names, once; after "Leave" not again."""
    code, visit = st.query_params.get(PARAMETER, ""), current()
    if code and code != visit.opened_link:
        visit.opened_link = code
        _join(code)


def show_field() -> None:
    """A field for the code."""
    with st.form("join class", border=False):
        letters = _("{count} letters").format(count=CODE_LENGTH)
        st.text_input(_("Code"), max_chars=20, key="class code", placeholder=letters, autocomplete="off")
        press = {"on_click": lambda: _join(st.session_state["class code"]), "key": "join class button"}
        st.form_submit_button(_("Join"), icon=":material/login:", **press)
    if problem := current().problem:
        st.error(escape_markdown(problem), icon=":material/error:")


def show(code: str) -> None:
    """The collection that this phone has joined."""
    collection = classes().find(code)
    if collection is None:
        st.info(_("This collection is not there any more: it was deleted, with all of its drawings."))
        st.button(_("Leave"), icon=":material/logout:", on_click=_leave)
        return
    own, visit = classes().of_phone(code, phone(code)), current()
    if visit.nickname is None and own:
        visit.nickname = own[-1].nickname
    if collection.closed is not None:
        text = _("The collection is closed: no more drawings are taken.")
        if own:
            text = _("The collection is closed: no more drawings are taken. Yours: {count}. Thank you!")
        st.info(text.format(count=len(own)))
    elif visit.has_agreed or (own and visit.has_agreed is None):
        _show_canvas(code, own)
    else:
        _ask(collection)
    with st.container(key="class-own", horizontal=True, vertical_alignment="center"):
        text = _("In the class **{code}**")
        if visit.nickname and collection.keeps_names:
            text = _("In the class **{code}** as **{name}**")
        st.markdown(text.format(code=code, name=escape_markdown(visit.nickname)), width="content")
        if own:
            with st.popover(_("Take my drawings back"), icon=":material/undo:"):
                text = ngettext(
                    "Delete the one drawing that this phone has given? You cannot undo this.",
                    "Delete all {count} drawings that this phone has given? You cannot undo this.",
                    len(own),
                )
                st.markdown(text.format(count=len(own)))
                st.button(_("Delete them"), type="primary", icon=":material/delete:", on_click=_take_back, args=(code,))
        st.button(_("Leave"), icon=":material/logout:", type="tertiary", on_click=_leave)


def _ask(collection: ClassRecord) -> None:
    st.header(_("Give your handwriting"), anchor=False)
    st.markdown(_(CONSENT))
    with st.form("agree", border=False):
        if collection.keeps_names:
            label = _("Nickname (you may leave this empty)")
            st.text_input(label, max_chars=40, key="class nickname", autocomplete="off")
        st.form_submit_button(_("I agree: let me draw"), type="primary", on_click=_agree)
    if problem := current().problem:
        st.error(escape_markdown(problem), icon=":material/error:")


def _show_canvas(code: str, own: list[Donation]) -> None:
    visit = current()
    if visit.collecting is None:
        order = collecting.digits_to_draw([crc32(phone(code).encode()), len(own)])
        visit.collecting = collecting.Collecting(order, next(order), destination(code))
    collecting.show(visit.collecting)


def destination(code: str) -> collecting.Destination:
    """The drawings go to this collection."""

    def keep(drawing: LabelledDrawing) -> str:
        record = DrawingRecord(secrets.token_hex(16), drawing.label, 0, drawing.image.tobytes())
        donation = Donation(record, phone(code), current().nickname or "")
        classes().donate(code, donation, drawing.to_json().get("strokes", []))
        return record.key

    def counts() -> dict[int, int]:
        numbers = Counter(donation.record.label for donation in classes().of_phone(code, phone(code)))
        return {digit: numbers[digit] for digit in range(10)}

    return collecting.Destination(
        keep, lambda key: classes().take_back(code, phone(code), key), counts, "donate-canvas", "donate-companion"
    )


def _join(typed: str) -> None:
    visit = current()
    try:
        join(typed)
        visit.problem = ""
    except InklingError as error:
        visit.problem = f"{str(error)[:1].upper()}{str(error)[1:]}."


def _agree() -> None:
    visit = current()
    try:
        visit.nickname = check_writer(st.session_state.get("class nickname", "").strip())
        visit.has_agreed, visit.problem = True, ""
    except InklingError as error:
        visit.problem = _("Choose another nickname: {reason}.").format(reason=error)


def _take_back(code: str) -> None:
    visit = current()
    try:
        classes().take_back(code, phone(code))
        visit.has_agreed, visit.nickname, visit.collecting = False, None, None
    except InklingError as error:
        visit.problem = _("Your drawings are still there: {reason}.").format(reason=error)


def _leave() -> None:
    leave()
    st.query_params.pop(PARAMETER, None)
