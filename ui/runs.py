"""This session's trainings: the one place that holds them. What runs them is ``engine.jobs``."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from threadpoolctl import threadpool_limits

import engine
from engine import Network
from engine.config import Config
from engine.jobs import Job
from engine.series import Series
from ui import data

MAX_RUNS = 50  # the oldest go first: each keeps its network and its readings of the test images

# One thread for each training's matrix products: two that wait for each other, while a browser and a server want the same
# cores, made training 2.6 times slower (measured on two cores), and the second won nothing even on an idle machine.
threadpool_limits(1, user_api="blas")


@dataclass
class Run:
    """A training, or several of one configuration by seed; ``start`` is the network whose weights it began from, if any."""

    number: int
    name: str
    config: Config
    source: str
    work: Job | Series
    start: Network | None = None

    @property
    def key(self):
        """What tells it from others, also after it was renamed."""
        return f"Run {self.number}"

    @property
    def seeds(self):
        return len(self.work.configs) if isinstance(self.work, Series) else 1

    @property
    def job(self):
        """The training under way, or the last one."""
        return self.work.job if isinstance(self.work, Series) else self.work

    @property
    def over(self):
        return self.work.over if isinstance(self.work, Series) else self.work.snapshot().over

    @property
    def still(self):
        """Whether nothing will change in it by itself: it is over, or has come to stand in a pause."""
        return self.over or (self.job.snapshot().state == "paused" and self.job.settle(0))

    def snapshots(self):
        """Those of its trainings that have begun, one for each seed."""
        return self.work.snapshots() if isinstance(self.work, Series) else (self.work.snapshot(),)


def everything():
    """All runs, oldest first."""
    return st.session_state.setdefault("runs", [])


def active():
    """The run that is under way, paused or not; None without one."""
    return next((run for run in reversed(everything()) if not run.over), None)


def shown():
    """The run that the page looks at: the one that was chosen, else the newest; None before the first."""
    runs, chosen = everything(), st.session_state.get("shown")
    return next((run for run in runs if run.number == chosen), runs[-1] if runs else None)


def show(run):
    """Have the page look at this run."""
    st.session_state["shown"] = run.number


def begin(config, source, *, seeds=1, start=None, paused=False):
    """Start a training on a thread of its own, or ``seeds`` of them one after another, from ``start``'s weights if given.

    It ends when this browser tab has been closed for a while. Raises ``InklingError`` for what cannot be trained.
    """
    train_set, test_set = data.load(source)
    if seeds > 1:
        configs = [replace(config, seed=config.seed + k) for k in range(seeds)]
        work = Series(configs, train_set, test_set, watcher())
    else:
        work = Job(engine.Trainer.from_config(config, train_set, start), test_set, watcher())
    return _add(config, source, work, start, paused)


def adopt(trainer, source, test_set):
    """Go on with a training that was paused and saved; it stands still until it is resumed."""
    return _add(trainer.config, source, Job(trainer, test_set, watcher()), None, paused=True)


def _add(config, source, work, start, paused):
    number = st.session_state["runs_started"] = st.session_state.get("runs_started", 0) + 1
    run = Run(number, f"Run {number}", config, source, work, start)
    everything().append(run)
    del everything()[:-MAX_RUNS]
    show(run)
    work.start(paused=paused)
    return run


def remove(run):
    """Stop the run and forget it."""
    run.work.stop()
    if run in everything():  # a second click on the same button comes with the same run
        everything().remove(run)


def reset(run):
    """Throw away what the run has learned: the same again, under the same name, paused before its first step."""
    if run not in everything():
        return
    remove(run)
    begin(run.config, run.source, seeds=run.seeds, start=run.start, paused=True).name = run.name


def watcher():
    """A function, safe to call from any thread, that says whether this session's browser is still connected."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    instance, session_id = runtime.get_instance(), context.session_id
    return lambda: instance.is_active_session(session_id)
