"""The networks that a visitor can choose: the shipped ones, those that were uploaded, and this session's runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

import engine
from engine.jobs import JobState
from engine.layers import Layer
from engine.network import image_shape
from ui import runs
from ui.class_names import reads_digits
from ui.formatting import percent
from ui.run import Run
from ui.translation import N_, _
from ui.visitor import workspace

PRETRAINED = Path(__file__).parent.parent / "pretrained"
SHIPPED_LABELS = {
    "cnn": N_("Inkling's best network (convolutional, {accuracy})"),
    "mlp": N_("Inkling's dense network ({accuracy})"),
}


TRAINED = (JobState.FINISHED, JobState.STOPPED)


@dataclass(frozen=True)
class Candidate:
    """A network to choose; ``status`` says in words what may change about it, since a select box's labels must not.

    The network and its status are loaded when they are needed, since those of a run may have to be read from the store.
    """

    label: str
    load: Callable[[], tuple[engine.Network, str]]

    @cached_property
    def _loaded(self) -> tuple[engine.Network, str]:
        return self.load()

    @property
    def network(self) -> engine.Network:
        return self._loaded[0]

    @property
    def status(self) -> str:
        return self._loaded[1]


@cache
def shipped_networks() -> tuple[dict[str, engine.Network], list[str]]:
    """The networks in ``pretrained/`` by name, the best first, and a line for each file that could not be read."""
    networks, problems = {}, []
    for path in sorted(PRETRAINED.glob("*.npz")):
        try:
            networks[path.stem] = engine.load(path)
        except engine.InklingError as error:
            problems.append(str(error))
    best_first = sorted(networks, key=lambda name: _test_accuracy(networks[name]), reverse=True)
    return {name: networks[name] for name in best_first}, problems


def _test_accuracy(network: engine.Network) -> float:
    metrics = network.info.get("metrics")
    return (metrics.get("test_accuracy") if isinstance(metrics, dict) else None) or 0


def shipped_label(name: str, network: engine.Network) -> str:
    """The name of a shipped network on the page."""
    accuracy = percent(_test_accuracy(network), 2)
    return _(SHIPPED_LABELS[name]).format(accuracy=accuracy) if name in SHIPPED_LABELS else f"{name} ({accuracy})"


def upload_label(name: str) -> str:
    """The key of an uploaded network, in any language."""
    return f"Uploaded: {name}"


def candidates() -> dict[str, Candidate]:
    """Every network to draw with, by key."""
    choices = {
        name: Candidate(shipped_label(name, network), lambda network=network: (network, ""))
        for name, network in shipped_networks()[0].items()
    }
    for name, network in workspace().networks.items():
        choices[upload_label(name)] = Candidate(
            _("Uploaded: {name}").format(name=name), lambda network=network: (network, "")
        )
    for run in runs.all_runs():
        if not run.state.is_over or run.state in TRAINED:
            choices[run.key] = Candidate(run.name, lambda run=run: _load(run))
    return choices


def digit_candidates() -> dict[str, Candidate]:
    """The networks that read digits, by key."""
    return {key: candidate for key, candidate in candidates().items() if reads_digits(candidate.network)}


def _load(run: Run) -> tuple[engine.Network, str]:
    """The network of a run, and its status; a network of NaNs if it cannot be read."""
    snapshot = run.snapshot()
    if not snapshot.is_over:
        doing = {JobState.PAUSED: _("paused, in epoch {epoch}"), JobState.QUEUED: _("waiting, in epoch {epoch}")}
        status = doing.get(snapshot.state, _("still training, in epoch {epoch}"))
        return snapshot.network, status.format(epoch=snapshot.epoch)
    if snapshot.state is JobState.FAILED:
        nothing = snapshot.network.copy()
        nothing.state_vector[:] = np.nan
        return nothing, _("it cannot be read now")
    right = _("{percent} of the test images right")
    return snapshot.network, right.format(percent=percent(snapshot.test.accuracy)) if snapshot.test else ""


def start_label(key: str) -> str:
    """The name on the page of one of the ``starting_networks``."""
    shipped = shipped_networks()[0]
    uploaded = {upload_label(name): name for name in workspace().networks}
    if key in uploaded:
        return _("Uploaded: {name}").format(name=uploaded[key])
    return shipped_label(key, shipped[key]) if key in shipped else key


def starting_networks(layers: tuple[Layer, ...]) -> dict[str, engine.Network]:
    """The networks of exactly these layers, by key: a training can begin with their weights."""
    shape = image_shape(layers)
    named = {**shipped_networks()[0]}
    named |= {upload_label(name): network for name, network in workspace().networks.items()}
    for run in runs.all_runs():
        if run.state in TRAINED and run.config.layers == layers and run.config.input_shape in (None, shape):
            snapshot = run.snapshot()
            if snapshot.state in TRAINED:  # it can be read
                named[run.name] = snapshot.network
    return {
        name: network for name, network in named.items() if network.layers == list(layers) and network.input_shape == shape
    }
