"""Two runs side by side, as lanes over the same axis."""

import streamlit as st

from engine import InklingError
from engine.jobs import Snapshot
from ui import charts, runs
from ui.formatting import escape_markdown, percent
from ui.run import Run
from ui.state import keep, open_tab, report_error, session, value
from ui.train.config_form import Choice
from ui.train.runs_table import overlay_rows
from ui.translation import N_, _

PANEL = N_("Race")
AXES = {"epoch": N_("by epoch"), "seconds": N_("by seconds")}


def race_form(choice: Choice) -> None:
    """Start the settings on the page and, at the same time, those of an earlier run again."""
    rivals = list(reversed(runs.all_runs()))
    if not rivals or choice.config is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="race form"):
        st.markdown(_("Race against the settings of"), width="content")
        different = next((run for run in rivals if run.config != choice.config), rivals[0])
        rival = _choose("rival", _("Rival"), rivals, different)
        if st.button(_("Race"), icon=":material/sports_score:", key="race", help=_("Both trainings start, side by side.")):
            _start(choice, rival)
            st.rerun()


def _choose(key: str, label: str, options: list[Run], chosen: Run) -> Run:
    """A select box of runs. Its key has their names: it is a new one after a run was renamed."""
    names = [run.name for run in options]
    index = options.index(chosen)
    name = st.selectbox(label, names, index, key=f"{key} {names}", label_visibility="collapsed", width=150)
    return options[names.index(name)]


def _start(choice: Choice, rival: Run) -> None:
    speed = value("speed") or None
    try:
        again = runs.start_run(rival.config, rival.source, 1, rival.series.start_network, speed=speed)
        runs.rename(again, _("{run} again").format(run=rival.name))
        own = runs.start_run(choice.config, choice.source, 1, choice.start, speed=speed)  # pyright: ignore[reportArgumentType]
    except InklingError as error:
        report_error(error)
        return
    session().error = None
    st.session_state[_key(own)] = again.number
    open_tab(PANEL, "panel")


def _key(run: Run) -> str:
    """Of the session's entry with the number of its rival."""
    return f"{run.key} rival"


def is_rival(run: Run | None, other: Run | None) -> bool:
    """Whether ``run`` is shown beside ``other``."""
    open_panel = session().open_parts.get("panel")
    return bool(run and other and open_panel == PANEL and value(_key(run)) == other.number)


def racing(active: Run) -> list[Run]:
    """The ``active`` training, and the other one of the race that is shown, which may be over."""
    shown = runs.shown_run()
    pair = [run for run in runs.all_runs() if run is shown or is_rival(shown, run)]
    return pair if active in pair else [active]


def lanes(run: Run, snapshot: Snapshot) -> None:
    """The panel: the lanes of this run and another one."""
    others = [other for other in reversed(runs.all_runs()) if other is not run]
    if not others:
        st.caption(_("A race needs two runs. Change a setting, then press Race."))
        return
    with st.container(horizontal=True, vertical_alignment="center", key="race options"):
        rival = next((other for other in others if other.number == value(_key(run))), others[0])
        rival = _choose(f"{run.key} against", _("Against"), others, rival)
        st.session_state[_key(run)] = rival.number
        look = {"required": True, "label_visibility": "collapsed"}
        labels = {axis: _(label) for axis, label in AXES.items()}
        kept = keep("race_axis", "epoch")
        axis = st.segmented_control(_("Axis"), list(AXES), format_func=labels.__getitem__, **look, **kept)
        pair = {run: snapshot, rival: rival.snapshot()}
        st.markdown(_standing(pair), width="stretch")
    last = max(_end(each, axis) for each in pair.values())
    with st.container(gap="xsmall"):
        for (each, shown), colour in zip(pair.items(), charts.run_colours(2), strict=True):
            st.vega_lite_chart(
                overlay_rows([each], "accuracy", axis, training=True),
                charts.lane(f"{each.name}: {_accuracy_text(shown)}", colour, axis, last),
                key=f"lane of {each.key}",
                width="stretch",
                alt=_("Accuracy of {run} {axis}").format(run=each.name, axis=labels[axis]),
            )


def _end(snapshot: Snapshot, axis: str) -> float:
    """Where the axis of this training ends."""
    if axis == "epoch":
        return snapshot.config.epochs
    seconds = snapshot.seconds + (snapshot.seconds_left or 0)
    return seconds if snapshot.is_over else charts.round_up(seconds)


def accuracy(snapshot: Snapshot) -> float | None:
    """The latest accuracy on images that it does not learn from."""
    return snapshot.history[-1].validation_accuracy if snapshot.history else None


def _accuracy_text(snapshot: Snapshot) -> str:
    latest = accuracy(snapshot)
    if latest is None:
        return _("its first epoch is not over yet")
    text = _("{percent} right after epoch {epoch}")
    return text.format(percent=percent(latest, 2), epoch=len(snapshot.history))


def _standing(pair: dict[Run, Snapshot]) -> str:
    """Who leads, as Markdown."""
    known = [(latest, run.name) for run, snapshot in pair.items() if (latest := accuracy(snapshot)) is not None]
    if len(known) < 2:
        return _("Both have to finish an epoch before one can lead.")
    (behind, _follower), (ahead, leader) = sorted(known)
    if ahead == behind:
        return _("Both read {percent} of the validation images right.").format(percent=percent(ahead, 2))
    text = _("**{run} leads**: {percent} of the validation images right, against {other}.")
    if all(snapshot.is_over for snapshot in pair.values()):
        text = _("**{run} is ahead**: {percent} of the validation images right, against {other}.")
    return text.format(run=escape_markdown(leader), percent=percent(ahead, 2), other=percent(behind, 2))
