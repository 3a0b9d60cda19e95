"""The Train page: settings on the left; run control, curves and all that can be asked of a run on the right."""

import streamlit as st

from ui import bring, controls, live, runs, settings, table

REFRESH = 0.7  # seconds between two looks at a running training


def page():
    st.title("Train a network", anchor=False)
    bring.open_link()
    left, right = st.columns([1, 2], gap="large")
    with left:
        choice = settings.settings()
        bring.upload()
    with right:
        controls.problem()
        controls.controls(choice)
        beside_start = st.empty()
        run = runs.shown()
        if run is None:
            st.html(
                '<div class="inkling-empty"><p>Press <b>Start</b>: the loss falls and the accuracy rises here.<br>'
                "Or take <b>1 batch</b> at a time.</p></div>"
            )
        else:
            controls.follow(run)
            state = run.job.snapshot().state, run.over
            st.fragment(live.live, run_every=None if run.over or state[0] == "paused" else REFRESH)(run, state)
    if runs.everything():
        table.table()
    if runs.active() is None:
        controls.estimate(beside_start, choice)


page()
