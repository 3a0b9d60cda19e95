"""The page Sweeps: watch the sweeps that the command line makes, and see what they found."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from engine import InklingError
from engine.data import SOURCES
from engine.links import to_query
from engine.sweep.plan import MEASURES, STORAGE, StorageError
from engine.sweep.search_space import SEARCHABLE, configured
from ui import PATHS, TRAIN_PAGE, charts, state
from ui.formatting import escape_markdown, percent
from ui.sweeps import figures
from ui.translation import N_, _, ngettext

if TYPE_CHECKING:  # Optuna is optional
    from optuna.trial import FrozenTrial

    from engine.sweep.study import Study

SWEEPS_VARIABLE = "INKLING_SWEEPS"  # the address of the storage
REFRESH_SECONDS = 3.0
MIN_FOR_IMPORTANCE = 8  # complete trials
MAX_LISTED = 30
COMMAND = """python -m engine sweep --search learning_rate=1e-4..1e-1:log \\
    --search 'hidden=64,128,"128,64"' --trials 40 --prune hyperband"""
STATES = {
    "COMPLETE": N_("complete"),
    "PRUNED": N_("stopped early"),
    "RUNNING": N_("running"),
    "WAITING": N_("waiting"),
    "FAIL": N_("failed"),
}

log = logging.getLogger(__name__)


def page() -> None:
    st.title(_("Sweeps"), anchor=False)
    st.markdown(
        _(
            "Which settings are best? A **sweep** trains many networks with different settings and compares them on the "
            "validation images. The test images have no say: only the winner is measured on them, once."
        )
    )
    try:
        names = _names()
    except InklingError as error:
        _say(error)
        names = []
    if not names:
        st.markdown(_("No sweep is here yet. Begin one at the command line, and watch it on this page:"))
        st.code(COMMAND, language="bash", wrap_lines=True)
        return
    name = names[0] if len(names) == 1 else st.selectbox(_("Sweep"), names, key="sweep")
    from engine.sweep.study import storage_errors

    try:
        with storage_errors():
            is_over = _open(name).is_over
    except InklingError as error:
        _say(error)
        return
    st.fragment(_show_if_possible, run_every=None if is_over else REFRESH_SECONDS)(name, is_over)


def _say(error: InklingError) -> None:
    """Say what went wrong; what a database says is for the log alone, for it may name servers and accounts."""
    if isinstance(error, StorageError):
        log.warning("%s", error)
        line = _("The storage of the sweeps cannot be used now.")
    else:
        line = f"{error}."
    st.info(escape_markdown(line), icon=":material/info:")


def _storage() -> str:
    return os.environ.get(SWEEPS_VARIABLE) or STORAGE


def _names() -> list[str]:
    """The sweeps in the storage, the newest first; raises ``InklingError`` if it cannot be used."""
    url = _storage()
    if url == STORAGE and not Path(STORAGE.removeprefix("sqlite:///")).exists():  # looking must not make it
        return []
    from engine.sweep.study import storage_errors, study_names

    with storage_errors():
        return study_names(url)


def _open(name: str) -> "Study":
    """The study of this name as it is now; opened anew if it was made anew or continued since."""
    url = _storage()
    study = _opened(url, name)
    if not study.is_current:
        _opened.clear(url, name)
        study = _opened(url, name)
    return study


@st.cache_resource(max_entries=20, show_spinner=False)
def _opened(url: str, name: str) -> "Study":
    from engine.sweep.study import open_study

    return open_study(url, name)


def _show_if_possible(name: str, was_over: bool) -> None:
    from engine.sweep.study import storage_errors

    try:
        with storage_errors():
            _show(_open(name), was_over)
    except InklingError as error:
        _say(error)


def _show(study: "Study", was_over: bool) -> None:
    """The whole sweep; it is drawn again and again until it is over."""
    if study.is_over != was_over:
        st.rerun()
    trials = study.trials()
    _status(study, trials)
    if not any(trial.values or trial.intermediate_values for trial in trials):
        return
    measure = _(MEASURES[study.sweep.measure].label)
    left, right = st.columns(2, gap="large")
    with left:
        _heading(_("Best so far"), _("Each dot is a trial; the line is the best until then."))
        st.vega_lite_chart(
            figures.progress_rows(study.sweep, trials),
            figures.progress(study.sweep),
            key=f"{study.name} progress",
            width="stretch",
            alt=_("The best trial so far, after each trial"),
        )
    with right:
        _heading(_("Each trial, epoch by epoch"))
        st.html(charts.colour_key({_(kind): colour for kind, colour in figures.COLOURS.items()}))
        st.vega_lite_chart(
            figures.curve_rows(trials),
            figures.curves(study.sweep),
            key=f"{study.name} curves",
            width="stretch",
            alt=_("{measure} of each trial by epoch").format(measure=measure),
        )
    _heading(
        _("All settings at once"),
        _("A line is a trial: follow it from setting to setting. The stronger, the better; the best is green."),
    )
    st.vega_lite_chart(
        figures.parallel_rows(study.sweep, trials),
        figures.parallel(study.sweep),
        key=f"{study.name} parallel",
        width="stretch",
        alt=_("The settings of each trial as a line, stronger the better it is"),
    )
    _heading(_("Each setting against the result"))
    names = list(study.sweep.search)
    for start in range(0, len(names), 3):
        for column, name in zip(st.columns(3), names[start : start + 3], strict=False):
            column.vega_lite_chart(
                figures.setting_rows(name, trials),
                figures.setting(study.sweep, name),
                key=f"{study.name} setting {name}",
                width="stretch",
                alt=_("{measure} for each value of {setting}").format(measure=measure, setting=figures.label(name)),
            )
    left, right = st.columns(2, gap="large")
    with left:
        _importance(study, trials)
    with right:
        _winner(study)
    _table(study, trials)
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def _heading(title: str, caption: str = "") -> None:
    st.header(title, anchor=False)
    if caption:
        st.caption(caption)


def _status(study: "Study", trials: "list[FrozenTrial]") -> None:
    """How far the sweep is, and its best trial."""
    counts = {name: sum(trial.state.name == name for trial in trials) for name in STATES}
    done = counts["COMPLETE"] + counts["PRUNED"] + counts["FAIL"]
    total = len(trials)
    parts = [ngettext("{done} of {count} trial is done", "{done} of {count} trials are done", total)]
    if counts["PRUNED"]:
        parts.append(ngettext("{pruned} was stopped early", "{pruned} were stopped early", counts["PRUNED"]))
    if counts["RUNNING"]:
        parts.append(ngettext("{running} is running now", "{running} are running now", counts["RUNNING"]))
    values = {"done": done, "count": total, "pruned": counts["PRUNED"], "running": counts["RUNNING"]}
    st.progress(done / total, text=", ".join(parts).format(**values))
    if best := study.best:
        text = _("Best: trial {number}, {measure} {value}, with {settings}").format(
            number=best.number,
            measure=_(MEASURES[study.sweep.measure].label),
            value=_value(study, best),
            settings=_settings(best),
        )
        st.markdown(f"**{escape_markdown(text)}**")


def _importance(study: "Study", trials: "list[FrozenTrial]") -> None:
    _heading(_("What mattered most"))
    num_complete = sum(figures.kind_of(trial) == figures.COMPLETE for trial in trials)
    importances = study.importances() if num_complete >= MIN_FOR_IMPORTANCE else {}
    if not importances:
        text = _("After {count} complete trials, bars show here which setting made the difference.")
        st.caption(text.format(count=MIN_FOR_IMPORTANCE))
        return
    st.vega_lite_chart(
        figures.importance_rows(importances),
        figures.importance(),
        key=f"{study.name} importance",
        width="stretch",
        alt=_("How much each setting explains of the differences between good trials and others"),
    )
    st.caption(
        _(
            "How much of the difference between good trials and others goes with each setting. It does not say which value "
            "is best, nor what happens outside of the ranges that were searched, and with few trials it is a rough guess."
        )
    )


def _winner(study: "Study") -> None:
    _heading(_("The winner on the test images"))
    winner = study.winner
    if winner is None:
        st.caption(_("When the sweep is over, the winner is measured on the test images, once."))
        return
    accuracy = sum(winner["accuracies"]) / len(winner["accuracies"])
    text = _("Trial {number} reads **{accuracy}** of the {count} test images right.")
    st.markdown(text.format(number=winner["trial"], accuracy=percent(accuracy, 2), count=f"{winner['images']:,}"))
    st.vega_lite_chart(
        figures.flattery_rows(accuracy, study.num_validation, len(study.trials())),
        figures.flattery(),
        key=f"{study.name} flattery",
        width="stretch",
        alt=_("How accurate the best of some equally good networks looks"),
    )
    st.caption(
        _(
            "**Why only once?** Suppose that all networks were equally good, {accuracy} right. On {count} validation "
            "images, each is a bit lucky or unlucky, and the best of many looks better than it is: the more there are to "
            "choose from, the more. Images that had no say in the choice do not flatter."
        ).format(accuracy=percent(accuracy, 2), count=f"{study.num_validation:,}")
    )


def _table(study: "Study", trials: "list[FrozenTrial]") -> None:
    """The best trials, each with a link that opens it as a run."""
    _heading(_("Trials"), _("A link opens the settings of a trial on the Train page: train it again, and draw with it."))
    rank = -1 if MEASURES[study.sweep.measure].greater_is_better else 1
    begun = [trial for trial in trials if trial.state.name != "WAITING"]
    begun.sort(key=lambda t: (t.state.name != "COMPLETE", rank * t.values[0] if t.values else 0, t.number))
    rows: list[dict[str, Any]] = [
        {
            _("trial"): trial.number,
            _("state"): _(STATES[trial.state.name]),
            _(MEASURES[study.sweep.measure].label): _value(study, trial),
            **{figures.label(name): figures.shown(trial.params.get(name, "")) for name in study.sweep.search},
            _("open"): _link(study, trial),
        }
        for trial in begun[:MAX_LISTED]
    ]
    link = st.column_config.LinkColumn(display_text=_("Train it again"))
    st.dataframe(rows, hide_index=True, width="stretch", column_config={_("open"): link})
    st.download_button(_("All trials as CSV"), study.to_csv, f"{study.name}.csv", "text/csv", icon=":material/download:")


def _link(study: "Study", trial: "FrozenTrial") -> str | None:
    """The address of the Train page with the settings of a trial; None if it cannot have them, or not all are chosen yet."""
    if study.sweep.data not in SOURCES:
        return None
    try:
        chosen = {name: dimension.chosen(trial.params[name]) for name, dimension in study.sweep.search.items()}
        query = to_query(configured(study.sweep.config, chosen)) | {"data": study.sweep.data}
    except (InklingError, KeyError):
        return None
    return f"{PATHS[TRAIN_PAGE]}?{urlencode(query)}"


def _value(study: "Study", trial: "FrozenTrial") -> str:
    if not trial.values:
        return ""
    return percent(trial.values[0], 2) if MEASURES[study.sweep.measure].greater_is_better else f"{trial.values[0]:.4f}"


def _settings(trial: "FrozenTrial") -> str:
    labels = {name: _(SEARCHABLE[name].label_in_sentence) for name in trial.params}
    return ", ".join(f"{labels[name]} {figures.shown(value)}" for name, value in trial.params.items())


page()
