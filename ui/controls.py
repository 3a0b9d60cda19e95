"""Run control: start, pause, step, stop, reset, and what may be changed while it runs."""

from time import monotonic, sleep

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
PATIENCE = 3.0  # seconds that the page waits for a speed to be measured
SETTLE = 0.4  # seconds that a click on a step waits for it, so that the page shows it at once


def controls(choice):
    """The buttons; outside the fragment that refreshes, so that no click meets a redrawn one."""
    run = runs.active()
    ready = choice.config is not None
    with st.container(horizontal=True, gap="small", key="controls"):
        if run is None:
            start = _button("Start", "play_arrow", "S", type="primary", disabled=not ready)
            batch = _button("1 batch", "skip_next", "B", disabled=not ready)
            epoch = _button("1 epoch", "fast_forward", "E", disabled=not ready)
        else:
            if run.job.snapshot().state == "paused":
                _button("Resume", "resume", "S", run.work.resume, type="primary")
            else:
                _button("Pause", "pause", "S", run.work.pause, type="primary")
            _button("1 batch", "skip_next", "B", step, run, "step")
            _button("1 epoch", "fast_forward", "E", step, run, "step_epoch")
        _button("Stop", "stop", "X", stop, run, disabled=run is None)
        _button("Reset", "replay", "0", reset, run, disabled=run is None)
    if run is not None:
        changes(run)
        return
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
    follow(runs.active())


def step(run, name):
    """One batch or one epoch, then stand still."""
    getattr(run.job, name)()
    run.job.settle(SETTLE)


def stop(run):
    """End the run; its network is kept, and measured on the test images."""
    run.work.stop()
    run.work.wait(timeout=5)  # a step and the test are over in less; then the page shows the end at once


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
    """What went wrong at the last click, in one line."""
    if line := st.session_state.pop("problem", None):
        st.error(line, icon=":material/error:")


def changes(run):
    """The settings that can be changed in the middle of a training, in force from its next step."""
    if run.seeds > 1:  # its seeds are to be of one configuration
        return
    config = run.job.snapshot().config
    with st.container(horizontal=True, gap="small"):
        for name, (label, usual) in CHANGES.items():
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
                disabled=name == "momentum" and config.optimizer not in knobs.MOMENTUM,
                help="From the next step on; the change is marked on the curves.",
                width=165,
            )


def _change(run, name, key):
    try:
        run.job.change(**{name: knobs.taken(st.session_state[key])})
    except InklingError as error:
        st.session_state["problem"] = f"{error}"


def estimate(slot, choice):
    """How large the network is, and how long an epoch takes here; to be called last, since it may wait to be measured."""
    if choice.config is None:
        slot.caption("Nothing to start: what is wrong stands below the settings.")
        return
    deadline = monotonic() + PATIENCE
    while (line := _line(choice)) is None and monotonic() < deadline:
        slot.caption(f"{_size(choice)} · measuring the speed …")  # also lets the next click in
        sleep(0.03)
    slot.caption(line or _size(choice))


def _size(choice):
    return f"{parameter_count(choice.config.layers):,} parameters"


def _line(choice):
    config = choice.config
    images = min(config.images, data.size(choice.source))
    try:
        images -= config.held_back(images)
    except InklingError:  # Start will say it
        return None
    seconds = speed.seconds_per_epoch(config, images, [run.job.snapshot() for run in runs.everything()])
    return seconds and f"{_size(choice)} · about **{words.duration(seconds)}** an epoch on this machine, as measured"
