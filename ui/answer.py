"""What a network says of a drawing, as HTML: the digit, its confidence, ten bars, and the image that it really saw."""

from pathlib import Path

import numpy as np
import streamlit as st

from ui import pictures
from ui.words import percent

FIGURE_SPACE = "\u2007"  # as wide as a digit: numbers of any length begin at one place, and none moves when it changes
BLANK = np.zeros((28, 28))


def answer(reading=None, seen=None):
    """The whole panel. ``reading`` (a ``Reading``) of the image ``seen`` (28, 28) in [0, 1], or neither for an empty canvas.
    Where it is not sure, the panel names no digit, but the two that it could be."""
    return f'<div class="inkling-answer">{_headline(reading, seen)}{_bars(reading)}</div>'


def _headline(reading, seen):
    if reading is None:
        digit, words, picture, alt = "?", "Draw a digit from 0 to 9 in the black square.", BLANK, ""
    else:
        digit, words, picture, alt = reading.sign, _words(reading), seen, "The 28 by 28 pixels that the network saw"
    sure = reading is not None and reading.sure
    return (
        f'<div class="inkling-headline"><div class="inkling-digit" data-sure="{sure}">{digit}</div>'
        f'<p>{words}</p><figure><img class="inkling-seen" src="{pictures.url(picture)}" alt="{alt}">'
        "<figcaption>what the network saw</figcaption></figure></div>"
    )


def _words(reading):
    if reading.sure:
        return f"<b>{percent(reading.confidence)}</b> <br>confident"
    return f"<b>Not sure</b> <br>{reading.doubt}?"


def _bars(reading):
    rows = []
    for digit in range(10):
        p = 0 if reading is None else float(reading.probabilities[digit])
        mark = ' class="winner"' if reading and reading.sure and digit == reading.digit else ""
        number = "" if reading is None else percent(p).rjust(len("100.0 %"), FIGURE_SPACE)
        rows.append(
            f'<li{mark}><span class="digit">{digit}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="width:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    return f'<ul class="inkling-bars" aria-label="Probability of each digit">{"".join(rows)}</ul>'


def show(html, words):
    """Show HTML in the place of what this showed before, by changing what differs; have a screen reader say the words."""
    status = f'<p class="inkling-spoken" role="status">{words}</p>'
    _live()(data={"html": html + status}, key="live")


@st.cache_resource(show_spinner=False)
def _live():
    js = Path(__file__).with_name("morph.js").read_text()
    return st.components.v2.component("inkling_live", html="<div data-morph></div>", js=js, isolate_styles=False)
