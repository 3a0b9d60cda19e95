"""Inside the network: what each layer computes for the drawing, and which pixels drive its strongest units."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network, prepare
from engine.layer_outputs import Unit, activity, strongest_units
from engine.layers import Dropout, Layer, summary
from ui import images

NUM_UNITS = 8  # of a dense layer, the strongest
MAX_MAPS = 32
MIN_MAP_SIZE = 24  # pixels; smaller feature maps are enlarged to at least half of it
UNITS_PER_ROW = 64


class Block(NamedTuple):
    """The layers from ``start`` to ``stop`` (exclusive), shown as one by the output of the layer at ``shown``."""

    start: int
    stop: int
    shown: int


def show(network: Network, image: npt.NDArray[np.uint8]) -> None:
    """The panel."""
    seen = prepare(image)
    outputs = activity(network, seen)
    st.caption(
        "From the pixels to the ten scores. Each unit weighs and adds up everything from the layer before it. The pictures "
        "show which pixels of this drawing raise a unit (red) and which lower it (blue)."
    )
    for number, block in enumerate(blocks(network.layers, [output.values for output in outputs]), start=1):
        values, is_last = outputs[block.shown].values, block.stop == len(network.layers)
        layers = [layer for layer in network.layers[block.start : block.stop] if not isinstance(layer, Dropout)]
        title = f"<b>Layer {number} · {summary(layers)}</b><small>{describe(values, is_last)}</small>"
        if values.ndim == 3:
            content = _feature_maps(values)
        else:
            units = _units(strongest_units(network, seen, block.shown, NUM_UNITS), "" if is_last else "unit ")
            content = units if is_last else _strip(values) + units
        st.html(f'<p class="inkling-part">{title}</p>{content}')


def blocks(layers: Sequence[Layer], values: Sequence[npt.NDArray]) -> list[Block]:
    """The blocks to show: each has a layer with weights and those that follow it, up to the next with weights.

    Layers before the first with weights are a block if they make feature maps. ``values`` are the outputs of the layers.
    """
    starts = [position for position, layer in enumerate(layers) if hasattr(layer, "W")]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    result = []
    for start, stop in zip(starts, [*starts[1:], len(layers)], strict=True):
        maps = [position for position in range(start, stop) if values[position].ndim == 3]
        if maps or stop == len(layers) or hasattr(layers[start], "W"):
            result.append(Block(start, stop, maps[-1] if maps else stop - 1))
    return result


def describe(values: npt.NDArray, is_last: bool) -> str:
    """What a block computes, in one line."""
    active = values > 0
    if values.ndim == 3:
        count, height, width = values.shape
        return (
            f"{count} maps of {height} x {width}: each shows where in the drawing its pattern appears; brighter is a better "
            f"match. {int(active.any(axis=(1, 2)).sum())} of them match somewhere."
        )
    if is_last:
        return f"The {len(values)} scores, highest first. The probabilities are computed from these."
    return f"{len(values):,} units, {int(active.sum()):,} of them above zero. All of them, and the {NUM_UNITS} strongest:"


def _feature_maps(values: npt.NDArray) -> str:
    shown = values[:MAX_MAPS]
    if shown.min() < 0:
        coloured = images.red_and_blue(shown)
    else:
        grey = 255 * shown / max(float(shown.max()), 1e-12)
        coloured = np.repeat(np.nan_to_num(grey)[..., None], 3, axis=-1).astype(np.uint8)
    times = max(1, MIN_MAP_SIZE // shown.shape[-1])
    large = coloured.repeat(times, axis=1).repeat(times, axis=2)
    first = "" if len(shown) == len(values) else f"the first {MAX_MAPS} of "
    strongest = int(values.max(axis=(1, 2)).argmax()) + 1
    return (
        f'<figure class="inkling-weights"><img src="{images.url(images.sheet(large))}" '
        f'alt="Sheet of {first}{len(values)} feature maps; map {strongest} is the strongest">'
        f"{f'<figcaption>{first.capitalize()}{len(values)}.</figcaption>' if first else ''}</figure>"
    )


def _strip(values: npt.NDArray) -> str:
    """Every unit as a small square, in rows of 64."""
    squares = np.zeros(-(-len(values) // UNITS_PER_ROW) * UNITS_PER_ROW, np.float32)
    squares[: len(values)] = values
    picture = images.red_and_blue(squares.reshape(-1, UNITS_PER_ROW)[:, : min(UNITS_PER_ROW, len(values))])
    alt = f"The values of all {len(values)} units, from {values.min():.2f} to {values.max():.2f}"
    return f'<img class="inkling-strip" src="{images.url(picture)}" alt="{alt}">'


def _units(units: Sequence[Unit], prefix: str) -> str:
    figures = (
        f'<figure><img src="{images.url(images.red_and_blue(unit.weights))}" '
        f'alt="{prefix}{unit.index}, {unit.value:.2f}: the pixels that raise and lower it">'
        f"<figcaption><b>{prefix}{unit.index}</b><br><small>{unit.value:.2f}</small></figcaption></figure>"
        for unit in units
    )
    return images.digits(figures, "eight")
