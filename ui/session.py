"""What a visitor's session holds beside its trainings: the page it is on, and networks to choose from."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

import engine
from ui import runs

PRETRAINED = Path(__file__).parent.parent / "pretrained"


def come_to(page):
    """Note a page switch: to be called at the top of every run of the script, with the page's title."""
    state = st.session_state
    state["page_switched"] = state.get("page_switched", False) or state.get("page") != page
    state["page"] = page


def page_switched():
    """Whether this run is the first one on its page; says so once, since later runs of a fragment are on the same page."""
    return st.session_state.pop("page_switched", False)


def surface_changed():
    """Have this page's surface to draw on shown as after a page switch: it has given way to another one, or comes back."""
    st.session_state["page_switched"] = True


def uploaded():
    """The networks that were uploaded in this session, by name."""
    return st.session_state.setdefault("uploaded", {})


@st.cache_resource(show_spinner=False)
def shipped_networks():
    """The networks in ``pretrained/`` by name, the best first; a broken file is left out and named in the second value."""
    networks, problems = {}, []
    for path in sorted(PRETRAINED.glob("*.npz")):
        try:
            networks[path.stem] = engine.load(path)
        except engine.InklingError as error:
            problems.append(str(error))
    best_first = sorted(networks, key=lambda name: _test_accuracy(networks[name]), reverse=True)
    return {name: networks[name] for name in best_first}, problems


def _test_accuracy(network):
    metrics = network.info.get("metrics")
    return (metrics.get("test_accuracy") if isinstance(metrics, dict) else None) or 0


class Candidate(NamedTuple):
    """A network to draw with; ``state`` is what may change about it, in words, since a select box's labels must not."""

    network: engine.Network
    label: str
    state: str = ""


def networks():
    """Every ``Candidate`` by name: the shipped networks, then this session's."""
    found = {}
    for name, network in shipped_networks()[0].items():
        accuracy = _test_accuracy(network)
        found[name] = Candidate(network, f"Shipped: {name}" + (f" ({accuracy:.2%} on MNIST)" if accuracy else ""))
    found |= {f"Uploaded: {name}": Candidate(network, f"Uploaded: {name}") for name, network in uploaded().items()}
    for run in runs.everything():
        snapshot = run.job.snapshot()
        if not snapshot.over:
            found[run.key] = Candidate(snapshot.network, run.name, f"as it is now, in epoch {snapshot.epoch}")
        elif snapshot.state in ("finished", "stopped"):
            right = f"{snapshot.test.accuracy:.1%} of the test images right" if snapshot.test else ""
            found[run.key] = Candidate(snapshot.network, run.name, right)
    return found


def seen(image):
    """What a network sees of an image of the canvas, (28, 28) in [0, 1]; None where there is no ink, or no image."""
    try:
        return None if image is None else engine.prepare(image)
    except engine.BlankDrawing:
        return None
