"""What a network says of a drawing, as HTML: the digit, its confidence, ten bars, and the image that it really saw."""

import base64
import io
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

FIGURE_SPACE = "\u2007"  # as wide as a digit: numbers of any length begin at one place, and none moves when it changes


def answer(probabilities=None, seen=None, threshold=0.0):
    """The whole panel. ``probabilities`` (10,) and ``seen`` (28, 28) in [0, 1], or neither for an empty canvas. Where no
    probability reaches the ``threshold``, the panel names no digit, but the two that it could be."""
    sure = probabilities is not None and probabilities.max() >= threshold
    return f'<div class="inkling-answer">{_headline(probabilities, seen, sure)}{_bars(probabilities, sure)}</div>'


def _headline(probabilities, seen, sure):
    digit = str(int(probabilities.argmax())) if sure else "?"
    if probabilities is None:
        words, seen, alt = "Draw a digit from 0 to 9 in the black square.", np.zeros((28, 28)), ""
    else:
        words = _confidence(probabilities) if sure else _doubt(probabilities)
        alt = "The 28 by 28 pixels that the network saw"
    return (
        f'<div class="inkling-headline"><div class="inkling-digit" data-sure="{sure}">{digit}</div>'
        f'<p>{words}</p><figure><img class="inkling-seen" src="{data_url(seen)}" alt="{alt}">'
        "<figcaption>what the network saw</figcaption></figure></div>"
    )


def spoken(probabilities, threshold=0.0):
    """The reading in a sentence, for a screen reader."""
    sure = probabilities.max() >= threshold
    return f"{probabilities.argmax()}, {_confidence(probabilities)}" if sure else _doubt(probabilities)


def _confidence(probabilities):
    return f"<b>{percent(probabilities.max())}</b> <br>confident"


def _doubt(probabilities):
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    could = " or ".join(f"{digit} ({percent(probabilities[digit])})" for digit in (first, second))
    return f"<b>Not sure</b> <br>{could}?"


def _bars(probabilities, sure):
    winner = int(probabilities.argmax()) if sure else None
    rows = []
    for digit in range(10):
        p = 0 if probabilities is None else float(probabilities[digit])
        mark = ' class="winner"' if digit == winner else ""
        number = "" if probabilities is None else percent(p).rjust(len("100.0 %"), FIGURE_SPACE)
        rows.append(
            f'<li{mark}><span class="digit">{digit}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="width:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    return f'<ul class="inkling-bars" aria-label="Probability of each digit">{"".join(rows)}</ul>'


def percent(p):
    """A probability for people: no more digits than matter, and never a 100 % that is not one."""
    if 0.9995 <= p < 1:
        return ">99.9 %"
    return f"{100 * p:.1f} %"


def data_url(image):
    """Grey values (H, W) in [0, 1] as a PNG data URL."""
    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * image).astype(np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def show(html, words):
    """Show HTML in the place of what this showed before, by changing what differs; have a screen reader say the words."""
    status = f'<p class="inkling-spoken" role="status">{words}</p>'
    _live()(data={"html": html + status}, key="live")


@st.cache_resource(show_spinner=False)
def _live():
    js = Path(__file__).with_name("morph.js").read_text()
    return st.components.v2.component("inkling_live", html="<div data-morph></div>", js=js, isolate_styles=False)
