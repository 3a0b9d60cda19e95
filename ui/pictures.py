"""Pictures: images and weights as PNGs inside the page, and curves as figures fit to print."""

import base64
import io
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ui.charts import COLOURS, SMOOTHED, TRAINING, VALIDATION, rows

MOST = 32  # units or filters of the first layer that are shown
COLUMNS = 8


def url(pixels):
    """Grey values (H, W) or colours (H, W, 3), uint8, as a PNG data URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@lru_cache(maxsize=512)
def _digit_url(content):
    return url(np.frombuffer(content, np.uint8).reshape(28, 28))


def digit(image, caption, wrong=False, title=""):
    """One image of a data set with its caption, as HTML."""
    mark = ' class="wrong"' if wrong else ""
    return (
        f'<figure{mark} title="{title}"><img src="{_digit_url(image.tobytes())}" alt="{title}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def digits(figures, kind=""):
    """Such figures in a grid; a ``kind`` of "dozen" goes in one row or two."""
    return f'<div class="inkling-digits {kind}">{"".join(figures)}</div>'


def first_weights(network):
    """The weights of the first layer with any as tiles (T, H, W), and what a tile is; None where they make no picture."""
    layer = next((layer for layer in network.layers if hasattr(layer, "W")), None)
    if layer is None:
        return None
    if layer.kind == "conv2d":
        return layer.W[:MOST, 0], "filter"
    if layer.W.shape[0] != 28 * 28:
        return None
    return layer.W.T[:MOST].reshape(-1, 28, 28), "unit"


def tiles(weights):
    """Tiles (T, H, W) as one picture (uint8, RGB): what speaks for it red, what speaks against it blue, nothing white."""
    count, height, width = weights.shape
    limit = max(float(np.quantile(np.abs(weights), 0.995)), 1e-12)
    part = np.clip(weights / limit, -1, 1)[..., None]
    for_it, against = np.array([200, 30, 40]), np.array([40, 70, 200])
    colours = 255 - np.where(part > 0, part * (255 - for_it), -part * (255 - against))
    rows = -(-count // COLUMNS)
    sheet = np.full((rows * COLUMNS, height + 2, width + 2, 3), 128, np.uint8)
    sheet[:count, 1:-1, 1:-1] = colours.astype(np.uint8)
    sheet[count:] = 255
    sheet = sheet.reshape(rows, COLUMNS, height + 2, width + 2, 3).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * (height + 2), COLUMNS * (width + 2), 3)


def curves(snapshot, title, form, smooth=False, log=False):
    """Loss and accuracy as the bytes of a figure, ``form`` "png" or "svg"."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        columns = rows(snapshot, quantity, smooth)
        series, epochs, values = (np.array(columns[name]) for name in ("series", "epoch", "value"))
        for name, style in (
            (TRAINING, {"lw": 1, "alpha": 0.5 if smooth else 1}),
            (SMOOTHED, {"lw": 1.5}),
            (VALIDATION, {"marker": "o", "ms": 4}),
        ):
            chosen = series == name
            if chosen.any():
                axes.plot(epochs[chosen], values[chosen], label=name, color=COLOURS[name], **style)
        for change in snapshot.changes:
            axes.axvline(change.epoch, color="0.5", lw=1, ls="--")
        axes.set(xlabel="epoch", ylabel=quantity)
        if log and quantity == "loss":
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=200)
    return buffer.getvalue()
