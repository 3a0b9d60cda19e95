"""The curves of a training: live in the browser by Vega-Lite, and as a picture to keep by matplotlib."""

import io

import numpy as np
from matplotlib.figure import Figure

TRAINING, VALIDATION = "training", "validation"
COLOURS = {TRAINING: "#8f96b3", VALIDATION: "#e4572e"}
LEGEND = (
    f'<p class="inkling-legend"><span><i style="background:{COLOURS[TRAINING]};height:2px"></i>{TRAINING}</span>'
    f'<span><i class="dot" style="background:{COLOURS[VALIDATION]}"></i>{VALIDATION}</span></p>'
)


def rows(snapshot, quantity):
    """What one chart shows, as columns: ``epoch`` (a fraction while it runs), ``value`` and ``series``.

    ``quantity`` is "loss" or "accuracy".
    """
    curve = snapshot.curve
    training = curve[:, {"loss": 2, "accuracy": 3}[quantity]]
    ends = [(end.epoch, getattr(end, f"validation_{quantity}")) for end in snapshot.history]
    ends = [(epoch, value) for epoch, value in ends if value is not None]
    return {
        "epoch": [*curve[:, 1], *(epoch for epoch, _ in ends)],
        "value": [*training, *(value for _, value in ends)],
        "series": [TRAINING] * len(training) + [VALIDATION] * len(ends),
    }


def spec(quantity, epochs):
    """The Vega-Lite chart of ``rows``: the same while a run lasts, so that only its data travel."""
    percent = quantity == "accuracy"
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"format": ".0%"} if percent else {},
        "scale": {"domainMax": 1, "zero": False} if percent else {"zero": True},
    }
    x = {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "scale": {"domain": [0, epochs]},
        "axis": {"tickMinStep": 1},
    }
    series = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
        "legend": None,
    }
    validation = {"filter": f"datum.series === '{VALIDATION}'"}
    return {
        "height": 240,
        "padding": {"left": 0, "top": 5, "right": 12, "bottom": 0},
        "encoding": {"x": x, "y": y, "color": series},
        "layer": [
            {"transform": [{"filter": f"datum.series === '{TRAINING}'"}], "mark": {"type": "line", "strokeWidth": 1.5}},
            {"transform": [validation], "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 60, "filled": True}}},
        ],
    }


def picture(snapshot, title):
    """Both charts as a PNG's bytes, fit to print."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        columns = rows(snapshot, quantity)
        series = np.array(columns["series"])
        for name, style in (
            (TRAINING, {"lw": 1}),
            (VALIDATION, {"marker": "o", "ms": 4}),
        ):
            chosen = series == name
            axes.plot(
                np.array(columns["epoch"])[chosen],
                np.array(columns["value"])[chosen],
                label=name,
                color=COLOURS[name],
                **style,
            )
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200)
    return buffer.getvalue()
