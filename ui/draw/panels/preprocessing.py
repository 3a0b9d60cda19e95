"""What the network sees: the steps from the drawing to 28 x 28 pixels, each of which can be switched off."""

from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network
from engine.preprocessing import BOX, SIDE, Stages, stages
from ui import glossary, images, state
from ui.draw.prediction import Prediction, predict


class Step(NamedTuple):
    """A step that can be switched off: the label of its switch, what it does, and what happens without it."""

    label: str
    action: str
    effect: str


STEPS = {
    "crop": Step(
        "Crop",
        "cropping",
        "Without cropping, the empty paper shrinks along with the ink. A small digit in a corner stays small and in its "
        "corner, but the network has only learned from large digits in the middle.",
    ),
    "scale": Step(
        f"Scale to {BOX} x {BOX}",
        "scaling",
        f"Without scaling, the digit has no margin: it fills all {SIDE} pixels, and is larger than any digit that the "
        "network has learned from.",
    ),
    "centre": Step(
        "Centre by mass",
        "centring",
        "Without centring by mass, the ink's box is put in the middle. A network has learned what ink means at each place: "
        "shifted by a pixel or two, ink meets weights meant for something else.",
    ),
}


def show(network: Network, image: npt.NDArray[np.uint8] | None) -> None:
    """The panel; without an image only its switches."""
    with st.container(horizontal=True, gap="medium"):
        is_on = {name: st.toggle(step.label, **state.keep(f"step {name}", True)) for name, step in STEPS.items()}
    skipped = [name for name in STEPS if not is_on[name]]
    if image is None:
        return
    complete, reduced = stages(image), stages(image, skipped)
    st.html(_stages(reduced, skipped))
    before, after = predict(network, [complete.centred, reduced.centred])
    left, right = st.columns(2, gap="large")
    with left:
        st.html(_titled("With all steps", before))
    with right:
        if skipped:
            st.html(_titled(f"Without {' and '.join(STEPS[name].action for name in skipped)}", after))
        else:
            text = "MNIST's digits were all made this way. Switch a part of it off to see the prediction without it."
            st.caption(glossary.explain(text), unsafe_allow_html=True)
    for name in skipped:
        st.caption(glossary.explain(STEPS[name].effect), unsafe_allow_html=True)


def _stages(result: Stages, skipped: list[str]) -> str:
    """The four stages as pictures, with their sizes."""
    ink = result.centred
    row, column = (float(ink.sum(axis=1 - axis) @ np.arange(SIDE) / ink.sum()) for axis in (0, 1))  # centre of mass
    inset = 100 * (SIDE - BOX) / 2 / SIDE  # percent of the picture, as all that follows
    down, across = 100 * (row + 0.5) / SIDE, 100 * (column + 0.5) / SIDE
    marks = f'<i class="box" style="inset:{inset:.3f}%"></i><i class="cross" style="left:{across:.2f}%;top:{down:.2f}%"></i>'
    cells = (
        ("Ink", result.ink, "as white on black", ""),
        ("Cropped", result.cropped, "the whole sheet" if "crop" in skipped else "only the part with ink", ""),
        ("Scaled", result.scaled, f"the longer side to {max(result.scaled.shape)} pixels", ""),
        ("Centred", ink, f"{'by its box; ' if 'centre' in skipped else ''}centre of mass {column:.1f}, {row:.1f}", marks),
    )
    figures = "".join(
        f'<figure><b>{number} {name}</b><div class="inkling-stage"><div class="sheet" style="{_fit(picture)}">'
        f'<img src="{images.url(picture)}" alt="{name}, {_size(picture)}: {text}">{overlay}</div></div>'
        f"<figcaption>{_size(picture)}<br><small>{text}</small></figcaption></figure>"
        for number, (name, picture, text, overlay) in enumerate(cells, start=1)
    )
    note = f"The frame is {BOX} x {BOX} pixels within the {SIDE} x {SIDE}; the cross is the ink's centre of mass."
    return f'<div class="inkling-stages">{figures}</div><p class="inkling-note">{note}</p>'


def _size(picture: npt.NDArray) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]} pixels"


def _fit(picture: npt.NDArray) -> str:
    """The CSS that makes a picture as large as a square holds."""
    height, width = (f"{100 * side / max(picture.shape):.2f}%" for side in picture.shape)
    return f"width:{width};height:{height}"


def _titled(title: str, prediction: Prediction) -> str:
    return f'<div class="inkling-compared"><p>{title}: <b>{escape(prediction.text)}</b></p>{prediction.chart()}</div>'
