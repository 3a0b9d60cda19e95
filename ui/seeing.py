"""What the network sees: a drawing on its way to 28 x 28 pixels, each stage of which can be left out."""

import numpy as np
import streamlit as st

from engine.preprocessing import BOX, SIDE, stages
from ui import pictures
from ui.reading import read
from ui.session import kept

STEPS = {
    "crop": (
        "Crop",
        "cropping",
        "Without cropping, the empty paper is shrunk along with the ink: a digit in a corner stays small and in its corner, "
        "and the network has only ever seen large ones in the middle.",
    ),
    "scale": (
        f"Scale to {BOX} x {BOX}",
        "scaling",
        f"Without its margin, the digit fills all {SIDE} pixels: larger than any that the network has learned from.",
    ),
    "centre": (
        "Centre by mass",
        "centring",
        "Without centring by mass, the ink is put wherever its box happens to lie. A network has learned what ink means at "
        "each place, so a pixel or two aside it meets weights that were meant for something else: this is why it matters.",
    ),
}


def seeing(network, image):
    """The panel."""
    with st.container(horizontal=True, gap="medium"):
        on = {step: st.toggle(label, key=kept(f"step {step}", True)) for step, (label, _, _) in STEPS.items()}
    skip = [step for step in STEPS if not on[step]]
    whole, found = stages(image), stages(image, skip)
    st.html(_stages(found, skip))
    before, after = read(network, [whole.centred, found.centred])
    left, right = st.columns(2, gap="large")
    with left:
        st.html(_reading("With all steps", before))
    with right:
        if skip:
            st.html(_reading("Without " + " and ".join(STEPS[step][1] for step in skip), after))
        else:
            st.caption(
                "MNIST's digits were all made this way. Switch a step off, and what the network then reads stands here."
            )
    for step in skip:
        st.caption(STEPS[step][2])


def _stages(found, skip):
    """The four pictures with what they are, and how large."""
    centre = np.array([found.centred.sum(axis=1 - axis) @ np.arange(SIDE) for axis in (0, 1)]) / found.centred.sum()
    across, down = (f"{100 * (place + 0.5) / SIDE:.2f}%" for place in centre[::-1])
    cross = f'<i class="cross" style="left:{across};top:{down}"></i>'
    box = f'<i class="box" style="inset:{100 * (SIDE - BOX) / 2 / SIDE:.3f}%"></i>'
    where = f"mass at {centre[1]:.1f}, {centre[0]:.1f}"
    cells = (
        ("1 Ink", found.ink, "bright on dark, whatever it was", ""),
        ("2 Cropped", found.cropped, "the whole sheet" if "crop" in skip else "to the ink alone", ""),
        ("3 Scaled", found.scaled, f"the longer side to {max(found.scaled.shape)}", ""),
        ("4 Centred", found.centred, f"{'by its box, ' if 'centre' in skip else ''}{where}", box + cross),
    )
    figures = "".join(
        f'<figure><b>{name}</b><div class="inkling-stage"><div class="sheet" style="{_fit(picture)}">'
        f'<img src="{pictures.url(picture)}" alt="{name[2:]}, {_size(picture)}: {words}">{marks}</div></div>'
        f"<figcaption>{_size(picture)}<br><small>{words}</small></figcaption></figure>"
        for name, picture, words, marks in cells
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
