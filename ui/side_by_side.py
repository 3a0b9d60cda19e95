"""Side by side: one drawing as several networks read it."""

from collections import Counter
from html import escape
from pathlib import Path

import streamlit as st

from ui import kept, session
from ui.reading import read
from ui.session import seen
from ui.words import percent

TRAIN = Path(__file__).with_name("train.py")


def side_by_side(network, image):
    """The panel; the ``network`` that is chosen above is marked."""
    shown = seen(image)
    networks, chosen = session.networks(), kept.value("network")
    readings = [(one, name == chosen, read(one.network, [shown])[0]) for name, one in networks.items()]
    st.html(f"<p>{agreement([reading for _, _, reading in readings])}</p>{_table(readings)}")
    if len(networks) == len(session.shipped_networks()[0]):
        st.caption(
            "So far only the shipped networks are here. Those that you train or upload join them, even as they learn."
        )
        st.page_link(TRAIN, label="Train a weak one to see it fail", icon=":material/arrow_forward:")


def agreement(readings):
    """Whether the networks agree, in one sentence."""
    if len(readings) == 1:
        return f"There is one network, and it reads it as {readings[0].words}."
    sure = Counter(reading.digit for reading in readings if reading.sure)
    doubt = len(readings) - sum(sure.values())
    if not sure:
        return "None of them is sure what this is."
    if len(sure) == 1 and not doubt:
        return f"{'Both' if len(readings) == 2 else f'All {len(readings)}'} read a {next(iter(sure))}."
    told = [f"{count} read{'s' if count == 1 else ''} a {digit}" for digit, count in sure.most_common()]
    if doubt:
        told.append(f"{doubt} {'is' if doubt == 1 else 'are'} not sure")
    return f"They disagree: {', '.join(told)}."


def _table(readings):
    rows = ""
    for candidate, chosen, reading in readings:
        notes = [f"<br><small>{note}</small>" for note in (candidate.state, "chosen above" * chosen) if note]
        doubt = "" if reading.sure else " doubt"
        rows += (
            f'<tr><th scope="row">{escape(candidate.label)}{"".join(notes)}</th><td class="sign{doubt}">{reading.sign}</td>'
            f"<td>{_confidence(reading)}</td><td>{reading.chart()}</td></tr>"
        )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Network", "Reads", "Confidence", "All ten"))
    return f'<table class="inkling-table inkling-networks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _confidence(reading):
    if reading.sure:
        return percent(reading.confidence)
    first, second = reading.likeliest[:2]
    return f"not sure<br><small>{first} or {second}, {percent(reading.confidence)}</small>"
