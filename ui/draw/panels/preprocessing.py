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
from ui.formatting import number as decimal
from ui.translation import N_, _


class Step(NamedTuple):
    """A step that can be switched off: the label of its switch, the title without it, and what happens then."""

    label: str
    without: str
    effect: str


STEPS = {
    "crop": Step(
        N_("Crop"),
        N_("Without cropping"),
        N_(
            "Without cropping, the empty paper shrinks along with the ink. A small digit in a corner stays small and in its "
            "corner, but the network has only learned from large digits in the middle."
        ),
    ),
    "scale": Step(
        N_("Scale to {box} x {box}"),
        N_("Without scaling"),
        N_(
            "Without scaling, the digit has no margin: it fills all {side} pixels, and is larger than any digit that the "
            "network has learned from."
        ),
    ),
    "centre": Step(
        N_("Centre by mass"),
        N_("Without centring"),
        N_(
            "Without centring by mass, the ink's box is put in the middle. A network has learned what ink means at each "
            "place: shifted by a pixel or two, ink meets weights meant for something else."
        ),
    ),
}


def show(network: Network, image: npt.NDArray[np.uint8] | None) -> None:
    """The panel; without an image only its switches."""
    with st.container(horizontal=True, gap="medium"):
        labels = {name: _(step.label).format(box=BOX) for name, step in STEPS.items()}
        is_on = {name: st.toggle(label, **state.keep(f"step {name}", True)) for name, label in labels.items()}
    skipped = [name for name in STEPS if not is_on[name]]
    if image is None:
        return
    complete, reduced = stages(image), stages(image, skipped)
    st.html(_stages(reduced, skipped))
    before, after = predict(network, [complete.centred, reduced.centred])
    left, right = st.columns(2, gap="large")
    with left:
        st.html(_titled(_("With all steps"), before))
    with right:
        if skipped:
            st.html(_titled(" · ".join(_(STEPS[name].without) for name in skipped), after))
        else:
            text = _("MNIST's digits were all made this way. Switch a part of it off to see the prediction without it.")
            st.caption(glossary.explain(text), unsafe_allow_html=True)
    for name in skipped:
        st.caption(glossary.explain(_(STEPS[name].effect).format(side=SIDE)), unsafe_allow_html=True)


def _stages(result: Stages, skipped: list[str]) -> str:
    """The four stages as pictures, with their sizes."""
    ink = result.centred
    row, column = (float(ink.sum(axis=1 - axis) @ np.arange(SIDE) / ink.sum()) for axis in (0, 1))  # centre of mass
    inset = 100 * (SIDE - BOX) / 2 / SIDE  # percent of the picture, as all that follows
    down, across = 100 * (row + 0.5) / SIDE, 100 * (column + 0.5) / SIDE
    marks = f'<i class="box" style="inset:{inset:.3f}%"></i><i class="cross" style="left:{across:.2f}%;top:{down:.2f}%"></i>'
    centre = _("by its box; centre of mass {x}, {y}") if "centre" in skipped else _("centre of mass {x}, {y}")
    longer = _("the longer side to {count} pixels").format(count=max(result.scaled.shape))
    cells = (
        (_("Ink"), result.ink, _("as white on black"), ""),
        (_("Cropped"), result.cropped, _("the whole sheet") if "crop" in skipped else _("only the part with ink"), ""),
        (_("Scaled"), result.scaled, longer, ""),
        (_("Centred"), ink, centre.format(x=decimal(column, ".1f"), y=decimal(row, ".1f")), marks),
    )
    figures = "".join(
        f'<figure><b>{number} {name}</b><div class="inkling-stage"><div class="sheet" style="{_fit(picture)}">'
        f'<img src="{images.url(picture)}" alt="{name}, {_size(picture)}: {text}">{overlay}</div></div>'
        f"<figcaption>{_size(picture)}<br><small>{text}</small></figcaption></figure>"
        for number, (name, picture, text, overlay) in enumerate(cells, start=1)
    )
    note = _("The frame is {box} x {box} pixels within the {side} x {side}; the cross is the ink's centre of mass.").format(
        box=BOX, side=SIDE
    )
    return f'<div class="inkling-stages">{figures}</div><p class="inkling-note">{note}</p>'


def _size(picture: npt.NDArray) -> str:
    return _("{width} x {height} pixels").format(width=picture.shape[1], height=picture.shape[0])


def _fit(picture: npt.NDArray) -> str:
    """The CSS that makes a picture as large as a square holds."""
    height, width = (f"{100 * side / max(picture.shape):.2f}%" for side in picture.shape)
    return f"width:{width};height:{height}"


def _titled(title: str, prediction: Prediction) -> str:
    return f'<div class="inkling-compared"><p>{title}: <b>{escape(prediction.text)}</b></p>{prediction.chart()}</div>'
