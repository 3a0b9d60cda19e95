"""A run at this moment: its progress, its figures, and panels that answer questions. Only the open panel is computed."""

from html import escape

import numpy as np
import streamlit as st

from engine.data.dataset import DIGITS
from engine.jobs import JobState, Snapshot
from engine.jobs.health import LayerHealth, Problem
from ui import charts, formatting, glossary, images, own_data
from ui.class_names import short, with_article
from ui.formatting import confidence, escape_markdown, number, percent
from ui.run import Run
from ui.state import keep, tabs
from ui.train import scrubber
from ui.train.confusion import mistakes
from ui.train.downloads import save_and_share
from ui.train.epoch_map import show_epoch_map
from ui.train.narrator import narrate
from ui.train.race import PANEL, lanes
from ui.train.run_summary import summary
from ui.translation import N_, _, ngettext

NUM_CHANGES_SHOWN = 4  # the latest
FIGURES = {  # with the words that explain them
    N_("Training loss"): ("loss", "training image"),
    N_("Validation accuracy"): ("accuracy", "validation"),
    N_("Test accuracy"): ("accuracy", "test image"),
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
        show_figures(earlier)
        with st.container(key="outcome"):
            _outcome(run, snapshot) if earlier is snapshot else _looking_back(earlier)
    panels = {
        N_("Curves"): _curves,
        N_("What it learned"): _layers,
        N_("Map"): show_epoch_map,
        N_("Predictions"): _predictions,
        N_("Mistakes"): mistakes,
        PANEL: lanes,
        N_("Save and share"): save_and_share,
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
        st.warning(escape_markdown(_(snapshot.error)), icon=":material/restart_alt:")
    elif snapshot.state is JobState.QUEUED and run.series.place():
        st.markdown(_("It begins by itself. You can draw meanwhile, or change the settings of your next run."))
    else:
        st.html(f"<p>{glossary.explain(escape(narrate(snapshot)))}</p>")  # a new element: no word of the last one moves


def _looking_back(earlier: Snapshot) -> None:
    text = _(
        "**Looking back** to step {step}: figures, curves and pictures are as they were then. "
        "Move the slider to its right end to see the training as it is now."
    )
    st.markdown(text.format(step=number(earlier.step)))


def show_headline(run: Run, snapshot: Snapshot) -> None:
    """The progress bar, and the line above it."""
    with st.container(key="headline"):
        st.progress(snapshot.progress, text=headline(run, snapshot))


def headline(run: Run, snapshot: Snapshot) -> str:
    """The line above the progress bar, as Markdown."""
    speed = _("{count} images/s").format(count=number(snapshot.samples_per_second, ",.0f"))
    epoch = _("epoch {epoch} of {count}").format(epoch=number(snapshot.epoch), count=number(run.config.epochs))
    if snapshot.is_over:
        text = _("{state} after {duration}, {speed}")
        if run.from_file:
            text = _("{state} after {duration} (partly before the upload), {speed}")
        duration = formatting.duration(_seconds(run, snapshot))
        progress = text.format(state=_(str(snapshot.state)), duration=duration, speed=speed)
    elif snapshot.state is JobState.QUEUED:
        progress = waiting(run)
    elif snapshot.state is JobState.TESTING:
        progress = _("being measured on the test images")
    elif snapshot.state is JobState.PAUSED:
        progress = _("paused at step {step}, {epoch}").format(step=number(snapshot.step), epoch=epoch)
    else:
        # In slow motion, one sees each batch counted.
        parts = [epoch, _("step {step}").format(step=number(snapshot.step)) if run.series.speed else speed]
        if snapshot.seconds_left is not None:
            parts.append(_("{duration} left").format(duration=formatting.duration(snapshot.seconds_left)))
        progress = " · ".join(parts)
    text = _("**{run}** on {data}")
    if run.series.num_seeds > 1:
        text = _("**{run}** on {data}, seed {seed} of {num_seeds}")
    title = text.format(
        run=escape_markdown(run.name),
        data=escape_markdown(own_data.label(run.source)),
        seed=len(run.series.snapshots()),
        num_seeds=run.series.num_seeds,
    )
    return f"{title} · {progress}"


def _seconds(run: Run, snapshot: Snapshot) -> float:
    """How long a run took, with all its seeds once they are over."""
    return sum(seed.seconds for seed in run.series.snapshots()) if run.series.is_over else snapshot.seconds


def waiting(run: Run) -> str:
    """Where the run stands in the queue."""
    place = run.series.place()
    if place is None:
        return _("starting")
    text = _("other trainings are running: next in the queue")
    if place.position > 1:
        text = _("other trainings are running: number {number} in the queue").format(number=place.position)
    if place.seconds is None:
        return text
    return _("{place}, starts in about {duration}").format(place=text, duration=formatting.duration(place.seconds))


def show_figures(snapshot: Snapshot) -> None:
    """The latest figures. Dots stand for those that are not known yet, so that nothing moves when they come."""
    validation = snapshot.history[-1].validation_accuracy if snapshot.history else None
    figures = {"Training loss": formatting.loss(snapshot.curve[-1, 2]) if len(snapshot.curve) else None}
    if _has_validation(snapshot):
        figures["Validation accuracy"] = percent(validation, 2) if validation is not None else None
    figures["Test accuracy"] = percent(snapshot.test.accuracy, 2) if snapshot.test else None
    with st.container(horizontal=True, wrap=False, width="content", key="figures"):
        for label, figure in figures.items():
            st.metric(_(label), figure or "…", width="content", help=glossary.meanings(*FIGURES[label]))


def _has_validation(snapshot: Snapshot) -> bool:
    return snapshot.config.validation_size != 0


def _curves(run: Run, snapshot: Snapshot) -> None:
    """Loss and accuracy during the training."""
    with st.container(horizontal=True, vertical_alignment="center", key="chart options"):
        smooth = st.toggle(_("Smooth"), help=_("A moving average. The raw line stays visible."), **keep("smooth", False))
        log = st.toggle(_("Log loss"), help=_("A logarithmic scale for the loss."), **keep("log_loss", False))
        zoom = st.toggle(_("From 90 %"), help=_("Only the accuracies from 90 % on, enlarged."), **keep("zoom", False))
        st.html(glossary.explain(charts.legend(smooth, _has_validation(snapshot))))
    last_step = charts.last_step(snapshot)
    alt = _("{quantity} of {run} by epoch") if last_step is None else _("{quantity} of {run} by step")
    with st.container(key="charts"):
        columns = st.columns(2)
    for column, quantity in zip(columns, ("loss", "accuracy"), strict=True):
        column.vega_lite_chart(
            charts.rows(snapshot, quantity, smooth),
            charts.curves(quantity, run.config.epochs, smooth, log, zoom, last_step),
            key=f"{run.key} {quantity}",
            width="stretch",
            alt=alt.format(quantity=_(quantity), run=run.name),
        )
    if snapshot.changes:
        latest = snapshot.changes[-NUM_CHANGES_SHOWN:]
        lines = [
            _("{changes} at epoch {epoch}").format(
                changes=formatting.changes(change.values), epoch=number(round(change.epoch, 2), "g")
            )
            for change in latest
        ]
        text = ngettext("Dashed line: {changes}", "Dashed lines: {changes}", len(lines))
        st.caption(escape_markdown(text.format(changes="; ".join(lines))))


def _layers(run: Run, snapshot: Snapshot) -> None:
    """The health of each layer, and the first layer's weights as pictures."""
    if snapshot.health:
        health = _("You see how strong a gradient reaches each layer, and how far a step moves its weights.")
    elif not snapshot.step:
        health = _(
            "After the first step, you see how strong a gradient reaches each layer, and how far a step moves its weights."
        )
    else:
        health = _("How strong a gradient reached each layer was not recorded at this moment.")
    st.caption(glossary.explain(health), unsafe_allow_html=True)
    if snapshot.health:
        _health_table(snapshot.health)
    first_weights = images.first_weights(snapshot.network)
    if first_weights is None:
        st.caption(_("The weights of this network's first layer cannot be shown as pictures."))
        return
    weights, kind = first_weights
    text = _("What the first {count} units of the first layer look for. Ink on red raises the unit, ink on blue lowers it.")
    if kind == "filter":
        text = _(
            "What the first {count} filters of the first layer look for. Ink on red raises the filter, ink on blue "
            "lowers it."
        )
    alt, url = _("Weights of the first layer"), images.url(images.tiles(weights))
    caption = f"<figcaption>{text.format(count=len(weights))} {_dead(weights, kind)}</figcaption>"
    st.html(f'<figure class="inkling-weights"><img src="{url}" alt="{alt}">{caption}</figure>')


def _dead(weights: np.ndarray, kind: str) -> str:
    """Why some of the tiles are black."""
    sizes = np.abs(weights).max(axis=(1, 2))
    count = int(np.count_nonzero(sizes < BLACK * sizes.max()))
    if not count:
        return ""
    if kind == "filter":
        text = ngettext(
            "The black tile is a dead filter: its weights are nearly 0, so no ink changes it.",
            "The {count} black tiles are dead filters: their weights are nearly 0, so no ink changes them.",
            count,
        )
    else:
        text = ngettext(
            "The black tile is a dead unit: its weights are nearly 0, so no ink changes it.",
            "The {count} black tiles are dead units: their weights are nearly 0, so no ink changes them.",
            count,
        )
    return text.format(count=count)


def _health_table(layers: tuple[LayerHealth, ...]) -> None:
    columns = {
        _("Layer"): [f"{layer.position + 1} {_(layer.label)}" for layer in layers],  # as numbered in the settings
        _("Gradient"): [number(layer.gradient_norm, ".2g") for layer in layers],
        _("Change per step"): [percent(layer.update_ratio, 2) for layer in layers],
        _("Status"): [_status(layer) for layer in layers],
    }
    st.table(columns, border="horizontal", width="content", hide_index=True)


def _status(layer: LayerHealth) -> str:
    if layer.problem is Problem.NONE:
        return ":green[{}]".format(_("learning"))
    colour = "gray" if layer.problem is Problem.FROZEN else "red"
    return f":{colour}[{_(str(layer.problem))}]: {escape_markdown(_(layer.details))}"


def _predictions(run: Run, snapshot: Snapshot) -> None:
    """A dozen test images and the current drawing, with the network's predictions at this moment."""
    names = snapshot.network.class_names
    if samples := snapshot.samples:
        st.markdown(_("**Twelve test images**, and what the network reads now"))
        figures = (
            _sample(*sample, names) for sample in zip(samples.images, samples.labels, samples.probabilities, strict=True)
        )
        st.html(images.digits(figures, "dozen"))
    is_digit = names == DIGITS
    title = _("**Your drawing**, and how sure the network was of each class")
    st.markdown(_("**Your drawing**, and how sure the network was of each digit") if is_digit else title)
    followed = snapshot.followed
    if not len(followed):
        text = _("Draw something on the Draw page. How the network reads it is then recorded here, step by step.")
        if is_digit:
            text = _("Draw a digit on the Draw page. How the network reads it is then recorded here, step by step.")
        st.caption(text)
        return
    peaks = np.nan_to_num(followed[:, 2:]).max(axis=0)
    labels = sorted(np.argsort(-peaks, kind="stable")[: charts.MAX_AREAS].tolist())
    columns = {str(label): followed[:, 2 + label] for label in labels}
    columns["step"] = np.maximum(followed[:, 0], charts.BEFORE_FIRST)
    st.vega_lite_chart(columns, charts.probabilities(labels, names), key=f"{run.key} drawing", width="stretch")
    latest = followed[-1, 2:]
    read = names[int(np.argmax(latest))]
    text = _("It reads a **{name}** and is {confidence} sure.") if read in DIGITS else None
    text = text or _("It reads **{name}** and is {confidence} sure.")
    st.caption(text.format(name=escape_markdown(read), confidence=confidence(latest.max())))


def _sample(image: np.ndarray, label: int, probabilities: np.ndarray, names: tuple[str, ...]) -> str:
    predicted, probability = int(probabilities.argmax()), float(probabilities.max())
    bar = f'<span class="sure"><i style="width:{100 * probability:.0f}%"></i></span>'
    title = _("{name}, read as {other}, {confidence} sure").format(
        name=with_article(names[label]), other=names[predicted], confidence=confidence(probability)
    )
    return images.digit(image, f"<b>{escape(short(names[predicted]))}</b>{bar}", predicted != label, escape(title))


PANELS = {
    "Curves": _curves,
    "What it learned": _layers,
    "Predictions": _predictions,
    "Mistakes": mistakes,
}  # of any training
