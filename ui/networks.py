"""The networks that a visitor can choose: the shipped ones, those that were uploaded, and this session's runs."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import engine
from engine.jobs import JobState
from engine.layers import Layer
from engine.network import image_shape
from ui import runs
from ui.formatting import percent
from ui.visitor import workspace

PRETRAINED = Path(__file__).parent.parent / "pretrained"
SHIPPED_LABELS = {"cnn": "Inkling's best network (convolutional, {})", "mlp": "Inkling's dense network ({})"}


class Candidate(NamedTuple):
    """A network to choose; ``status`` says in words what may change about it, since a select box's labels must not."""

    network: engine.Network
    label: str
    status: str = ""


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
    return SHIPPED_LABELS.get(name, f"{name} ({{}})").format(percent(_test_accuracy(network), 2))


def upload_label(name: str) -> str:
    """The name of an uploaded network on the page, and its key."""
    return f"Uploaded: {name}"


def candidates() -> dict[str, Candidate]:
    """Every network to draw with, by key."""
    choices = {name: Candidate(network, shipped_label(name, network)) for name, network in shipped_networks()[0].items()}
    for name, network in workspace().networks.items():
        choices[upload_label(name)] = Candidate(network, upload_label(name))
    for run in runs.all_runs():
        snapshot = run.snapshot()
        if not snapshot.is_over:
            doing = {JobState.PAUSED: "paused", JobState.QUEUED: "waiting"}.get(snapshot.state, "still training")
            choices[run.key] = Candidate(snapshot.network, run.name, f"{doing}, in epoch {snapshot.epoch}")
        elif snapshot.state in (JobState.FINISHED, JobState.STOPPED):
            right = f"{percent(snapshot.test.accuracy)} of the test images right" if snapshot.test else ""
            choices[run.key] = Candidate(snapshot.network, run.name, right)
    return choices


def starting_networks(layers: tuple[Layer, ...]) -> dict[str, engine.Network]:
    """The networks of exactly these layers, by name: a training can begin with their weights."""
    named = {shipped_label(name, network): network for name, network in shipped_networks()[0].items()}
    named |= {upload_label(name): network for name, network in workspace().networks.items()}
    for run in runs.all_runs():
        if run.state in (JobState.FINISHED, JobState.STOPPED):
            named[run.name] = run.snapshot().network
    shape = image_shape(layers)
    return {
        name: network for name, network in named.items() if network.layers == list(layers) and network.input_shape == shape
    }
