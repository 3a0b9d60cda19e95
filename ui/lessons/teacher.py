"""The teacher's view: how far the phones of a class are in each lesson."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from engine import InklingError
from ui.class_collection.visit import classes
from ui.formatting import escape_markdown
from ui.lessons.lesson import lessons
from ui.state import keep
from ui.store import LessonReport
from ui.translation import _, ngettext
from ui.visitor import workspace

REFRESH_SECONDS = 3.0
CHOSEN = "lessons class"  # key of the choice


def choose(codes: list[str]) -> str:
    """The class that the links on this page lead to, and whose progress is shown; empty for none."""
    labels = {code: _("Class {code}").format(code=code) for code in codes} | {"": _("no class")}
    if st.session_state.get(CHOSEN, codes[0]) not in labels:
        st.session_state[CHOSEN] = codes[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        return st.selectbox(
            _("The links lead to"),
            list(labels),
            format_func=labels.__getitem__,
            width=260,
            help=_("A phone that opens a link with a class tells you how far it is, unless its owner switches that off."),
            **keep(CHOSEN, codes[0]),
        )


@st.fragment(run_every=REFRESH_SECONDS)
def show(code: str) -> None:
    """A row for each phone, and a column for each lesson that one of them has begun."""
    try:
        collection = next((one for one in classes().of_workspace(workspace().id) if one.code == code), None)
        reports = classes().lessons.of_class(workspace().id, code)
    except InklingError as error:
        st.warning(escape_markdown(f"{error}."), icon=":material/cloud_off:")
        return
    if collection is None or not reports:
        st.info(_("No phone of this class has begun a lesson yet. Hand out a link from above."), icon=":material/school:")
        return
    st.html(table_html(reports, phone_names(reports, collection.shows_names)))
    st.caption(
        _(
            "The page Class decides whether you see nicknames. What a phone has reported is deleted with the class's "
            "collection, or when its owner switches it off."
        )
    )


def phone_names(reports: Sequence[LessonReport], with_names: bool) -> dict[str, str]:
    """A name for each phone: its nickname if names are shown and it has one, else its number in order of arrival."""
    names: dict[str, str] = {}
    for report in reports:
        if report.phone not in names:
            number = len(names) + 1
            numbered = _("Phone {number}").format(number=number)
            name = report.nickname.strip() if with_names else ""
            is_taken = name in names.values()
            names[report.phone] = f"{name} ({number})" if name and is_taken else name or numbered
    return names


def table_html(reports: Sequence[LessonReport], names: dict[str, str]) -> str:
    """The phones and their lessons as a table."""
    known = lessons()
    begun = [name for name in known if any(report.lesson == name for report in reports)]
    parts = {(report.phone, report.lesson): report for report in reports}
    heads = "".join(f'<th scope="col">{escape(known[name].title)}</th>' for name in begun)
    rows = ""
    for phone, name in names.items():
        cells = "".join(f"<td>{_cell(parts.get((phone, lesson)))}</td>" for lesson in begun)
        rows += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    count = ngettext("{count} phone", "{count} phones", len(names)).format(count=len(names))
    return (
        '<div class="inkling-class-lessons" tabindex="0" role="region" '
        f'aria-label="{escape(_("How far is the class?"))}"><table>'
        f'<thead><tr><th scope="col">{escape(count)}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(report: LessonReport | None) -> str:
    if report is None:
        return ""
    text = _("{done} of {total}").format(done=report.done, total=report.total)
    return f'<b class="all">✓ {escape(text)}</b>' if report.done >= report.total else escape(text)
