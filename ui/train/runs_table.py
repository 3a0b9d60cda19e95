"""The runs of this workspace: what changed between them, their curves in one chart, and whether one is better."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import InklingError
from engine.jobs import JobState, Snapshot
from engine.layers import summary
from engine.metrics import compare
from ui import charts, own_data, runs
from ui.formatting import SETTINGS, differences, escape_markdown, number, percent, setting_value
from ui.run import Run
from ui.state import keep, report_error, session
from ui.store import RunRecord
from ui.train.config_form import fill
from ui.translation import N_, _, ngettext
from ui.visitor import workspace

AXES = {"epoch": N_("by epoch"), "step": N_("by step"), "seconds": N_("by time")}
SIGNIFICANCE = 0.05  # the p value from which on a difference may be chance
NUM_BAND_POINTS = 120


def show_runs() -> None:
    """The table, and what can be done with the runs that are ticked in it."""
    all_runs = runs.all_runs()
    st.header(_("Runs"), anchor=False)
    st.caption(_("Tick one run to show, rename, repeat or delete it. Tick two or more to compare them."))
    event = st.dataframe(
        [_row(*pair) for pair in zip(all_runs, [None, *all_runs], strict=False)],
        key="runs table",
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        row_height=36,
        placeholder="…",
        column_config={
            "Name": st.column_config.TextColumn(_("Name"), width=90),
            "Test": st.column_config.NumberColumn(_("Test"), format="%.2f %%", width=80),
            "Best validation": st.column_config.NumberColumn(_("Best validation"), format="%.2f %%", width=115),
            "Changed from previous run": st.column_config.TextColumn(_("Changed from previous run"), width="large"),
            "Seconds": st.column_config.NumberColumn(_("Seconds"), format="%.1f"),
            "Parameters": st.column_config.NumberColumn(_("Parameters"), format="localized"),
        },
    )
    ticked = [all_runs[row] for row in event["selection"]["rows"] if row < len(all_runs)]
    if not ticked:
        if not removed_run():
            undo_line()
    elif len(ticked) == 1:
        _single_run(ticked[0])
    else:
        _overlay(ticked)
        _settings_table(ticked)
        for other in ticked[1:]:
            st.markdown(verdict(ticked[0], other))


def undo_line() -> None:
    """Which run was removed last, and a button that brings it back, if it can be."""
    if removed := workspace().removed_runs():
        latest = removed[-1]
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.markdown(_("{run} was removed.").format(run=escape_markdown(latest.name)), width="content")
            st.button(
                _("Undo"), icon=":material/undo:", on_click=workspace().restore_run, args=(latest.key,), key="undo removal"
            )


def removed_run() -> RunRecord | None:
    """The run that was shown when it was removed: its place stays empty until another one is chosen."""
    shown = session().shown_run
    return next((record for record in workspace().removed_runs()[-1:] if record.number == shown), None)


def _row(run: Run, previous: Run | None) -> dict[str, Any]:
    """A row of the table; several seeds are averaged."""
    seeds = run.series.snapshots()
    best = [np.nan_to_num(seed.history.column("validation_accuracy")).max(initial=0) for seed in seeds]
    tested = [seed.test.accuracy for seed in seeds if seed.test]
    return {
        "Name": run.name,
        "Test": 100 * np.mean(tested) if tested else None,
        "Best validation": 100 * np.mean(best) or None,
        "Changed from previous run": _changed(run, previous),
        "Seconds": sum(seed.seconds for seed in seeds),
        "Parameters": seeds[-1].network.parameters.size,
    }


def _changed(run: Run, previous: Run | None) -> str:
    """What is different from the run before it; for the first run, what it is."""
    config = run.config
    if previous is None:
        optimizer = setting_value("optimizer", config.optimizer)
        return _("{layers}, {optimizer} at {rate}, on {data}").format(
            layers=summary(config.layers),
            optimizer=optimizer,
            rate=setting_value("learning_rate", config.learning_rate),
            data=own_data.label(run.source),
        )
    changes = [differences(previous.config, config)]
    if run.source != previous.source:
        text = _("data {before} → {now}")
        changes.append(text.format(before=own_data.label(previous.source), now=own_data.label(run.source)))
    if run.series.num_seeds != previous.series.num_seeds:
        num_seeds = run.series.num_seeds
        changes.append(ngettext("{count} seed", "{count} seeds", num_seeds).format(count=num_seeds))
    if run.has_start:
        changes.append(_("started from a trained network"))
    return ", ".join(filter(None, changes)) or _("nothing")


def _single_run(run: Run) -> None:
    """What can be done with one run."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(_("Show"), icon=":material/visibility:", key="show", disabled=run is runs.shown_run()):
            runs.show(run)
            st.rerun()
        st.button(_("Repeat with one change"), icon=":material/edit:", key="repeat", on_click=_repeat, args=(run,))
        st.button(_("Delete"), icon=":material/delete:", key="delete", on_click=_remove, args=(run,))
        key = f"{run.key} name"
        st.session_state[key] = run.name  # which another tab may have changed
        st.text_input(_("Name"), key=key, max_chars=40, width=220, on_change=_rename, args=(run, key))
    if run.series.num_seeds > 1:
        _overlay([run])


def _remove(run: Run) -> None:
    """Remove the run; if the page shows it, no other run takes its place unasked."""
    if run is runs.shown_run():
        runs.show(run)
    runs.remove(run)
    st.session_state["runs table"] = {"selection": {"rows": [], "columns": [], "cells": []}}  # row numbers have changed


def _rename(run: Run, key: str) -> None:
    if not runs.rename(run, st.session_state[key]):
        report_error(_("A run needs a name that no other run has. Its name was not changed."))


def _repeat(run: Run) -> None:
    """Set the page up as it was for this run; what is changed then is shown beside the settings."""
    try:
        fill(run.config, run.name, run.source)
    except InklingError as error:  # of a training that was uploaded: it may have settings that the page has not
        text = _("{run} cannot be repeated on this page: {error}")
        report_error(text.format(run=run.name, error=error))


def _overlay(ticked: Sequence[Run]) -> None:
    """The runs' loss and accuracy in the same charts."""
    names = [run.name for run in ticked]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        look = {"required": True, "label_visibility": "collapsed"}
        labels = {axis: _(label) for axis, label in AXES.items()}
        kept = keep("axis", "epoch")
        axis = st.segmented_control(_("Curves"), list(AXES), format_func=labels.__getitem__, **look, **kept)
        training = st.toggle(_("Training curves"), help=_("Thin lines: on training images."), **keep("show_training", False))
        validated = [run for run in ticked if run.config.validation_size != 0]
        training = training or len(validated) < len(ticked)
        st.html(charts.colour_key(dict(zip(names, charts.run_colours(len(names)), strict=True))))
    titles = {"loss": N_("Training loss"), "accuracy": N_("Training accuracy")}
    if validated:
        titles = {"loss": N_("Validation loss"), "accuracy": N_("Validation accuracy")}
    for column, quantity in zip(st.columns(2), titles, strict=True):
        column.vega_lite_chart(
            overlay_rows(ticked, quantity, axis, training),
            charts.overlay(_(titles[quantity]), quantity, names, axis),
            key=f"overlay of {quantity}",
            width="stretch",
        )


def overlay_rows(ticked: Sequence[Run], quantity: str, axis: str, training: bool) -> charts.Columns:
    """The rows of ``charts.overlay``; several seeds of a run are their mean, in a band from the lowest to the highest."""
    rows: charts.Columns = {name: [] for name in ("x", "value", "low", "high", "run", "series")}
    for run in ticked:
        for series in (charts.VALIDATION, charts.TRAINING) if training else (charts.VALIDATION,):
            lines = [_line(snapshot, quantity, axis, series) for snapshot in run.series.snapshots()]
            lines = [line for line in lines if len(line)]
            if not lines:
                continue
            x = lines[0][:, 0]
            if len(lines) > 1:
                first, last = max(line[0, 0] for line in lines), min(line[-1, 0] for line in lines)
                x = np.linspace(first, last, NUM_BAND_POINTS) if series == charts.TRAINING else x[x <= last]
            values = np.array([np.interp(x, line[:, 0], line[:, 1]) for line in lines])
            band = {"x": x, "value": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}
            for name, column in band.items():
                rows[name] += column.tolist()
            rows["run"] += [run.name] * len(x)
            rows["series"] += [series] * len(x)
    return rows


def _line(snapshot: Snapshot, quantity: str, axis: str, series: str) -> npt.NDArray:
    """The points (P, 2) of one training by epoch, step or seconds."""
    if series == charts.TRAINING:
        points = snapshot.curve[:, [1, charts.CURVE_COLUMN[quantity]]]
    else:
        points = np.array(charts.validation(snapshot, quantity), float).T
    if not len(points) or axis == "epoch":
        return points
    ends = [snapshot.history.column(name) for name in ("epoch", "step", "seconds")]
    now = [[snapshot.curve[-1, 1]], [snapshot.step], [snapshot.seconds]] if len(snapshot.curve) else [[]] * 3
    epochs, steps, seconds = (np.concatenate([[0], *pair]) for pair in zip(ends, now, strict=True))
    x = np.interp(points[:, 0], epochs, steps if axis == "step" else seconds)
    return np.column_stack([x, points[:, 1]])


def _settings_table(ticked: Sequence[Run]) -> None:
    """The settings in which the runs differ; what differs from the first run is marked."""
    first = ticked[0].config
    names = list(dict.fromkeys(name for run in ticked[1:] for name in first.differences(run.config)))
    if not names:
        st.caption(_("These runs were started with the same settings."))
        return
    table = {_("Setting"): [_(SETTINGS[name].label) for name in names]}
    for run in ticked:
        values = {name: getattr(run.config, name) for name in names}
        texts = {name: escape_markdown(setting_value(name, value)) for name, value in values.items()}
        table[escape_markdown(run.name)] = [
            text if values[name] == getattr(first, name) else f":orange-background[{text}]" for name, text in texts.items()
        ]
    st.table(table, border="horizontal", width="content", hide_index=True)


def verdict(a: Run, b: Run) -> str:
    """McNemar's test on the images that only one of two runs reads right, in words, as Markdown."""
    name_a, name_b = escape_markdown(a.name), escape_markdown(b.name)
    test_a, test_b = a.snapshot().test, b.snapshot().test
    if a.source != b.source or not test_a or not test_b or len(test_a.probabilities) != len(test_b.probabilities):
        text = _("{run} and {other} have not both been measured on the same test images.")
        return text.format(run=name_a, other=name_b)
    labels = a.test_images()[1]
    comparison = compare(labels, test_a.probabilities.argmax(axis=1), test_b.probabilities.argmax(axis=1))
    fewer = comparison.only_b_right - comparison.only_a_right
    better, worse = (name_b, name_a) if fewer > 0 else (name_a, name_b)
    by_luck = _("By luck alone, such a difference or a larger one comes in {percent} of cases (p = {p}).")
    if comparison.p < 0.001:
        by_luck = _("By luck alone, such a difference or a larger one comes in less than 0.1 % of cases (p < 0.001).")
    remarks = [by_luck.format(percent=percent(comparison.p), p=number(comparison.p, ".3f"))] if fewer else []
    if max(a.series.num_seeds, b.series.num_seeds) > 1:
        remarks.append(_("Only the last seed of each is compared."))
    stopped = _("{run} was stopped in epoch {epoch} of {count}.")
    remarks += [
        stopped.format(run=escape_markdown(run.name), epoch=number(run.snapshot().epoch), count=number(run.config.epochs))
        for run in (a, b)
        if run.state is JobState.STOPPED
    ]
    if comparison.p < SIGNIFICANCE:
        text = _("**{better} is better** than {worse}: {errors} fewer errors on {images} test images.")
    elif not fewer:
        text = _("**{run} and {other} make as many errors**: {errors} on {images} test images.")
    else:
        text = _("**This could be chance**: {better} makes {errors} fewer errors on {images} test images than {worse}.")
    result = text.format(
        better=better,
        worse=worse,
        run=name_a,
        other=name_b,
        errors=number(abs(fewer) or test_a.errors),
        images=number(len(labels)),
    )
    return " ".join([result, *remarks])
