"""Pictures: images and weights as PNGs inside the page, and curves as figures fit to print."""

import base64
import io
from functools import lru_cache

import numpy as np
from PIL import Image

from ui.charts import COLOURS, SMOOTHED, TRAINING, VALIDATION, rows

MOST = 32  # units or filters of the first layer that are shown
COLUMNS = 8
RED, BLUE = np.array([255, 92, 51]), np.array([64, 156, 255])  # as far apart for the colour-blind
GREY_INK, LINES = 90, 64  # of 255: ink under a map; between pictures


def url(pixels):
    """Grey values (H, W) or colours (H, W, 3) as a PNG data URL."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels):
    """The bytes of a PNG of pixels: uint8, or floats in [0, 1]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels if pixels.dtype == np.uint8 else np.round(255 * pixels).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def digit_url(image):
    """``url`` of an image (28, 28) uint8 of a data set, which is often shown again."""
    return _digit_url(image.tobytes())


@lru_cache(maxsize=512)
def _digit_url(content):
    return url(np.frombuffer(content, np.uint8).reshape(28, 28))


def digit(image, caption, wrong=False, title=""):
    """One image of a data set with its caption, as HTML."""
    mark = ' class="wrong"' if wrong else ""
    return (
        f'<figure{mark} title="{title}"><img src="{digit_url(image)}" alt="{title}">'
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
    """Tiles (T, H, W) as one picture (uint8, RGB): what speaks for it red, what speaks against it blue."""
    limit = np.quantile(np.abs(weights), 0.995)
    return sheet(speaking(np.clip(weights, -limit, limit)))


def speaking(values, ink=0.0):
    """Values (..., H, W) on a dark ground, (..., H, W, 3) uint8: above zero red, below it blue, ``ink`` in [0, 1] grey."""
    values = np.nan_to_num(values)  # of a network that exploded
    part = (values / max(float(np.abs(values).max()), 1e-12))[..., None]
    ground = np.broadcast_to(GREY_INK * ink, values.shape)[..., None]
    return (ground + np.abs(part) * (np.where(part > 0, RED, BLUE) - ground)).astype(np.uint8)


def sheet(pictures):
    """Pictures (T, H, W, 3) uint8 in rows of eight as one, with lines between them."""
    count, height, width, _ = pictures.shape
    rows = -(-count // COLUMNS)
    framed = np.full((rows * COLUMNS, height + 2, width + 2, 3), LINES, np.uint8)
    framed[:count, 1:-1, 1:-1] = pictures
    framed[count:] = 0
    framed = framed.reshape(rows, COLUMNS, height + 2, width + 2, 3).transpose(0, 2, 1, 3, 4)
    return framed.reshape(rows * (height + 2), COLUMNS * (width + 2), 3)


def curves(snapshot, title, form, smooth=False, log=False):
    """Loss and accuracy as the bytes of a figure, ``form`` "png" or "svg"."""
    from matplotlib.figure import Figure  # takes longer to import than a page to open

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
