"""How well each network reads the visitor's own drawings."""

from collections.abc import Mapping
from html import escape
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st

from engine import Network
from engine.metrics import wilson_interval
from ui import collection, images, networks
from ui.state import session
from ui.store import DrawingRecord
from ui.translation import _, ngettext
from ui.visitor import workspace

BATCH = 100  # images at once: others draw meanwhile
MAX_MISREAD = 24  # that are shown of a network

Readings = WeakKeyDictionary[Network, dict[str, int]]  # what a network reads in each drawing, by key


def show() -> None:
    """A row for each network: how many drawings it reads right, and those that it misreads."""
    records = workspace().drawings()
    if not records:
        st.info(_("No drawing yet. Collect some first: ten of each digit say a lot."))
        return
    st.markdown(_("How well does each network read your hand?"))
    for candidate in networks.digit_candidates().values():
        read = readings(candidate.network, records)
        misread = [record for record in records if read[record.key] != record.label]
        num_right = len(records) - len(misread)
        right = _("{correct} of {total} right.").format(correct=num_right, total=len(records))
        learned = num_learned(candidate.network)
        st.html(
            f'<section class="inkling-judged"><h2>{escape(candidate.label)}</h2>'
            f"<p><b>{right}</b> {expectation(num_right, len(records))}</p>"
            f"{learned_note(learned)}{misread_html(misread, read)}</section>"
        )
    st.caption(
        _(
            "The range is the 95 % interval of Wilson (1927). It is wide as long as you have few drawings: collect more, "
            "and it becomes narrow."
        )
    )


def readings(network: Network, records: list[DrawingRecord]) -> Mapping[str, int]:
    """The digit that the network reads in each drawing, by key; only new drawings are read."""
    of_networks: Readings = session().readings
    known = of_networks.setdefault(network, {})
    new = [record for record in records if record.key not in known]
    for start in range(0, len(new), BATCH):
        part = new[start : start + BATCH]
        seen = np.stack([collection.image(record) for record in part]).astype(np.float32) / 255
        predicted = network.predict_proba(seen).argmax(axis=1).tolist()
        known.update(zip((record.key for record in part), predicted, strict=True))
    return known


def expectation(correct: int, total: int) -> str:
    """What the drawings say of many more, in a sentence."""
    low, high = (round(100 * share) for share in wilson_interval(correct, total))
    return _("For many more drawings we would expect {low} to {high} %.").format(low=low, high=high)


def num_learned(network: Network) -> int:
    """On how many own drawings the network was trained."""
    tuned = network.info.get("fine_tuned")
    number = tuned.get("drawings") if isinstance(tuned, dict) else 0
    return number if isinstance(number, int) else 0


def learned_note(learned: int) -> str:
    """A warning, in HTML, for a network that learned from this many own drawings; "" for any other."""
    if not learned:
        return ""
    text = _("It was trained on {count} own drawings. If they are among these, it knows them already.")
    return f"<p><small>{text.format(count=learned)}</small></p>"


def misread_html(misread: list[DrawingRecord], read: Mapping[str, int]) -> str:
    """The drawings that were misread, with what they were read as; the newest first."""
    figures = [
        images.digit(
            collection.image(record),
            _("{read} not {label}").format(read=f"<b>{read[record.key]}</b>", label=record.label),
            wrong=True,
            title=_("your {label}, read as {read}").format(label=record.label, read=read[record.key]),
        )
        for record in misread[: -MAX_MISREAD - 1 : -1]
    ]
    more = ""
    if (count := len(misread) - MAX_MISREAD) > 0:
        more = f"<p><small>{ngettext('and {count} more', 'and {count} more', count).format(count=count)}</small></p>"
    return images.digits(figures) + more if figures else ""
