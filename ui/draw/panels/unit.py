"""How a unit comes to its value: its weighted sum as pictures and numbers, what follows, and where its value goes next."""

import base64
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network
from engine.activations import ACTIVATIONS
from engine.layers import Activation, AvgPool2D, BatchNorm, Conv2D, Dropout, Flatten, Layer, MaxPool2D
from engine.weighted_sum import Step, Trace, WeightedSum
from ui import images
from ui.components import make_component
from ui.translation import _, ngettext

NUM_TERMS, NUM_TARGETS = 4, 5  # shown, the largest
MAX_TILES = 16  # input maps in a picture
MAX_INPUTS = 3  # input maps of a convolution, under the window
GAP = 1  # pixels between two maps
RED, BLUE = (224, 72, 43), (43, 124, 230)  # as in convolution.js: at least 3:1 on the light and on the dark ground
WINDOW = """<div class="inkling-window"><figure class="input">
<div class="board" tabindex="0" role="application"><canvas></canvas><i></i></div><figcaption></figcaption>
<button type="button"></button></figure>
<figure class="map"><div class="board"><canvas></canvas><i></i></div><figcaption></figcaption></figure>
<div class="sum"><div class="parts"></div><p class="inkling-scale"><span></span><i></i><span></span></p>
<dl class="inkling-ledger"></dl></div><p class="spoken" role="status"></p></div>"""


def show_unit(network: Network, seen: npt.NDArray[np.float32], position: int, unit: tuple[int, ...]) -> None:
    """Show how this unit of the layer at ``position`` (from 0) comes to its value for what the network sees."""
    trace = Trace(network, seen)
    first, *others = path = trace.steps(position, unit)
    layer = network.layers[first.position]
    following, next_ = _following(network, others), _next(trace, position, unit[0])
    if isinstance(layer, Conv2D):
        text = _("The window slides over what comes in. It has the same weights at each place.")
        st.html(_title(_("Its window"), text))
        make_component("convolution", WINDOW)(data=window_data(trace, first), key="convolution window")
        highest = [(_("sum at its highest place"), first.value, "total"), *following] if following else []
        st.html(f"{_ledger(highest)}{next_}")
    elif hasattr(layer, "W"):
        adding = trace.weighted_sum(first.position, first.unit)
        text = _("Each input is multiplied by its weight. The products and the bias are added up.")
        ledger = _ledger([*_terms(adding), (_("sum"), first.value, "total"), *following])
        st.html(f"{_title(_('Its weighted sum'), text)}{_pictures(adding)}{_legend()}{ledger}{next_}")
    else:
        text = " ".join(_sentence(network.layers[step.position]) for step in path)
        st.html(_title(_("No weights"), text) + next_)


def window_data(trace: Trace, place: Step) -> dict[str, Any]:
    """The message to the browser: the map of a convolution, with the input maps that add most at this place."""
    position, (channel, row, column), _value = place
    layer, inputs = trace.network.layers[position], trace.inputs(position)
    added = trace.map_contributions(position, channel)
    strongest = np.argsort(-np.abs(np.nan_to_num(added[:, row, column])), kind="stable")[:MAX_INPUTS].tolist()
    rest = np.delete(added, strongest, axis=0)
    sums = added.sum(axis=0) + layer.b[channel]
    is_image = len(added) == 1
    return {
        "key": f"{position},{channel},{layer.W.shape}",
        "at": [row, column],
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "size": inputs.shape[1:],
        "out": sums.shape,
        "inputs": [
            {
                "name": _("what comes in") if is_image else _("map {number}").format(number=i + 1),
                "values": _bytes(inputs[i]),
                "weights": _bytes(layer.W[channel, i]),
                "added": _bytes(added[i]),
            }
            for i in strongest
        ],
        "rest": _bytes(rest.sum(axis=0)) if len(rest) else "",
        "bias": float(np.nan_to_num(layer.b[channel])),
        "sums": _bytes(sums),
        "text": {
            "board": _("The window. The arrow keys move it."),
            "map": _("Map {number}: the sum at each place").format(number=channel + 1),
            "parts": [_("its weights"), _("in the window"), _("products")],
            "scale": [_("below 0"), _("above 0")],
            "others": ngettext("{count} other product", "{count} other products", layer.kernel**2),
            "rest": ngettext("{count} other map", "{count} other maps", len(rest)).format(count=len(rest)),
            "bias": _("bias"),
            "sum": _("sum"),
            "where": _("row {row}, column {column}"),
            "play": _("Play"),
            "pause": _("Pause"),
            "next": _("Next window"),
        },
    }


def _bytes(values: npt.NDArray) -> str:
    return base64.b64encode(np.nan_to_num(values).astype("<f4").tobytes()).decode()


def _title(title: str, text: str) -> str:
    return f'<p class="inkling-part"><b>{title}</b><small>{text}</small></p>'


def _pictures(adding: WeightedSum) -> str:
    """Weights, inputs and products beside each other, each on a scale of its own."""
    shown = adding.products, adding.inputs, adding.weights
    names = _("products"), _("inputs"), _("weights")
    order = _strongest_maps(shown[0]) if shown[0].ndim == 3 else None
    figures = []
    for values, name in zip(shown[::-1], names[::-1], strict=True):
        limit = float(np.abs(np.nan_to_num(values)).max())
        caption = _("{name}, up to ±{limit}").format(name=name, limit=f"{limit:.2g}")
        picture = images.url(diverging(_tiles(values, order), limit))
        figures.append(f'<figure><img src="{picture}" alt="{caption}"><figcaption>{caption}</figcaption></figure>')
    weights, inputs, products = figures
    row = f'<div class="inkling-product">{weights}<span>&times;</span>{inputs}<span>=</span>{products}</div>'
    if order is not None and len(order) < len(shown[0]):
        text = _("The {count} of {total} maps that count most.").format(count=len(order), total=len(shown[0]))
        row += f'<p class="inkling-note">{text}</p>'
    return row


def _strongest_maps(products: npt.NDArray) -> npt.NDArray:
    return np.argsort(-np.abs(np.nan_to_num(products)).sum(axis=(1, 2)), kind="stable")[:MAX_TILES]


def _tiles(values: npt.NDArray, order: npt.NDArray | None) -> npt.NDArray:
    """Values as one picture (H, W): maps (C, H, W) as tiles in this order, numbers in several rows; NaN between."""
    if order is None:
        across = int(np.ceil(np.sqrt(len(values))))
        sheet = np.full(across * -(-len(values) // across), np.nan)
        sheet[: len(values)] = values
        return sheet.reshape(-1, across)
    maps = values[order]
    across, (height, width) = int(np.ceil(np.sqrt(len(maps)))), maps.shape[1:]
    sheet = np.full((-(-len(maps) // across) * (height + GAP) - GAP, across * (width + GAP) - GAP), np.nan)
    for i, tile in enumerate(maps):
        top, left = i // across * (height + GAP), i % across * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def diverging(values: npt.NDArray, limit: float) -> npt.NDArray[np.uint8]:
    """Values (H, W) as colours with alpha (H, W, 4): red above zero, blue below, and nothing at zero and for NaN."""
    share = np.clip(np.nan_to_num(values) / max(limit, 1e-12), -1, 1)[..., None]
    colours = np.where(share > 0, RED, BLUE)
    return np.concatenate([colours, np.round(255 * np.abs(share))], axis=-1).astype(np.uint8)


def _legend() -> str:
    return f'<p class="inkling-scale"><span>{_("below 0")}</span><i></i><span>{_("above 0")}</span></p>'


def _terms(adding: WeightedSum) -> list[tuple[str, float, str]]:
    """The largest products, the others, and the bias, as rows of a ledger."""
    terms = adding.largest(NUM_TERMS)
    is_image = adding.weights.shape[:-2] == (1,)
    rows = [
        (f"{term.input:.3f} &times; {term.weight:.3f} <small>{_place(term.place, is_image)}</small>", term.product, "")
        for term in terms
    ]
    others = adding.weights.size - len(terms)
    if others:
        text = ngettext("{count} other product", "{count} other products", others).format(count=f"{others:,}")
        rows.append((text, adding.value - adding.bias - sum(term.product for term in terms), ""))
    return [*rows, (_("bias"), adding.bias, "")]


def _place(place: tuple[int, ...], is_image: bool) -> str:
    """Where an input comes from, in words."""
    if len(place) == 1:
        return _("unit {number}").format(number=place[0] + 1)
    channel, row, column = (index + 1 for index in place)
    if is_image:
        return _("row {row}, column {column}").format(row=row, column=column)
    return _("map {number}, row {row}, column {column}").format(number=channel, row=row, column=column)


def _following(network: Network, others: list[Step]) -> list[tuple[str, float, str]]:
    """What the layers after the weighted sum make of it, as rows of a ledger."""
    rows = [(_after(network.layers[step.position]), step.value, "") for step in others]
    return [(text, value, kind) for text, value, kind in rows if text]


def _after(layer: Layer) -> str:
    """The name of what a layer makes of a value; empty if it changes nothing."""
    if isinstance(layer, Activation):
        return _("after {name}").format(name=ACTIVATIONS[layer.function].label)
    if isinstance(layer, BatchNorm):
        return _("after batch norm: moved and scaled")
    if isinstance(layer, MaxPool2D):
        return _("after max pooling: the largest of {count}").format(count=layer.size**2)
    if isinstance(layer, AvgPool2D):
        return _("after mean pooling: the mean of {count}").format(count=layer.size**2)
    return ""


def _sentence(layer: Layer) -> str:
    """What a layer without weights does."""
    if isinstance(layer, MaxPool2D):
        return _("Max pooling: of each window, only the largest value goes on.")
    if isinstance(layer, AvgPool2D):
        return _("Mean pooling: of each window, only the mean goes on.")
    if isinstance(layer, BatchNorm):
        return _("Batch norm: the values are moved and scaled, so that they are neither too large nor too small.")
    if isinstance(layer, Dropout):
        return _("Dropout: it works only in training, and changes nothing here.")
    if isinstance(layer, Flatten):
        return _("Flatten: the maps are put into one row. No value changes.")
    return _("{name}: it is used on each value.").format(name=layer.summary())


def _ledger(rows: list[tuple[str, float, str]]) -> str:
    """Numbers under each other, each with what it is."""
    lines = "".join(f'<div class="{kind}"><dt>{text}</dt><dd>{value:.3f}</dd></div>' for text, value, kind in rows)
    return f'<dl class="inkling-ledger">{lines}</dl>' if rows else ""


def _next(trace: Trace, position: int, node: int) -> str:
    """Where the value of a unit or a map goes next."""
    going = trace.outgoing(position, node)
    if going is None:
        text = _("All scores together become the probabilities.")
        return _title(_("Where it goes next"), text)
    contributions = np.nan_to_num(going.contributions)
    strongest = [i for i in np.argsort(-np.abs(contributions), kind="stable")[:NUM_TARGETS].tolist() if contributions[i]]
    if not strongest:
        return _title(_("Where it goes next"), _("It is 0, so it adds nothing to the next layer."))
    is_last = not any(hasattr(layer, "W") for layer in trace.network.layers[going.position + 1 :])
    is_map = isinstance(trace.network.layers[going.position], Conv2D)
    text = _("Into layer {number}. There it adds most to these:").format(number=going.position + 1)
    if is_map:
        text = _("Into layer {number}. There it adds most to these maps, at their strongest place:").format(
            number=going.position + 1
        )
    names = trace.network.class_names
    rows = []
    for i in strongest:
        if is_map:
            name = _("map {number}").format(number=i + 1)
        elif is_last and len(names) == len(contributions):
            name = _("the score of {name}").format(name=escape(names[i]))
        else:
            name = _("unit {number}").format(number=i + 1)
        sign = "up" if contributions[i] > 0 else "down"
        rows.append(f'<div class="{sign}"><dt>{name}</dt><dd>{contributions[i]:+.3f}</dd></div>')
    return _title(_("Where it goes next"), text) + f'<dl class="inkling-ledger">{"".join(rows)}</dl>'
