"""Why a network predicts a digit: the ink that counts for it and against it, or for it and against another digit."""

from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network, prepare
from engine.attribution import contrast, gradient_times_input, integrated_gradients, missing
from engine.data.dataset import DIGITS
from ui import glossary, images, state
from ui.class_names import with_article
from ui.draw.panels.activations import place
from ui.draw.prediction import predict
from ui.formatting import number
from ui.translation import N_, _

PREDICTED, NO_OTHER, RUNNER_UP = N_("the digit it read"), N_("(no other digit)"), N_("the runner-up")
FOR_CLASSES = {PREDICTED: N_("the class it read"), NO_OTHER: N_("(no other class)")}  # where these are not digits
METHODS = {N_("Integrated gradients"): integrated_gradients, N_("Gradient x input"): gradient_times_input}
Pixels = npt.NDArray[np.floating]


def show(network: Network | None, image: npt.NDArray[np.uint8] | None) -> None:
    """The panel; without an image only its choices."""
    names = network.class_names if network else DIGITS
    labels = range(len(names))
    of_names = "" if names == DIGITS else f" {names}"  # other options: another choice
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.selectbox(
            _("Why"),
            [PREDICTED, *labels],
            format_func=lambda label: _option(label, names),
            width=190,
            help=_("The digit to explain.") if names == DIGITS else _("The class to explain."),
            **state.keep(f"why{of_names}", PREDICTED),
        )
        other = st.selectbox(
            _("instead of"),
            [NO_OTHER, RUNNER_UP, *labels],
            format_func=lambda label: _option(label, names),
            width=190,
            help=_("A second digit: the picture then shows what would turn the drawing into that.")
            if names == DIGITS
            else _("A second class: the picture then shows what would turn the drawing into that."),
            **state.keep(f"instead of{of_names}", NO_OTHER),
        )
        method = st.segmented_control(
            _("Method"),
            list(METHODS),
            format_func=_,
            required=True,
            disabled=other != NO_OTHER,
            help=_(
                "Integrated gradients follow the score from an empty sheet to this drawing. Gradient x input only looks at "
                "the slope of the score at this drawing."
            ),
            **state.keep("method", next(iter(METHODS))),
        )
    if image is None or network is None:
        return
    seen = prepare(image)
    first, second = predict(network, [seen])[0].ranking[:2]
    target, other = first if target == PREDICTED else target, second if other == RUNNER_UP else other
    digit, rival = (escape(with_article(names[label])) if label in labels else "" for label in (target, other))
    if target == other:
        is_digit = names == DIGITS
        st.caption(
            _("Both are the same: choose two different digits.")
            if is_digit
            else _("Both are the same: choose two different classes.")
        )
    elif other == NO_OTHER:
        values = METHODS[method](network, seen, target)
        figure = _map(values, seen, _("for {digit}").format(digit=digit), _("against {digit}").format(digit=digit))
        st.html(_side_by_side([figure], explain(network, seen, target, method, values)))
    else:
        values = contrast(network, seen, target, other)
        for_both = [_("for {digit}").format(digit=one) for one in (digit, rival)]
        figures = [_map(values, seen, *for_both), _missing_ink(network, seen, target, other)]
        st.html(_side_by_side(figures, explain_contrast(network, seen, target, other, values)))


def _option(label: int | str, names: tuple[str, ...]) -> str:
    """What a select box shows: the name of a class, or what is in its place."""
    if isinstance(label, str):
        return _(label if names == DIGITS else FOR_CLASSES.get(label, label))
    return names[label]


def scores(network: Network, seen: Pixels) -> Pixels:
    """The network's raw outputs (2, K) for an empty sheet and for the drawing; probabilities are computed from these."""
    return network.forward(network.as_input(np.stack([np.zeros_like(seen), seen])))


def explain(network: Network, seen: Pixels, target: int, method: str, values: Pixels) -> tuple[str, str]:
    """How to read the map of one digit, and what it adds up to."""
    digit, name = escape(with_article(network.class_names[target])), escape(network.class_names[target])
    if METHODS[method] is gradient_times_input:
        return (
            _("Red: a little more ink here would raise the network's score for {digit}. Blue: it would lower it.").format(
                digit=digit
            ),
            _("A quick look: its sum is {sum}, which means little. Integrated gradients are more reliable.").format(
                sum=number(values.sum(), ".2f")
            ),
        )
    return (
        _("Red ink raises the network's score for {digit}, blue ink lowers it; grey ink makes no difference.").format(
            digit=digit
        ),
        _sum(values, _("the {digit}'s score").format(digit=name), *scores(network, seen)[:, target]),
    )


def explain_contrast(network: Network, seen: Pixels, target: int, other: int, values: Pixels) -> tuple[str, str]:
    """How to read the map of two digits, and what it adds up to."""
    outputs = scores(network, seen)
    first, second = (network.class_names[label] for label in (target, other))
    digit, rival, first, second = map(escape, (with_article(first), with_article(second), first, second))
    return (
        _(
            "Red ink counts for {digit} and against {rival}, blue ink the other way round. To turn it into {rival}, erase "
            "what is red and draw where the second picture is blue."
        ).format(digit=digit, rival=rival),
        _sum(
            values,
            _("the {first}'s score minus the {second}'s").format(first=first, second=second),
            *(outputs[:, target] - outputs[:, other]),
        ),
    )


def _sum(values: Pixels, score: str, blank: float, full: float) -> str:
    total, difference = number(values.sum(), ".2f"), number(full - blank, ".2f")
    text = _(
        "The map adds up to {total}: {score} is {full} for this drawing and {blank} for an empty sheet. The difference is "
        "{difference}."
    ).format(total=total, score=score, full=number(full, ".2f"), blank=number(blank, ".2f"), difference=difference)
    if total == difference:
        return text
    return text + " " + _("The map is built up in small steps, which leaves a small error.")


def _side_by_side(figures: list[str], lines: tuple[str, ...]) -> str:
    texts = glossary.explain("".join(f"<p>{line}</p>" for line in lines))
    return f'<div class="inkling-why">{"".join(figures)}<div>{texts}</div></div>'


def _map(values: Pixels, seen: Pixels, above: str, below: str) -> str:
    """Positive values in red and negative ones in blue, over the drawing, with their scale."""
    limit = float(np.abs(values).max())
    alt = _("The drawing, coloured by what counts {above}, strongest {place}")
    if values.min() < 0:
        alt = _("The drawing, coloured by what counts {above}, strongest {place}, and {below} {other_place}")
    places = [place(int(position), seen.shape) for position in (values.argmax(), values.argmin())]
    alt = alt.format(above=above, place=places[0], below=below, other_place=places[1])
    low, high = number(-limit, ".2f"), number(limit, "+.2f")
    return (
        f'<figure><img src="{images.url(images.red_and_blue(values, seen))}" alt="{alt}">'
        f"<figcaption><span>{low}<br>{below}</span><i></i><span>{high}<br>{above}</span></figcaption></figure>"
    )


def _missing_ink(network: Network, seen: Pixels, target: int, other: int) -> str:
    """Where more ink would turn ``target`` into ``other``, in blue over the drawing."""
    values, digit = missing(network, seen, target, other), escape(with_article(network.class_names[other]))
    strongest = place(int(values.argmax()), seen.shape)
    alt = _("Where more ink would count for {digit}, strongest {place}").format(digit=digit, place=strongest)
    caption = _("Blue: more ink here would count for {digit}.").format(digit=digit)
    url = images.url(images.red_and_blue(-values, seen))
    return f'<figure><img src="{url}" alt="{alt}"><figcaption>{caption}</figcaption></figure>'
