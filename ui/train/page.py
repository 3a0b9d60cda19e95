"""The Train page: settings on the left; run control, curves and everything about a run on the right."""

from time import perf_counter

import streamlit as st

from engine.jobs import JobState
from ui import runs
from ui.run import Run
from ui.state import report_error, session, show_error
from ui.train.config_form import Choice, config_form
from ui.train.links import open_link
from ui.train.run_controls import controls, follow_drawing
from ui.train.run_dashboard import dashboard, show_headline
from ui.train.runs_table import bring_back_button, show_runs
from ui.train.uploads import upload_form

REFRESH_SECONDS, MAX_REFRESH_SECONDS = 0.7, 3.0  # between two looks at a running training: more if the server is busy
MAX_REFRESH_SHARE = 0.1  # of the time, that drawing such a look may take
REDRAWS = 4  # looks after which the controls are redrawn, too: Streamlit can lose a redraw on a very busy machine
QUEUE_SECONDS, QUEUE_REDRAW_SECONDS = 2.0, 15.0  # the same while a training waits: many may do so at once


def show_page() -> None:
    st.title("Train a network", anchor=False)
    if broken_link := open_link():
        report_error(broken_link)
    settings_column, run_column = st.columns([1, 2], gap="large")
    with settings_column:
        choice = config_form()
        upload_form()
        if run := runs.active_run():
            boxes = "To change the running training, use the boxes above its curves."
            seeds = "The settings stay the same for all seeds of the running training."
            st.caption(f"These settings are for the next run. {seeds if run.series.num_seeds > 1 else boxes}")
    with run_column:
        active = runs.active_run()
        follow_drawing(active)
        st.fragment(run_area, run_every=_redraw_seconds(active))(choice, active, paused_step(active))
    if runs.all_runs():
        show_runs()
    else:
        bring_back_button()


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
    moving = active if active is not None and paused_at is None else None
    state = moving and moving.state
    with st.container():  # always present: what is below keeps its place when the error goes
        show_error()
    controls(choice, active)
    if run is None:
        with st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center"):
            st.markdown("Press **Start**. You will see how the loss falls and the accuracy rises.", width="content")
            st.markdown("Or take **1 batch** at a time.", width="content")
    elif run is not moving:
        with st.container():  # as the fragment below has one, so that a pause moves nothing
            dashboard(run)
    if moving and state is JobState.QUEUED:
        st.fragment(refresh_place, run_every=QUEUE_SECONDS)(moving)
        if run is moving and moving.snapshot().step:
            dashboard(moving, with_headline=False)
    elif moving:
        st.fragment(refresh, run_every=session().refresh_seconds)(moving, state, run)
    if paused_at != drawn_at:
        st.rerun()  # now that this area shows what was clicked: the table has changed, too


def refresh(active: Run, drawn_for: JobState | None, shown: Run | None) -> None:
    """Redraw the ``active`` run if it is shown, and everything if it has left the state that the page was ``drawn_for``."""
    if active.series.is_still or active.state is not drawn_for:
        st.rerun()
    if shown is active:
        began = perf_counter()
        dashboard(active)
        seconds = (perf_counter() - began) / MAX_REFRESH_SHARE
        session().refresh_seconds = min(max(seconds, REFRESH_SECONDS), MAX_REFRESH_SECONDS)


def refresh_place(waiting: Run) -> None:
    """Say which place the run has in the queue, and redraw everything when it has left the queue."""
    if waiting.state is not JobState.QUEUED:
        st.rerun()
    show_headline(waiting, waiting.snapshot())
    st.caption("It begins by itself. You can draw meanwhile, or change the settings of your next run.")


show_page()
