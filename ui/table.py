"""The runs of this session: what differs between them, their curves over each other, whether one is better."""

from html import escape

import numpy as np
import streamlit as st

from engine.metrics import compare
from ui import charts, kept, runs, words
from ui.settings import fill

AXES = {"epoch": "by epoch", "step": "by step", "seconds": "by time"}
CHANCE = 0.05  # above it, a difference is not told from luck
GRID = 120  # points of a band


def table():
    """The table, and what can be done with the runs that are chosen in it."""
    everything = runs.everything()
    st.header("Runs", anchor=False)
    event = st.dataframe(
        columns(everything),
        key="runs table",
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        row_height=36,
        placeholder="…",
        column_config={
            "What differs": st.column_config.TextColumn(width="large"),
            "Best validation": st.column_config.NumberColumn(format="%.2f %%"),
            "Test": st.column_config.NumberColumn(format="%.2f %%"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            "Parameters": st.column_config.NumberColumn(format="localized"),
        },
    )
    chosen = [everything[row] for row in event["selection"]["rows"] if row < len(everything)]
    if not chosen:
        st.caption(
            "Tick one run to look at it, rename it, delete it or repeat it with a change; two or more to compare them."
        )
    elif len(chosen) == 1:
        one(chosen[0])
    else:
        several(chosen)


def columns(them):
    """The table's columns; what differs is told from the run before."""
    found = {name: [] for name in ("Name", "What differs", "Best validation", "Test", "Seconds", "Parameters")}
    for place, run in enumerate(them):
        begun = run.snapshots()
        before = them[place - 1] if place else None
        best = [np.nan_to_num(one.history.column("validation_accuracy")).max(initial=0) for one in begun]
        tested = [one.test.accuracy for one in begun if one.test]
        found["Name"].append(run.name)
        found["What differs"].append(differs(run, before))
        found["Best validation"].append(100 * np.mean(best) or None)
        found["Test"].append(100 * np.mean(tested) if tested else None)
        found["Seconds"].append(sum(one.seconds for one in begun))
        found["Parameters"].append(begun[-1].network.parameters.size)
    return found


def differs(run, before):
    """What is different from the run before it, or for the first run what it is."""
    if before is None:
        return f"{words.layers(run.config.layers)}, {run.config.optimizer} at {run.config.learning_rate:g}, on {run.source}"
    found = [words.differences(before.config, run.config)]
    if run.source != before.source:
        found.append(f"data {before.source} → {run.source}")
    if run.seeds != before.seeds:
        found.append(f"{run.seeds} seeds" if run.seeds > 1 else "one seed")
    if run.start is not None:
        found.append("from a trained network's weights")
    return ", ".join(filter(None, found)) or "the same settings"


def one(run):
    """What can be done with a single run."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Look at it", icon=":material/visibility:", key="look", disabled=run is runs.shown()):
            runs.show(run)
            st.rerun()
        st.button("Repeat with one change", icon=":material/edit:", key="repeat", on_click=repeat, args=(run,))
        st.button("Delete", icon=":material/delete:", key="delete", on_click=runs.remove, args=(run,))
        name = st.text_input("Name", run.name, key=f"name of {run.key}", max_chars=40, width=220)
    if name != run.name and name.strip():
        if name in {other.name for other in runs.everything()}:
            st.caption(f"There is a run of the name {name} already.")
        else:
            run.name = name
            st.rerun()
    if run.seeds > 1:
        over_each_other([run])


def repeat(run):
    """Set the page up as this run was; what is then changed is told beside the settings."""
    fill(run.config, run.name, run.source)


def several(chosen):
    """Curves over each other, what the settings differ in, and a paired test."""
    over_each_other(chosen)
    st.html(settings_table(chosen))
    for other in chosen[1:]:
        st.markdown(verdict(chosen[0], other))


def over_each_other(chosen):
    """Their loss and accuracy in the same charts; several seeds of one run are their mean in a band."""
    names = [run.name for run in chosen]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        axis = st.segmented_control(
            "Curves", AXES, format_func=AXES.get, key=kept.key("axis", "epoch"), required=True, label_visibility="collapsed"
        )
        training = st.toggle(
            "Training too", key=kept.key("training too", False), help="Thin lines: what it measured in training."
        )
        st.html(charts.key(dict(zip(names, charts.shades(names), strict=True))))
    for column, quantity in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        column.vega_lite_chart(
            laid_over(chosen, quantity, axis, training),
            charts.overlay(quantity, names, axis),
            key=f"overlay of {quantity}",
            width="stretch",
        )


def laid_over(chosen, quantity, axis, training):
    """The rows of ``charts.overlay``; several seeds of one run are their mean, in a band from the lowest to the highest."""
    found = {name: [] for name in ("x", "value", "low", "high", "run", "series")}
    for run in chosen:
        for series in (charts.VALIDATION, *([charts.TRAINING] if training else [])):
            lines = [line for one in run.snapshots() if len(line := _line(one, quantity, axis, series))]
            if not lines:
                continue
            x = lines[0][:, 0]
            if len(lines) > 1:
                end = min(line[-1, 0] for line in lines)
                x = np.linspace(max(line[0, 0] for line in lines), end, GRID) if series == charts.TRAINING else x[x <= end]
            values = np.array([np.interp(x, line[:, 0], line[:, 1]) for line in lines])
            parts = {"x": x, "value": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}
            for name, numbers in parts.items():
                found[name] += numbers.tolist()
            found["run"] += [run.name] * len(x)
            found["series"] += [series] * len(x)
    return found


def _line(snapshot, quantity, axis, series):
    """The points (P, 2) of one training by epoch, step or seconds."""
    if series == charts.TRAINING:
        points = snapshot.curve[:, [1, charts.COLUMN[quantity]]]
    else:
        points = np.array(charts.validation(snapshot, quantity), float).T
    if not len(points) or axis == "epoch":
        return points
    ends = [snapshot.history.column(name) for name in ("epoch", "step", "seconds")]
    now = [[snapshot.curve[-1, 1]], [snapshot.step], [snapshot.seconds]] if len(snapshot.curve) else [[]] * 3
    epochs, steps, seconds = (np.concatenate([[0], *parts]) for parts in zip(ends, now, strict=True))
    points = points.copy()
    points[:, 0] = np.interp(points[:, 0], epochs, steps if axis == "step" else seconds)
    return points


def settings_table(chosen):
    """The settings in which the runs differ, as an HTML table, with what differs from the first marked."""
    first = chosen[0].config
    names = {name: None for run in chosen[1:] for name in first.differences(run.config)}
    if not names:
        return '<p class="inkling-note">Their settings are the same.</p>'
    head = "".join(f"<th>{escape(run.name)}</th>" for run in chosen)
    body = ""
    for name in names:
        values = [getattr(run.config, name) for run in chosen]
        cells = (f"<td{'' if value == values[0] else ' class=differs'}>{words.value(name, value)}</td>" for value in values)
        body += f"<tr><td>{words.SETTINGS[name]}</td>{''.join(cells)}</tr>"
    return f'<table class="inkling-table"><thead><tr><th>Setting</th>{head}</tr></thead><tbody>{body}</tbody></table>'


def verdict(a, b):
    """McNemar's test on the images that only one of two runs reads right, in words."""
    one, two = a.job.snapshot().test, b.job.snapshot().test
    if a.source != b.source or one is None or two is None or len(one.probabilities) != len(two.probabilities):
        return f"{a.name} and {b.name} have not both been measured on the same test images."
    seeds = " (the last seed of each)" if a.seeds > 1 or b.seeds > 1 else ""
    _, labels = a.job.test_set.take(slice(None))
    found = compare(labels, one.probabilities.argmax(axis=1), two.probabilities.argmax(axis=1))
    fewer = found.only_b_right - found.only_a_right
    better, worse = (b, a) if fewer > 0 else (a, b)
    counts = f"{abs(fewer):,} fewer errors of {len(labels):,}"
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    if found.p < CHANCE:
        return f"**{better.name} is better** than {worse.name}: {counts}, {p}{seeds}."
    if not fewer:
        return f"**{a.name} and {b.name} make as many errors**: {one.errors:,} of {len(labels):,}{seeds}."
    return f"**Could be chance**: {better.name} makes {counts} than {worse.name}, {p}{seeds}."
