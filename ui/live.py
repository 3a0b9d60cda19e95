"""A run as it is now: how far, its figures, and the panels to look into it; only the panel that is open is computed."""

import numpy as np
import streamlit as st

from ui import charts, keep, kept, mistakes, pictures, words
from ui.outcome import outcome
from ui.words import percent

PANELS = ("Curves", "Layers", "Readings", "Mistakes", "Keep")


def live(run):
    """All of it."""
    snapshot = run.job.snapshot()
    st.progress(snapshot.progress, text=headline(run, snapshot))
    st.html(figures(snapshot))
    if run.over:
        outcome(run, snapshot)
    tabs = st.tabs(PANELS, key=kept.key("panel", PANELS[0]), on_change="rerun")
    for tab, panel in zip(tabs, (curves, layers, readings, mistakes.mistakes, keep.keep), strict=True):
        if tab.open:
            with tab:
                panel(run, snapshot)


def headline(run, snapshot):
    """The line over the progress bar."""
    speed = f"{snapshot.samples_per_second:,.0f} images/s"
    epoch = f"epoch {snapshot.epoch} of {run.config.epochs}"
    seed = f", seed {len(run.snapshots())} of {run.seeds}" if run.seeds > 1 else ""
    if snapshot.over:
        done = f"{snapshot.state} after {words.duration(snapshot.seconds)}, {speed}"
    elif snapshot.state == "testing":
        done = "being measured on the test images"
    elif snapshot.state == "paused":
        done = f"paused at step {snapshot.step:,}, {epoch}"
    else:
        left = "" if snapshot.seconds_left is None else f" · {words.duration(snapshot.seconds_left)} left"
        done = f"{epoch} · {speed}{left}"
    return f"**{run.name}** on {run.source}{seed} · {done}"


def figures(snapshot):
    """The latest figures as HTML; dots stand where there is none yet, so that nothing moves when it comes."""
    last = snapshot.history[-1] if snapshot.history else None
    shown = {
        "Training loss": words.loss(snapshot.curve[-1, 2]) if len(snapshot.curve) else None,
        "Validation accuracy": f"{last.validation_accuracy:.2%}" if last and last.validation_accuracy is not None else None,
        "Test accuracy": f"{snapshot.test.accuracy:.2%}" if snapshot.test else None,
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value or '…'}</dd></div>" for name, value in shown.items())
    return f'<dl class="inkling-figures">{cells}</dl>'


def curves(run, snapshot):
    """Loss and accuracy through the training."""
    with st.container(horizontal=True, vertical_alignment="center"):
        smooth = st.toggle(
            "Smooth", key=kept.key("smooth", False), help="A moving average over the raw line, which stays visible."
        )
        log = st.toggle("Log loss", key=kept.key("log", False), help="A logarithmic scale for the loss.")
        st.html(charts.legend(smooth))
    for column, quantity in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        column.vega_lite_chart(
            charts.rows(snapshot, quantity, smooth),
            charts.curves(quantity, run.config.epochs, smooth, log),
            key=f"{quantity} of {run.key}",
            width="stretch",
            alt=f"{quantity} of {run.name} by epoch",
        )
    if snapshot.changes:
        marks = (f"at epoch {change.epoch:.2f}: {words.changes(change.values)}" for change in snapshot.changes[-4:])
        st.caption("Marked by dashed lines, " + "; ".join(marks))


def layers(run, snapshot):
    """The health of each layer in words, and the first layer's weights as pictures."""
    if not snapshot.health:
        st.caption("After the first step: how strong a gradient reaches each layer, and how far a step moves it.")
    else:
        st.html(health(snapshot.health))
    found = pictures.first_weights(snapshot.network)
    if found is None:
        st.caption("The weights of the first layer of this network make no picture.")
        return
    weights, kind = found
    sheet = pictures.tiles(weights)
    st.html(
        f'<figure class="inkling-weights"><img src="{pictures.url(sheet)}" alt="Weights of the first layer">'
        f"<figcaption>What the first {len(weights)} {kind}s of the first layer look for: red speaks for it, blue against it."
        "</figcaption></figure>"
    )


def health(them):
    """The layers with what a step does to them, as an HTML table."""
    body = "".join(
        f"<tr><td>{layer.position + 1} {words.LAYERS[layer.name]}</td><td>{layer.gradient_norm:.2g}</td>"
        f"<td>{layer.update_ratio:.2%}</td><td>{_verdict(layer)}</td></tr>"
        for layer in them
    )
    head = "".join(f"<th>{name}</th>" for name in ("Layer", "Gradient", "A step moves it by", "In a word"))
    return f'<table class="inkling-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _verdict(layer):
    if not layer.verdict:
        return '<span class="good">learning</span>'
    kind = "calm" if layer.verdict.startswith("frozen") else "bad"
    return f'<span class="{kind}">{layer.verdict}</span>'


def readings(run, snapshot):
    """A dozen test images and the last drawing, as the network reads them now."""
    if snapshot.digits is not None:
        st.markdown("**A dozen test images**, as it reads them now")
        st.html(pictures.digits([_digit(*one) for one in zip(*snapshot.digits, strict=True)], "dozen"))
    st.markdown("**Your last drawing** through the training")
    followed = snapshot.followed
    if not len(followed):
        st.caption("Draw a digit on the Draw page: what the network makes of it is then recorded here, step by step.")
        return
    columns = {"step": followed[:, 0]} | {str(digit): followed[:, 2 + digit] for digit in range(10)}
    st.vega_lite_chart(columns, charts.probabilities(), key=f"drawing of {run.key}", width="stretch")
    last = followed[-1, 2:]
    st.caption(f"Now it reads a **{int(np.argmax(last))}**, {percent(last.max())} confident.")


def _digit(image, label, probabilities):
    reading, sure = int(probabilities.argmax()), float(probabilities.max())
    bar = f'<span class="sure"><i style="width:{100 * sure:.0f}%"></i></span>'
    return pictures.digit(
        image, f"<b>{reading}</b>{bar}", reading != label, f"a {label}, read as {reading}: {percent(sure)}"
    )
