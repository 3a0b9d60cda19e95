"""The result of a run in words, and what to do next."""

import numpy as np
import streamlit as st

from engine.jobs import JobState, Snapshot
from engine.jobs.health import Problem
from engine.losses import LOSSES
from engine.metrics import Evaluation
from engine.optimizers import OPTIMIZERS
from engine.training import Finished
from ui import DRAW_PAGE
from ui.formatting import escape_markdown, loss, percent
from ui.run import Run
from ui.state import set_value

GUESSING_ACCURACY = 0.2  # under this test accuracy of ten classes, nothing worth drawing with has been learned
FAIR_AND_GOOD = {
    "mnist": (0.85, 0.95),
    "mixed": (0.85, 0.95),
    "synthetic": (0.8, 0.92),
}  # the least accuracy for each, by data
FAR_TOO_LARGE = 4  # times the loss of guessing, or times the usual learning rate


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
        with st.container(horizontal=True, vertical_alignment="center"):
            line = "It was stopped while it was waiting, so it was not measured on the test images."
            st.warning(line, icon=":material/help:", width="stretch")
            _draw_with(run)
    elif snapshot.test.accuracy < by_guessing(len(snapshot.network.class_names)):
        st.warning(escape_markdown(explain_guessing(snapshot, snapshot.test)), icon=":material/help:")
    else:
        _result(run, snapshot, snapshot.test)


def _draw_with(run: Run) -> None:
    if st.button("Draw with this network", icon=":material/draw:", type="primary", key=f"{run.key} draw"):
        set_value("network", run.key)
        st.switch_page(DRAW_PAGE)


def _error(text: str) -> None:
    st.error(escape_markdown(text), icon=":material/error:")


def by_guessing(num_classes: int) -> float:
    """The test accuracy under which nothing worth drawing with has been learned: as far above chance as with ten classes."""
    chance = 1 / num_classes
    return chance + (1 - chance) * (GUESSING_ACCURACY - 0.1) / 0.9


def explain_guessing(snapshot: Snapshot, test: Evaluation) -> str:
    """Why a run has learned nothing, and what to try."""
    rate = snapshot.config.learning_rate
    why = too_large(snapshot)
    if not why:
        why = (
            f"The network has learned nothing. Try another learning rate than {rate:g}, "
            "other initial weights in the network's layers, or more epochs."
        )
    return f"It reads {percent(test.accuracy)} of the test images right, hardly more than by guessing. {why}"


def too_large(snapshot: Snapshot) -> str:
    """Whether the learning rate was too large, as the whole loss curve shows, and what to try; "" if it was not."""
    config = snapshot.config
    rate, optimizer, losses = config.learning_rate, OPTIMIZERS[config.optimizer], snapshot.curve[:, 2]
    scores = np.zeros((1, *snapshot.network.output_shape), np.float32)  # of a network that knows nothing
    guessed, _ = LOSSES[config.loss](scores, np.zeros(1, int))
    if rate >= FAR_TOO_LARGE * optimizer.usual_learning_rate and losses.max() > FAR_TOO_LARGE * guessed:
        return (
            f"The loss rose to {loss(losses.max())}; by guessing it is {guessed:.1f}. "
            f"A learning rate of {rate:g} is far too large: try {optimizer.usual_learning_rate:g}, "
            f"the usual one for {optimizer.label}."
        )
    if losses[-1] > losses[0]:
        return (
            f"The loss rose from {loss(losses[0])} to {loss(losses[-1])}: the steps were too large. "
            f"Try a smaller learning rate than {rate:g}, for example {rate / 10:g}."
        )
    return ""


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
    fair, good = FAIR_AND_GOOD.get(run.source, (0, 1))
    text = f"it reads **{percent(test.accuracy, 2)}** of {test.images:,} test images right"
    if run.source not in FAIR_AND_GOOD:  # nobody knows what is good for it
        show, text = st.info, f"{text[0].upper()}{text[1:]}. It has never seen them before."
    elif test.accuracy >= good:
        show, text = st.success, f"Good: {text}. It has never seen them before."
    elif test.accuracy >= fair:
        show, text = st.info, f"Fair: {text}. A good network for {run.source} reads {percent(good, 0)} or more."
    else:
        advice = escape_markdown(too_large(snapshot)) or "Try more epochs, more images or another learning rate."
        show, text = st.warning, f"Poor for {run.source}: {text}. {advice}"
    if isinstance(snapshot.end, Finished) and snapshot.end.stopped_early:
        text += f" It stopped early and went back to its best epoch, {snapshot.end.best_epoch}."
    with st.container(horizontal=True, vertical_alignment="center", key="result"):
        show(text)
        _draw_with(run)
    measured = [snapshot for snapshot in run.series.snapshots() if snapshot.test]
    if len(measured) > 1:
        accuracies = np.array([snapshot.test.accuracy for snapshot in measured if snapshot.test])
        low, mean, high = (percent(value, 2) for value in (accuracies.min(), accuracies.mean(), accuracies.max()))
        st.caption(
            f"Its {len(measured)} seeds: {mean} right on average, from {low} to {high}. "
            "If the ranges of two settings overlap, the difference between them may be luck."
        )
