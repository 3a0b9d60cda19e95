"""What came of a run, in words, and what to do next."""

from pathlib import Path

import numpy as np
import streamlit as st

from ui import kept, words

DRAW = Path(__file__).with_name("draw.py")
GUESSING = 0.2  # test accuracy under which nothing worth drawing with has been learned


def outcome(run, snapshot):
    """The outcome of a run that is over."""
    if snapshot.state == "diverged":
        st.error(diverged(snapshot), icon=":material/error:")
    elif snapshot.state == "failed":
        st.error(f"The training broke off: {snapshot.error}", icon=":material/error:")
    elif snapshot.test and snapshot.test.accuracy < GUESSING:
        st.warning(learned_nothing(snapshot), icon=":material/help:")
    elif snapshot.test:
        learned(run, snapshot)


def learned_nothing(snapshot):
    """Why a run came to nothing, and what to try."""
    if not len(snapshot.curve):
        return "It was stopped before its first step, so it has learned nothing yet. Press Start to train it."
    rate, first, last = snapshot.config.learning_rate, snapshot.curve[0, 2], snapshot.curve[-1, 2]
    if last > first:
        why = f"its loss rose from {words.loss(first)} to {words.loss(last)}, so the steps were too large"
        advice = f"Try a learning rate smaller than {rate:g}, {rate / 10:g} say"
    else:
        why = "it has learned nothing"
        advice = f"Try another learning rate than {rate:g}, other first weights in the network's layers, or more epochs"
    return f"It reads {snapshot.test.accuracy:.1%} of the test images right, hardly more than by guessing: {why}. {advice}."


def diverged(snapshot):
    """Why a run diverged, and what to try."""
    rate = snapshot.config.learning_rate
    worst = [layer for layer in snapshot.health if layer.verdict.startswith("exploding")]
    where = f" The last look saw layer {worst[0].position + 1} {worst[0].verdict}." if worst else ""
    advice = f"Try a learning rate smaller than {rate:g}, {rate / 10:g} say"
    if snapshot.config.clip_norm is None:
        advice += ", or gradient clipping"
    return (
        f"The loss was no longer a number at step {snapshot.end.step + 1:,}: the steps were too large, each overshot "
        f"further than the one before, and the weights flew apart.{where} {advice}, then Start again."
    )


def learned(run, snapshot):
    test = snapshot.test
    early = ""
    if snapshot.end and snapshot.end.stopped_early:
        early = f" It stopped early and went back to epoch {snapshot.end.best_epoch}, the best."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(f"It reads **{test.accuracy:.2%}** of {test.images:,} test images right, which it has never seen.{early}")
        if st.button("Draw with this network", icon=":material/draw:", type="primary", key=f"draw with {run.key}"):
            kept.put("network", run.key)
            st.switch_page(DRAW)
    over = [one for one in run.snapshots() if one.test]
    if run.seeds > 1 and len(over) > 1:
        right = np.array([one.test.accuracy for one in over])
        took = words.duration(sum(one.seconds for one in over))
        st.caption(
            f"Its {len(over)} seeds: {right.mean():.2%} on average, from {right.min():.2%} to {right.max():.2%}, in {took}. "
            "Two settings whose bands overlap may differ by luck alone."
        )
