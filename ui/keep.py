"""Keeping what a run has made: files to download, and its configuration as a link."""

import csv
import io
from importlib.util import find_spec
from urllib.parse import urlencode

import streamlit as st

import engine
from ui import kept, pictures, words

EPOCH_COLUMNS = (
    "epoch",
    "step",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "samples_per_second",
    "seconds",
)


def keep(run, snapshot):
    """The panel. Each file is made when its button is pressed."""
    name = run.name.lower().replace(" ", "-")
    with st.container(horizontal=True):
        _file("Network", f"{name}.npz", lambda: network(run, snapshot), "To use with Inkling, here or from Python.")
        _file(
            "Paused training",
            f"{name}-paused.npz",
            run.job.paused_training,
            "All of it, to go on exactly from here, another day or elsewhere."
            + ("" if snapshot.state == "paused" else " Pause first."),
            off=snapshot.state != "paused",
        )
        _file("Metrics (CSV)", f"{name}.csv", lambda: metrics(snapshot), "One line for each epoch.")
        for form in ("png", "svg"):
            draw = _curves(run, snapshot, form)
            _file(f"Curves ({form.upper()})", f"{name}.{form}", draw, "Loss and accuracy, fit to print.")
        if find_spec("onnx"):
            _file("ONNX", f"{name}.onnx", lambda: onnx(snapshot), "For onnxruntime, browsers, phones, other frameworks.")
    st.caption("These settings as a link: opening it sets the page up the same.")
    try:
        st.code(link(run, st.context.url or ""), language=None, wrap_lines=True)
    except engine.InklingError as error:
        st.caption(f"{error}.")


def _file(label, name, make, help, off=False):
    icon = ":material/download:"
    st.download_button(label, make, name, key=f"keep {name}", help=help, icon=icon, on_click="ignore", disabled=off)


def network(run, snapshot):
    """The network as the bytes of its ``.npz``."""
    file = io.BytesIO()
    found = {"test_accuracy": snapshot.test.accuracy} if snapshot.test else {}
    engine.save(file, snapshot.network, metrics=found, data=run.source)
    return file.getvalue()


def metrics(snapshot):
    """The ends of the epochs as CSV."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(EPOCH_COLUMNS)
    writer.writerows([getattr(end, column) for column in EPOCH_COLUMNS] for end in snapshot.history)
    return file.getvalue()


def _curves(run, snapshot, form):
    title = f"{run.name}: {words.layers(run.config.layers)}"
    smooth, log = (kept.value(name, False) for name in ("smooth", "log"))  # as the page shows them
    return lambda: pictures.curves(snapshot, title, form, smooth, log)


def onnx(snapshot):
    """The network as the bytes of an ONNX model."""
    from engine.onnx import to_onnx  # needs a package that running the app does not

    return to_onnx(snapshot.network)


def link(run, page):
    """The address, on this ``page``, that sets it up as it was for this run."""
    return f"{page.split('?')[0]}?{urlencode({'data': run.source, 'config': run.config.to_link()})}"
