"""The page Sweeps: watch a sweep, pause or end it, see what it found, and open its trials as runs."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from engine import InklingError
from engine.data import SOURCES
from engine.links import to_query
from engine.sweep.look import Look
from engine.sweep.plan import MEASURES
from engine.sweep.search_space import SEARCHABLE
from ui import PATHS, TRAIN_PAGE, charts, datasets, own_data, runs, state, studies
from ui.formatting import escape_markdown, label_in_sentence, loss, number, percent
from ui.sweeps import figures
from ui.translation import N_, _, ngettext

if TYPE_CHECKING:  # Optuna is optional
    from optuna.trial import FrozenTrial

    from engine.sweep.study import Study

REFRESH_SECONDS = 3.0
MIN_FOR_IMPORTANCE = 8  # complete trials
MAX_LISTED = 30
NUM_SEEDS = 5  # of a trial that is trained again
COMMAND = """python -m engine sweep --search learning_rate=1e-4..1e-1:log \\
    --search 'hidden=64,128,"128,64"' --trials 40 --prune hyperband"""
STATES = {
    "COMPLETE": N_("complete"),
    "PRUNED": N_("stopped early"),
    "RUNNING": N_("running"),
    "WAITING": N_("waiting"),
    "FAIL": N_("failed"),
}


def page() -> None:
    st.title(_("Sweeps"), anchor=False)
    st.markdown(
        _(
            "Which settings are best? A **sweep** trains many networks with different settings and compares them on the "
            "validation images. The test images have no say: only the winner is measured on them, once."
        )
    )
    state.show_error()
    if state.value("drawer"):  # of settings, which would hide on a phone what the Train page shows next
        state.set_value("drawer", False)
    if not studies.is_installed():
        st.info(_(studies.NOT_INSTALLED), icon=":material/info:")
        return
    try:
        with studies.storage_errors():
            listed = {entry.name: entry for entry in studies.listed()}
    except InklingError as error:
        _say(error)
        return
    if not listed:
        _say_how()
        return
    if state.value("sweep") not in listed:
        state.set_value("sweep", next(iter(listed)))
    name = state.value("sweep")
    if len(listed) > 1:
        name = st.selectbox(_("Sweep"), list(listed), format_func=lambda name: listed[name].title, **state.keep("sweep"))
    try:
        with studies.storage_errors():
            study = studies.open_study(name)
    except InklingError as error:
        _say(error)
        if listed[name].is_own:
            _delete_button(name)
        return
    try:
        with studies.storage_errors():
            if listed[name].is_own:
                _controls(study)
            is_moving = _is_moving(study, studies.look(name))
    except InklingError as error:
        _say(error)
        return
    st.fragment(_show_if_possible, run_every=REFRESH_SECONDS if is_moving else None)(name, is_moving)


def _is_moving(study: "Study", look: Look) -> bool:
    is_still = look.is_over or look.is_paused or bool(studies.error(study))
    return not is_still or studies.is_running(study)  # which measures the winner at the end


def _say_how() -> None:
    """What to do where there is no sweep yet."""
    st.markdown(_("No sweep is here yet. Begin one on the Train page: open **Search for the best settings** there."))
    st.page_link(TRAIN_PAGE, label=_("To the Train page"), icon=":material/model_training:")
    st.markdown(_("Or begin one at the command line, and watch it on this page:"))
    st.code(COMMAND, language="bash", wrap_lines=True)


def _controls(study: "Study") -> None:
    """Pause, end and delete a sweep of one's own; it goes on by itself after the server was restarted."""
    look, problem = study.look(), studies.error(study)
    if look.has_work and not (look.is_paused or studies.is_running(study) or problem):
        try:
            studies.run(study)
        except InklingError as error:  # its data are gone
            problem = str(error)
            _say(error)
    with st.container(horizontal=True, key="sweep controls"):
        if look.has_work and (look.is_paused or problem):
            _button(_("Resume"), "resume", studies.resume, study, type="primary")
        elif not look.is_over:
            _button(_("Pause"), "pause", studies.pause, study)
        if not look.is_over:
            _button(_("End now"), "stop", studies.end, study)
        _delete_button(study.name)


def _button(label: str, icon: str, action: "Callable[[Study], None]", study: "Study", **look: Any) -> None:
    st.button(label, key=f"sweep {icon}", icon=f":material/{icon}:", on_click=_act, args=(action, study), **look)


def _act(action: Callable[[Any], None], argument: Any) -> None:
    try:
        with studies.storage_errors():
            action(argument)
    except InklingError as error:
        state.report_error(error)


def _delete_button(name: str) -> None:
    if st.button(_("Delete"), icon=":material/delete:"):
        st.dialog(_("Delete this sweep?"))(_confirm)(name)


def _confirm(name: str) -> None:
    st.markdown(
        _("All its trials and their networks will be deleted. Runs that you opened from it stay. **You cannot undo this.**")
    )
    if st.button(
        _("Delete it"), type="primary", icon=":material/delete_forever:", on_click=_act, args=(studies.delete, name)
    ):
        st.rerun()


def _say(error: InklingError) -> None:
    st.info(escape_markdown(f"{error}."), icon=":material/info:")


def _show_if_possible(name: str, was_moving: bool) -> None:
    try:
        with studies.storage_errors():
            _show(studies.open_study(name), studies.look(name), was_moving)
    except InklingError as error:
        if not _is_listed(name):  # it was deleted in another window
            st.rerun()
        _say(error)


def _is_listed(name: str) -> bool:
    try:
        with studies.storage_errors():
            return any(entry.name == name for entry in studies.listed())
    except InklingError:
        return True


def _show(study: "Study", look: Look, was_moving: bool) -> None:
    """The whole sweep; it is drawn again and again while it moves."""
    if _is_moving(study, look) != was_moving:
        st.rerun()
    trials = list(look.trials)
    _status(study, look)
    if not any(trial.values or trial.intermediate_values for trial in trials):
        if was_moving:
            st.caption(_("The charts begin with the first epoch."))
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
    if len(study.sweep.varied) > 1:
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
    if names := list(study.sweep.varied):
        _heading(_("Each setting against the result"))
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
    if len(names) > 1:
        with left:
            _importance(study, look)
    with right if len(names) > 1 else left:
        _winner(study, look)
    _table(study, trials)
    state.end_run()  # a rerun of this fragment alone does not reach the one in streamlit_app.py


def _heading(title: str, caption: str = "") -> None:
    st.header(title, anchor=False)
    if caption:
        st.caption(caption)


def _status(study: "Study", look: Look) -> None:
    """How far the sweep is, and its best trial."""
    counts = {name: len(look.in_state(name)) for name in STATES}
    done = counts["COMPLETE"] + counts["PRUNED"] + counts["FAIL"]
    total = len(look.trials)
    parts = [ngettext("{done} of {count} trial is done", "{done} of {count} trials are done", total)]
    if counts["PRUNED"]:
        parts.append(ngettext("{pruned} was stopped early", "{pruned} were stopped early", counts["PRUNED"]))
    if counts["RUNNING"] and look.is_paused:
        parts.append(ngettext("{running} is not over", "{running} are not over", counts["RUNNING"]))
    elif counts["RUNNING"]:
        parts.append(ngettext("{running} is running now", "{running} are running now", counts["RUNNING"]))
    values = {"done": done, "count": total, "pruned": counts["PRUNED"], "running": counts["RUNNING"]}
    st.progress(done / total, text=", ".join(parts).format(**values))
    if look.is_over and done < total:
        st.caption(_("It is over: it was ended, or its minutes have passed. The other trials do not begin."))
    if look.has_work and (error := studies.error(study)):
        st.warning(escape_markdown(f"{error}."), icon=":material/error:")
    elif look.is_over:
        pass
    elif look.is_paused:
        st.caption(_("Paused. Nothing is lost: Resume goes on from here."))
    elif studies.is_waiting(study):
        st.caption(_("It waits: people's own trainings come first."))
    each = [
        f"{label_in_sentence(SEARCHABLE[name])} {figures.searched(dimension)}"
        for name, dimension in study.sweep.varied.items()
    ]
    st.caption(escape_markdown(_("Searched: {settings}").format(settings="; ".join(each))))
    if best := look.best:
        text = _("Best: trial {number}, {measure} {value}, with {settings}").format(
            number=best.number,
            measure=_(MEASURES[study.sweep.measure].label),
            value=_value(study, best),
            settings=_settings(study, best),
        )
        st.markdown(f"**{escape_markdown(text)}**")


def _importance(study: "Study", look: Look) -> None:
    _heading(_("What mattered most"))
    importances = study.importances(look) if len(look.in_state("COMPLETE")) >= MIN_FOR_IMPORTANCE else {}
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


def _winner(study: "Study", look: Look) -> None:
    _heading(_("The winner on the test images"))
    winner = look.winner
    if winner is None and look.is_over and look.best is None:
        st.caption(_("No trial has reached its end, so there is no winner."))
        return
    if winner is None:
        st.caption(_("When the sweep is over, the winner is measured on the test images, once."))
        return
    accuracy = sum(winner["accuracies"]) / len(winner["accuracies"])
    text = _("Trial {number} reads **{accuracy}** of the {count} test images right.")
    st.markdown(text.format(number=winner["trial"], accuracy=percent(accuracy, 2), count=number(winner["images"])))
    st.vega_lite_chart(
        figures.flattery_rows(accuracy, look.num_validation, len(look.trials)),
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
        ).format(accuracy=percent(accuracy, 2), count=number(look.num_validation))
    )


def _table(study: "Study", trials: "list[FrozenTrial]") -> None:
    """The best trials, and what can be done with each."""
    _heading(_("Trials"))
    rank = -1 if MEASURES[study.sweep.measure].greater_is_better else 1
    begun = [trial for trial in trials if trial.state.name != "WAITING"]
    begun.sort(key=lambda t: (t.state.name != "COMPLETE", rank * t.values[0] if t.values else 0, t.number))
    rows: list[dict[str, Any]] = [
        {
            _("trial"): trial.number,
            _("state"): _(STATES[trial.state.name]),
            _(MEASURES[study.sweep.measure].label): _value(study, trial),
            **{
                figures.label(name): figures.shown(name, trial.params[name]) if name in trial.params else ""
                for name in study.sweep.varied
            },
            _("open"): _link(study, trial),
        }
        for trial in begun[:MAX_LISTED]
    ]
    link = st.column_config.LinkColumn(display_text=_("Train it again"))
    st.dataframe(rows, hide_index=True, width="stretch", column_config={_("open"): link})
    trained = [trial for trial in begun if trial.state.name in ("COMPLETE", "PRUNED") and trial.values]
    if trained and (study.sweep.data in SOURCES or own_data.find(study.sweep.data)):
        _open_trial(study, trained)
    _more_machines(study)
    st.download_button(_("All trials as CSV"), study.to_csv, f"{study.name}.csv", "text/csv", icon=":material/download:")


def _more_machines(study: "Study") -> None:
    with st.expander(_("Other machines can help"), icon=":material/lan:"):
        st.markdown(
            _(
                "Whoever runs this server knows the address of its storage. This command lets another machine work on this "
                "sweep, at any time:"
            )
        )
        st.code(f"python -m engine sweep-worker --storage ADDRESS --study {study.name}", language="bash", wrap_lines=True)
        st.markdown(_("This one shows the sweep in Optuna's own dashboard:"))
        st.code("optuna-dashboard ADDRESS", language="bash", wrap_lines=True)


def _open_trial(study: "Study", trained: "list[FrozenTrial]") -> None:
    """Open a trial as a run, or train it again from other seeds."""
    by_number = {trial.number: trial for trial in trained}
    chosen = st.selectbox(
        _("Trial"),
        list(by_number),
        format_func=lambda each: _describe(study, by_number[each]),
        key=f"{study.name} trial {trained[0].number}",  # a new best trial comes into view
    )
    trial = by_number.get(chosen, trained[0])
    with st.container(horizontal=True):
        opens = st.button(_("Open as a run"), icon=":material/open_in_new:")
        repeats = st.button(_("Train with {count} other seeds").format(count=NUM_SEEDS), icon=":material/replay:")
    if opens or repeats:  # not in a callback: data that have to be drawn show their progress bar in this place
        _leave(studies.open_trial if opens else _repeat, study, trial)
    st.caption(
        _(
            "An opened trial is a run as any other: draw with it, see what it reads wrong, or compare it with another run. "
            "It is then measured on the test images. So open it to understand it, not to choose another winner."
        )
    )


def _describe(study: "Study", trial: "FrozenTrial") -> str:
    ending = f" ({_(STATES['PRUNED'])})" if trial.state.name == "PRUNED" else ""
    return f"{trial.number}: {_value(study, trial)}, {_settings(study, trial)}{ending}"


def _leave(action: "Callable[[Study, FrozenTrial], object]", study: "Study", trial: "FrozenTrial") -> None:
    """Make a run of a trial, and go to the page that shows it."""
    try:
        action(study, trial)
    except InklingError as error:
        st.error(escape_markdown(f"{error}."), icon=":material/error:")
        return
    st.switch_page(TRAIN_PAGE)


def _repeat(study: "Study", trial: "FrozenTrial") -> None:
    sweep = study.sweep
    num_classes = len(datasets.class_names(sweep.data))
    config = sweep.config_of(trial.params).for_classes(num_classes)
    runs.start_run(replace(config, seed=config.seed + sweep.num_seeds), sweep.data, NUM_SEEDS)


def _link(study: "Study", trial: "FrozenTrial") -> str | None:
    """The address of the Train page with a trial's settings; None if it cannot have them, or not all are chosen yet."""
    if study.sweep.data not in SOURCES:
        return None
    try:
        query = to_query(study.sweep.config_of(trial.params)) | {"data": study.sweep.data}
    except (InklingError, KeyError):
        return None
    return f"{PATHS[TRAIN_PAGE]}?{urlencode(query)}"


def _value(study: "Study", trial: "FrozenTrial") -> str:
    if not trial.values:
        return ""
    return percent(trial.values[0], 2) if MEASURES[study.sweep.measure].greater_is_better else loss(trial.values[0])


def _settings(study: "Study", trial: "FrozenTrial") -> str:
    names = [name for name in study.sweep.varied if name in trial.params]
    return ", ".join(f"{label_in_sentence(SEARCHABLE[name])} {figures.shown(name, trial.params[name])}" for name in names)


page()
