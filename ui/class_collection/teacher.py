"""The teacher's side: the code to project, the wall of digits, and everything that can be done with a collection."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import Literal
from urllib.parse import urlencode

import segno
import streamlit as st

from engine import InklingError
from engine.data.collection import Collection, LabelledDrawing, strokes_from_json
from engine.data.collection_files import pack
from ui import collection as drawings_of_workspace
from ui import state
from ui.class_collection import fairness, join, learning, wall
from ui.class_collection.visit import classes, current, donations, store, writers
from ui.formatting import day
from ui.handwriting.collecting import counts_html
from ui.handwriting.files import show_downloads
from ui.store import ClassCollections, ClassRecord, Donation
from ui.translation import N_, _, ngettext
from ui.visitor import workspace

PARTS = [N_("Wall"), N_("Teach"), N_("Whose hand is read worst?"), N_("Manage")]
ENOUGH = 0.6  # of a digit's fair share: with fewer drawings it is missing


def show() -> None:
    """The newest collection of this workspace, or the one that was chosen."""
    of_workspace = {collection.code: collection for collection in classes().of_workspace(workspace().id)}
    if not of_workspace:
        return
    code = next(iter(of_workspace))
    if len(of_workspace) > 1:
        chosen = st.segmented_control(_("Collection"), list(of_workspace), default=code, required=True, key="class shown")
        code = chosen if chosen in of_workspace else code
    collection = of_workspace[code]
    given = donations(collection)
    names = writers(given, True) if collection.shows_names else {}
    with st.container(key="class-board", horizontal=True):
        with st.container(key="class-side"):
            _show_code(collection)
            _show_counts(given)
        with st.container(key="class-main"):
            wall_part, teach_part, fairness_part, manage_part = state.tabs(PARTS, key="class part")
            if wall_part.open:
                with wall_part:
                    wall.show(collection, given, names)
            if teach_part.open:
                with teach_part:
                    learning.show(collection, given)
            if fairness_part.open:
                with fairness_part:
                    fairness.show(code, given, names)
            if manage_part.open:
                with manage_part:
                    _manage(collection, given, names)


def show_open_button(type: Literal["primary", "secondary"] = "primary") -> None:
    """The button that opens a new collection."""
    st.button(_("Open a collection"), type=type, icon=":material/groups:", key="open class", on_click=_open)


def address(code: str) -> str:
    """The link that phones open."""
    return f"{(st.context.url or '').split('?')[0]}?{urlencode({join.PARAMETER: code})}"


def missing(given: list[Donation]) -> list[int]:
    """The digits of which there are fewer than others."""
    counts = Counter(donation.record.label for donation in given)
    return [digit for digit in range(10) if counts[digit] < max(1, ENOUGH * len(given) / 10)]


def as_collection(given: list[Donation], strokes: dict[str, list], names: dict[str, str], name: str) -> Collection:
    """The drawings with their strokes and their writers' names, by phone."""
    return Collection(
        tuple(
            LabelledDrawing(
                record.label,
                drawings_of_workspace.image(record),
                strokes_from_json(of_record) if (of_record := strokes.get(record.key)) else (),
                names[donation.phone],
            )
            for donation in given
            for record in (donation.record,)
        ),
        name,
    )


def _show_code(collection: ClassRecord) -> None:
    if collection.closed is not None:
        st.html(f'<p class="inkling-class-code">{_("Closed")}</p><p>{_("No more drawings are taken.")}</p>')
        return
    link = address(collection.code)
    picture = segno.make(link, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    page = link.split("?")[0].partition("://")[2]
    how = _("Scan it with a phone, or open {page} and type the code.").format(page=f"<b>{escape(page)}</b>")
    alternative = escape(_("QR code that joins this collection"))
    st.html(
        f'<img class="inkling-class-qr" src="{picture}" alt="{alternative}">'
        f'<p class="inkling-class-code">{collection.code[:4]}-{collection.code[4:]}</p>'
        f"<p>{how}</p>"
    )


def _show_counts(given: list[Donation]) -> None:
    counts = Counter(donation.record.label for donation in given)
    st.html(counts_html({digit: counts[digit] for digit in range(10)}))
    if given:
        phones = len({donation.phone for donation in given})
        few = missing(given)
        text = ngettext("From {count} phone.", "From {count} phones.", phones).format(count=phones)
        if few:
            digits = f"<b>{', '.join(map(str, few))}</b>"
            text = f"{text} {_('Few or none: {digits}').format(digits=digits)}"
        st.html(f'<p role="status">{text}</p>')


def _manage(collection: ClassRecord, given: list[Donation], names: dict[str, str]) -> None:
    code, own = collection.code, workspace().id
    ends = datetime.fromtimestamp(classes().expires(collection), UTC)
    st.markdown(
        _(
            "This collection is deleted on **{day}**, 30 days after it was opened or last downloaded. "
            "If you do not come back for {count} days, it is deleted with the rest of your work."
        ).format(day=day(ends), count=store().keep_days)
    )
    with st.container(horizontal=True):
        if collection.closed is None:
            st.button(_("Close: take no more drawings"), icon=":material/lock:", on_click=_do, args=("close", own, code))
        else:
            st.button(_("Open again"), icon=":material/lock_open:", on_click=_do, args=("close", own, code, False))
        with st.popover(_("Delete"), icon=":material/delete_forever:"):
            text = _("Delete the collection {code} and its {count} drawings for good?")
            st.markdown(text.format(code=code, count=len(given)))
            st.button(_("Delete all of it"), type="primary", on_click=_do, args=("delete", own, code))
    _manage_names(collection, given, names)
    st.header(_("Download"), anchor=False)
    show_downloads(partial(packed, classes(), own, collection), f"class-{code}", f"class {code}", disabled=not given)
    st.caption(
        _(
            "You can add the zip file on the page My handwriting. A drawing that is taken back later stays in files that "
            "you have downloaded."
        )
    )
    st.header(_("Another collection"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width="content"):
            join.show_field()
        show_open_button("secondary")


def _manage_names(collection: ClassRecord, given: list[Donation], names: dict[str, str]) -> None:
    code, own = collection.code, workspace().id
    st.header(_("Names"), anchor=False)
    if not collection.keeps_names:
        st.markdown(_("The nicknames are deleted, and no more are taken."))
        return
    with st.container(horizontal=True):
        label = _("Hide nicknames") if collection.shows_names else _("Show nicknames")
        arguments = ("show_names", own, code, not collection.shows_names)
        st.button(label, icon=":material/badge:", on_click=_do, args=arguments)
        with st.popover(_("Delete all nicknames"), icon=":material/person_off:"):
            st.markdown(_("Nobody can bring them back, and no more are taken. The drawings stay."))
            st.button(_("Delete the nicknames"), type="primary", on_click=_do, args=("anonymise", own, code))
    if names:
        numbers = Counter(donation.phone for donation in given)
        st.dataframe(
            [{_("Nickname"): name, _("Drawings"): numbers[phone]} for phone, name in names.items()],
            hide_index=True,
            width="content",
        )
    else:
        st.caption(_("Nobody sees nicknames now: not here, not on the wall, and not in downloads."))


def packed(source: ClassCollections, own: str, collection: ClassRecord, form: str) -> bytes:
    """The collection as a file, which counts as a download. Nicknames are in it only while they are shown."""
    given = source.drawings(own, collection.code)
    names = writers(given, collection.shows_names)
    content = pack(as_collection(given, source.strokes(own, collection.code), names, f"class {collection.code}"), form)
    source.note_download(own, collection.code)
    return content


def _open() -> None:
    _try(lambda: classes().open(workspace().id))
    current().problem = ""
    st.session_state.pop("class shown", None)  # the new one is shown


def _do(method: str, *arguments: object) -> None:
    _try(lambda: getattr(classes(), method)(*arguments))


def _try(action: Callable[[], object]) -> None:
    try:
        action()
    except InklingError as error:
        state.report_error(_("This could not be done: {reason}.").format(reason=error))
