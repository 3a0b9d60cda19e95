"""Whose hand is read worst? Each writer's drawings, read by one network, or by one that has learned from all others.

Names only if the teacher has turned them on.
"""

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import streamlit as st

from engine.metrics import Score
from ui import networks
from ui.class_collection import leaving_out
from ui.formatting import escape_markdown, percent
from ui.handwriting.judging import learned_note, num_learned, readings
from ui.state import keep
from ui.store import Donation
from ui.translation import N_, _

KEY, HOW = "class network", "class test"
AS_IT_IS, LEFT_OUT = N_("As it is"), N_("Leave one hand out")
BARS = N_(
    "The bar is the share of drawings that is read right. The thin line is the 95 % interval of Wilson (1927): where the "
    "share may be for many more drawings. If two lines overlap much, the difference may be chance. A network reads a hand "
    "badly if its training had few such hands: it says nothing about how well somebody writes."
)
MARK = N_("The upright mark is where the bar ended before the network learned from the others.")


class WriterRead(NamedTuple):
    """How many drawings of a writer are read right; ``before`` the network learned, if it has."""

    name: str
    score: Score
    before: Score | None = None


def show(code: str, donations: list[Donation], names: Mapping[str, str]) -> None:
    """A network to choose, and a row for each writer, the one who is read worst first."""
    candidates = networks.digit_candidates()
    if not donations or not candidates:
        st.info(_("No drawing yet. When phones have given some, this shows how well each writer is read."))
        return
    with st.container(key="class-fairness", horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(_("Network"), list(candidates), format_func=lambda key: candidates[key].label, key=KEY)
        how = st.segmented_control(
            _("Test the network"), [AS_IT_IS, LEFT_OUT], format_func=_, required=True, **keep(HOW, AS_IT_IS)
        )
    if note := learned_note(num_learned(candidates[name].network)):
        st.html(note)
    if how == LEFT_OUT:
        _show_left_out(code, candidates[name], donations, names)
    else:
        read = readings(candidates[name].network, [donation.record for donation in donations])
        writers = by_writer(donations, read, names)
        total = Score(sum(writer.score.correct for writer in writers), len(donations))
        said = _("The whole class: {correct} of {total} right.").format(correct=total.correct, total=total.total)
        st.html(f"<p><b>{said}</b></p>{rows_html(writers)}")
        st.caption(_(BARS))


def _show_left_out(code: str, candidate: networks.Candidate, donations: list[Donation], names: Mapping[str, str]) -> None:
    test = leaving_out.show(code, candidate, donations, names)
    if not test or not (results := leaving_out.results(test, donations)):
        return
    writers = worst_first({phone: after for phone, (_before, after) in results.items()}, names, results)
    before, after = (Score(*map(sum, zip(*scores, strict=True))) for scores in zip(*results.values(), strict=True))
    said = _("The tested hands: {before} of {total} right before the network learned, {after} after.").format(
        before=before.correct, after=after.correct, total=after.total
    )
    st.html(f"<p><b>{said}</b></p>{rows_html(writers)}")
    st.caption(f"{escape_markdown(leaving_out.measured_on(test, donations))}\n\n{_(MARK)} {_(BARS)}")


def by_writer(donations: list[Donation], read: Mapping[str, int], names: Mapping[str, str]) -> list[WriterRead]:
    """Each writer's score, the lowest first; without ``names`` the writers are numbered in this order."""
    of_phones: dict[str, list[bool]] = {}
    for donation in donations:
        of_phones.setdefault(donation.phone, []).append(read[donation.record.key] == donation.record.label)
    return worst_first({phone: Score(sum(right), len(right)) for phone, right in of_phones.items()}, names)


def worst_first(
    scores: Mapping[str, Score], names: Mapping[str, str], before: Mapping[str, tuple[Score, Score]] | None = None
) -> list[WriterRead]:
    """The phones' scores, the lowest first, with their names or numbers, and what they were ``before`` if that is given."""
    order = sorted(scores, key=lambda phone: (scores[phone].accuracy, -scores[phone].total))
    return [
        WriterRead(
            names.get(phone, _("Hand {number}").format(number=place)), scores[phone], before[phone][0] if before else None
        )
        for place, phone in enumerate(order, 1)
    ]


def rows_html(writers: list[WriterRead]) -> str:
    """A bar with its interval for each writer, and a mark where it ended before the network learned."""
    rows = ""
    for name, score, before in writers:
        low, high = (100 * share for share in score.interval)
        mark = f'<u style="left:{100 * before.accuracy:.1f}%"></u>' if before else ""
        said = escape(_("was {share}").format(share=percent(before.accuracy, 0))) if before else ""
        was = f'<small class="was"> {said}</small>' if before else ""
        of_all = escape(_("of {total}").format(total=score.total))
        rows += (
            f'<li><span class="name">{escape(name)}</span><span class="track" aria-hidden="true">'
            f'<i style="width:{100 * score.accuracy:.1f}%"></i>'
            f'<s style="left:{low:.1f}%;right:{100 - high:.1f}%"></s>{mark}</span>'
            f'<span class="share">{percent(score.accuracy, 0)}<small> {of_all}</small>{was}</span></li>'
        )
    return f'<ul class="inkling-hands" aria-label="{escape(_("Writers"))}">{rows}</ul>'
