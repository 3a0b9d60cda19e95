"""The page Broken networks: name the mistake in a training, then mend it."""

from functools import partial
from html import escape

import numpy as np
import streamlit as st

from engine import InklingError
from engine.faults import FAULTS
from engine.jobs import Snapshot
from ui import charts, state
from ui.advice import findings, sentences
from ui.formatting import escape_markdown, percent
from ui.puzzles.puzzle import NUM_HINTS, Puzzle, remember, solved
from ui.puzzles.texts import TEXTS
from ui.run import Run
from ui.train.run_dashboard import PANELS, show_figures, show_headline
from ui.train.runs_table import overlay_rows
from ui.translation import N_, _

REFRESH_SECONDS = 0.7
TABS = (N_("Curves"), N_("What it learned"), N_("Predictions"), N_("Mistakes"))  # of the PANELS of a run
HIGHEST_LOSS = 5.0  # in the chart of both runs, where an exploding one would flatten the other


def page() -> None:
    st.title(_("Broken networks"), anchor=False)
    puzzle = state.session().puzzle
    moves = puzzle is not None and (puzzle.broken is None or puzzle.moves)
    st.fragment(show, run_every=REFRESH_SECONDS if moves else None)(moves)


def show(moved: bool) -> None:
    """Everything below the title."""
    state.show_error()
    puzzle = state.session().puzzle
    if puzzle is not None and puzzle.broken is None:
        try:
            puzzle.start()
        except InklingError as error:
            state.session().puzzle = puzzle = None
            state.report_error(error)
            state.show_error()
    with st.container(key="puzzle"):
        _show_progress()
        if puzzle is None or puzzle.broken is None:
            _show_beginning()
        else:
            look, name = st.columns([3, 2], gap="large")
            with look:
                _show_training(puzzle, puzzle.broken)
            with name:
                if puzzle.is_over:
                    _show_solution(puzzle)
                else:
                    _show_question(puzzle, puzzle.broken)
    if (puzzle is not None and puzzle.moves) != moved:
        st.rerun()
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def _show_progress() -> None:
    """How many of the mistakes were found."""
    found = solved()
    text = _("{count} of {total} mistakes found").format(count=len(found), total=len(FAULTS))
    dots = "".join(f'<i class="{"found" * (name in found)}"></i>' for name in FAULTS)
    st.html(f'<p class="inkling-found"><span aria-hidden="true">{dots}</span> {escape(text)}</p>')


def _show_beginning() -> None:
    with st.container(border=True, key="puzzle beginning"):
        st.markdown(
            _(
                "A network trains here, and **something is wrong with it**: a mistake that people really make. "
                "Watch its curves, its layers and its predictions. Then name the mistake, and mend it."
            )
        )
        _next_button(_("Start a broken training"))


def _next_button(label: str) -> None:
    st.button(label, icon=":material/play_arrow:", type="primary", key="next puzzle", on_click=_begin)


def _begin() -> None:
    session = state.session()
    if session.puzzle:
        session.puzzle.stop()
    session.puzzle = Puzzle.new(session.puzzle.number + 1 if session.puzzle else 1, solved())


def _show_training(puzzle: Puzzle, run: Run) -> None:
    """What there is to see of the broken training, and of the mended one beside it."""
    snapshot = run.snapshot()
    if puzzle.mended:
        _show_difference([run, puzzle.mended])
        return
    show_headline(run, snapshot)
    show_figures(snapshot)
    with st.container(key="puzzle panels"):
        for tab, panel in zip(state.tabs(TABS, "puzzle panel"), TABS, strict=True):
            if tab.open:
                with tab:
                    PANELS[panel](run, snapshot)


def _show_difference(both: list[Run]) -> None:
    """The curves of the mended run over those of the broken one."""
    names = [run.name for run in both]
    colours = charts.run_colours(2)[::-1]  # red is the broken one
    st.html(charts.colour_key(dict(zip(names, colours, strict=True))))
    figures = st.columns(2)
    for column, run in zip(figures, both, strict=True):
        column.metric(_("{run}: test accuracy").format(run=run.name), _test_accuracy(run.snapshot()))
    for quantity, title in (("accuracy", _("Accuracy")), ("loss", _("Loss, at most 5"))):
        rows = overlay_rows(both, quantity, "epoch", training=True)
        if quantity == "loss":
            rows |= {name: np.minimum(rows[name], HIGHEST_LOSS).tolist() for name in ("value", "low", "high")}
        spec = charts.overlay(title, quantity, names, "epoch")
        spec["encoding"]["color"]["scale"]["range"] = colours
        st.vega_lite_chart(rows, spec, key=f"{both[0].key} both {quantity}", width="stretch", alt=title)
    st.caption(_("Thick lines with dots: validation images. Thin lines: training images."))


def _test_accuracy(snapshot: Snapshot) -> str:
    return percent(snapshot.test.accuracy) if snapshot.test else "…"


def _show_question(puzzle: Puzzle, run: Run) -> None:
    """The choice of all mistakes, and hints."""
    st.header(_("What is wrong?"), anchor=False)
    options = list(FAULTS)
    key = f"guess {puzzle.number}"
    st.radio(
        _("Which mistake is it?"),
        options,
        index=None,
        format_func=lambda name: _(FAULTS[name].label),
        label_visibility="collapsed",
        **state.keep(key),
    )
    with st.container(key="puzzle reply"):  # on a phone, it stays at the thumb
        with st.container(horizontal=True, gap="small"):
            icon, press = ":material/check:", partial(_name, puzzle, key)
            st.button(_("That is it"), type="primary", icon=icon, key="name it", on_click=press)
            _hint_button(puzzle, run)
        if puzzle.wrong:
            text = _("It is not “{fault}”. This is what you would see then. {sign}")
            fault, sign = _(FAULTS[puzzle.wrong].label), _(TEXTS[puzzle.wrong].sign)
            st.warning(escape_markdown(text.format(fault=fault, sign=sign)), icon=":material/close:")
        for hint in reversed(_hints(puzzle, run)[: puzzle.num_hints]):
            st.info(escape_markdown(hint), icon=":material/lightbulb:")


def _hint_button(puzzle: Puzzle, run: Run) -> None:
    """The next hint, or the answer after the last one."""
    if puzzle.num_hints == NUM_HINTS:
        st.button(_("Tell me"), icon=":material/visibility:", key="tell", on_click=_tell, args=(puzzle,))
        return
    is_early = puzzle.num_hints == NUM_HINTS - 1 and not run.series.is_over
    st.button(
        _("Hint {number} of {total}").format(number=puzzle.num_hints + 1, total=NUM_HINTS),
        icon=":material/lightbulb:",
        key=f"hint {puzzle.num_hints}",
        on_click=_hint,
        args=(puzzle,),
        disabled=is_early,
        help=_("The last hint comes when the training is over.") if is_early else None,
    )


def _hints(puzzle: Puzzle, run: Run) -> list[str]:
    """Where to look, what there is to see, and the evidence."""
    texts = TEXTS[puzzle.fault]
    hints = [_(texts.where), _(texts.sign)]
    if puzzle.num_hints == NUM_HINTS:
        found = findings(run.series, run.snapshot())
        hints.append(sentences(found[0])[1] if found else _(texts.why))
    return hints


def _name(puzzle: Puzzle, key: str) -> None:
    guess = state.value(key)
    if guess == puzzle.fault:
        puzzle.is_named = True
        remember(puzzle.fault)
    elif guess:
        puzzle.wrong = guess


def _hint(puzzle: Puzzle) -> None:
    puzzle.num_hints += 1


def _tell(puzzle: Puzzle) -> None:
    puzzle.is_told = True


def _show_solution(puzzle: Puzzle) -> None:
    """What was wrong, why it did that, and how to mend it."""
    texts, fault = TEXTS[puzzle.fault], _(FAULTS[puzzle.fault].label)
    with st.container(key="puzzle solution"):  # on a phone, above the curves
        if puzzle.is_named:
            st.success(_("You found it: **{fault}**.").format(fault=fault), icon=":material/check_circle:")
        else:
            st.info(_("It was: **{fault}**.").format(fault=fault), icon=":material/visibility:")
        st.markdown(escape_markdown(_(texts.why)))
        if puzzle.mended is None:
            st.button(_("Mend it"), type="primary", icon=":material/build:", key="mend", on_click=_mend, args=(puzzle,))
            return
        st.markdown(f":material/build: {escape_markdown(_(texts.mended))}")
        if not puzzle.moves:
            _next_button(_("Next broken training"))


def _mend(puzzle: Puzzle) -> None:
    try:
        puzzle.mend()
    except InklingError as error:
        state.report_error(error)


page()
