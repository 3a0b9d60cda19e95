"""A run at this moment: its progress, its figures, and panels that answer questions. Only the open panel is computed."""

from html import escape

import numpy as np
import streamlit as st

from engine.data.dataset import DIGITS
from engine.jobs import JobState, Snapshot
from engine.jobs.health import LayerHealth, Problem
from ui import charts, formatting, glossary, images, own_data
from ui.class_names import class_noun, short, with_article
from ui.formatting import confidence, escape_markdown, percent
from ui.run import Run
from ui.state import keep, tabs
from ui.train import scrubber
from ui.train.confusion import mistakes
from ui.train.downloads import save_and_share
from ui.train.narrator import narrate
from ui.train.race import PANEL, lanes
from ui.train.run_summary import summary

NUM_CHANGES_SHOWN = 4  # the latest
FIGURES = {  # with the words that explain them
    "Training loss": ("loss", "training image"),
    "Validation accuracy": ("accuracy", "validation"),
    "Test accuracy": ("accuracy", "test image"),
}
BLACK = 0.05  # of the largest weight: a tile of smaller ones looks black


def dashboard(run: Run, with_headline: bool = True) -> None:
    """Everything about the run."""
    snapshot = run.snapshot()
    if with_headline:
        show_headline(run, snapshot)
    keyframes = scrubber.past(run, snapshot)
    earlier = scrubber.moment(run, snapshot, keyframes)
    with st.container(horizontal=True, key="figures and outcome"):  # of one height, so that nothing below it moves
        _figures(earlier)
        with st.container(key="outcome"):
            _outcome(run, snapshot) if earlier is snapshot else _looking_back(earlier)
    panels = {
        "Curves": _curves,
        "What it learned": _layers,
        "Predictions": _predictions,
        "Mistakes": mistakes,
        PANEL: lanes,
        "Save and share": save_and_share,
    }
    with st.container(key="panels"):
        for tab, show_panel in zip(tabs(list(panels), "panel"), panels.values(), strict=True):
            if tab.open:
                with tab:
                    show_panel(run, snapshot if show_panel in (lanes, save_and_share) else earlier)  # the latest is saved
    scrubber.show(run, snapshot, keyframes)  # below the panels, as under a film


def _outcome(run: Run, snapshot: Snapshot) -> None:
    """What happens now; of a run that is over, its result."""
    if run.series.is_over:
        summary(run, snapshot)
    elif snapshot.error:
        st.warning(escape_markdown(snapshot.error), icon=":material/restart_alt:")
    elif snapshot.state is JobState.QUEUED and run.series.place():
        st.markdown("It begins by itself. You can draw meanwhile, or change the settings of your next run.")
    else:
        st.html(f"<p>{glossary.explain(escape(narrate(snapshot)))}</p>")  # a new element: no word of the last one moves


def _looking_back(earlier: Snapshot) -> None:
    st.markdown(
        f"**Looking back** to step {earlier.step:,}: figures, curves and pictures are as they were then. "
        "Move the slider to its right end to see the training as it is now."
    )


def show_headline(run: Run, snapshot: Snapshot) -> None:
    """The progress bar, and the line above it."""
    with st.container(key="headline"):
        st.progress(snapshot.progress, text=headline(run, snapshot))


def headline(run: Run, snapshot: Snapshot) -> str:
    """The line above the progress bar, as Markdown."""
    speed = f"{snapshot.samples_per_second:,.0f} images/s"
    epoch = f"epoch {snapshot.epoch:,} of {run.config.epochs:,}"
    if snapshot.is_over:
        elsewhere = " (partly before the upload)" if run.from_file else ""
        progress = f"{snapshot.state} after {formatting.duration(_seconds(run, snapshot))}{elsewhere}, {speed}"
    elif snapshot.state is JobState.QUEUED:
        progress = waiting(run)
    elif snapshot.state is JobState.TESTING:
        progress = "being measured on the test images"
    elif snapshot.state is JobState.PAUSED:
        progress = f"paused at step {snapshot.step:,}, {epoch}"
    else:
        pace = f"step {snapshot.step:,}" if run.series.speed else speed  # in slow motion, one sees each batch counted
        left = "" if snapshot.seconds_left is None else f" · {formatting.duration(snapshot.seconds_left)} left"
        progress = f"{epoch} · {pace}{left}"
    num_seeds = run.series.num_seeds
    seed = f", seed {len(run.series.snapshots())} of {num_seeds}" if num_seeds > 1 else ""
    return f"**{escape_markdown(run.name)}** on {escape_markdown(own_data.label(run.source))}{seed} · {progress}"


def _seconds(run: Run, snapshot: Snapshot) -> float:
    """How long a run took, with all its seeds once they are over."""
    return sum(seed.seconds for seed in run.series.snapshots()) if run.series.is_over else snapshot.seconds


def waiting(run: Run) -> str:
    """Where the run stands in the queue."""
    place = run.series.place()
    if place is None:
        return "starting"
    number = f"number {place.position} in the queue" if place.position > 1 else "next in the queue"
    soon = "" if place.seconds is None else f", starts in about {formatting.duration(place.seconds)}"
    return f"other trainings are running: {number}{soon}"


def _figures(snapshot: Snapshot) -> None:
    """The latest figures. Dots stand for those that are not known yet, so that nothing moves when they come."""
    validation = snapshot.history[-1].validation_accuracy if snapshot.history else None
    figures = {"Training loss": formatting.loss(snapshot.curve[-1, 2]) if len(snapshot.curve) else None}
    if _has_validation(snapshot):
        figures["Validation accuracy"] = percent(validation, 2) if validation is not None else None
    figures["Test accuracy"] = percent(snapshot.test.accuracy, 2) if snapshot.test else None
    with st.container(horizontal=True, wrap=False, width="content", key="figures"):
        for label, figure in figures.items():
            st.metric(label, figure or "…", width="content", help=glossary.meanings(*FIGURES[label]))


def _has_validation(snapshot: Snapshot) -> bool:
    return snapshot.config.validation_size != 0


def _curves(run: Run, snapshot: Snapshot) -> None:
    """Loss and accuracy during the training."""
    with st.container(horizontal=True, vertical_alignment="center", key="chart options"):
        smooth = st.toggle("Smooth", help="A moving average. The raw line stays visible.", **keep("smooth", False))
        log = st.toggle("Log loss", help="A logarithmic scale for the loss.", **keep("log_loss", False))
        zoom = st.toggle("From 90 %", help="Only the accuracies from 90 % on, enlarged.", **keep("zoom", False))
        st.html(glossary.explain(charts.legend(smooth, _has_validation(snapshot))))
    last_step = charts.last_step(snapshot)
    with st.container(key="charts"):
        columns = st.columns(2)
    for column, quantity in zip(columns, ("loss", "accuracy"), strict=True):
        column.vega_lite_chart(
            charts.rows(snapshot, quantity, smooth),
            charts.curves(quantity, run.config.epochs, smooth, log, zoom, last_step),
            key=f"{run.key} {quantity}",
            width="stretch",
            alt=f"{quantity} of {run.name} by {'epoch' if last_step is None else 'step'}",
        )
    if snapshot.changes:
        latest = snapshot.changes[-NUM_CHANGES_SHOWN:]
        lines = [f"{formatting.changes(change.values)} at epoch {round(change.epoch, 2):g}" for change in latest]
        st.caption(escape_markdown(f"Dashed line{'s' if len(lines) > 1 else ''}: {'; '.join(lines)}"))


def _layers(run: Run, snapshot: Snapshot) -> None:
    """The health of each layer, and the first layer's weights as pictures."""
    if snapshot.health or not snapshot.step:
        begin = "You see" if snapshot.health else "After the first step, you see"
        health = f"{begin} how strong a gradient reaches each layer, and how far a step moves its weights."
    else:
        health = "How strong a gradient reached each layer was not recorded at this moment."
    st.caption(glossary.explain(health), unsafe_allow_html=True)
    if snapshot.health:
        _health_table(snapshot.health)
    first_weights = images.first_weights(snapshot.network)
    if first_weights is None:
        st.caption("The weights of this network's first layer cannot be shown as pictures.")
        return
    weights, kind = first_weights
    st.html(
        f'<figure class="inkling-weights"><img src="{images.url(images.tiles(weights))}" alt="Weights of the first layer">'
        f"<figcaption>What the first {len(weights)} {kind}s of the first layer look for. Ink on red raises the {kind}, ink "
        f"on blue lowers it. {_dead(weights, kind)}</figcaption></figure>"
    )


def _dead(weights: np.ndarray, kind: str) -> str:
    """Why some of the tiles are black."""
    sizes = np.abs(weights).max(axis=(1, 2))
    count = int(np.count_nonzero(sizes < BLACK * sizes.max()))
    if not count:
        return ""
    if count == 1:
        return f"The black tile is a dead {kind}: its weights are nearly 0, so no ink changes it."
    return f"The {count} black tiles are dead {kind}s: their weights are nearly 0, so no ink changes them."


def _health_table(layers: tuple[LayerHealth, ...]) -> None:
    columns = {
        "Layer": [f"{layer.position + 1} {layer.label}" for layer in layers],  # as numbered in the settings
        "Gradient": [f"{layer.gradient_norm:.2g}" for layer in layers],
        "Change per step": [percent(layer.update_ratio, 2) for layer in layers],
        "Status": [_status(layer) for layer in layers],
    }
    st.table(columns, border="horizontal", width="content", hide_index=True)


def _status(layer: LayerHealth) -> str:
    if layer.problem is Problem.NONE:
        return ":green[learning]"
    colour = "gray" if layer.problem is Problem.FROZEN else "red"
    return f":{colour}[{layer.problem}]: {escape_markdown(layer.details)}"


def _predictions(run: Run, snapshot: Snapshot) -> None:
    """A dozen test images and the current drawing, with the network's predictions at this moment."""
    names = snapshot.network.class_names
    if samples := snapshot.samples:
        st.markdown("**Twelve test images**, and what the network reads now")
        figures = (
            _sample(*sample, names) for sample in zip(samples.images, samples.labels, samples.probabilities, strict=True)
        )
        st.html(images.digits(figures, "dozen"))
    st.markdown(f"**Your drawing**, and how sure the network was of each {class_noun(names)}")
    followed = snapshot.followed
    if not len(followed):
        what = "a digit" if names == DIGITS else "something"
        st.caption(f"Draw {what} on the Draw page. How the network reads it is then recorded here, step by step.")
        return
    peaks = np.nan_to_num(followed[:, 2:]).max(axis=0)
    labels = sorted(np.argsort(-peaks, kind="stable")[: charts.MAX_AREAS].tolist())
    columns = {str(label): followed[:, 2 + label] for label in labels}
    columns["step"] = np.maximum(followed[:, 0], charts.BEFORE_FIRST)
    st.vega_lite_chart(columns, charts.probabilities(labels, names), key=f"{run.key} drawing", width="stretch")
    latest = followed[-1, 2:]
    read = names[int(np.argmax(latest))]
    st.caption(
        f"It reads {'a ' if read in DIGITS else ''}**{escape_markdown(read)}** and is {confidence(latest.max())} sure."
    )


def _sample(image: np.ndarray, label: int, probabilities: np.ndarray, names: tuple[str, ...]) -> str:
    predicted, probability = int(probabilities.argmax()), float(probabilities.max())
    bar = f'<span class="sure"><i style="width:{100 * probability:.0f}%"></i></span>'
    title = f"{with_article(names[label])}, read as {names[predicted]}, {confidence(probability)} sure"
    return images.digit(image, f"<b>{escape(short(names[predicted]))}</b>{bar}", predicted != label, escape(title))
