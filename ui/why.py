"""Why a network reads what it reads: the ink that speaks for a digit, or for one digit and against another."""

import numpy as np
import streamlit as st

from engine.attribution import contrast, gradient_times_input, integrated_gradients, missing
from engine.preprocessing import SIDE
from ui import kept, pictures
from ui.reading import read
from ui.session import seen

READ, NOTHING, SECOND = "digit, as read", "(no other)", "the second likeliest"
METHODS = {"Integrated gradients": integrated_gradients, "Gradient x input": gradient_times_input}


def why(network, image):
    """The panel; without an image its choices alone."""
    shown = seen(image)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one = st.selectbox(
            "Why a",
            [READ, *range(10)],
            key=kept.key("why", READ),
            width=150,
            help="The digit that the picture explains.",
        )
        other = st.selectbox(
            "and not a",
            [NOTHING, SECOND, *range(10)],
            key=kept.key("and not", NOTHING),
            width=220,
            help="What would have to change for it to be this digit instead.",
        )
        method = st.segmented_control(
            "Method",
            list(METHODS),
            key=kept.key("method", next(iter(METHODS))),
            required=True,
            disabled=other != NOTHING,
            help="The first follows the score from an empty sheet to this drawing; the second only looks at its slope here.",
        )
    if shown is None:
        return
    first, second = read(network, [shown])[0].likeliest[:2]
    one, other = first if one == READ else one, second if other == SECOND else other
    if one == other:
        st.caption(f"A {one} and not a {one}: choose two different digits.")
    elif other == NOTHING:
        values = METHODS[method](network, shown, one)
        figure = _map(values, shown, f"for a {one}", f"against a {one}")
        st.html(_beside([figure], alone(network, shown, one, method, values)))
    else:
        values = contrast(network, shown, one, other)
        figures = [_map(values, shown, f"for a {one}", f"for a {other}"), _missing(network, shown, one, other)]
        st.html(_beside(figures, between(network, shown, one, other, values)))


def scores(network, shown):
    """The raw outputs for an empty sheet and for the drawing, (2, K): probabilities are made of these."""
    return network.forward(network.as_input(np.stack([np.zeros_like(shown), shown])))


def alone(network, shown, one, method, values):
    """How to read the map of one digit, and what it adds up to."""
    if METHODS[method] is gradient_times_input:
        return (
            f"Red: a little more ink here would raise the network's score for a {one}. Blue: it would lower it.",
            f"A quick look; it adds up to {values.sum():.2f}, which means little. Integrated gradients know more.",
        )
    blank, full = scores(network, shown)[:, one]
    return (
        f"Red ink raises the network's score for a {one}, blue ink lowers it; grey ink makes no difference.",
        f"The map adds up to {values.sum():.2f}: the score of a {one} is {full:.2f} for this drawing and {blank:.2f} for an "
        f"empty sheet, which differ by {full - blank:.2f}.",
    )


def between(network, shown, one, other, values):
    """How to read the map of two digits, and what it adds up to."""
    outputs = scores(network, shown)
    blank, full = outputs[:, one] - outputs[:, other]
    return (
        f"Red ink speaks for a {one} and against a {other}, blue ink the other way round. To make it a {other}, rub out "
        "what is red, and draw where the second picture is blue.",
        f"The map adds up to {values.sum():.2f}: a {one}'s score less a {other}'s is {full:.2f} for this drawing and "
        f"{blank:.2f} for an empty sheet, which differ by {full - blank:.2f}.",
    )


def _beside(figures, lines):
    return f'<div class="inkling-why">{"".join(figures)}<div>{"".join(f"<p>{line}</p>" for line in lines)}</div></div>'


def _map(values, shown, above, below):
    """What speaks for something and what against it, over the drawing, with its scale."""
    limit = float(np.abs(values).max())
    where = f"strongest {_place(values.argmax())}" + (f", and {below} {_place(values.argmin())}" if values.min() < 0 else "")
    return (
        f'<figure><img src="{pictures.url(pictures.speaking(values, shown))}" '
        f'alt="The drawing, coloured by what speaks {above}, {where}">'
        f"<figcaption><span>{-limit:.2f}<br>{below}</span><i></i><span>{limit:+.2f}<br>{above}</span></figcaption></figure>"
    )


def _missing(network, shown, one, other):
    """Where more ink would help, over the drawing."""
    values = missing(network, shown, one, other)
    return (
        f'<figure><img src="{pictures.url(pictures.speaking(-values, shown))}" '
        f'alt="Where more ink would speak for a {other}, strongest {_place(values.argmax())}">'
        f"<figcaption>Blue: more ink here would speak for a {other}.</figcaption></figure>"
    )


def _place(pixel):
    """Where in the picture a pixel lies, in words."""
    row, column = divmod(int(pixel), SIDE)
    down, across = ("top", "middle", "bottom")[3 * row // SIDE], ("left", "centre", "right")[3 * column // SIDE]
    return f"at the {down} {across}"
