"""Uploading a network, to draw with and train further, or a paused training, to continue."""

import io
import zipfile
from dataclasses import replace
from pathlib import PurePath

import streamlit as st

import engine
from engine import Config, InklingError, Network
from engine.checkpoint import CheckpointError, OtherDataError
from engine.losses import LOSSES
from engine.network import image_shape
from ui import compat, datasets, runs
from ui.formatting import escape_markdown
from ui.networks import upload_label
from ui.run import check_reads_images
from ui.state import expander, report_error, session, set_value, value
from ui.train.config_form import fill
from ui.translation import _
from ui.visitor import workspace

MAX_NAME = 100  # characters
MAX_UPLOADS = 10  # networks in a workspace


def upload_form() -> None:
    """The form for files, folded away."""
    with expander(_("Continue from a file"), ":material/upload:", "upload_open"):
        st.file_uploader(
            _("A network or a paused training (.npz)"),
            "npz",
            key="upload",
            on_change=_upload,  # before the settings are shown, which it may change
            help=_("A file saved by Inkling, here or elsewhere. A plain file of arrays W1, b1, W2, b2, ... works, too."),
        )
        if result := session().upload_result:
            st.caption(escape_markdown(result))


def _upload() -> None:
    file = st.session_state["upload"]
    if compat.was_dropped(file):
        return
    session().upload_result, session().error = "", None
    if file is not None:
        try:
            session().upload_result = open_upload(file.name, file.getvalue())
        except InklingError as error:
            unreadable = isinstance(error, CheckpointError) and not isinstance(error, OtherDataError)
            report_error(_("This isn't an Inkling .npz file.") if unreadable else error)
        finally:
            compat.drop_upload(file)


def open_upload(name: str, content: bytes) -> str:
    """Add the network or paused training to this session; return in words what can be done with it."""
    file = io.BytesIO(content)
    if not is_training(content):
        return _add_network(PurePath(name).stem[:MAX_NAME], engine.load(file))
    if runs.active_run():
        raise InklingError(_("A training is running. Stop it first, then upload again."))
    run = runs.continue_training(content, value("source"))
    text = _("{run} is the paused training from {file}. Press Resume to continue exactly where it stopped.")
    return text.format(run=run.name, file=name)


def is_training(content: bytes) -> bool:
    """Whether a file is a paused training: only these store the order of the images."""
    try:
        return "order.npy" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    except Exception:  # a broken archive can make zipfile raise nearly anything
        return False


def _add_network(name: str, network: Network) -> str:
    check_reads_images(network)
    if len(workspace().networks.keys() - {name}) >= MAX_UPLOADS:
        text = _("There is room for {count} uploaded networks. Delete one on the page My work.")
        raise InklingError(text.format(count=MAX_UPLOADS))
    workspace().add_network(name, network)
    try:
        fill(_config(network), name)
    except InklingError as error:
        text = _("You can draw with {name} on the Draw page. It cannot be trained further here: {error}.")
        return text.format(name=name, error=error)
    if len(datasets.class_names(value("source"))) != len(network.class_names):
        text = _("You can draw with {name} on the Draw page. To train it further, choose data with its classes first.")
        return text.format(name=name)
    set_value("starting_weights", upload_label(name))
    return _("You can draw with {name} on the Draw page. Press Start to train it further.").format(name=name)


def _config(network: Network) -> Config:
    """The configuration that trains this network further; raises ``InklingError`` if the settings on the page cannot."""
    if network.input_shape != image_shape(network.layers):
        raise InklingError(f"it takes its images in the shape {network.input_shape}")
    if saved := network.info.get("config"):
        config = Config.from_json(saved)
    else:
        config = Config(loss=next(name for name, loss in LOSSES.items() if loss.output == network.output))
    return replace(config, layers=tuple(network.layers), input_shape=network.input_shape)
