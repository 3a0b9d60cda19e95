"""Inside the network: what each layer computes for the drawing, and which pixels drive its strongest units."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network, prepare
from engine.layer_outputs import LayerActivity, Unit, activity, strongest_units, units
from engine.layers import Dropout, Layer, summary
from ui import glossary, images, state
from ui.draw.panels.unit import show_unit
from ui.formatting import number
from ui.translation import N_, _

PICKED = "picked node"  # key of the node to show first: the number of its block, and its own
NUM_UNITS, NUM_SCORES = 8, 10  # the strongest, of a dense layer and of the last one
MAX_MAPS = 32
MIN_MAP_SIZE = 24  # pixels; smaller feature maps are enlarged to at least half of it
UNITS_PER_ROW = 64


PLACES = (  # in a picture, in its three rows
    (N_("at the top left"), N_("at the top centre"), N_("at the top right")),
    (N_("at the middle left"), N_("in the middle"), N_("at the middle right")),
    (N_("at the bottom left"), N_("at the bottom centre"), N_("at the bottom right")),
)


class Block(NamedTuple):
    """The layers from ``start`` to ``stop`` (exclusive), shown as one by the output of the layer at ``shown``."""

    start: int
    stop: int
    shown: int


def show(network: Network, image: npt.NDArray[np.uint8]) -> None:
    """The panel."""
    seen = prepare(image)
    outputs = activity(network, seen)
    parts = blocks(network.layers, [output.values for output in outputs])
    if picked := picked_unit(network, parts, outputs):
        with st.container(key="picked"):
            st.html(_picked(network, seen, parts, outputs, *picked))
            show_unit(network, seen, *picked)
    text = _(
        "From the pixels to the {count} scores. Each unit weighs and adds up everything from the layer before it. The "
        "pictures show which pixels of this drawing raise a unit (red) and which lower it (blue). A black picture belongs "
        "to a unit or a map that is off: it gives 0 for this drawing."
    )
    st.caption(glossary.explain(text.format(count=len(network.class_names))), unsafe_allow_html=True)
    for block in parts:
        values, is_last = outputs[block.shown].values, block.stop == len(network.layers)
        title = f"<b>{layer_numbers(block)} · {_summary(network, block)}</b><small>{describe(values, is_last)}</small>"
        if values.ndim == 3:
            content = _feature_maps(values)
        else:
            figures = _units(
                strongest_units(network, seen, block.shown, _num_units(is_last)), network.class_names if is_last else ()
            )
            content = figures if is_last else _strip(values) + figures
        st.html(f'<p class="inkling-part">{title}</p>{content}')


def _num_units(is_last: bool) -> int:
    return NUM_SCORES if is_last else NUM_UNITS


def layer_numbers(block: Block) -> str:
    """The layers of a block by their places in the network, as the Train page counts them."""
    first, last = block.start + 1, block.stop
    if first == last:
        return _("Layer {number}").format(number=first)
    return _("Layers {first} to {last}").format(first=first, last=last)


def place(pixel: int, shape: Sequence[int]) -> str:
    """Where in a picture of this shape a pixel lies, in words."""
    row, column = divmod(pixel, shape[1])
    return _(PLACES[3 * row // shape[0]][3 * column // shape[1]])


def _summary(network: Network, block: Block) -> str:
    return summary([layer for layer in network.layers[block.start : block.stop] if not isinstance(layer, Dropout)])


def picked_unit(
    network: Network, parts: Sequence[Block], outputs: Sequence[LayerActivity]
) -> tuple[int, tuple[int, ...]] | None:
    """The position of a layer and its unit that was pressed; of a map the highest one. None if there is no such node."""
    part, node = state.value(PICKED) or (-1, -1)
    if not 0 <= part < len(parts):
        return None
    block = parts[part]
    position = len(network.layers) - 1 if block.stop == len(network.layers) else block.shown
    values = outputs[position].values
    if not 0 <= node < len(values):
        return None
    highest = np.unravel_index(np.nan_to_num(values[node]).argmax(), values.shape[1:]) if values.ndim == 3 else ()
    return position, (node, *map(int, highest))


def _picked(
    network: Network,
    seen: npt.NDArray,
    parts: Sequence[Block],
    outputs: Sequence[LayerActivity],
    position: int,
    at: tuple[int, ...],
) -> str:
    """The node that was pressed in the picture of the network, as HTML."""
    part, node = state.value(PICKED)
    block, values = parts[part], outputs[position].values
    is_last = block.stop == len(network.layers)
    where = f"<small>{layer_numbers(block)} · {_summary(network, block)}</small>"
    if values.ndim == 3:
        shape = values.shape[1:]
        pixel = int(np.ravel_multi_index(at[1:], shape))
        (chosen,) = units(network, seen, position, [node * values[node].size + pixel])
        pictures = {
            _("the map: where its pattern appears"): _grey(values[node : node + 1])[0],
            _("the pixels that raise (red) and lower (blue) its highest value"): images.red_and_blue(chosen.weights, seen),
        }
        name = _("Map {number}").format(number=node + 1)
        text = _("Its highest value is {value}, {place}.").format(
            value=number(chosen.value, ".2f"), place=place(pixel, shape)
        )
    else:
        (chosen,) = units(network, seen, position, [node])
        pictures = {_("the pixels that raise (red) and lower (blue) it"): images.red_and_blue(chosen.weights, seen)}
        rank = int((values > chosen.value).sum()) + 1
        name = _("Unit {number}").format(number=node + 1)
        if is_last:
            name = _("The score of {name}").format(name=escape(network.class_names[node]))
        text = _("Its value is {value}: number {rank} of {count}, the highest first.").format(
            value=number(chosen.value, ".2f"), rank=number(rank), count=number(len(values))
        )
    if chosen.value == 0 and not chosen.weights.any():
        text += " " + _("It is off: small changes of the drawing do not change that.")
    figures = "".join(
        f'<figure><img src="{images.url(picture)}" alt="{name}: {title}"><figcaption>{title}</figcaption></figure>'
        for title, picture in pictures.items()
    )
    title = f'<p class="inkling-part"><b>{name}</b>{where}</p>'
    return f'<div class="inkling-picked" data-node="{part},{node}" tabindex="-1">{title}<p>{text}</p>{figures}</div>'


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
        return _(
            "{count} maps of {height} x {width}: each shows where in the drawing its pattern appears; brighter is a better "
            "match. {active} of them match somewhere; a black one matches nowhere."
        ).format(count=count, height=height, width=width, active=int(active.any(axis=(1, 2)).sum()))
    if is_last:
        text = _("The {count} scores, highest first. The probabilities are computed from these.")
        if len(values) > NUM_SCORES:
            text = _("The highest {shown} of {count} scores, highest first. The probabilities are computed from these.")
        return text.format(shown=NUM_SCORES, count=len(values))
    return _("{count} units, {active} of them above zero. All of them, and the {shown} strongest:").format(
        count=number(len(values)), active=number(int(active.sum())), shown=NUM_UNITS
    )


def _feature_maps(values: npt.NDArray) -> str:
    shown = values[:MAX_MAPS]
    coloured = _grey(shown)
    times = max(1, MIN_MAP_SIZE // shown.shape[-1])
    large = coloured.repeat(times, axis=1).repeat(times, axis=2)
    strongest = int(values.max(axis=(1, 2)).argmax()) + 1
    alt, caption = _("Sheet of {count} feature maps; map {strongest} is the strongest"), ""
    if len(shown) < len(values):
        alt = _("Sheet of the first {shown} of {count} feature maps; map {strongest} is the strongest")
        text = _("The first {shown} of {count}.").format(shown=len(shown), count=len(values))
        caption = f"<figcaption>{text}</figcaption>"
    alt = alt.format(shown=len(shown), count=len(values), strongest=strongest)
    url = images.url(images.sheet(large))
    return f'<figure class="inkling-weights"><img src="{url}" alt="{alt}">{caption}</figure>'


def _grey(maps: npt.NDArray) -> npt.NDArray[np.uint8]:
    """Maps (N, H, W) as colours: grey, or red and blue if some values are below zero."""
    if maps.min() < 0:
        return images.red_and_blue(maps)
    grey = 255 * maps / max(float(maps.max()), 1e-12)
    return np.repeat(np.nan_to_num(grey)[..., None], 3, axis=-1).astype(np.uint8)


def _strip(values: npt.NDArray) -> str:
    """Every unit as a small square, in rows of 64."""
    squares = np.zeros(-(-len(values) // UNITS_PER_ROW) * UNITS_PER_ROW, np.float32)
    squares[: len(values)] = values
    picture = images.red_and_blue(squares.reshape(-1, UNITS_PER_ROW)[:, : min(UNITS_PER_ROW, len(values))])
    alt = _("The values of all {count} units, from {least} to {most}").format(
        count=len(values), least=number(values.min(), ".2f"), most=number(values.max(), ".2f")
    )
    return f'<img class="inkling-strip" src="{images.url(picture)}" alt="{alt}">'


def _units(shown: Sequence[Unit], names: Sequence[str]) -> str:
    """Units with their pixels; of the last layer with the ``names`` of the classes."""
    figures = []
    for unit in shown:
        name = escape(names[unit.index]) if names else _("unit {number}").format(number=unit.index + 1)
        is_off = not names and unit.value == 0 and not unit.weights.any()
        value = number(unit.value, ".2f") + (" · " + _("off") if is_off else "")
        alt = _("{name}, {value}: the pixels that raise and lower it").format(name=name, value=value)
        figures.append(
            f'<figure><img src="{images.url(images.red_and_blue(unit.weights))}" alt="{alt}">'
            f"<figcaption><b>{name}</b><br><small>{value}</small></figcaption></figure>"
        )
    return images.digits(figures, "five" if names else "eight")
