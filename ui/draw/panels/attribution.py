"""Why a network predicts a digit: the ink that counts for it and against it, or for it and against another digit."""

from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network, prepare
from engine.attribution import contrast, gradient_times_input, integrated_gradients, missing
from engine.data.dataset import DIGITS
from ui import glossary, images, state
from ui.class_names import class_noun, with_article
from ui.draw.panels.activations import place
from ui.draw.prediction import predict

PREDICTED, NO_OTHER, RUNNER_UP = "the digit it read", "(no other digit)", "the runner-up"
METHODS = {"Integrated gradients": integrated_gradients, "Gradient x input": gradient_times_input}
Pixels = npt.NDArray[np.floating]


def show(network: Network | None, image: npt.NDArray[np.uint8] | None) -> None:
    """The panel; without an image only its choices."""
    names = network.class_names if network else DIGITS
    labels = range(len(names))
    of_names = "" if names == DIGITS else f" {names}"  # other options: another choice
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.selectbox(
            "Why",
            [PREDICTED, *labels],
            format_func=lambda label: _option(label, names),
            width=190,
            help=f"The {class_noun(names)} to explain.",
            **state.keep(f"why{of_names}", PREDICTED),
        )
        other = st.selectbox(
            "instead of",
            [NO_OTHER, RUNNER_UP, *labels],
            format_func=lambda label: _option(label, names),
            width=190,
            help=f"A second {class_noun(names)}: the picture then shows what would turn the drawing into that.",
            **state.keep(f"instead of{of_names}", NO_OTHER),
        )
        method = st.segmented_control(
            "Method",
            list(METHODS),
            required=True,
            disabled=other != NO_OTHER,
            help="Integrated gradients follow the score from an empty sheet to this drawing. Gradient x input only looks at "
            "the slope of the score at this drawing.",
            **state.keep("method", next(iter(METHODS))),
        )
    if image is None or network is None:
        return
    seen = prepare(image)
    first, second = predict(network, [seen])[0].ranking[:2]
    target, other = first if target == PREDICTED else target, second if other == RUNNER_UP else other
    digit, rival = (escape(with_article(names[label])) if label in labels else "" for label in (target, other))
    if target == other:
        st.caption(f"Both are the same: choose two different {'digits' if names == DIGITS else 'classes'}.")
    elif other == NO_OTHER:
        values = METHODS[method](network, seen, target)
        figure = _map(values, seen, f"for {digit}", f"against {digit}")
        st.html(_side_by_side([figure], explain(network, seen, target, method, values)))
    else:
        values = contrast(network, seen, target, other)
        figures = [_map(values, seen, f"for {digit}", f"for {rival}"), _missing_ink(network, seen, target, other)]
        st.html(_side_by_side(figures, explain_contrast(network, seen, target, other, values)))


def _option(label: int | str, names: tuple[str, ...]) -> str:
    """What a select box shows: the name of a class, or what is in its place."""
    if isinstance(label, str):
        return label.replace("digit", class_noun(names))
    return names[label]


def scores(network: Network, seen: Pixels) -> Pixels:
    """The network's raw outputs (2, K) for an empty sheet and for the drawing; probabilities are computed from these."""
    return network.forward(network.as_input(np.stack([np.zeros_like(seen), seen])))


def explain(network: Network, seen: Pixels, target: int, method: str, values: Pixels) -> tuple[str, str]:
    """How to read the map of one digit, and what it adds up to."""
    digit = escape(with_article(network.class_names[target]))
    if METHODS[method] is gradient_times_input:
        return (
            f"Red: a little more ink here would raise the network's score for {digit}. Blue: it would lower it.",
            f"A quick look: its sum is {values.sum():.2f}, which means little. Integrated gradients are more reliable.",
        )
    return (
        f"Red ink raises the network's score for {digit}, blue ink lowers it; grey ink makes no difference.",
        _sum(values, f"the {escape(network.class_names[target])}'s score", *scores(network, seen)[:, target]),
    )


def explain_contrast(network: Network, seen: Pixels, target: int, other: int, values: Pixels) -> tuple[str, str]:
    """How to read the map of two digits, and what it adds up to."""
    outputs = scores(network, seen)
    first, second = (network.class_names[label] for label in (target, other))
    digit, rival, first, second = map(escape, (with_article(first), with_article(second), first, second))
    return (
        f"Red ink counts for {digit} and against {rival}, blue ink the other way round. To turn it into {rival}, erase what "
        "is red and draw where the second picture is blue.",
        _sum(values, f"the {first}'s score minus the {second}'s", *(outputs[:, target] - outputs[:, other])),
    )


def _sum(values: Pixels, score: str, blank: float, full: float) -> str:
    total, difference = f"{values.sum():.2f}", f"{full - blank:.2f}"
    text = f"{score} is {full:.2f} for this drawing and {blank:.2f} for an empty sheet. The difference is {difference}"
    if total == difference:
        return f"The map adds up to {total}: {text}."
    return f"The map adds up to {total}: {text}. The map is built up in small steps, which leaves a small error."


def _side_by_side(figures: list[str], lines: tuple[str, ...]) -> str:
    texts = glossary.explain("".join(f"<p>{line}</p>" for line in lines))
    return f'<div class="inkling-why">{"".join(figures)}<div>{texts}</div></div>'


def _map(values: Pixels, seen: Pixels, above: str, below: str) -> str:
    """Positive values in red and negative ones in blue, over the drawing, with their scale."""
    limit = float(np.abs(values).max())
    where = f"strongest {place(int(values.argmax()), seen.shape)}"
    if values.min() < 0:
        where += f", and {below} {place(int(values.argmin()), seen.shape)}"
    return (
        f'<figure><img src="{images.url(images.red_and_blue(values, seen))}" '
        f'alt="The drawing, coloured by what counts {above}, {where}">'
        f"<figcaption><span>{-limit:.2f}<br>{below}</span><i></i><span>{limit:+.2f}<br>{above}</span></figcaption></figure>"
    )


def _missing_ink(network: Network, seen: Pixels, target: int, other: int) -> str:
    """Where more ink would turn ``target`` into ``other``, in blue over the drawing."""
    values, digit = missing(network, seen, target, other), escape(with_article(network.class_names[other]))
    return (
        f'<figure><img src="{images.url(images.red_and_blue(-values, seen))}" '
        f'alt="Where more ink would count for {digit}, strongest {place(int(values.argmax()), seen.shape)}">'
        f"<figcaption>Blue: more ink here would count for {digit}.</figcaption></figure>"
    )
