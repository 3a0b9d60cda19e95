"""Charts for the browser: Vega-Lite specifications that stay the same while a run lasts, and the columns that they draw."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.jobs import Snapshot
from ui import formatting

TRAINING, SMOOTHED, VALIDATION, CHANGE = "training", "smoothed", "validation", "change"
COLOURS = {TRAINING: "#8f96b3", SMOOTHED: "#5b69d6", VALIDATION: "#e4572e", CHANGE: "#c28f00"}
RUN_COLOURS = ["#4c6ef5", "#e4572e", "#2f9e6e", "#c28f00", "#a24bcf", "#1098ad", "#d6336c", "#7a8699"]
DIGIT_COLOURS = [
    "#4e79a7",
    "#f28e2b",
    "#e15759",
    "#76b7b2",
    "#59a14f",
    "#edc948",
    "#b07aa1",
    "#ff9da7",
    "#9c755f",
    "#98a2ad",
]
SMOOTHING = 0.9  # the weight of the past in the smoothed line
PADDING = {"left": 0, "top": 5, "right": 12, "bottom": 0}
MAX_FIXED_EPOCHS = 12  # up to this many, the axis shows all epochs from the beginning; more would crowd the first ones
MAX_VALIDATION_POINTS = 100  # in one chart
CURVE_COLUMN = {"loss": 2, "accuracy": 3}  # of ``Snapshot.curve``

Spec = dict[str, Any]  # in Vega-Lite
Columns = dict[str, Any]  # equally long sequences by name


def legend(smooth: bool) -> str:
    """The legend of ``curves`` as HTML."""
    shown = (TRAINING, SMOOTHED, VALIDATION) if smooth else (TRAINING, VALIDATION)
    return colour_key({name: COLOURS[name] for name in shown})


def colour_key(colours: dict[str, str]) -> str:
    """What each colour stands for, as HTML; validation has dots."""
    marks = (
        f'<span><i class="{"dot" if name == VALIDATION else "line"}" style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<p class="inkling-legend">{"".join(marks)}</p>'


def smoothed(values: Iterable[float]) -> list[float]:
    """An exponential moving average without the bias towards zero at its start (Kingma & Ba, 2015, section 3)."""
    averages, mean = [], 0.0
    for count, value in enumerate(values, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        averages.append(mean / (1 - SMOOTHING**count))
    return averages


def rows(snapshot: Snapshot, quantity: str, smooth: bool = False) -> Columns:
    """A run's "loss" or "accuracy" for ``curves``: columns ``epoch`` (with fraction), ``value``, ``series``, ``note``."""
    epochs, training = snapshot.curve[:, 1].tolist(), snapshot.curve[:, CURVE_COLUMN[quantity]].tolist()
    lines = [(TRAINING, epochs, training), (VALIDATION, *validation(snapshot, quantity))]
    if smooth:
        lines.append((SMOOTHED, epochs, smoothed(training)))
    points = [(x, y, series, "") for series, xs, ys in lines for x, y in zip(xs, ys, strict=True)]
    points += [(change.epoch, np.nan, CHANGE, formatting.changes(change.values)) for change in snapshot.changes]
    columns: Columns = {name: [point[i] for point in points] for i, name in enumerate(("epoch", "value", "series", "note"))}
    return columns | {"value": np.array(columns["value"], float)}


def validation(snapshot: Snapshot, quantity: str) -> tuple[list[int], list[float]]:
    """Epochs, and the validation loss or accuracy at their ends; evenly thinned out, with the first and the last."""
    epochs, values = snapshot.history.column("epoch"), snapshot.history.column(f"validation_{quantity}")
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > MAX_VALIDATION_POINTS:
        known = known[np.linspace(0, len(known) - 1, MAX_VALIDATION_POINTS).round().astype(int)]
    return epochs[known].astype(int).tolist(), values[known].tolist()


def _chart(height: int, title: str = "", **spec: Any) -> Spec:
    return {"height": height, "padding": PADDING, **spec} | ({"title": {"text": title, "offset": 6}} if title else {})


def _layer(series: str, **spec: Any) -> Spec:
    """A layer of a chart that draws only the rows of one series."""
    return {"transform": [{"filter": f"datum.series === '{series}'"}], **spec}


def _line(width: float, dot_size: int = 0, **mark: Any) -> Spec:
    point = {"point": {"size": dot_size, "filled": True}} if dot_size else {}
    return {"type": "line", "strokeWidth": width, **point, **mark}


def _y(quantity: str, log: bool = False, field: str = "value") -> Spec:
    scale: Spec
    if quantity == "accuracy":
        axis, scale = {"format": ".0%"}, {"domainMax": 1, "zero": False}
    else:
        needs_exponent = "datum.value >= 10000 || (datum.value > 0 && datum.value < 0.001)"
        axis = {"labelExpr": f"{needs_exponent} ? format(datum.value, '~e') : datum.label"}
        scale = {"type": "log"} if log else {"zero": True}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis, "scale": scale}


def curves(quantity: str, epochs: int, smooth: bool = False, log: bool = False) -> Spec:
    """The chart of ``rows``."""
    scale = {"domain": [0, epochs]} if epochs <= MAX_FIXED_EPOCHS else {"zero": True, "nice": False}
    axis = {"tickMinStep": 1, "grid": False}
    x = {"field": "epoch", "type": "quantitative", "title": "epoch", "scale": scale, "axis": axis}
    colours = {"domain": list(COLOURS), "range": list(COLOURS.values())}
    colour = {"field": "series", "type": "nominal", "legend": None, "scale": colours}
    note = [{"field": "note", "title": "changed"}, {"field": "epoch", "format": ".2f"}]
    dashed = {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 2, "aria": False}  # a caption names the changes
    layers = [
        _layer(CHANGE, mark=dashed, encoding={"y": None, "tooltip": note}),
        _layer(TRAINING, mark=_line(1, opacity=0.45) if smooth else _line(1.5, opacity=1)),
        _layer(SMOOTHED, mark=_line(2)),
        _layer(VALIDATION, mark=_line(2.5, dot_size=60)),
    ]
    return _chart(280, quantity.capitalize(), encoding={"x": x, "y": _y(quantity, log), "color": colour}, layer=layers)


def overlay(quantity: str, names: Sequence[str], x_title: str) -> Spec:
    """Several runs in one chart: columns ``x``, ``value``, ``low``, ``high``, ``run`` and ``series``."""
    axis = {"grid": False, "tickMinStep": 0 if x_title == "seconds" else 1}
    x = {"field": "x", "type": "quantitative", "title": x_title, "axis": axis}
    scale = {"domain": list(names), "range": run_colours(len(names))}
    colour = {"field": "run", "type": "nominal", "legend": None, "scale": scale}
    y = _y(quantity) | {"scale": {"zero": False}}
    band = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    tooltip = [{"field": "run"}, {"field": "value", "format": ".4f"}]
    layers = [
        _layer(VALIDATION, mark={"type": "area", "opacity": 0.2}, encoding=band),
        _layer(TRAINING, mark=_line(1, opacity=0.5), encoding={"y": y}),
        _layer(VALIDATION, mark=_line(2.5, dot_size=45), encoding={"y": y, "tooltip": tooltip}),
    ]
    return _chart(290, f"Validation {quantity}", encoding={"x": x, "color": colour}, layer=layers)


def run_colours(count: int) -> list[str]:
    """A colour for each of ``count`` runs."""
    return [RUN_COLOURS[position % len(RUN_COLOURS)] for position in range(count)]


def probabilities() -> Spec:
    """Ten probabilities during a training, as a stacked area: columns ``step`` and ``0`` to ``9``."""
    digits = list(map(str, range(10)))
    x = {"field": "step", "type": "quantitative", "axis": {"grid": False}, "scale": {"nice": False}}
    y = {"field": "probability", "type": "quantitative", "stack": "zero", "title": None}
    y |= {"axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}}
    colour = {"field": "digit", "type": "nominal", "title": None, "scale": {"domain": digits, "range": DIGIT_COLOURS}}
    return _chart(
        230,
        transform=[{"fold": digits, "as": ["digit", "probability"]}],
        mark={"type": "area", "interpolate": "step-after"},
        encoding={"x": x, "y": y, "color": colour, "order": {"field": "digit"}},
    )


def cells(confusion: npt.NDArray) -> Columns:
    """A confusion matrix for ``confusion_matrix``: columns ``label``, ``predicted``, ``images``, and their ``fraction`` of
    the label's images."""
    labels, predicted = np.divmod(np.arange(confusion.size), len(confusion))
    fractions = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return {"label": labels, "predicted": predicted, "images": confusion.ravel(), "fraction": fractions.ravel()}


def confusion_matrix(dark: bool, selectable: bool = False) -> Spec:
    """The chart of ``cells``: right predictions in blue, mistakes in red, as strong as the root of their fraction."""
    x = {"field": "predicted", "type": "ordinal", "title": "Predicted", "axis": {"orient": "top", "labelAngle": 0}}
    y = {"field": "label", "type": "ordinal", "title": "True digit"}
    right = "datum.label === datum.predicted"
    opacity = {"field": "strength", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.04, 1]}, "legend": None}
    colour = {"condition": {"test": right, "value": "#4c6ef5"}, "value": "#e4572e"}
    tooltip = [{"field": "label", "title": y["title"]}, {"field": "predicted", "title": x["title"]}, {"field": "images"}]
    squares: Spec = {
        "mark": {"type": "rect", "cornerRadius": 3} | ({"cursor": "pointer"} if selectable else {}),
        "encoding": {"opacity": opacity, "color": colour, "tooltip": tooltip},
    }
    if selectable:
        squares["params"] = [
            {"name": "cell", "select": {"type": "point", "fields": ["label", "predicted"], "toggle": False}}
        ]
    counts = {
        "transform": [{"filter": "datum.images > 0"}],
        "mark": {"type": "text", "fontSize": 11, "color": "#ffffff" if dark else "#1b1d28"},
        "encoding": {"text": {"field": "images", "type": "quantitative"}},
    }
    strength = {"calculate": f"({right} ? 0.8 : 1.6) * sqrt(datum.fraction)", "as": "strength"}
    return _chart(360, transform=[strength], encoding={"x": x, "y": y}, layer=[squares, counts])


def reliability() -> Spec:
    """How often a network is right for each confidence: columns ``confidence``, ``accuracy`` and ``images``."""
    percent = {"axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}, "type": "quantitative"}
    diagonal = {
        "data": {"values": [{"at": 0}, {"at": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "#8f96b3"},
        "encoding": {"x": {"field": "at", **percent}, "y": {"field": "at", **percent}},
    }
    x = {"field": "confidence", "title": "how sure it is", **percent}
    y = {"field": "accuracy", "title": "how often it is right", **percent}
    dots = {"type": "point", "filled": True, "size": 70, "color": RUN_COLOURS[0], "opacity": 1}
    tooltip = [{"field": name, "format": ".1%"} for name in ("confidence", "accuracy")] + [{"field": "images"}]
    layers = [{"mark": {"type": "line", "color": RUN_COLOURS[0]}}, {"mark": dots, "encoding": {"tooltip": tooltip}}]
    return _chart(260, layer=[diagonal, {"layer": layers, "encoding": {"x": x, "y": y}}])
