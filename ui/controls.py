"""Run control: start, pause, step, stop, reset, and what may be changed while it runs."""

from time import monotonic

import streamlit as st

from engine import InklingError
from engine.network import parameter_count
from ui import data, grid, knobs, runs, session, speed, words

CHANGES = {
    "learning_rate": ("Learning rate", knobs.LEARNING_RATES),
    "momentum": ("Momentum", [0.0, 0.5, 0.9, 0.95, 0.99]),
    "weight_decay": ("Weight decay", knobs.DECAYS),
    "batch_size": ("Batch size", [*knobs.BATCHES, knobs.NOTHING]),
}
SETTLE = 0.2  # seconds that a click waits for what it asks for, so that the page shows it at once
LINGER = 10.0  # seconds for which it is said what went wrong
ASK_SPEED = 0.4  # seconds between two looks whether the speed has been measured


def controls(choice, run):
    """The buttons, for the ``run`` that is under way if any."""
    ready = choice.config is not None
    with st.container(horizontal=True, gap="small", key="controls"):
        if run is None:
            start = _button("Start", "play_arrow", "S", type="primary", disabled=not ready)
            batch = _button("1 batch", "skip_next", "B", disabled=not ready)
            epoch = _button("1 epoch", "fast_forward", "E", disabled=not ready)
        else:
            snapshot = run.job.snapshot()
            ending = snapshot.state == "testing" and run.seeds == 1
            if snapshot.state == "paused":
                _button("Resume", "resume", "S", run.work.resume, type="primary")
            else:
                _button("Pause", "pause", "S", pause, run, type="primary", disabled=ending)
            _button("1 batch", "skip_next", "B", step, run, "step", disabled=ending)
            _button("1 epoch", "fast_forward", "E", step, run, "step_epoch", disabled=ending)
        _button("Stop", "stop", "X", stop, run, disabled=run is None or ending)
        _button("Reset", "replay", "0", reset, run, disabled=run is None)
    if run is not None:
        changes(run, snapshot)
        return
    if ready:
        known = seconds_per_epoch(choice) is not None
        st.fragment(estimate, run_every=None if known else ASK_SPEED)(choice, known)
    else:
        st.caption("Nothing to start: what is wrong stands with the settings.")
    if start or batch or epoch:  # here, and not in a callback: a download shows its bar in this place
        try:
            begin(choice, paused=not start)
        except InklingError as error:
            st.session_state["problem"] = f"{error}"
        else:
            if not start:
                step(runs.active(), "step" if batch else "step_epoch")
        st.rerun()


def _button(label, icon, shortcut, action=None, *args, **look):
    return st.button(
        label,
        key=label,  # each its own: a click on Pause that comes late must not become one on Resume
        icon=f":material/{icon}:",
        shortcut=shortcut,
        on_click=action,
        args=args,
        width="stretch",
        **look,
    )


def begin(choice, paused=False):
    """Start what the settings say, and have the last drawing followed through it."""
    runs.begin(choice.config, choice.source, seeds=choice.seeds, start=choice.start, paused=paused)
    st.session_state.pop("told", None)
    follow(runs.active())


def pause(run):
    """Stand still after the step that is under way."""
    run.work.pause()
    run.job.settle(SETTLE)


def step(run, name):
    """One batch or one epoch, then stand still."""
    getattr(run.job, name)()
    run.job.settle(SETTLE)


def stop(run):
    """End the run; its network is kept, and measured on the test images."""
    run.work.stop()
    run.work.wait(SETTLE)


def reset(run):
    """Back to the beginning, before the first step."""
    runs.reset(run)
    follow(runs.active())


def follow(run):
    """Have the run record what it makes of the last drawing."""
    seen = session.seen(grid.drawn().image())
    if run is not None and not run.over and seen is not None:
        run.job.follow(seen)


def problem():
    """What went wrong at the last click, in one line; for a while, although the page is drawn anew by itself."""
    if line := st.session_state.pop("problem", None):
        st.session_state["told"] = line, monotonic()
    line, since = st.session_state.get("told", ("", 0.0))
    if line and monotonic() - since < LINGER:
        st.error(line, icon=":material/error:")


def changes(run, snapshot):
    """The settings that can be changed in the middle of a training, in force from its next step."""
    if run.seeds > 1:  # its seeds are to be of one configuration
        return
    config = snapshot.config
    with st.container(horizontal=True, gap="small"):
        for name, (label, usual) in CHANGES.items():
            if name == "momentum" and config.optimizer not in knobs.MOMENTUM:
                continue
            key, now = f"{run.key} {name}", knobs.put(getattr(config, name))
            options = sorted({*usual, now, knobs.put(getattr(run.config, name))}, key=lambda v: (v == knobs.NOTHING, v))
            st.session_state.setdefault(key, now)
            st.selectbox(
                label,
                options,
                format_func=lambda value, name=name: words.value(name, knobs.taken(value)),
                key=key,
                on_change=_change,
                args=(run, name, key),
                disabled=snapshot.state == "testing",
                help="From the next step on; the change is marked on the curves.",
                width=165,
            )


def _change(run, name, key):
    try:
        run.job.change(**{name: knobs.taken(st.session_state[key])})
        run.job.takes_changes(SETTLE)
    except InklingError as error:
        st.session_state["problem"] = f"{error}"


def estimate(choice, known):
    """How large the network is, and how long an epoch takes here; draws the page anew once it is ``known``."""
    size = f"{parameter_count(choice.config.layers):,} parameters"
    seconds = seconds_per_epoch(choice)
    if seconds is None:
        st.caption(f"{size} · measuring the speed …")
    elif not known:
        st.rerun()  # which ends the asking
    elif seconds:
        st.caption(f"{size} · **{words.duration(seconds)}** an epoch on this machine, as measured")
    else:
        st.caption(size)


def seconds_per_epoch(choice):
    """As ``speed`` says it: None until it was measured, 0 where it cannot be."""
    try:
        alike = [run for run in runs.everything() if run.source == choice.source]
        return speed.seconds_per_epoch(choice.config, data.size(choice.source), alike)
    except InklingError:  # of settings that do not fit the data: Start will say it
        return 0
