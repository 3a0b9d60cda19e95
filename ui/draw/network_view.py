"""The network as a picture between the canvas and the bars: a column for each block of its layers, which lights up.

The browser gets the columns' shapes and, as one byte each, the values of the nodes that it shows (``network.js``).
"""

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network
from engine.layer_outputs import LayerActivity
from engine.layers import Dense
from ui import state
from ui.components import make_component
from ui.draw.panels import activations, tabs
from ui.draw.panels.activations import Block
from ui.draw.prediction import layer_outputs
from ui.formatting import number
from ui.translation import N_, _, ngettext

KEY = "network view"
MAX_COLUMNS = 8  # of blocks; of a deeper network the first and the last
MAX_MAPS, MAX_UNITS = 16, 64  # nodes of a column
MAX_LINES = 14  # into a column
MAP_SIDES = (14, 10, 7, 5, 3)  # pixels: the largest with which all maps take at most ``MAX_BYTES``
MAX_BYTES = 5_500
ZERO, UNIT = 128, 127  # the bytes of 0 and of the difference between 0 and the largest absolute value
HTML = """<details class="inkling-network"><summary>{title}</summary>
<div class="scroll"><div class="stage" role="group" aria-label="{label}">
<canvas aria-hidden="true"></canvas></div></div><p class="readout"></p></details>"""


class Column(NamedTuple):
    """What one column shows: ``nodes`` (N, ...) of ``count``; its ``block`` is a number from 0, or -1 for the image."""

    kind: str  # image, maps, units or scores
    block: int
    nodes: npt.NDArray
    count: int
    layers: str = ""
    limit: float = 1.0  # the largest absolute value of the block


def show_network(network: Network | None, seen: npt.NDArray[np.float32] | None) -> None:
    """Show the network, lit up by what it sees; dim if that is None. Pressing a node opens a panel with it."""
    html = HTML.format(title=_("The network"), label=_("The network: arrow keys move, Enter looks inside"))
    view = make_component("network", html)
    data = view_data(network, seen) if network else {"columns": [], "values": "", "numbers": [], "lines": []}
    data["texts"] = texts()
    result = view(data=data, key=KEY, on_picked_change=_pick)
    if result.picked:
        st.rerun()  # the panels are not in the fragment that the view is in


def texts() -> dict[str, str]:
    """What the browser writes itself."""
    return {
        "hint": _("Point at a node to see its numbers. Press it to look inside."),
        "image": _("What the network sees"),
        "pixels": _("What the network sees: 28 x 28 pixels"),
        "score": _("Score of {name}"),
        "map": _("{layers}, map {number}"),
        "unit": _("{layers}, unit {number}"),
        "values": _("{node}: {value}; the largest value of its layer is {limit}"),
        "places": _("{node}: highest {value}, {place}; the largest value of its layer is {limit}"),
        "more": _("+{count} more"),
        "thousands": number(1000)[1:-3],  # the sign between thousands
    }


def _pick() -> None:
    """Open the panel that shows the node that was pressed."""
    picked = st.session_state[KEY].get("picked")
    if isinstance(picked, list | tuple) and len(picked) == 2 and all(type(part) is int for part in picked):
        block, node = picked
        state.set_value(activations.PICKED, (block, node))
        tabs.open_panel(N_("What it sees") if block < 0 else N_("Inside"))


def view_data(network: Network, seen: npt.NDArray[np.float32] | None) -> dict[str, Any]:
    """The message to the browser."""
    image = np.zeros((28, 28), np.float32) if seen is None else seen
    outputs = layer_outputs(network, image)
    blocks = activations.blocks(network.layers, [output.values for output in outputs])
    columns = [Column("image", -1, image[None], 1), *_columns(blocks, outputs)]
    side = next((side for side in MAP_SIDES if _num_bytes(columns, side) <= MAX_BYTES), MAP_SIDES[-1])
    pixels = [_shrink(column.nodes, side) if column.kind == "maps" else column.nodes for column in columns]
    shapes = [
        {
            "kind": column.kind,
            "block": column.block,
            "layers": column.layers,
            "text": _text(column),
            "names": network.class_names if column.kind == "scores" else (),
            "count": len(column.nodes),
            "more": column.count - len(column.nodes),
            "size": tile.shape[1:] if tile.ndim == 3 else (1, 1),
            "skipped": max(0, column.block - before.block - 1),
        }
        for before, column, tile in zip([columns[0], *columns], columns, pixels, strict=False)
    ]
    if seen is None:
        return {"columns": shapes, "values": "", "numbers": [], "lines": []}
    *before, scores = zip(columns, pixels, strict=True)
    quantized = [_quantize(tile, column.limit).ravel() for column, tile in before] + [_quantize_scores(scores[1])]
    return {
        "columns": shapes,
        "values": base64.b64encode(np.concatenate(quantized).tobytes()).decode(),
        "numbers": [_numbers(column) for column in columns],
        "lines": [[], *(_lines(network, blocks, outputs, *pair) for pair in pairwise(columns))],
    }


def _columns(blocks: Sequence[Block], outputs: Sequence[LayerActivity]) -> list[Column]:
    numbers = list(range(len(blocks)))
    if len(blocks) > MAX_COLUMNS:
        numbers = [*numbers[: MAX_COLUMNS // 2], *numbers[-MAX_COLUMNS // 2 :]]
    columns = []
    for position in numbers:
        block = blocks[position]
        values = outputs[-1 if block.stop == len(outputs) else block.shown].values
        is_last, is_maps = block.stop == len(outputs), values.ndim == 3
        kind = "scores" if is_last else "maps" if is_maps else "units"
        limit = float(np.abs(_finite(values)).max())
        shown = values if is_last else values[: MAX_MAPS if is_maps else MAX_UNITS]
        columns.append(Column(kind, position, shown, len(values), activations.layer_numbers(block), limit))
    return columns


def _text(column: Column) -> list[str]:
    """The label of a column: two short lines."""
    if column.kind == "image":
        return [_("It sees"), "28 x 28"]
    if column.kind == "scores":
        return [_("Scores"), str(column.count)]
    if column.kind == "units":
        text = ngettext("{count}\nunit", "{count}\nunits", column.count)
        return text.format(count=number(column.count)).split("\n")
    return [
        ngettext("{count} map", "{count} maps", column.count).format(count=column.count),
        " x ".join(map(str, column.nodes.shape[1:])),
    ]


def _num_bytes(columns: Sequence[Column], side: int) -> int:
    return sum(len(c.nodes) * min(side, c.nodes.shape[1]) * min(side, c.nodes.shape[2]) for c in columns if c.kind == "maps")


def _shrink(maps: npt.NDArray, side: int) -> npt.NDArray:
    """Maps (N, H, W) of at most ``side`` pixels each way: each the largest of those that it stands for."""
    for axis in (1, 2):
        size = maps.shape[axis]
        if size > side:
            maps = np.maximum.reduceat(maps, np.arange(side) * size // side, axis=axis)
    return maps


def _finite(values: npt.NDArray) -> npt.NDArray:
    """The values, with numbers in place of infinity and NaN. To look first is faster than ``nan_to_num``."""
    return values if np.isfinite(values).all() else np.nan_to_num(values)


def _quantize(values: npt.NDArray, limit: float) -> npt.NDArray[np.uint8]:
    shares = np.nan_to_num(values, posinf=limit, neginf=-limit) / max(limit, 1e-12)
    return (ZERO + np.round(UNIT * np.clip(shares, -1, 1))).astype(np.uint8)


def _quantize_scores(scores: npt.NDArray) -> npt.NDArray[np.uint8]:
    """The highest score shines, the lowest is dark."""
    scores = _finite(scores)
    return _quantize(scores - scores.min(), float(np.ptp(scores)))


def _numbers(column: Column) -> dict[str, Any]:
    """The values of a column's nodes as text; of maps their highest, and where it is (``activations.place``)."""
    if column.kind == "image":
        return {}
    flat = column.nodes.reshape(len(column.nodes), -1)
    numbers: dict[str, Any] = {
        "values": [number(value, ".2f") for value in flat.max(axis=1)],
        "limit": number(column.limit, ".2f"),
    }
    if column.kind == "maps":
        shape = column.nodes.shape[1:]
        numbers["places"] = [activations.place(int(pixel), shape) for pixel in flat.argmax(axis=1)]
    return numbers


def _lines(
    network: Network, blocks: Sequence[Block], outputs: Sequence[LayerActivity], before: Column, column: Column
) -> list[tuple[int, int, int]]:
    """What counts most in a column of units or scores: from node, to node, and how much of the largest in percent.

    Into the scores they lead to the highest one only.
    """
    start = blocks[column.block].start
    layer = network.layers[start]
    if column.kind == "maps" or column.block != before.block + 1 or before.block < 0 or not isinstance(layer, Dense):
        return []
    inputs = _finite(outputs[start - 1].values).ravel()
    size = len(inputs) // before.count  # values of a node of the column before
    num_nodes, num_inputs = len(before.nodes), len(before.nodes) * size
    targets = [int(_finite(column.nodes).argmax())] if column.kind == "scores" else range(len(column.nodes))
    products = inputs[:num_inputs, None] * _finite(layer.W[:num_inputs, targets])
    shares = products.reshape(num_nodes, size, -1).sum(axis=1)
    strongest = np.argsort(-np.abs(shares), axis=None)[:MAX_LINES]
    limit = max(float(np.abs(shares).max()), 1e-12)
    lines = []
    for position in strongest:
        source, target = divmod(int(position), len(targets))
        strength = round(100 * float(shares[source, target]) / limit)
        if strength:
            lines.append((source, targets[target], strength))
    return lines
