"""The result of a run in words, and what to do next."""

import numpy as np
import streamlit as st

from engine.jobs import JobState, Snapshot
from engine.jobs.health import Problem
from engine.metrics import Evaluation
from engine.training import Finished
from ui import DRAW_PAGE
from ui.formatting import duration, escape_markdown, loss, percent
from ui.run import Run
from ui.state import set_value

GUESSING_ACCURACY = 0.2  # under this test accuracy, nothing worth drawing with has been learned


def summary(run: Run, snapshot: Snapshot) -> None:
    """The result of a run that is over."""
    if run.series.error:
        _error(f"The next seed could not be started: {run.series.error}")
    if snapshot.state is JobState.DIVERGED:
        _error(explain_divergence(snapshot))
    elif snapshot.state is JobState.FAILED:
        _error(f"The training stopped because of an error: {snapshot.error}")
    elif not snapshot.step:
        st.warning(
            "It was stopped before its first step, so it has learned nothing yet. Press Start for a new run.",
            icon=":material/help:",
        )
    elif not snapshot.test:
        st.warning("It was stopped while it was waiting, so it was not measured on the test images.", icon=":material/help:")
        _draw_with(run)
    elif snapshot.test.accuracy < GUESSING_ACCURACY:
        st.warning(escape_markdown(explain_guessing(snapshot, snapshot.test)), icon=":material/help:")
    else:
        _result(run, snapshot, snapshot.test)


def _draw_with(run: Run) -> None:
    if st.button("Draw with this network", icon=":material/draw:", type="primary", key=f"{run.key} draw"):
        set_value("network", run.key)
        st.switch_page(DRAW_PAGE)


def _error(text: str) -> None:
    st.error(escape_markdown(text), icon=":material/error:")


def explain_guessing(snapshot: Snapshot, test: Evaluation) -> str:
    """Why a run has learned nothing, and what to try."""
    rate, first, last = snapshot.config.learning_rate, snapshot.curve[0, 2], snapshot.curve[-1, 2]
    if last > first:
        why = f"The loss rose from {loss(first)} to {loss(last)}: the steps were too large."
        advice = f"Try a smaller learning rate than {rate:g}, for example {rate / 10:g}."
    else:
        why = "The network has learned nothing."
        advice = f"Try another learning rate than {rate:g}, other initial weights in the network's layers, or more epochs."
    return f"It reads {percent(test.accuracy)} of the test images right, hardly more than by guessing. {why} {advice}"


def explain_divergence(snapshot: Snapshot) -> str:
    """Why a run diverged, and what to try."""
    rate = snapshot.config.learning_rate
    where = ""
    for layer in snapshot.health:
        if layer.problem is Problem.EXPLODING:
            where = f" Layer {layer.position + 1} ({layer.label}) was exploding: {layer.details}."
            break
    clip = " or use gradient clipping," if snapshot.config.max_grad_norm is None else ""
    step = f" at step {snapshot.end.step + 1:,}" if snapshot.end else ""
    return (
        f"The loss overflowed (NaN or infinity){step}. The steps were too large, "
        f"so the weights grew without limit.{where} Try a smaller learning rate than {rate:g}, for example "
        f"{rate / 10:g},{clip} and press Start again."
    )


def _result(run: Run, snapshot: Snapshot, test: Evaluation) -> None:
    right = f"It reads **{percent(test.accuracy, 2)}** of {test.images:,} test images right. It has never seen them before."
    if isinstance(snapshot.end, Finished) and snapshot.end.stopped_early:
        right += f" It stopped early and went back to its best epoch, {snapshot.end.best_epoch}."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(right)
        _draw_with(run)
    measured = [snapshot for snapshot in run.series.snapshots() if snapshot.test]
    if len(measured) > 1:
        accuracies = np.array([snapshot.test.accuracy for snapshot in measured if snapshot.test])
        low, mean, high = (percent(value, 2) for value in (accuracies.min(), accuracies.mean(), accuracies.max()))
        st.caption(
            f"Its {len(measured)} seeds: {mean} right on average, from {low} to {high}, "
            f"in {duration(sum(snapshot.seconds for snapshot in measured))}. "
            "If the ranges of two settings overlap, the difference between them may be luck."
        )
