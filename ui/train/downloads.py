"""Downloads of what a run has made, and its settings as a link."""

import csv
import io
import re
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import streamlit as st

import engine
from engine.jobs import JobState, Snapshot
from engine.layers import summary
from engine.training import EpochEnd
from ui import images, own_data, state
from ui.formatting import escape_markdown
from ui.run import Run
from ui.train.links import link
from ui.translation import N_, _


def save_and_share(run: Run, snapshot: Snapshot) -> None:
    """The panel. Each file is made when its button is pressed."""
    paused = snapshot.state is JobState.PAUSED
    name = re.sub(r"\W+", "-", run.name.lower())
    with st.container(horizontal=True):
        help = _("For Inkling, on this page or from Python.")
        _button(N_("Network"), f"{name}.npz", lambda: network_file(run, snapshot), help)
        help = _("The whole training, to continue exactly from here, on another day or another machine.")
        _button(
            N_("Paused training"),
            f"{name}-paused.npz",
            run.series.paused_training,
            help if paused else f"{help} {_('Pause it first.')}",
            disabled=not paused,
        )
        _button(N_("Metrics (CSV)"), f"{name}.csv", lambda: metrics_csv(snapshot), _("One row for each epoch."))
        title = f"{run.name}: {summary(run.config.layers)}"
        smooth, log = state.value("smooth", False), state.value("log_loss", False)  # as the page shows them
        for form, label in (("png", N_("Curves (PNG)")), ("svg", N_("Curves (SVG)"))):
            draw = partial(images.curves, snapshot, title, form, smooth, log)
            _button(label, f"{name}.{form}", draw, _("Loss and accuracy, for print."))
        if find_spec("onnx"):
            help = _("For onnxruntime, browsers, phones, other frameworks.")
            _button("ONNX", f"{name}.onnx", lambda: _onnx(snapshot), help)
    st.caption(_("These settings as a link: it opens this page with the same settings."))
    try:
        st.code(link(run, st.context.url or ""), language=None, wrap_lines=True)
    except engine.InklingError as error:
        st.caption(escape_markdown(f"{error}."))


def _button(label: str, file_name: str, make: Callable[[], bytes | str], help: str, disabled: bool = False) -> None:
    icon, key = ":material/download:", f"download {label}"
    st.download_button(_(label), make, file_name, key=key, help=help, icon=icon, on_click="ignore", disabled=disabled)


def network_file(run: Run, snapshot: Snapshot) -> bytes:
    """The network as a ``.npz`` file."""
    file = io.BytesIO()
    metrics = {"test_accuracy": snapshot.test.accuracy} if snapshot.test else {}
    engine.save(file, snapshot.network, metrics=metrics, data=own_data.label(run.source))
    return file.getvalue()


def metrics_csv(snapshot: Snapshot) -> str:
    """The results of all epochs as CSV."""
    file = io.StringIO()
    csv.writer(file).writerows([EpochEnd._fields, *snapshot.history])
    return file.getvalue()


def _onnx(snapshot: Snapshot) -> bytes:
    from engine.export_onnx import to_onnx  # needs a package that running the app does not

    return to_onnx(snapshot.network)
