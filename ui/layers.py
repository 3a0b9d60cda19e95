"""Building a network layer by layer: each with its own settings, what comes out of it, and how many parameters it has."""

from dataclasses import dataclass, fields, replace
from itertools import count
from math import prod

import streamlit as st

from engine import InklingError
from engine.activations import ACTIVATIONS
from engine.initializers import INITIALIZERS
from engine.layers import LAYERS, Activation, AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D
from engine.network import image_shape, plan
from ui import kept, words
from ui.knobs import NOTHING, put, taken

NEW = (Dense(64), Activation("relu"), Conv2D(8), MaxPool2D(), AvgPool2D(), Flatten(), BatchNorm(), Dropout(0.2))
NEW = {layer.kind: layer for layer in NEW}
MAIN = {"dense": "units", "activation": "function", "conv2d": "filters", "max_pool2d": "size", "avg_pool2d": "size"}
MAIN |= {"dropout": "rate"}  # the setting that stands in the row itself
INITIAL = "he_* suits ReLU, glorot_* and lecun_* suit sigmoid and tanh; from zeros nothing can be learned."
ABOUT = {
    "units": ("Units", "How many features this layer can look for at once.", 1, 4_096),
    "filters": ("Filters", "How many small patterns it looks for, everywhere in the image.", 1, 512),
    "kernel": ("Kernel", "The side of the patterns, in pixels.", 1, 28),
    "size": ("Window", "The side of the windows of which only one number is kept.", 1, 28),
    "stride": ("Stride", "Pixels from one window to the next.", 1, 28),
    "padding": ("Padding", "Rows of zeros around the image; less than the kernel.", 0, 27),
    "rate": ("Rate", "The part of the numbers that is left out at random, against learning by heart.", 0.0, 0.95),
    "momentum": ("Momentum", "How fast the running mean and variance follow each batch's.", 0.0, 1.0),
    "epsilon": ("Epsilon", "Added to the variance, so that nothing is divided by zero.", 1e-9, 1.0),
}


@dataclass
class Block:
    """A layer in the builder; its ``number`` stays with it when it moves. Not ``sound``: its latest settings cannot be."""

    number: int
    layer: Layer
    sound: bool = True


def fill(layers):
    """Have the builder hold these layers."""
    numbers = st.session_state.setdefault("block numbers", count())
    kept.forget("layer ")
    st.session_state["blocks"] = [Block(next(numbers), layer) for layer in layers]


def summary():
    """The network in a few words."""
    return words.layers([block.layer for block in st.session_state["blocks"]])


def builder():
    """Show the layers, to change; returns them, or None where they cannot work, having said why."""
    blocks = st.session_state["blocks"]
    with st.container(key="builder", gap="xsmall"):
        st.caption("Each layer: → what comes out of it · how many parameters it has.")
        slots = [_row(block, blocks) for block in blocks]
        _add(blocks)
    return built(slots)


def built(slots=None):
    """The layers, with what comes out of each shown in ``slots``; None where they do not fit, having said which."""
    blocks = st.session_state["blocks"]
    layers = tuple(block.layer for block in blocks)
    for end in range(1, len(layers) + 1):
        try:
            last = plan(layers[:end], image_shape(layers))[-1]
        except InklingError as error:
            st.error(f"These do not fit: {error}.", icon=":material/link_off:")
            return None
        if slots:
            size = sum(map(prod, last.parameters.values()))
            slots[end - 1].html(_label(end, layers[end - 1], last.output, size))
    if all(block.sound for block in blocks):
        return layers
    if not slots:
        st.error("A layer's settings cannot be: it says which, unfolded.", icon=":material/error:")
    return None


def _label(position, layer, output, parameters):
    shape = " x ".join(map(str, output))
    count = f" · {parameters:,}" if parameters else ""
    frozen = " · frozen" if layer.frozen else ""
    return (
        f'<div class="inkling-layer"><b>{position} {words.LAYERS[layer.kind]}</b>'
        f'<small title="What comes out of it, and its parameters">→ {shape}{count}{frozen}</small></div>'
    )


def _row(block, blocks):
    """One layer's row; returns the place for what is only known when the layers before it are."""
    kind, main = block.layer.kind, MAIN.get(block.layer.kind)
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        slot = st.empty()
        slot.html(f'<div class="inkling-layer"><b>{words.LAYERS[kind]}</b><small>&nbsp;</small></div>')
        values = {main: _field(block, main, in_row=True)} if main else {}
        with st.popover("", icon=":material/tune:", key=f"more of layer {block.number}", on_change="rerun") as more:
            if more.open:
                values |= _more(block, blocks, main)
    try:
        block.layer, block.sound = replace(block.layer, **values), True
    except InklingError as error:
        block.sound = False
        st.error(f"{words.LAYERS[kind]}: {error}.")
    return slot


def _more(block, blocks, main):
    """The rest of a layer's settings, and where it stands."""
    place = blocks.index(block)
    names = [field.name for field in fields(block.layer) if field.name not in (main, "frozen")]
    values = {name: _field(block, name) for name in names}
    if block.layer.kind in ("dense", "conv2d", "batch_norm"):
        key = kept.key(f"layer {block.number} frozen", block.layer.frozen)
        values["frozen"] = st.toggle("Frozen", key=key, help="Keeps its parameters as they are while the others train.")
    with st.container(horizontal=True):
        for icon, name, change, possible in (
            ("arrow_upward", "Up", lambda: _move(blocks, place, -1), place > 0),
            ("arrow_downward", "Down", lambda: _move(blocks, place, 1), place < len(blocks) - 1),
            ("delete", "Remove", lambda: blocks.pop(place), len(blocks) > 1),
        ):
            key = f"{name} layer {block.number}"
            st.button(name, icon=f":material/{icon}:", key=key, on_click=change, disabled=not possible)
    return values


def _field(block, name, in_row=False):
    """A widget for one field of the layer; returns its value."""
    present = getattr(block.layer, name)
    look = {"key": kept.key(f"layer {block.number} {name}", put(present))}
    if in_row:
        look |= {"label_visibility": "collapsed", "width": 118}
    if name == "function":
        return st.selectbox("Function", ACTIVATIONS, help="What each unit does to its sum.", **look)
    if name == "initializer":
        return st.selectbox("First weights", INITIALIZERS, help=INITIAL, **look)
    if name == "stride" and block.layer.kind != "conv2d":
        sizes = [NOTHING, *sorted({1, 2, 3, 4, *filter(None, [present])})]
        look |= {"format_func": lambda size: str(size) or "as the window", "help": ABOUT["stride"][1]}
        return taken(st.selectbox("Stride", sizes, **look))
    label, help, low, high = ABOUT[name]
    step = 1 if isinstance(low, int) else 0.05 if name == "rate" else None
    form = "%g" if isinstance(low, float) else None
    return st.number_input(label, low, max(high, present), step=step, format=form, help=help, **look)


def _move(blocks, place, by):
    blocks.insert(place + by, blocks.pop(place))


def _add(blocks):
    """A new layer goes before the last one, which gives the ten outputs."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.selectbox(
            "A new layer",
            list(LAYERS),
            format_func=words.LAYERS.get,
            key=kept.key("new layer", "dense"),
            help="It is put before the last layer, which gives the ten outputs; move it from there.",
        )
        st.button("Add", icon=":material/add:", on_click=_insert, args=(blocks, kind), key="add layer")


def _insert(blocks, kind):
    number = next(st.session_state["block numbers"])
    blocks.insert(len(blocks) - 1, Block(number, replace(NEW[kind])))
