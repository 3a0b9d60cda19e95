"""Images and weights as PNGs inside the page, and curves as figures fit to print."""

import base64
import io
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine import Network
from engine.jobs import Snapshot
from engine.layers import Conv2D
from ui.charts import CHANGE, COLOURS, FIRST, SMOOTHED, TRAINING, VALIDATION, rows
from ui.translation import N_, _

MAX_TILES = 32  # units or filters of the first layer
TILES_PER_ROW = 8
RED, BLUE = np.array([255, 92, 51]), np.array([64, 156, 255])  # colour-blind people can tell them apart
INK_GREY, LINE_GREY = 90, 64  # of 255: the drawing under a map; the lines between tiles


def url(pixels: npt.NDArray) -> str:
    """Grey values (H, W) or colours (H, W, 3), as for ``png``, as a PNG data URL."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels: npt.NDArray) -> bytes:
    """The bytes of a PNG file of pixels, which are uint8 or floats in [0, 1]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels if pixels.dtype == np.uint8 else np.round(255 * pixels).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def digit_url(image: npt.NDArray) -> str:
    """``url`` of an image (28, 28) of a data set, cached because the same images are shown again and again."""
    return _digit_url(image.astype(np.uint8).tobytes())


@lru_cache(maxsize=512)
def _digit_url(content: bytes) -> str:
    return url(np.frombuffer(content, np.uint8).reshape(28, 28))


def digit(image: npt.NDArray, caption: str, wrong: bool = False, title: str = "") -> str:
    """One image (28, 28) of a data set with its caption, as HTML."""
    mark = ' class="wrong"' if wrong else ""
    return (
        f'<figure{mark} title="{title}"><img src="{digit_url(image)}" alt="{title}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def digits(figures: Iterable[str], kind: str = "") -> str:
    """HTML figures in a grid; ``kind`` is "" or one of the grids of draw.css and style.css: "eight" or "dozen" in a row."""
    return f'<div class="inkling-digits {kind}">{"".join(figures)}</div>'


def first_weights(network: Network) -> tuple[npt.NDArray, str] | None:
    """The weights of the first layer with any, as tiles (T, H, W), and the name of a tile; None if they make no picture."""
    layer = next((layer for layer in network.layers if hasattr(layer, "W")), None)
    if isinstance(layer, Conv2D):
        return layer.W[:MAX_TILES, 0], "filter"
    if layer is None or layer.W.shape[0] != 28 * 28:
        return None
    return layer.W.T[:MAX_TILES].reshape(-1, 28, 28), "unit"


def tiles(weights: npt.NDArray) -> npt.NDArray[np.uint8]:
    """Weights (T, H, W) as one picture of tiles, positive ones red and negative ones blue."""
    limit = np.quantile(np.abs(weights), 0.995)
    return sheet(red_and_blue(np.clip(weights, -limit, limit)))


def red_and_blue(values: npt.NDArray, ink: npt.NDArray | float = 0.0) -> npt.NDArray[np.uint8]:
    """Values (..., H, W) as colours (..., H, W, 3): red above zero, blue below, over ``ink`` in [0, 1] in grey."""
    values = np.nan_to_num(values)  # a network's that diverged
    share = (values / max(float(np.abs(values).max()), 1e-12))[..., None]
    ground = np.broadcast_to(INK_GREY * ink, values.shape)[..., None]
    return (ground + np.abs(share) * (np.where(share > 0, RED, BLUE) - ground)).astype(np.uint8)


def sheet(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pictures (T, H, W, 3) as one, in rows of eight with lines between them."""
    count, height, width = pictures.shape[:3]
    num_rows = -(-count // TILES_PER_ROW)
    framed = np.full((num_rows * TILES_PER_ROW, height + 2, width + 2, 3), LINE_GREY, np.uint8)
    framed[:count, 1:-1, 1:-1] = pictures
    framed[count:] = 0
    framed = framed.reshape(num_rows, TILES_PER_ROW, height + 2, width + 2, 3).transpose(0, 2, 1, 3, 4)
    return framed.reshape(num_rows * (height + 2), TILES_PER_ROW * (width + 2), 3)


def curves(snapshot: Snapshot, title: str, form: str, smooth: bool = False, log: bool = False) -> bytes:
    """Loss and accuracy as the bytes of a figure; ``form`` is "png" or "svg"."""
    from matplotlib.figure import Figure  # takes longer to import than a page to open

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title, parse_math=False)  # a run's name may have dollar signs
    for axes, quantity in zip(figure.subplots(1, 2), (N_("loss"), N_("accuracy")), strict=True):
        columns = rows(snapshot, quantity, smooth)
        series, x, values = (np.array(columns[name]) for name in ("series", "x", "value"))
        for name, style in (
            (FIRST, {"marker": "o", "ms": 4}),
            (TRAINING, {"lw": 1, "alpha": 0.5 if smooth else 1}),
            (SMOOTHED, {"lw": 1.5}),
            (VALIDATION, {"marker": "o", "ms": 4}),
        ):
            chosen = series == name
            if chosen.any():
                axes.plot(x[chosen], values[chosen], label=_(name), color=COLOURS[name], **style)
        for change in x[series == CHANGE]:
            axes.axvline(change, color="0.5", lw=1, ls="--")
        axes.set(xlabel=_("epoch") if snapshot.history else _("step"), ylabel=_(quantity))
        if log and quantity == "loss":
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=200)
    return buffer.getvalue()
