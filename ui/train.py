"""The Train page: hyperparameters, run control, and the curves of a network that learns."""

from pathlib import Path

import streamlit as st

from engine.data import DataError
from engine.data.mnist import local_folder
from ui import charts, session
from ui.settings import settings

DRAW = Path(__file__).with_name("draw.py")
REFRESH = 0.6  # seconds between two looks at a running training
GUESSING = 0.2  # test accuracy under which nothing worth drawing with has been learned


def page():
    st.title("Train a network", anchor=False)
    left, right = st.columns([1, 2], gap="large")
    with left:
        config = settings()
    with right:
        run = session.runs()[-1] if session.runs() else None
        controls(config, run)
        if run is None:
            st.html(
                '<div class="inkling-empty"><p>Press <b>Start</b>: the loss falls and the accuracy rises here.</p></div>'
            )
        else:
            running = run.job.snapshot().state == "running"
            st.fragment(progress, run_every=REFRESH if running else None)(run)


def controls(config, run):
    """Start, pause or resume, stop; outside the fragment that refreshes, so that no click meets a redrawn button."""
    state = run.job.snapshot().state if run else "ready"
    active = state in ("running", "paused")
    with st.container(horizontal=True):
        start = st.button("Start", icon=":material/play_arrow:", type="primary", disabled=active, width="stretch")
        if state == "paused":
            st.button("Resume", icon=":material/resume:", on_click=run.job.resume, width="stretch")
        else:
            st.button("Pause", icon=":material/pause:", on_click=run and run.job.pause, disabled=not active, width="stretch")
        st.button("Stop", icon=":material/stop:", on_click=run and stop, args=(run,), disabled=not active, width="stretch")
    if start:
        begin(config)
    elif local_folder() is None:
        st.caption("MNIST is not on this machine yet: Start downloads it first (11 MB).")


def begin(config):
    """Start a training, with MNIST fetched first where it is not here; what is wrong is said in one line."""
    try:
        with st.spinner("Reading MNIST"):
            train_set, test_set = session.load_mnist(_DownloadBar())
    except DataError as error:
        st.error(str(error))
    else:
        session.start_run(config, train_set, test_set)
        st.rerun()


def stop(run):
    run.job.stop()
    run.job.wait(timeout=5)  # a step and the test are over in less; then the page shows the end at once


def progress(run):
    """How far the run is, its curves, and what came of it."""
    snapshot = run.job.snapshot()
    if snapshot.over and not st.session_state.get(f"{run.name} is over"):
        st.session_state[f"{run.name} is over"] = True
        st.rerun()  # the buttons outside have to hear of it
    st.progress(snapshot.progress, text=f"**{run.name}** · {words(snapshot, run.config)}")
    st.html(figures(snapshot) + charts.LEGEND)
    columns = st.columns(2)
    for column, quantity in zip(columns, ("loss", "accuracy"), strict=True):
        column.markdown(f"**{quantity.capitalize()}**")
        column.vega_lite_chart(
            charts.rows(snapshot, quantity),
            charts.spec(quantity, run.config.epochs),
            key=f"{quantity} of {run.name}",
            width="stretch",
        )
    if snapshot.over:
        outcome(run, snapshot)


def words(snapshot, config):
    """The line over the progress bar."""
    speed = f"{snapshot.samples_per_second:,.0f} images/s"
    epoch = f"epoch {snapshot.epoch} of {config.epochs}"
    if snapshot.over:
        return f"{snapshot.state} after {duration(snapshot.seconds)}, {speed}"
    if snapshot.state == "paused":
        return f"paused at step {snapshot.step:,}, {epoch}"
    left = "" if snapshot.seconds_left is None else f" · {duration(snapshot.seconds_left)} left"
    return f"{epoch} · {speed}{left}"


def duration(seconds):
    """A length of time in words that fit it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def figures(snapshot):
    """The latest figures as HTML; dots stand where there is none yet, so that nothing moves when it comes."""
    last = snapshot.history[-1] if snapshot.history else None
    shown = {
        "Training loss": f"{snapshot.curve[-1, 2]:.4f}" if len(snapshot.curve) else None,
        "Validation accuracy": f"{last.validation_accuracy:.2%}" if last and last.validation_accuracy is not None else None,
        "Test accuracy": f"{snapshot.test.accuracy:.2%}" if snapshot.test else None,
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value or '…'}</dd></div>" for name, value in shown.items())
    return f'<dl class="inkling-figures">{cells}</dl>'


def outcome(run, snapshot):
    """What came of a run, in words, and what to do with it."""
    if snapshot.state == "diverged":
        st.error(
            f"The loss was no longer a number at step {snapshot.end.step + 1:,}: the steps were too large, and the "
            f"weights flew apart. Try a learning rate smaller than {run.config.learning_rate:g}.",
            icon=":material/error:",
        )
        return
    if snapshot.state == "failed":
        st.error(f"The training broke off: {snapshot.error}", icon=":material/error:")
        return
    test = snapshot.test
    if test.accuracy < GUESSING:
        st.warning(
            f"It reads {test.accuracy:.1%} of the test images right, hardly more than by guessing: it has learned nothing. "
            f"Try a learning rate smaller than {run.config.learning_rate:g}, another initialiser, or more epochs.",
            icon=":material/help:",
        )
        return
    early = ""
    if snapshot.end and snapshot.end.stopped_early:
        early = f" It stopped early and went back to epoch {snapshot.end.best_epoch}, the best."
    st.success(f"It reads **{test.accuracy:.2%}** of {test.images:,} test images right, which it has never seen.{early}")
    with st.container(horizontal=True):
        if st.button("Draw with this network", icon=":material/draw:", type="primary"):
            st.session_state[session.KEPT + "network"] = run.name
            st.switch_page(DRAW)
        st.download_button(
            "Curves as a picture",
            lambda: charts.picture(snapshot, f"{run.name}: test accuracy {test.accuracy:.2%}"),
            f"{run.name.lower().replace(' ', '-')}.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
        )


class _DownloadBar:
    """What pooch drives as if it were tqdm's bar, shown on the page."""

    def __init__(self):
        self.total, self._done, self._bar = 0, 0, None

    def update(self, size):
        self._done += size
        if self._bar is None:
            self._bar = st.progress(0.0)
        if self.total:
            self._bar.progress(min(1.0, self._done / self.total), text=f"Downloading MNIST, {self._done / 1e6:.1f} MB")

    def reset(self):
        self._done = 0

    def close(self):
        pass


page()
