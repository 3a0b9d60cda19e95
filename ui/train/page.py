"""The Train page: settings on the left; run control, curves and everything about a run on the right."""

from time import perf_counter

import streamlit as st

from engine.jobs import JobState
from ui import runs
from ui.formatting import escape_markdown
from ui.run import Run
from ui.state import keep, report_error, session, set_value, show_error
from ui.train.config_form import Choice, config_form, data_offer
from ui.train.links import open_link
from ui.train.race import is_rival, race_form
from ui.train.run_controls import controls, follow_drawing, refresh_seconds
from ui.train.run_dashboard import dashboard, show_headline
from ui.train.runs_table import removed_run, show_runs, undo_line
from ui.train.sweep_form import sweep_form
from ui.train.uploads import upload_form
from ui.translation import _

REFRESH_SECONDS, MAX_REFRESH_SECONDS = 0.7, 3.0  # between two looks at a running training: more if the server is busy
MAX_REFRESH_SHARE = 0.1  # of the time, that drawing such a look may take
REDRAWS = 4  # looks after which the controls are redrawn, too: Streamlit can lose a redraw on a very busy machine
QUEUE_SECONDS, QUEUE_REDRAW_SECONDS = 2.0, 15.0  # the same while a training waits: many may do so at once
MAX_QUEUE_SECONDS, LOOKS_PER_WAIT = 6.0, 8  # seldomer while the wait is long


def show_page() -> None:
    if broken_link := open_link():
        report_error(broken_link)
    settings_column, run_column = st.columns([1, 2], gap="large")
    _close_drawer(runs.active_run())
    with settings_column:
        st.title(_("Train a network"), anchor=False)
        st.fragment(_drawer)()
        with st.container(key="settings"):
            _settings_heading(runs.active_run())
            choice = config_form()
            upload_form()
            sweep_form(choice)
    with run_column:
        active = runs.active_run()
        follow_drawing(active)
        st.fragment(run_area, run_every=_redraw_seconds(active))(choice, active, paused_step(active))
    if runs.all_runs():
        show_runs()
    elif not removed_run():
        undo_line()


def _drawer() -> None:
    """On a phone, the settings are folded away: train.css shows them over the page while this is ticked."""
    st.checkbox(":material/tune: {}".format(_("Settings")), **keep("drawer", False))


def _close_drawer(active: Run | None) -> None:
    """Fold the settings away when a run has begun, so that its curves are in view."""
    begun = active and active.key
    if begun and begun != st.session_state.get("begun"):
        set_value("drawer", False)
    st.session_state["begun"] = begun


def _settings_heading(active: Run | None) -> None:
    """Which run the settings are for."""
    if active is None:
        st.markdown(":material/tune: **{}**".format(_("Settings")))
    else:
        text = _("**Settings of the next run**, not of {run}").format(run=escape_markdown(active.name))
        st.markdown(f":material/tune: {text}")


def _redraw_seconds(active: Run | None) -> float | None:
    """After how many seconds to redraw the controls, too."""
    if active is None:
        return None
    return QUEUE_REDRAW_SECONDS if active.state is JobState.QUEUED else REDRAWS * session().refresh_seconds


def paused_step(run: Run | None) -> int | None:
    """The step at which the run, if any, has paused; None while it moves."""
    return run.snapshot().step if run and run.series.is_still else None


def run_area(choice: Choice, active: Run | None, drawn_at: int | None) -> None:
    """What a click on a control or a panel redraws. The rest of the page was drawn for this ``active`` run, paused at step
    ``drawn_at`` (None if it moved)."""
    if runs.active_run() is not active:
        st.rerun()
    run, paused_at = runs.shown_run(), paused_step(active)  # before the controls are drawn, which agree with it then
    removed = removed_run()
    moving = active if active is not None and paused_at is None else None
    state = moving and moving.state
    with st.container():  # always present: what is below keeps its place when the error goes
        show_error()
    with st.container(key="control place"):  # of one height, so that a run's beginning and end move nothing
        controls(choice, active)
        if active is None:
            race_form(choice)
    if removed:
        with st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center"):
            undo_line()
    elif run is None:
        with st.container(border=True, horizontal_alignment="center", vertical_alignment="center", key="empty"):
            data_offer()
            st.markdown(_("Press **Start**. You will see how the loss falls and the accuracy rises."), width="content")
            st.markdown(_("Or take **1 batch** at a time."), width="content")
    elif run is not moving and not is_rival(run, moving):
        with st.container():  # as the fragment below has one, so that a pause moves nothing
            dashboard(run)
    if moving and state is JobState.QUEUED:
        st.fragment(refresh_place, run_every=_place_seconds(moving))(moving)
        if run is moving and not removed:
            dashboard(moving, with_headline=False)
    elif moving:
        st.fragment(refresh, run_every=refresh_seconds(moving))(moving, state, None if removed else run)
    if paused_at != drawn_at:
        st.rerun()  # now that this area shows what was clicked: the table has changed, too


def refresh(active: Run, drawn_for: JobState | None, shown: Run | None) -> None:
    """Redraw the ``active`` run if it is shown, and everything if it has left the state that the page was ``drawn_for``."""
    if active.series.is_still or active.state is not drawn_for:
        st.rerun()
    if shown and (shown is active or is_rival(shown, active)):
        began = perf_counter()
        dashboard(shown)
        seconds = (perf_counter() - began) / MAX_REFRESH_SHARE
        session().refresh_seconds = min(max(seconds, REFRESH_SECONDS), MAX_REFRESH_SECONDS)


def _place_seconds(waiting: Run) -> float:
    """Seconds between two looks at the place in the queue: the fewer, the sooner the training starts."""
    place = waiting.series.place()
    seconds = (place and place.seconds) or 0
    return min(max(seconds / LOOKS_PER_WAIT, QUEUE_SECONDS), MAX_QUEUE_SECONDS)


def refresh_place(waiting: Run) -> None:
    """Say which place the run has in the queue, and redraw everything when it has left the queue."""
    if waiting.state is not JobState.QUEUED:
        st.rerun()
    show_headline(waiting, waiting.snapshot())


show_page()
