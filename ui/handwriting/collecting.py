"""Collect: the page asks for digits in random order, and keeps what is drawn. It shows no prediction: that would teach
people to draw as the network likes it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

import numpy as np
import streamlit as st

from engine import BlankDrawing, InklingError
from engine.data.collection import LabelledDrawing
from engine.pen import PEN as DEFAULT_WIDTH
from ui import collection, current_drawing, state
from ui.class_names import with_article
from ui.draw import canvas
from ui.draw.digit_keys import labelled
from ui.draw.drawing import Drawing
from ui.state import session
from ui.translation import N_, _, ngettext
from ui.visitor import workspace

CANVAS, COMPANION = "collect-canvas", "collect-companion"
PEN = canvas.Pen(DEFAULT_WIDTH)
NOTE = N_(
    "Draw each digit as you always write it, not as neatly as you can. The page keeps how your pen moved. "
    "It does not say what a network reads, so that nobody changes their hand to please it."
)


@dataclass(frozen=True)
class Destination:
    """Where the drawings go: ``keep`` returns a key, and ``counts`` says how many there are of each digit."""

    keep: Callable[[LabelledDrawing], str]
    remove: Callable[[str], object]
    counts: Callable[[], Mapping[int, int]]
    canvas: str = CANVAS  # keys of the components
    companion: str = COMPANION


@dataclass
class Collecting:
    """What was asked for, and what is on the canvas."""

    order: Iterator[int]
    asked: int
    destination: Destination
    drawing: Drawing = field(default_factory=Drawing)
    kept: list[tuple[str, int]] = field(default_factory=list)  # keys and labels, in this session
    problem: str = ""
    is_shown: bool = False  # whether the canvas was on the page in the last run


def digits_to_draw(seed: int | list[int]) -> Iterator[int]:
    """Digits in random order without end: each once in ten, and never one twice in a row."""
    rng, last = np.random.default_rng(seed), -1
    while True:
        block = rng.permutation(10).tolist()
        if block[0] == last:
            block.reverse()
        yield from block
        last = block[-1]


def current() -> Collecting:
    """This session's."""
    if session().collecting is None:
        order = digits_to_draw([crc32(workspace().id.encode()), len(workspace().drawings())])
        session().collecting = Collecting(order, next(order), into_workspace())
    return session().collecting  # pyright: ignore[reportReturnType]


def into_workspace() -> Destination:
    """The drawings become those of My handwriting."""
    return Destination(
        lambda drawing: collection.keep([drawing])[0], lambda key: workspace().remove_drawing(key), workspace_counts
    )


def show(collecting: Collecting | None = None) -> None:
    """The digit that is asked for, the canvas, and the number of drawings of each digit."""
    collecting = collecting or current()
    drawing, destination = collecting.drawing, collecting.destination
    current_drawing.update(drawing, destination.canvas, destination.companion)
    if not collecting.is_shown or session().surface_changed:
        drawing.show_again()
    collecting.is_shown, session().surface_changed = True, False
    press = (collecting,)
    with st.container(key="collect", horizontal=True):
        with st.container(key="collect-board", width="content", gap="small"):
            asked = _("Draw {digit}").format(digit=with_article(collecting.asked))
            st.html(f'<p class="inkling-asked" role="status">{asked}</p>')
            with st.container(key="collect-sheet", horizontal=True, width="content"):
                canvas.show_canvas(PEN, drawing, destination.canvas)
                with st.container(key="collect-tools", width="content"):
                    st.button(_("Undo"), icon=":material/undo:", key="collect undo", on_click=_undo, args=press)
                    st.button(_("Clear"), icon=":material/delete:", key="collect clear", on_click=_clear, args=press)
                    st.button(_("Skip"), icon=":material/skip_next:", key="collect skip", on_click=_skip, args=press)
            st.button(_("Next"), type="primary", key="collect next", width="stretch", on_click=_next, args=press)
            _show_last(collecting)
        with st.container(key="collect-counts"):
            st.html(counts_html(destination.counts()))
            st.caption(_(NOTE))
    canvas.run_companion(PEN, drawing, destination.canvas, destination.companion, is_live=False)


def _show_last(collecting: Collecting) -> None:
    """What became of the last drawing; as high with nothing in it."""
    with st.container(key="collect-last", horizontal=True, vertical_alignment="center"):
        if collecting.problem:
            st.html(f'<p class="inkling-problem" role="alert">{collecting.problem}</p>')
        elif collecting.kept:
            kept = _("Kept as {digit}").format(digit=collecting.kept[-1][1])
            st.html(f"<p>{kept}</p>", width="content")
            st.button(_("Take it back"), type="tertiary", key="collect back", on_click=_take_back, args=(collecting,))


def workspace_counts() -> dict[int, int]:
    """How many drawings of each digit there are."""
    counts = Counter(record.label for record in workspace().drawings())
    return {digit: counts[digit] for digit in range(10)}


def counts_html(counts: Mapping[int, int]) -> str:
    """The number of drawings of each digit, as ten small columns."""
    highest = max(*counts.values(), 5)
    columns = "".join(
        f'<li><span class="track" aria-hidden="true"><i style="height:{100 * count / highest:.0f}%"></i></span>'
        f'<span class="count">{count}</span><b aria-label="{escape(_("of {digit}").format(digit=digit))}">{digit}</b></li>'
        for digit, count in counts.items()
    )
    total = sum(counts.values())
    text = ngettext("{count} drawing", "{count} drawings", total).format(count=total) if total else _("No drawing yet")
    label = escape(_("Drawings"))
    return f'<p class="inkling-total"><b>{text}</b></p><ul class="inkling-counts" aria-label="{label}">{columns}</ul>'


def _update(collecting: Collecting) -> Drawing:
    """The drawing, as it is when something is pressed."""
    current_drawing.update(collecting.drawing, collecting.destination.canvas, collecting.destination.companion)
    collecting.problem = ""
    return collecting.drawing


def _next(collecting: Collecting) -> None:
    drawing = _update(collecting)
    try:
        key = collecting.destination.keep(labelled(drawing, collecting.asked))
    except BlankDrawing:
        collecting.problem = _("Draw {digit} first, or press Skip.").format(digit=with_article(collecting.asked))
    except InklingError as error:
        collecting.problem = _("It was not kept: {reason}.").format(reason=escape(str(error)))
    else:
        collecting.kept.append((key, collecting.asked))
        collecting.asked = next(collecting.order)
        drawing.begin()


def _skip(collecting: Collecting) -> None:
    _update(collecting).begin()
    collecting.asked = next(collecting.order)


def _undo(collecting: Collecting) -> None:
    _update(collecting).undo()


def _clear(collecting: Collecting) -> None:
    _update(collecting).clear()


def _take_back(collecting: Collecting) -> None:
    """Remove the drawing that was kept last."""
    _update(collecting)
    if collecting.kept:
        try:
            collecting.destination.remove(collecting.kept[-1][0])
            collecting.kept.pop()
        except InklingError as error:
            state.report_error(error)
