"""The result of a run in words, and what to do next."""

import numpy as np
import streamlit as st

from engine.jobs import JobState, Snapshot
from engine.metrics import Evaluation
from engine.training import Finished
from ui import DRAW_PAGE
from ui.advice import findings, in_words
from ui.formatting import escape_markdown, number, percent
from ui.run import Run
from ui.state import set_value
from ui.translation import N_, _

GUESSING_ACCURACY = 0.2  # under this test accuracy of ten classes, nothing worth drawing with has been learned
FAIR_AND_GOOD = {
    "mnist": (0.85, 0.95),
    "mixed": (0.85, 0.95),
    "synthetic": (0.8, 0.92),
}  # the least accuracy for each, by data
TRY = N_("Try more epochs, more images or another learning rate.")


def summary(run: Run, snapshot: Snapshot) -> None:
    """The result of a run that is over."""
    if run.series.error:
        _error(_("The next seed could not be started: {reason}").format(reason=run.series.error))
    if snapshot.state is JobState.DIVERGED:
        _error(_advice(run, snapshot))
    elif snapshot.state is JobState.FAILED:
        _error(_("The training stopped because of an error: {reason}").format(reason=snapshot.error))
    elif not snapshot.step:
        st.warning(
            _("It was stopped before its first step, so it has learned nothing yet. Press Start for a new run."),
            icon=":material/help:",
        )
    elif not snapshot.test:
        with st.container(horizontal=True, vertical_alignment="center"):
            line = _("It was stopped while it was waiting, so it was not measured on the test images.")
            st.warning(line, icon=":material/help:", width="stretch")
            _draw_with(run)
    elif snapshot.test.accuracy < by_guessing(len(snapshot.network.class_names)):
        text = _("It reads {share} of the test images right, hardly more than by guessing.")
        text = text.format(share=percent(snapshot.test.accuracy))
        st.warning(escape_markdown(f"{text} {_advice(run, snapshot) or _(TRY)}"), icon=":material/help:")
    else:
        _result(run, snapshot, snapshot.test)


def _draw_with(run: Run) -> None:
    if st.button(_("Draw with this network"), icon=":material/draw:", type="primary", key=f"{run.key} draw"):
        set_value("network", run.key)
        st.switch_page(DRAW_PAGE)


def _error(text: str) -> None:
    st.error(escape_markdown(text), icon=":material/error:")


def _advice(run: Run, snapshot: Snapshot) -> str:
    """What is wrong first of all, with its evidence and one thing to try; "" if nothing is found."""
    found = findings(run.series, snapshot)
    return in_words(found[0]) if found else ""


def by_guessing(num_classes: int) -> float:
    """The test accuracy under which nothing worth drawing with has been learned: as far above chance as with ten classes."""
    chance = 1 / num_classes
    return chance + (1 - chance) * (GUESSING_ACCURACY - 0.1) / 0.9


def _result(run: Run, snapshot: Snapshot, test: Evaluation) -> None:
    fair, good = FAIR_AND_GOOD.get(run.source, (0, 1))
    advice = _advice(run, snapshot)
    if run.source not in FAIR_AND_GOOD:  # nobody knows what is good for it
        show, text = st.info, _("It reads **{share}** of {count} test images right. It has never seen them before.")
    elif test.accuracy >= good:
        show, text = st.success, _("Good: it reads **{share}** of {count} test images right. It has never seen them before.")
    elif test.accuracy >= fair:
        show = st.info
        text = _("Fair: it reads **{share}** of {count} test images right. A good network for {data} reads {good} or more.")
    else:
        show, text = st.warning, _("Poor for {data}: it reads **{share}** of {count} test images right.")
    text = text.format(share=percent(test.accuracy, 2), count=number(test.images), data=run.source, good=percent(good, 0))
    if show is st.warning:
        text = f"{text} {escape_markdown(advice or _(TRY))}"
    elif advice:
        show, text = st.warning, f"{text} {escape_markdown(advice)}"
    if isinstance(snapshot.end, Finished) and snapshot.end.stopped_early:
        early = _("It stopped early and went back to its best epoch, {epoch}.")
        text = f"{text} {early.format(epoch=snapshot.end.best_epoch)}"
    with st.container(horizontal=True, vertical_alignment="center", key="result"):
        show(text)
        _draw_with(run)
    measured = [snapshot for snapshot in run.series.snapshots() if snapshot.test]
    if len(measured) > 1:
        accuracies = np.array([snapshot.test.accuracy for snapshot in measured if snapshot.test])
        low, mean, high = (percent(value, 2) for value in (accuracies.min(), accuracies.mean(), accuracies.max()))
        st.caption(
            _(
                "Its {count} seeds: {mean} right on average, from {low} to {high}. "
                "If the ranges of two settings overlap, the difference between them may be luck."
            ).format(count=len(measured), mean=mean, low=low, high=high)
        )
