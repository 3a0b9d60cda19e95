"""Inside the network as it reads a drawing: what each part of it gives, and what its strongest units look for."""

import numpy as np
import streamlit as st

from engine.activity import activity, strongest_units
from ui import pictures, words
from ui.session import seen

UNITS = 8  # the strongest of a row
MAPS = 32  # feature maps in a sheet
TILE = 24  # pixels of the sheet for a small map, at least half of it
ROW = 64  # units in a line of the strip


def inside(network, image):
    """The panel."""
    shown = seen(image)
    outputs = activity(network, shown)
    st.caption(
        "From the pixels to the ten scores. A unit weighs all that comes from the part before it; the pictures show which "
        "pixels raise it (red) and which lower it (blue), here and now."
    )
    found = parts(network.layers, [output.values for output in outputs])
    for number, (start, stop, position) in enumerate(found, start=1):
        values, last = outputs[position].values, stop == len(network.layers)
        working = [layer for layer in network.layers[start:stop] if layer.kind != "dropout"]  # which rests in use
        title = (
            f'<p class="inkling-part"><b>Layer {number} · {words.layers(working)}</b><small>{told(values, last)}</small></p>'
        )
        if values.ndim == 3:
            st.html(title + _maps(values))
        else:
            units = strongest_units(network, shown, position, UNITS)
            st.html(title + ("" if last else _strip(values)) + _units(units, "" if last else "unit "))


def parts(layers, values):
    """Where each part of a network starts and stops, and the position whose output shows it: a part is a layer with weights
    and all that follows up to the next, or what makes maps of the image before the first."""
    starts = [position for position, layer in enumerate(layers) if hasattr(layer, "W")]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    found = []
    for start, stop in zip(starts, [*starts[1:], len(layers)], strict=True):
        maps = [position for position in range(start, stop) if values[position].ndim == 3]
        if maps or stop == len(layers) or hasattr(layers[start], "W"):
            found.append((start, stop, maps[-1] if maps else stop - 1))
    return found


def told(values, last):
    """What a part gives, in one line."""
    awake = values > 0
    if values.ndim == 3:
        count, height, width = values.shape
        lit = int(awake.any(axis=(1, 2)).sum())
        return (
            f"{count} maps of {height} x {width}: each shows where in the drawing its pattern was found, the brighter the "
            f"surer. {lit} of them found something."
        )
    if last:
        return f"The {len(values)} scores, the highest first: the probabilities are made of these."
    return f"{len(values):,} units, {int(awake.sum()):,} of them above zero now. All of them, and the {UNITS} strongest:"


def _maps(values):
    shown = values[:MAPS]
    if shown.min() < 0:
        coloured = pictures.speaking(shown)
    else:
        grey = 255 * shown / max(float(shown.max()), 1e-12)
        coloured = np.repeat(np.nan_to_num(grey)[..., None], 3, axis=-1).astype(np.uint8)
    times = max(1, TILE // shown.shape[-1])  # so that the lines between small maps are no wider
    large = coloured.repeat(times, axis=1).repeat(times, axis=2)
    first = "" if len(shown) == len(values) else f"the first {MAPS} of "
    strongest = int(values.max(axis=(1, 2)).argmax()) + 1
    return (
        f'<figure class="inkling-weights"><img src="{pictures.url(pictures.sheet(large))}" '
        f'alt="Sheet of {first}{len(values)} feature maps; map {strongest} answers most">'
        f"{f'<figcaption>{first.capitalize()}{len(values)}.</figcaption>' if first else ''}</figure>"
    )


def _strip(values):
    """Every unit as a small square, as many in a line as a round number allows."""
    lines = -(-len(values) // ROW)
    squares = np.zeros(lines * ROW, np.float32)
    squares[: len(values)] = values
    picture = pictures.speaking(squares.reshape(lines, ROW)[:, : min(ROW, len(values))])
    alt = f"The values of all {len(values)} units, from {values.min():.2f} to {values.max():.2f}"
    return f'<img class="inkling-strip" src="{pictures.url(picture)}" alt="{alt}">'


def _units(units, called):
    figures = (
        f'<figure><img src="{pictures.url(pictures.speaking(unit.weights))}" '
        f'alt="{called}{unit.index}, {unit.value:.2f}: the pixels that raise and lower it">'
        f"<figcaption><b>{called}{unit.index}</b><br><small>{unit.value:.2f}</small></figcaption></figure>"
        for unit in units
    )
    return pictures.digits(figures, "eight")
