"""The Train page: settings on the left; run control, curves and all that can be asked of a run on the right."""

import streamlit as st

from ui import bring, controls, kept, live, runs, settings, table

REFRESH = 0.7  # seconds between two looks at a running training
HEAL = 3.0  # seconds after which the controls are drawn again: Streamlit can lose a redraw on a very busy machine


def page():
    st.title("Train a network", anchor=False)
    bring.open_link()
    left, right = st.columns([1, 2], gap="large")
    with left:
        choice = settings.settings()
        bring.upload()
        if runs.active():
            st.caption("These settings are for the next run. What can change in this one stands beside its curves.")
    with right:
        active = runs.active()
        controls.follow(active)
        st.fragment(laboratory, run_every=HEAL if active else None)(choice, active, rest(active))
    if runs.everything():
        table.table()


def rest(run):
    """The step at which this run, if any, has come to stand; None while it moves."""
    return run.job.snapshot().step if run and run.still else None


def laboratory(choice, active, rested):
    """What a click on a control or a panel draws anew. ``active`` is the run that the rest of the page was drawn for, when
    it ``rested`` at this step."""
    kept.note()
    if runs.active() is not active:
        st.rerun()
    run, resting = runs.shown(), rest(active)  # before the controls, which come to rest with it
    moving = active is not None and resting is None
    state = active and active.job.snapshot().state
    with st.container():  # always there: what is below keeps its place when the line goes
        controls.problem()
    controls.controls(choice, active)
    if run is None:
        st.html(
            '<div class="inkling-empty"><p>Press <b>Start</b>: the loss falls and the accuracy rises here.<br>'
            "Or take <b>1 batch</b> at a time.</p></div>"
        )
    elif run is not active or not moving:
        with st.container():  # as the fragment below has one: a pause moves nothing
            live.live(run)
    if moving:
        st.fragment(refresh, run_every=REFRESH)(active, state, run)
    if resting != rested:
        st.rerun()  # once this part shows what was clicked: the table has to hear of it too


def refresh(active, state, run):
    """Draw the run that is shown, if it moves; the controls, drawn for this ``state``, have to hear when it changes."""
    kept.note()
    if active.still or active.job.snapshot().state != state:
        st.rerun()
    if run is active:
        live.live(run)


page()
