"""What the network sees: a drawing on its way to 28 x 28 pixels, each stage of which can be left out."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from engine.preprocessing import BOX, SIDE, stages
from ui import kept, pictures
from ui.reading import read


class Step(NamedTuple):
    """A stage that can be left out: its switch, what it does, and what is lost without it."""

    label: str
    doing: str
    loss: str


STEPS = {
    "crop": Step(
        "Crop",
        "cropping",
        "Without cropping, the empty paper is shrunk along with the ink: a digit in a corner stays small and in its corner, "
        "and the network has only ever seen large ones in the middle.",
    ),
    "scale": Step(
        f"Scale to {BOX} x {BOX}",
        "scaling",
        f"Without its margin, the digit fills all {SIDE} pixels: larger than any that the network has learned from.",
    ),
    "centre": Step(
        "Centre by mass",
        "centring",
        "Without centring by mass, the ink is put wherever its box happens to lie. A network has learned what ink means at "
        "each place, so a pixel or two aside it meets weights that were meant for something else: this is why it matters.",
    ),
}


def seeing(network, image):
    """The panel; without an image its switches alone."""
    with st.container(horizontal=True, gap="medium"):
        on = {name: st.toggle(step.label, key=kept.key(f"step {name}", True)) for name, step in STEPS.items()}
    skip = [name for name in STEPS if not on[name]]
    if image is None:
        return
    whole, found = stages(image), stages(image, skip)
    st.html(_stages(found, skip))
    before, after = read(network, [whole.centred, found.centred])
    left, right = st.columns(2, gap="large")
    with left:
        st.html(_reading("With all steps", before))
    with right:
        if skip:
            st.html(_reading(f"Without {' and '.join(STEPS[name].doing for name in skip)}", after))
        else:
            st.caption(
                "MNIST's digits were all made this way. Switch a step off, and what the network then reads stands here."
            )
    for name in skip:
        st.caption(STEPS[name].loss)


def _stages(found, skip):
    """The four pictures with what they are, and how large."""
    centre = np.array([found.centred.sum(axis=1 - axis) @ np.arange(SIDE) for axis in (0, 1)]) / found.centred.sum()
    down, across = 100 * (centre + 0.5) / SIDE  # of the picture, in percent
    frame = 100 * (SIDE - BOX) / 2 / SIDE
    marks = f'<i class="box" style="inset:{frame:.3f}%"></i><i class="cross" style="left:{across:.2f}%;top:{down:.2f}%"></i>'
    by = "by its box, " if "centre" in skip else ""
    cells = (
        ("Ink", found.ink, "bright on dark, whatever it was", ""),
        ("Cropped", found.cropped, "the whole sheet" if "crop" in skip else "to the ink alone", ""),
        ("Scaled", found.scaled, f"the longer side to {max(found.scaled.shape)}", ""),
        ("Centred", found.centred, f"{by}mass at {centre[1]:.1f}, {centre[0]:.1f}", marks),
    )
    figures = "".join(
        f'<figure><b>{number} {name}</b><div class="inkling-stage"><div class="sheet" style="{_fit(picture)}">'
        f'<img src="{pictures.url(picture)}" alt="{name}, {_size(picture)}: {words}">{over}</div></div>'
        f"<figcaption>{_size(picture)}<br><small>{words}</small></figcaption></figure>"
        for number, (name, picture, words, over) in enumerate(cells, start=1)
    )
    note = f"The frame is {BOX} x {BOX} pixels within the {SIDE} x {SIDE}; the cross is the ink's centre of mass."
    return f'<div class="inkling-stages">{figures}</div><p class="inkling-note">{note}</p>'


def _size(picture):
    return f"{picture.shape[1]} x {picture.shape[0]} pixels"


def _fit(picture):
    """The CSS of a picture with its aspect ratio as large as a square holds."""
    height, width = (f"{100 * side / max(picture.shape):.2f}%" for side in picture.shape)
    return f"width:{width};height:{height}"


def _reading(title, reading):
    return f'<div class="inkling-compared"><p>{title}: <b>{reading.words}</b></p>{reading.chart()}</div>'
