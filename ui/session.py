"""What a visitor's session holds: networks to choose from, trainings, and the settings that outlive a page switch."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from threadpoolctl import threadpool_limits

import engine
from engine.config import Config
from engine.jobs import Job

PRETRAINED = Path(__file__).parent.parent / "pretrained"
KEPT = "kept:"  # widgets whose key starts so keep their value while their page is away
MAX_RUNS = 8

# One thread for each training's matrix products: two that wait for each other, while a browser and a server want the same
# cores, made training 2.6 times slower (measured on two cores), and the second won nothing even on an idle machine.
threadpool_limits(1, user_api="blas")


@dataclass
class Run:
    """A training of this session."""

    name: str
    config: Config
    job: Job


def begin_run(page):
    """To be called once at the top of every run of the script: notes a page switch, and keeps what Streamlit would drop."""
    state = st.session_state
    state["page_switched"] = state.get("page") != page
    state["page"] = page
    for key in [key for key in state if str(key).startswith(KEPT)]:
        state[key] = state[key]  # Streamlit forgets the widgets of a page that is not shown, unless they are set


def kept(name, default):
    """The key of a widget that keeps its value while its page is away, and starts from ``default``."""
    st.session_state.setdefault(KEPT + name, default)
    return KEPT + name


def page_switched():
    """Whether this run is the first one on its page; says so once, since later runs of a fragment are on the same page."""
    return st.session_state.pop("page_switched", False)


def runs():
    """This session's trainings, oldest first."""
    return st.session_state.setdefault("runs", [])


def start_run(config, train_set, test_set):
    """Start a training on its own thread, which ends when this browser tab has been closed for a while."""
    trainer = engine.Trainer.from_config(config, train_set)
    number = st.session_state["runs_started"] = st.session_state.get("runs_started", 0) + 1
    run = Run(f"Run {number}", config, Job(trainer, test_set, _watcher()))
    runs().append(run)
    del runs()[:-MAX_RUNS]
    run.job.start()
    return run


def _watcher():
    """A function, safe to call from any thread, that says whether this session's browser is still connected."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    instance, session_id = runtime.get_instance(), context.session_id
    return lambda: instance.is_active_session(session_id)


@st.cache_resource(show_spinner=False)
def shipped_networks():
    """The networks in ``pretrained/`` by name; a broken file is left out and named in the second value."""
    networks, problems = {}, []
    for path in sorted(PRETRAINED.glob("*.npz")):
        try:
            networks[path.stem] = engine.load(path)
        except engine.InklingError as error:
            problems.append(str(error))
    return networks, problems


def networks():
    """Every network that can be drawn with, by name, with what to call it: the shipped ones, then this session's."""
    found = {}
    for name, network in shipped_networks()[0].items():
        metrics = network.info.get("metrics")
        accuracy = metrics.get("test_accuracy") if isinstance(metrics, dict) else None
        found[name] = network, _label(f"Shipped: {name}", accuracy)
    for run in runs():
        snapshot = run.job.snapshot()
        if snapshot.state in ("running", "paused"):
            found[run.name] = snapshot.network, f"{run.name} (as it is now, in epoch {snapshot.epoch})"
        elif snapshot.state in ("finished", "stopped"):
            found[run.name] = snapshot.network, _label(run.name, snapshot.test and snapshot.test.accuracy)
    return found


def _label(name, accuracy):
    return f"{name} ({accuracy:.1%} on MNIST)" if accuracy else name


@st.cache_resource(show_spinner=False)
def load_mnist(_progressbar):
    """MNIST's train and test sets, read once for all sessions."""
    return engine.load_mnist(_progressbar)
