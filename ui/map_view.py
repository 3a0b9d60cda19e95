"""A map of images: a point for each, coloured by its class, to pan, zoom and point at (``map.js``).

The Draw page adds the visitor's drawing, and threads from it to the training images nearest to it.
"""

import base64
from collections.abc import Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st
from cachetools import LRUCache, cached

from engine import Dataset, InklingError, Network
from engine.layers import Dropout, summary
from engine.projection import PIXELS, last_hidden, num_features, share_near_own_centre
from ui import compat, datasets, images, own_data, state
from ui.class_names import short
from ui.components import make_component
from ui.formatting import number, percent
from ui.translation import _, ngettext

MAX_IMAGES = 2_000  # of a map
MAX_FEATURES = 4_096  # of a layer: the features of all images are in memory, more than once
TILES_PER_ROW = 50  # of the picture with all images
MAX_SHEETS = 4  # of these pictures in memory, for all visitors
LARGEST = 32_000  # coordinate in a message
ROOM = 1.5  # times as far as the farthest image: there may a drawing be
# For the light and the dark theme, far apart for colour-blind people, too: see tests/ui/test_map_view.py.
COLOURS = (
    ("#b004b7", "#db06be"),
    ("#7a1509", "#e6b206"),
    ("#113bfe", "#6e68fe"),
    ("#fd43b8", "#ff7db2"),
    ("#49a55d", "#709b5c"),
    ("#11474b", "#4bfff7"),
    ("#ae73fd", "#33b8fd"),
    ("#cd1103", "#c21f00"),
    ("#896a71", "#66627d"),
    ("#601189", "#affd12"),
)
HTML = """<section class="inkling-map"><div class="parts"><div class="legend" role="group"></div><div class="spot">
<div class="field" tabindex="0" role="application"><canvas aria-hidden="true"></canvas><canvas aria-hidden="true"></canvas>
<figure class="tip" hidden><canvas width="56" height="56" aria-hidden="true"></canvas><figcaption></figcaption></figure>
<div class="zoom"></div></div></div><div class="beside"><p class="about"></p><p class="lies"></p><div class="near"></div>
<p class="hint"></p></div></div><p class="inkling-spoken" role="status"></p></section>"""


class Frame(NamedTuple):
    """Points on a map, times ``scale``, are the browser's whole numbers."""

    scale: float

    @classmethod
    def around(cls, points: npt.NDArray) -> "Frame":
        """The frame of points (N, 2) whose mean is zero."""
        return cls(LARGEST / ROOM / max(float(np.abs(points).max()), 1e-12))

    def fit(self, points: npt.NDArray) -> npt.NDArray[np.int16]:
        """Points (N, 2) in the browser's coordinates; those that are too far away are at its edge."""
        return np.clip(np.nan_to_num(points * self.scale), -LARGEST, LARGEST).astype(np.int16)


class MapImages:
    """At most ``MAX_IMAGES`` images of a data set, always the same ones, evenly spread over it."""

    def __init__(self, dataset: Dataset) -> None:
        rows = np.linspace(0, len(dataset) - 1, min(len(dataset), MAX_IMAGES)).astype(int)
        self.images, self.labels = dataset.take(rows)
        self.key = dataset.fingerprint()["sha256"]


def local_data(source: str) -> tuple[Dataset, Dataset]:
    """The train and test sets of ``source``; raises ``InklingError`` if they are not here: a map downloads nothing."""
    if not own_data.is_own(source) and not datasets.is_local(source):
        raise InklingError(_("MNIST's images are not on this machine. Start a training on MNIST: it downloads them."))
    return datasets.load(source)


_sheets: LRUCache[str, bytes] = LRUCache(MAX_SHEETS)


@cached(_sheets, key=lambda shown: shown.key, lock=Lock())
def sheet(shown: MapImages) -> bytes:
    """All images as one PNG, in rows of ``TILES_PER_ROW``."""
    num_rows = -(-len(shown.images) // TILES_PER_ROW)
    tiles = np.zeros((num_rows * TILES_PER_ROW, 28, 28), np.uint8)
    tiles[: len(shown.images)] = shown.images
    tiles = tiles.reshape(num_rows, TILES_PER_ROW, 28, 28).transpose(0, 2, 1, 3)
    return images.png(tiles.reshape(num_rows * 28, TILES_PER_ROW * 28))


def choose_layer(network: Network) -> int:
    """Choose the layer whose outputs make the map; returns its position.

    Layers with weights are offered with those that follow them, up to the next with weights. At first it is the last hidden
    one, or the nearest to it that has few enough features.
    """
    layers, default = network.layers, last_hidden(network)
    starts = [position for position, layer in enumerate(layers) if hasattr(layer, "W")]
    labels = {PIXELS: _("The pixels of the image")}
    for start, stop in pairwise(starts):
        part = summary([layer for layer in layers[start:stop] if not isinstance(layer, Dropout)])
        text = _("Layer {first} · {part}") if stop == start + 1 else _("Layers {first} to {last} · {part}")
        labels[stop - 1] = text.format(first=start + 1, last=stop, part=part)
    if default > PIXELS and default in labels:
        labels[default] = _("Last hidden: {layer}").format(layer=labels[default])
    labels[len(layers) - 1] = _("The scores")
    offered = [position for position in labels if num_features(network, position) <= MAX_FEATURES]
    default = min(offered, key=lambda position: abs(position - default))
    return st.selectbox(
        _("Layer"),
        offered,
        format_func=labels.__getitem__,
        width=420,
        help=_("What this layer gives for an image decides where its dot lies."),
        **state.keep(f"map layer {labels}", default),  # other layers: another choice
    )


def show_map(
    shown: MapImages,
    points: npt.NDArray,
    predicted: npt.NDArray,
    names: Sequence[str],
    about: str,
    key: str,
    drawing: dict[str, Any] | None = None,
    invitation: str = "",
) -> None:
    """Show the map with images at these points (N, 2), whose mean is zero; ``about`` says in sentences what it shows.

    ``drawing`` is the message of ``place_drawing``; without it there is an ``invitation`` to draw.
    """
    arrays = {"points": Frame.around(points).fit(points), "labels": shown.labels, "predicted": predicted}
    data = {name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()}
    data |= {
        "sheet": compat.media_url(sheet(shown), key),
        "across": TILES_PER_ROW,
        "names": [short(name) for name in names],
        "colours": [f"light-dark({light}, {dark})" for light, dark in COLOURS],
        "about": about,
        "drawing": drawing,
        "texts": {
            "legend": _("Show only one of them"),
            "map": _("Map of images. Arrow keys move it, plus and minus zoom, 0 shows all of it."),
            "hint": _("Drag the map to move it. Press it once, and the wheel zooms. Point at a dot to see its image."),
            "in": _("Zoom in"),
            "out": _("Zoom out"),
            "all": _("Show the whole map"),
            "wrong": _("{name}, read as {other}"),
            "empty": invitation,
        },
    }
    make_component("map", HTML)(data=data, key=key)


def place_drawing(at: npt.NDArray, text: str, spoken: str = "", near: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The message of a drawing at a point (2,) in the browser's coordinates. A screen reader reads out the ``spoken`` text.

    ``near`` are the images nearest to it: dicts with ``at``, ``label``, ``name`` and ``src``, an image's address.
    """
    return {"at": at.tolist(), "text": text, "spoken": spoken, "near": list(near)}


def together(text: str) -> str:
    """The text, not to be broken into lines."""
    return text.replace(" ", "\u00a0")


def describe(shown: MapImages, points: npt.NDArray) -> str:
    """What the dots are, and how well the classes stand apart, in sentences."""
    count = len(shown.images)
    share = together(percent(share_near_own_centre(points, shown.labels)))
    dots = ngettext("Each dot is one of {count} test image.", "Each dot is one of {count} test images.", count)
    middle = _("{share} of them lie nearest to the middle of their own class.")
    return f"{dots.format(count=number(count))} {middle.format(share=share)}"
