"""Bringing something back: settings from a link, a network or a paused training from a file."""

import io
import zipfile
from dataclasses import replace
from math import prod
from pathlib import PurePath

import streamlit as st

import engine
from engine import Config, InklingError
from engine.data import SOURCES
from engine.losses import LOSSES
from engine.network import IMAGE_SHAPE
from ui import data, kept, runs, session
from ui.settings import fill

MOST = 10  # uploaded networks in a session


def open_link():
    """Set the page up as the address says, once for each address; what is wrong with it is said in one line."""
    text = st.query_params.get("config")
    if text is None or st.session_state.get("opened link") == text:
        return
    st.session_state["opened link"] = text
    source = st.query_params.get("data")
    try:
        fill(Config.from_link(text), "the link", source if source in SOURCES else None)
    except InklingError as error:
        st.session_state["problem"] = f"This link holds no settings: {error}"


def upload():
    """A place for files."""
    with st.expander("Go on from a file", icon=":material/upload:"):
        st.file_uploader(
            "A network or a paused training (.npz)",
            "npz",
            key="upload",
            on_change=_take,  # before the settings are drawn, which it may change
            help="What Inkling has saved, here or elsewhere; also a plain file of arrays W1, b1, W2, b2, ...",
        )
        if line := st.session_state.get("taken as"):
            st.caption(line)


def _take():
    file = st.session_state["upload"]
    st.session_state["taken as"] = ""
    if file is not None:
        try:
            st.session_state["taken as"] = take(file.name, file.getvalue())
        except InklingError as error:
            st.session_state["problem"] = f"{error}"


def take(name, content):
    """Take over an uploaded file; returns what was made of it, in words."""
    if is_training(content):
        source = kept.value("source")
        if runs.active():
            raise InklingError("a training is under way: stop it first, then upload again")
        train_set, test_set = data.load(source)
        run = runs.adopt(engine.load_training(_named(name, content), train_set), source, test_set)
        return f"{run.name} is the paused training {name}: Resume goes on exactly where it stopped."
    network = engine.load(_named(name, content))
    if prod(network.input_shape) != prod(IMAGE_SHAPE):
        raise InklingError(f"{name} must take images of 28 x 28 pixels, and takes inputs of shape {network.input_shape}")
    config = network.info.get("config")
    loss = next(loss for loss in LOSSES if LOSSES[loss].output == network.output)
    config = replace(Config.from_json(config) if config else Config(loss=loss), layers=tuple(network.layers))
    label = PurePath(name).stem
    if len(session.uploaded().keys() - {label}) >= MOST:
        raise InklingError(f"there is room for {MOST} uploaded networks in a session: open the page anew to upload others")
    fill(config, label)
    session.uploaded().pop(label, None)  # the newest is the last of the list
    session.uploaded()[label] = network
    kept.put("start", f"Uploaded: {label}")
    return f"{label} can be drawn with on the Draw page; Start goes on training from its weights."


def is_training(content):
    """Whether a file is a paused training: only that has an order of the images."""
    try:
        return "order.npy" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile:
        return False


def _named(name, content):
    file = io.BytesIO(content)
    file.name = name
    return file
