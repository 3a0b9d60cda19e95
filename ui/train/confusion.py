"""What a run gets wrong: during training, the validation set's confusion matrix by epoch; afterwards, the test images."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import InklingError
from engine.data.dataset import DIGITS
from engine.jobs import JobState, Snapshot
from engine.metrics import Evaluation, expected_calibration_error, reliability
from engine.metrics import mistakes as find_mistakes
from ui import charts
from ui.class_names import short, with_article
from ui.formatting import confidence, escape_markdown, number, percent
from ui.images import digit as digit_figure
from ui.images import digits as digit_grid
from ui.run import Run
from ui.translation import N_, _

MAX_GALLERY = 24  # images shown at once
MAX_ROWS, ROWS_HEIGHT = 12, 460  # of the table of errors; pixels with more rows
LATEST = N_("the latest")
CALIBRATED_ERROR = 0.01  # a network with a smaller calibration error counts as calibrated


def mistakes(run: Run, snapshot: Snapshot) -> None:
    """The panel."""
    if snapshot.test is None or snapshot.state is JobState.DIVERGED:
        _by_epoch(run, snapshot)
    else:
        _on_test_images(run, snapshot.test, snapshot.network.class_names)


def _by_epoch(run: Run, snapshot: Snapshot) -> None:
    """The confusion matrix of the validation set at the end of an epoch."""
    if not snapshot.confusions:
        st.caption(_("After the first epoch, you see which validation images it confuses with which."))
        return
    by_epoch = dict(snapshot.confusions)
    epoch = latest = max(by_epoch)
    if len(by_epoch) > 1:
        choices = {LATEST: latest} | {str(epoch): epoch for epoch in sorted(by_epoch.keys() - {latest}, reverse=True)}
        epoch = choices[st.selectbox(_("After epoch"), choices, format_func=_, key=f"{run.key} epoch", width=140)]
    confusion = by_epoch[epoch]
    total = int(confusion.sum())
    errors = total - int(np.trace(confusion))
    text = _("**{errors} of {total}** validation images are read wrongly after epoch {epoch}.")
    st.markdown(text.format(errors=number(errors), total=number(total), epoch=epoch))
    _matrix(confusion, snapshot.network.class_names, f"{run.key} confusion")


def _matrix(confusion: npt.NDArray, names: tuple[str, ...], key: str, selectable: bool = False) -> Any:
    spec = charts.confusion_matrix(st.context.theme.type == "dark", selectable, names)
    alt = _("How many images of each digit are read as which digit")
    if names != DIGITS:
        alt = _("How many images of each class are read as which class")
    on_select = "rerun" if selectable else "ignore"
    return st.vega_lite_chart(charts.cells(confusion), spec, key=key, on_select=on_select, width="stretch", alt=alt)


def _on_test_images(run: Run, test: Evaluation, names: tuple[str, ...]) -> None:
    """The test images that it reads wrongly, and what its confidence is worth."""
    try:
        images, labels = run.test_images()
    except InklingError as error:
        st.caption(escape_markdown(_("The test images cannot be shown: {error}.").format(error=error)))
        return
    if len(images) != len(test.probabilities):
        text = _("It was measured on {count} other images, which are not here.")
        st.caption(text.format(count=number(len(test.probabilities))))
        return
    predicted = test.probabilities.argmax(axis=1)
    left, right = st.columns([3, 2])
    with left:
        text = _("**{count} errors.** Press a cell to see its images.")
        st.markdown(text.format(count=number(test.errors)))
        event = _matrix(test.confusion, names, f"{run.key} test confusion", selectable=True)
    with right:
        st.markdown("**{}**".format(_("Errors by digit") if names == DIGITS else _("Errors by class")))
        _errors_by_class(test.confusion, names)
    label, prediction = _chosen_cell(run, test.confusion, names, event)
    in_cell = np.flatnonzero((labels == label) & (predicted == prediction))
    in_cell = in_cell[np.argsort(-test.probabilities[in_cell, prediction], kind="stable")]
    _gallery(images, labels, test.probabilities, names, in_cell[:MAX_GALLERY])
    text = _("{count} images of {name} that it reads as {other}.")
    if len(in_cell) > MAX_GALLERY:
        text = _("{count} images of {name} that it reads as {other}. These are the {shown} it is most sure of.")
    of_label, read_as = escape_markdown(with_article(names[label])), escape_markdown(names[prediction])
    st.caption(text.format(count=number(len(in_cell)), name=of_label, other=read_as, shown=MAX_GALLERY))

    st.markdown("**{}**".format(_("Its most confident mistakes")))
    worst = [mistake.position for mistake in find_mistakes(labels, test.probabilities)[:MAX_GALLERY]]
    _gallery(images, labels, test.probabilities, names, worst)
    st.markdown("**{}**".format(_("Is it as sure as it should be?")))
    _calibration(run, labels, test.probabilities)


def _chosen_cell(run: Run, confusion: npt.NDArray, names: tuple[str, ...], event: Any) -> tuple[int, int]:
    """The (label, predicted class) of the cell that was pressed or chosen in the list, which the keyboard reaches, too."""
    off_diagonal = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-off_diagonal, axis=None, kind="stable")[: max(np.count_nonzero(off_diagonal), 1)]
    options = [divmod(int(position), len(names)) for position in order]
    selected = event["selection"].get("cell") if event else None
    pressed = (int(selected[0]["label"]), int(selected[0]["predicted"])) if selected else None
    key = f"{run.key} cell, seed {len(run.series.snapshots())}"
    last_pressed = f"{key}, pressed"
    if pressed and pressed != st.session_state.get(last_pressed):
        st.session_state[key] = pressed
    st.session_state[last_pressed] = pressed
    chosen = st.session_state.get(key)
    if chosen is not None and chosen not in options:
        options.insert(0, chosen)
    return st.selectbox(
        _("Images"),
        options,
        format_func=lambda pair: _("{name} read as {other} ({count})").format(
            name=short(names[pair[0]]), other=short(names[pair[1]]), count=number(int(confusion[pair]))
        ),
        key=key,
        width=240,
        help=_("Which images to show. You can also press a cell of the matrix."),
    )


def _errors_by_class(confusion: npt.NDArray, names: tuple[str, ...]) -> None:
    """How many percent of each class's images are read wrongly, as bars from 0."""
    errors = 100 * (1 - np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1))
    title, alt = _("Digit"), _("How many percent of each digit's images are read wrongly")
    if names != DIGITS:
        title, alt = _("Class"), _("How many percent of each class's images are read wrongly")
    bar = st.column_config.ProgressColumn(_("Wrong"), min_value=0, max_value=max(errors.max(), 1), format="%.1f %%")
    st.dataframe(
        {title: list(names), "Wrong": errors},
        column_config={title: st.column_config.Column(width=40 if names == DIGITS else 110), "Wrong": bar},
        hide_index=True,
        height="content" if len(names) <= MAX_ROWS else ROWS_HEIGHT,
        alt=alt,
    )


def _gallery(
    images: npt.NDArray,
    labels: npt.NDArray,
    probabilities: npt.NDArray,
    names: tuple[str, ...],
    positions: Iterable[int],
) -> None:
    """The images at these positions, each with its true class and the one it was read as."""
    figures = []
    for position in positions:
        label, predicted = int(labels[position]), int(probabilities[position].argmax())
        probability = float(probabilities[position].max())
        is_what, read_as = with_article(names[label]), names[predicted]
        title = _("test image {number}: {name}, read as {other}, {confidence} sure").format(
            number=position, name=is_what, other=read_as, confidence=confidence(probability)
        )
        reading = f"{escape(short(names[label]))} → <b>{escape(short(read_as))}</b>"
        caption = f"{reading}<br><small>{escape(confidence(probability, is_short=True))}</small>"
        figures.append(digit_figure(images[position], caption, predicted != label, escape(title)))
    st.html(digit_grid(figures))


def _calibration(run: Run, labels: npt.NDArray, probabilities: npt.NDArray) -> None:
    """The reliability diagram, and what it means."""
    bins = reliability(labels, probabilities)
    used = bins.count > 0
    error = expected_calibration_error(labels, probabilities)
    sure = float(probabilities.max(axis=1).mean())
    right = float((probabilities.argmax(axis=1) == labels).mean())
    verdict = _("No, it is too sure of itself") if sure > right else _("No, it is not sure enough")
    verdict = _("Yes, nearly") if error < CALIBRATED_ERROR else verdict
    text = _(
        "{verdict}: it is {sure} sure on average and right {right} of the time. The expected calibration error is {error}. "
        "On the dashed line it is exactly as sure as it should be; below it, too sure."
    )
    st.caption(text.format(verdict=verdict, sure=percent(sure), right=percent(right), error=percent(error, 2)))
    columns = {"confidence": bins.confidence[used], "accuracy": bins.accuracy[used], "images": bins.count[used]}
    st.vega_lite_chart(columns, charts.reliability(), key=f"{run.key} reliability", width="stretch")
