"""Whose hand is read worst? Each writer's drawings, read by one network. Names only if the teacher has turned them on."""

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import streamlit as st

from engine.metrics import Score
from ui import networks
from ui.formatting import percent
from ui.handwriting.judging import learned_note, num_learned, readings
from ui.store import Donation

KEY = "class network"


class WriterRead(NamedTuple):
    """How many drawings of a writer are read right."""

    name: str
    score: Score


def show(donations: list[Donation], names: Mapping[str, str]) -> None:
    """A network to choose, and a row for each writer, the one who is read worst first."""
    candidates = networks.digit_candidates()
    if not donations or not candidates:
        st.info("No drawing yet. When phones have given some, this shows how well each writer is read.")
        return
    name = st.selectbox("Network", list(candidates), format_func=lambda key: candidates[key].label, key=KEY)
    read = readings(candidates[name].network, [donation.record for donation in donations])
    writers = by_writer(donations, read, names)
    total = Score(sum(writer.score.correct for writer in writers), len(donations))
    note = learned_note(num_learned(candidates[name].network))
    st.html(f"<p><b>The whole class: {total.correct} of {total.total} right.</b></p>{note}{rows_html(writers)}")
    st.caption(
        "The bar is the share of drawings that is read right. The thin line is the 95 % interval of Wilson (1927): where "
        "the share may be for many more drawings. If two lines overlap much, the difference may be chance. A network reads "
        "a hand badly if its training had few such hands: it says nothing about how well somebody writes."
    )


def by_writer(donations: list[Donation], read: Mapping[str, int], names: Mapping[str, str]) -> list[WriterRead]:
    """Each writer's score, the lowest first; without ``names`` the writers are numbered in this order."""
    of_phones: dict[str, list[bool]] = {}
    for donation in donations:
        of_phones.setdefault(donation.phone, []).append(read[donation.record.key] == donation.record.label)
    scores = {phone: Score(sum(right), len(right)) for phone, right in of_phones.items()}
    worst_first = sorted(scores, key=lambda phone: (scores[phone].accuracy, -scores[phone].total))
    return [WriterRead(names.get(phone, f"Hand {place}"), scores[phone]) for place, phone in enumerate(worst_first, 1)]


def rows_html(writers: list[WriterRead]) -> str:
    """A bar with its interval for each writer."""
    rows = ""
    for name, score in writers:
        low, high = (100 * share for share in score.interval)
        rows += (
            f'<li><span class="name">{escape(name)}</span><span class="track" aria-hidden="true">'
            f'<i style="width:{100 * score.accuracy:.1f}%"></i>'
            f'<s style="left:{low:.1f}%;right:{100 - high:.1f}%"></s></span>'
            f'<span class="share">{percent(score.accuracy, 0)}<small> of {score.total}</small></span></li>'
        )
    return f'<ul class="inkling-hands" aria-label="Writers">{rows}</ul>'
