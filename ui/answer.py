"""What a network says of a drawing, as HTML: the digit, its confidence, ten bars, and the image that it really saw."""

import numpy as np

from ui import pictures


def answer(probabilities=None, seen=None, threshold=0.0):
    """The whole panel. ``probabilities`` (10,) and ``seen`` (28, 28) in [0, 1], or neither for an empty canvas. Where no
    probability reaches the ``threshold``, the panel names no digit, but the two that it could be."""
    sure = probabilities is not None and probabilities.max() >= threshold
    return f'<div class="inkling-answer">{_headline(probabilities, seen, sure)}{_bars(probabilities, sure)}</div>'


def _headline(probabilities, seen, sure):
    digit = str(int(probabilities.argmax())) if sure else "?"
    if probabilities is None:
        words = "Draw a digit from 0 to 9 in the black square."
        picture = '<div class="inkling-seen inkling-blank"></div>'
    else:
        words = f"<b>{percent(probabilities.max())}</b> confident" if sure else _doubt(probabilities)
        picture = f'<img class="inkling-seen" src="{pictures.url(seen)}" alt="The 28 by 28 pixels that the network saw">'
    return (
        f'<div class="inkling-headline"><div class="inkling-digit" data-sure="{sure}">{digit}</div>'
        f'<p role="status">{words}</p><figure>{picture}<figcaption>what the network saw</figcaption></figure></div>'
    )


def _doubt(probabilities):
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    could = " or ".join(f"{digit} ({percent(probabilities[digit])})" for digit in (first, second))
    return f"<b>Not sure this is a digit:</b><br>{could}?"


def _bars(probabilities, sure):
    winner = int(probabilities.argmax()) if sure else None
    rows = []
    for digit in range(10):
        p = 0 if probabilities is None else float(probabilities[digit])
        mark = ' class="winner"' if digit == winner else ""
        number = "" if probabilities is None else percent(p)
        rows.append(
            f'<li{mark}><span class="digit">{digit}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="width:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    return f'<ul class="inkling-bars" aria-label="Probability of each digit">{"".join(rows)}</ul>'


def percent(p):
    """A probability for people: no more digits than matter, and never a 100 % that is not one."""
    if 0.9995 <= p < 1:
        return "> 99.9 %"
    return f"{100 * p:.1f} %"
