"""Charts for the browser: Vega-Lite specifications that stay the same while a run lasts, and the columns that they draw."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.dataset import DIGITS
from engine.jobs import Snapshot
from ui import formatting
from ui.class_names import short
from ui.translation import N_, _, language

TRAINING, SMOOTHED, VALIDATION, CHANGE = N_("training"), N_("smoothed"), N_("validation"), N_("change")
FIRST = N_("first step")  # while a line would have only one point
COLOURS = {TRAINING: "#8f96b3", SMOOTHED: "#5b69d6", VALIDATION: "#e4572e", CHANGE: "#c28f00", FIRST: "#8f96b3"}
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
TITLES = {"loss": N_("Loss"), "accuracy": N_("Accuracy")}
CURVE_COLUMN = {"loss": 2, "accuracy": 3}  # of ``Snapshot.curve``
BEFORE_FIRST = 0.5  # the step of what was before the first one, on a logarithmic axis
MAX_AREAS = len(DIGIT_COLOURS)  # of more classes, those that were the most likely at any time
MAX_LABEL = 100  # pixels of a name beside a matrix
CELL, MAX_COUNTED = 16, 20  # pixels, the least height of a row; of more classes, the cells have no numbers
ZOOMED = 0.9  # where an accuracy axis begins that shows only the best

Spec = dict[str, Any]  # in Vega-Lite
Columns = dict[str, Any]  # equally long sequences by name


def legend(smooth: bool, has_validation: bool = True) -> str:
    """The legend of ``curves`` as HTML."""
    shown = (TRAINING, *[SMOOTHED] * smooth, *[VALIDATION] * has_validation)
    return colour_key({name: COLOURS[name] for name in shown})


def colour_key(colours: dict[str, str]) -> str:
    """What each colour stands for, as HTML; validation has dots."""
    marks = (
        f'<span><i class="{"dot" if name == VALIDATION else "line"}" style="background:{colour}"></i>'
        f"{escape(_(name))}</span>"
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
    """A run's "loss" or "accuracy" for ``curves``: columns ``x`` (steps until the first epoch is over, then epochs with
    a fraction), ``value``, ``series``, ``note``."""
    column = 1 if snapshot.history else 0
    x, training = snapshot.curve[:, column].tolist(), snapshot.curve[:, CURVE_COLUMN[quantity]].tolist()
    lines = [(TRAINING if len(x) > 1 else FIRST, x, training), (VALIDATION, *validation(snapshot, quantity))]
    if smooth:
        lines.append((SMOOTHED, x, smoothed(training)))
    points = [(x, y, series, "") for series, xs, ys in lines for x, y in zip(xs, ys, strict=True)]
    for change in snapshot.changes:
        points.append(((change.step, change.epoch)[column], np.nan, CHANGE, formatting.changes(change.values)))
    columns: Columns = {name: [point[i] for point in points] for i, name in enumerate(("x", "value", "series", "note"))}
    return columns | {"value": np.array(columns["value"], float)}


def last_step(snapshot: Snapshot) -> int | None:
    """Where the step axis of ``curves`` ends: at a round number, so that it seldom changes. 0 before the first
    step, and None once the first epoch is over, when the axis has epochs."""
    if snapshot.history or not snapshot.step:
        return None if snapshot.history else 0
    return round_up(snapshot.step)


def round_up(number: float) -> int:
    """The next of 10, 20, 50, 100, 200, ..."""
    return next(end for power in range(1, 20) for base in (1, 2, 5) if (end := base * 10**power) >= number)


def validation(snapshot: Snapshot, quantity: str) -> tuple[list[int], list[float]]:
    """Epochs, and the validation loss or accuracy at their ends; evenly thinned out, with the first and the last."""
    epochs, values = snapshot.history.column("epoch"), snapshot.history.column(f"validation_{quantity}")
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > MAX_VALIDATION_POINTS:
        known = known[np.linspace(0, len(known) - 1, MAX_VALIDATION_POINTS).round().astype(int)]
    return epochs[known].astype(int).tolist(), values[known].tolist()


def _percent(field: str, digits: str = ".4~f") -> str:
    """A fraction as text, in Vega's language; by default with as many decimals as it needs."""
    return f"format(100 * datum.{field}, '{digits}') + ' %'"


def _chart(height: int, title: str = "", **spec: Any) -> Spec:
    config = {} if language() == "en" else {"config": {"locale": formatting.vega_locale(language())}}
    return {"height": height, "padding": PADDING, **config, **spec} | (
        {"title": {"text": title, "offset": 6}} if title else {}
    )


def _layer(series: str, **spec: Any) -> Spec:
    """A layer of a chart that draws only the rows of one series."""
    return {"transform": [{"filter": f"datum.series === '{series}'"}], **spec}


def _line(width: float, dot_size: int = 0, **mark: Any) -> Spec:
    point = {"point": {"size": dot_size, "filled": True, "aria": False}} if dot_size else {}  # at first empty
    return {"type": "line", "strokeWidth": width, **point, **mark}


def _y(quantity: str, log: bool = False, field: str = "value") -> Spec:
    scale: Spec
    if quantity == "accuracy":
        axis, scale = {"labelExpr": _percent("value")}, {"domainMax": 1, "zero": False}
    else:
        needs_exponent = "datum.value >= 10000 || (datum.value > 0 && datum.value < 0.001)"
        axis = {"labelExpr": f"{needs_exponent} ? format(datum.value, '~e') : datum.label"}
        scale = {"type": "log"} if log else {"zero": True}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis, "scale": scale}


def _tooltip(x_title: str, quantity: str, *names: str) -> Spec:
    """The parts of a chart whose tooltip shows the fields ``names``, the place and the value, rounded."""
    value = _percent("value", ".2f") if quantity == "accuracy" else "format(datum.value, '.4~g')"
    series = json.dumps({name: _(name) for name in COLOURS})
    titles = {"series": ("curve", _("curve")), "run": ("run", _("run"))}
    fields = [{"field": field, "title": title} for field, title in (titles[name] for name in names)]
    fields += [{"field": "x", "title": _(x_title), "format": ",.2~f"}, {"field": "shown", "title": _(quantity)}]
    texts = [{"calculate": value, "as": "shown"}, {"calculate": f"{series}[datum.series]", "as": "curve"}]
    return {"transform": texts, "tooltip": fields}


def curves(
    quantity: str, epochs: int, smooth: bool = False, log: bool = False, zoom: bool = False, last_step: int | None = None
) -> Spec:
    """The chart of ``rows``. Every accuracy axis is the same, from 0 or, zoomed, from 90 %, so that runs can be compared.
    ``last_step`` is where the axis ends if it has steps."""
    scale = {"domain": [0, epochs]} if epochs <= MAX_FIXED_EPOCHS else {"zero": True, "nice": False}
    x_title = N_("epoch") if last_step is None else N_("step")
    if last_step is not None:
        scale = {"domain": [0, last_step or 10]}
    axis = {"tickMinStep": 1, "grid": False}
    x = {"field": "x", "type": "quantitative", "title": _(x_title), "scale": scale, "axis": axis}
    y = _y(quantity, log)
    if quantity == "accuracy":
        y["scale"] = {"domain": [ZOOMED if zoom else 0, 1]}
    elif last_step == 0:  # there is no value yet
        y["axis"] |= {"labels": False, "tickCount": 5}
    colours = {"domain": list(COLOURS), "range": list(COLOURS.values())}
    colour = {"field": "series", "type": "nominal", "legend": None, "scale": colours}
    note = [{"field": "note", "title": _("changed")}, {"field": "x", "title": _(x_title), "format": ",.2~f"}]
    shown = _tooltip(x_title, quantity, "series")
    dashed = {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 2, "aria": False}  # a caption names the changes
    marks = {
        TRAINING: _line(1, opacity=0.45) if smooth else _line(1.5, opacity=1),
        FIRST: {"type": "point", "filled": True, "size": 70, "opacity": 1, "aria": False},  # often empty
        SMOOTHED: _line(2),
        VALIDATION: _line(2.5, dot_size=60),
    }
    layers = [_layer(CHANGE, mark=dashed, encoding={"y": None, "tooltip": note})]
    layers += [
        _layer(series, mark=mark | {"clip": zoom}, encoding={"tooltip": shown["tooltip"]}) for series, mark in marks.items()
    ]
    encoding = {"x": x, "y": y, "color": colour}
    return _chart(280, _(TITLES[quantity]), transform=shown["transform"], encoding=encoding, layer=layers)


def overlay(title: str, quantity: str, names: Sequence[str], x_title: str) -> Spec:
    """Several runs in one chart: columns ``x``, ``value``, ``low``, ``high``, ``run`` and ``series``."""
    axis = {"grid": False, "tickMinStep": 0 if x_title == "seconds" else 1}
    x = {"field": "x", "type": "quantitative", "title": _(x_title), "axis": axis}
    scale = {"domain": list(names), "range": run_colours(len(names))}
    colour = {"field": "run", "type": "nominal", "legend": None, "scale": scale}
    y = _y(quantity) | {"scale": {"zero": False}}
    band = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    shown = _tooltip(x_title, quantity, "run", "series")
    tooltip = shown["tooltip"]
    layers = [
        _layer(VALIDATION, mark={"type": "area", "opacity": 0.2}, encoding=band | {"tooltip": None}),
        _layer(TRAINING, mark=_line(1, opacity=0.5), encoding={"y": y, "tooltip": tooltip}),
        _layer(VALIDATION, mark=_line(2.5, dot_size=45), encoding={"y": y, "tooltip": tooltip}),
    ]
    encoding = {"x": x, "color": colour}
    return _chart(290, title, transform=shown["transform"], encoding=encoding, layer=layers)


def lane(name: str, colour: str, x_title: str, last: float) -> Spec:
    """One run's lane of a race: the columns of ``overlay``, on an axis that ends at ``last`` in every lane."""
    axis = {"grid": False, "tickMinStep": 0 if x_title == "seconds" else 1}
    x = {"field": "x", "type": "quantitative", "title": None, "axis": axis, "scale": {"domain": [0, last], "nice": False}}
    y = _y("accuracy") | {"scale": {"domain": [0, 1]}}
    shown = _tooltip(x_title, "accuracy", "run", "series")
    marks = {
        TRAINING: _line(1.5, opacity=0.5, color=colour),
        VALIDATION: _line(2.5, color=colour) | {"point": {"size": 60, "filled": True, "color": colour, "aria": False}},
    }
    tooltip = {"tooltip": shown["tooltip"]}
    layers = [_layer(series, mark=mark | {"clip": True}, encoding=tooltip) for series, mark in marks.items()]
    return _chart(140, name, transform=shown["transform"], encoding={"x": x, "y": y}, layer=layers)


def run_colours(count: int) -> list[str]:
    """A colour for each of ``count`` runs."""
    return [RUN_COLOURS[position % len(RUN_COLOURS)] for position in range(count)]


def probabilities(labels: Sequence[int], names: Sequence[str]) -> Spec:
    """The probabilities of up to ten ``labels`` during a training, as a stacked area: columns ``step``, and one for each
    label, such as ``0``. ``names`` are those of all classes. The axis is logarithmic: most happens in the first steps. What
    was before them is at step ``BEFORE_FIRST``."""
    columns = list(map(str, labels))
    ticks = [BEFORE_FIRST, *(10**power for power in range(9))]
    label = f"datum.value === {BEFORE_FIRST} ? {json.dumps(_('start'))} : format(datum.value, ',')"
    axis = {"grid": False, "values": ticks, "labelExpr": label}
    x = {"field": "step", "type": "quantitative", "title": _("step"), "axis": axis, "scale": {"type": "log", "nice": False}}
    y = {"field": "probability", "type": "quantitative", "stack": "zero", "title": None}
    y |= {"axis": {"labelExpr": _percent("value")}, "scale": {"domain": [0, 1]}}
    legend = {"labelExpr": _name("datum.value", names)}
    scale = {"domain": columns, "range": DIGIT_COLOURS[: len(columns)]}
    colour = {"field": "class", "type": "nominal", "title": None, "scale": scale, "legend": legend}
    shown = _percent("probability", ".1f")
    tooltip = [
        {"field": "name", "title": _("class")},
        {"field": "step", "title": _("step"), "format": ",.0f"},
        {"field": "shown", "title": _("probability")},
    ]
    return _chart(
        230,
        transform=[
            {"fold": columns, "as": ["class", "probability"]},
            {"calculate": shown, "as": "shown"},
            {"calculate": _name("datum['class']", names), "as": "name"},
        ],
        mark={"type": "area", "interpolate": "step-after"},
        encoding={"x": x, "y": y, "color": colour, "order": {"field": "class"}, "tooltip": tooltip},
    )


def cells(confusion: npt.NDArray) -> Columns:
    """A confusion matrix for ``confusion_matrix``: columns ``label``, ``predicted``, ``images``, and their ``fraction`` of
    the label's images."""
    labels, predicted = np.divmod(np.arange(confusion.size), len(confusion))
    fractions = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return {"label": labels, "predicted": predicted, "images": confusion.ravel(), "fraction": fractions.ravel()}


def confusion_matrix(dark: bool, selectable: bool = False, names: tuple[str, ...] = DIGITS) -> Spec:
    """The chart of ``cells`` for classes with these ``names``: right predictions in blue, mistakes in red, as strong as the
    root of their fraction."""
    axis = {"labelExpr": _name("datum.value", names), "labelLimit": MAX_LABEL}
    upright = {"labelAngle": 0 if max(map(len, names)) <= 2 else -90}
    x = {"field": "predicted", "type": "ordinal", "title": _("Predicted"), "axis": axis | {"orient": "top"} | upright}
    y = {
        "field": "label",
        "type": "ordinal",
        "title": _("True digit") if names == DIGITS else _("True class"),
        "axis": axis,
    }
    right = "datum.label === datum.predicted"
    opacity = {"field": "strength", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.04, 1]}, "legend": None}
    colour = {"condition": {"test": right, "value": "#4c6ef5"}, "value": "#e4572e"}
    tooltip = [{"field": "true name", "title": y["title"]}, {"field": "name", "title": x["title"]}]
    tooltip.append({"field": "images", "title": _("images")})
    squares: Spec = {
        "mark": {"type": "rect", "cornerRadius": 3} | ({"cursor": "pointer"} if selectable else {}),
        "encoding": {"opacity": opacity, "color": colour, "tooltip": tooltip},
    }
    if selectable:
        squares["params"] = [
            {"name": "cell", "select": {"type": "point", "fields": ["label", "predicted"], "toggle": False}}
        ]
    counts = {
        "transform": [{"filter": f"datum.images > 0 && {str(len(names) <= MAX_COUNTED).lower()}"}],
        "mark": {"type": "text", "fontSize": 11, "color": "#ffffff" if dark else "#1b1d28"},
        "encoding": {"text": {"field": "images", "type": "quantitative"}},
    }
    strength = {"calculate": f"({right} ? 0.8 : 1.6) * sqrt(datum.fraction)", "as": "strength"}
    of_names = [
        {"calculate": _name("datum.label", names), "as": "true name"},
        {"calculate": _name("datum.predicted", names), "as": "name"},
    ]
    height = max(360, CELL * len(names))
    return _chart(height, transform=[strength, *of_names], encoding={"x": x, "y": y}, layer=[squares, counts])


def _name(number: str, names: Sequence[str]) -> str:
    """The name of a class, in Vega's language."""
    return f"{json.dumps([short(name) for name in names])}[{number}]"


def reliability() -> Spec:
    """How often a network is right for each confidence: columns ``confidence``, ``accuracy`` and ``images``."""
    percent = {"axis": {"labelExpr": _percent("value")}, "scale": {"domain": [0, 1]}, "type": "quantitative"}
    diagonal = {
        "data": {"values": [{"at": 0}, {"at": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "#8f96b3"},
        "encoding": {"x": {"field": "at", **percent}, "y": {"field": "at", **percent}},
    }
    x = {"field": "confidence", "title": _("how sure it is"), **percent}
    y = {"field": "accuracy", "title": _("how often it is right"), **percent}
    dots = {"type": "point", "filled": True, "size": 70, "color": RUN_COLOURS[0], "opacity": 1}
    names = ("confidence", "accuracy")
    texts = [{"calculate": _percent(name, ".1f"), "as": f"{name} text"} for name in names]
    tooltip = [{"field": f"{name} text", "title": _(name)} for name in names]
    tooltip.append({"field": "images", "title": _("images")})
    layers = [{"mark": {"type": "line", "color": RUN_COLOURS[0]}}, {"mark": dots, "encoding": {"tooltip": tooltip}}]
    return _chart(260, transform=texts, layer=[diagonal, {"layer": layers, "encoding": {"x": x, "y": y}}])
