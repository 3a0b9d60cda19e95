"""Charts for the browser: Vega-Lite specifications that stay the same while a run lasts, and the columns that they draw."""

from html import escape

import numpy as np

from ui import words

TRAINING, SMOOTHED, VALIDATION, CHANGE = "training", "smoothed", "validation", "change"
COLOURS = {TRAINING: "#8f96b3", SMOOTHED: "#5b69d6", VALIDATION: "#e4572e", CHANGE: "#c28f00"}
RUNS = ["#4c6ef5", "#e4572e", "#2f9e6e", "#c28f00", "#a24bcf", "#1098ad", "#d6336c", "#7a8699"]
DIGITS = ["#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#98a2ad"]
SMOOTHING = 0.9  # of the smoothed line that each point keeps
PADDING = {"left": 0, "top": 5, "right": 12, "bottom": 0}
FEW = 12  # epochs that an axis shows from the beginning
MOST_ENDS = 100  # epochs' ends in one chart
COLUMN = {"loss": 2, "accuracy": 3}  # of a snapshot's curve


def legend(smooth):
    """What the lines of ``curves`` are, as HTML."""
    shown = (TRAINING, SMOOTHED, VALIDATION) if smooth else (TRAINING, VALIDATION)
    return key({name: COLOURS[name] for name in shown})


def key(colours):
    """What each colour stands for, as HTML; validation has dots."""
    marks = (
        f'<span><i class="{"dot" if name == VALIDATION else "line"}" style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<p class="inkling-legend">{"".join(marks)}</p>'


def smoothed(values):
    """An exponential moving average that does not start from zero (Kingma & Ba, 2015, section 3)."""
    found, mean = [], 0.0
    for count, value in enumerate(values, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        found.append(mean / (1 - SMOOTHING**count))
    return found


def rows(snapshot, quantity, smooth=False):
    """One run's "loss" or "accuracy" as columns: ``epoch`` (and parts of one), ``value``, ``series`` and ``note``."""
    curve = snapshot.curve
    training = curve[:, COLUMN[quantity]].tolist()
    epochs = curve[:, 1].tolist()
    parts = [(TRAINING, epochs, training)]
    if smooth:
        parts.append((SMOOTHED, epochs, smoothed(training)))
    parts.append((VALIDATION, *validation(snapshot, quantity)))
    columns = {"epoch": [], "value": [], "series": [], "note": []}
    for series, x, y in parts:
        columns["epoch"] += x
        columns["value"] += y
        columns["series"] += [series] * len(x)
        columns["note"] += [""] * len(x)
    for change in snapshot.changes:
        columns["epoch"].append(change.epoch)
        columns["value"].append(None)
        columns["series"].append(CHANGE)
        columns["note"].append(words.changes(change.values))
    columns["value"] = np.array(columns["value"], float)
    return columns


def validation(snapshot, quantity):
    """The epochs, and the validation set's loss or accuracy at their ends; evenly thinned, the first and the last kept."""
    epochs, values = snapshot.history.column("epoch"), snapshot.history.column(f"validation_{quantity}")
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > MOST_ENDS:
        known = known[np.linspace(0, len(known) - 1, MOST_ENDS).round().astype(int)]
    return epochs[known].astype(int).tolist(), values[known].tolist()


def _y(quantity, log=False, field="value"):
    if quantity == "accuracy":
        axis, scale = {"format": ".0%"}, {"domainMax": 1, "zero": False}
    else:
        short = "datum.value >= 10000 || (datum.value > 0 && datum.value < 0.001)"
        axis = {"labelExpr": f"{short} ? format(datum.value, '~e') : datum.label"}
        scale = {"type": "log"} if log else {"zero": True}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis, "scale": scale}


def _only(series, **more):
    return {"transform": [{"filter": f"datum.series === '{series}'"}], **more}


def curves(quantity, epochs, smooth=False, log=False):
    """The chart of ``rows``."""
    x = {"field": "epoch", "type": "quantitative", "title": "epoch"}
    x["scale"] = {"domain": [0, epochs]} if epochs <= FEW else {"zero": True, "nice": False}  # many would crowd the start
    x |= {"axis": {"tickMinStep": 1, "grid": False}}
    colour = {"field": "series", "type": "nominal", "legend": None}
    colour |= {"scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}}
    raw = {"type": "line", "strokeWidth": 1 if smooth else 1.5, "opacity": 0.45 if smooth else 1}
    note = [{"field": "note", "title": "changed"}, {"field": "epoch", "format": ".2f"}]
    dashed = {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 2, "aria": False}  # the caption tells of the changes
    rule = {"mark": dashed, "encoding": {"y": None, "tooltip": note}}
    return {
        "title": {"text": quantity.capitalize(), "offset": 6},
        "height": 280,
        "padding": PADDING,
        "encoding": {"x": x, "y": _y(quantity, log), "color": colour},
        "layer": [
            _only(CHANGE, **rule),
            _only(TRAINING, mark=raw),
            _only(SMOOTHED, mark={"type": "line", "strokeWidth": 2}),
            _only(VALIDATION, mark={"type": "line", "strokeWidth": 2.5, "point": {"size": 60, "filled": True}}),
        ],
    }


def overlay(quantity, names, x_title):
    """Several runs over each other: columns ``x``, ``value``, ``low``, ``high``, ``run`` and ``series``."""
    colour = {"field": "run", "type": "nominal", "legend": None, "scale": {"domain": names, "range": shades(names)}}
    y = _y(quantity) | {"scale": {"zero": False}}
    band = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    tooltip = [{"field": "run"}, {"field": "value", "format": ".4f"}]
    bold = {"type": "line", "strokeWidth": 2.5, "point": {"size": 45, "filled": True}}
    step = 0 if x_title == "seconds" else 1
    return {
        "title": {"text": f"Validation {quantity}", "offset": 6},
        "height": 290,
        "padding": PADDING,
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x_title, "axis": {"grid": False, "tickMinStep": step}},
            "color": colour,
        },
        "layer": [
            _only(VALIDATION, mark={"type": "area", "opacity": 0.2}, encoding=band),
            _only(TRAINING, mark={"type": "line", "strokeWidth": 1, "opacity": 0.5}, encoding={"y": y}),
            _only(VALIDATION, mark=bold, encoding={"y": y, "tooltip": tooltip}),
        ],
    }


def shades(names):
    """A colour for each run."""
    return [RUNS[place % len(RUNS)] for place in range(len(names))]


def probabilities():
    """Ten probabilities through a training, as a stacked area: columns ``step`` and ``0`` to ``9``."""
    digits = list(map(str, range(10)))
    colour = {"field": "digit", "type": "nominal", "title": None, "scale": {"domain": digits, "range": DIGITS}}
    y = {"field": "probability", "type": "quantitative", "stack": "zero", "title": None}
    y |= {"axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}}
    return {
        "height": 230,
        "padding": PADDING,
        "transform": [{"fold": digits, "as": ["digit", "probability"]}],
        "mark": {"type": "area", "interpolate": "step-after"},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "axis": {"grid": False}, "scale": {"nice": False}},
            "y": y,
            "color": colour,
            "order": {"field": "digit"},
        },
    }


def cells(confusion):
    """A confusion matrix as columns: ``label``, ``reading``, ``images``, and the ``part`` of the label's images."""
    labels, readings = np.divmod(np.arange(confusion.size), len(confusion))
    parts = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return {"label": labels, "reading": readings, "images": confusion.ravel(), "part": parts.ravel()}


def confusion(dark, selectable=False):
    """The chart of ``cells``: what is right in blue, mistakes in red, by the root of their part so that few show too."""
    x = {"field": "reading", "type": "ordinal", "title": "read as", "axis": {"orient": "top", "labelAngle": 0}}
    y = {"field": "label", "type": "ordinal", "title": "is a"}
    right = "datum.label === datum.reading"
    opacity = {"field": "strength", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.04, 1]}, "legend": None}
    colour = {"condition": {"test": right, "value": "#4c6ef5"}, "value": "#e4572e"}
    rect = {"mark": {"type": "rect", "cornerRadius": 3}, "encoding": {"opacity": opacity, "color": colour}}
    if selectable:
        rect["params"] = [{"name": "cell", "select": {"type": "point", "fields": ["label", "reading"], "toggle": False}}]
        rect["mark"]["cursor"] = "pointer"
    tooltip = [{"field": "label", "title": "is a"}, {"field": "reading", "title": "read as"}, {"field": "images"}]
    rect["encoding"]["tooltip"] = tooltip
    text = {"field": "images", "type": "quantitative"}
    return {
        "height": 360,
        "padding": PADDING,
        "transform": [{"calculate": f"({right} ? 1 : 1.6) * sqrt(datum.part) * ({right} ? 0.8 : 1)", "as": "strength"}],
        "encoding": {"x": x, "y": y},
        "layer": [
            rect,
            {
                "transform": [{"filter": "datum.images > 0"}],
                "mark": {"type": "text", "fontSize": 11, "color": "#ffffff" if dark else "#1b1d28"},
                "encoding": {"text": text},
            },
        ],
    }


def reliability():
    """How often a network is right when it is so sure: columns ``confidence``, ``accuracy`` and ``images``."""
    percent = {"axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}, "type": "quantitative"}
    tooltip = [{"field": name, "format": ".1%"} for name in ("confidence", "accuracy")] + [{"field": "images"}]
    dots = {"type": "point", "filled": True, "size": 70, "color": RUNS[0], "opacity": 1}
    line = {"data": {"values": [{"at": 0}, {"at": 1}]}, "mark": {"type": "line", "strokeDash": [4, 3], "color": "#8f96b3"}}
    line["encoding"] = {"x": {"field": "at", **percent}, "y": {"field": "at", **percent}}
    return {
        "height": 260,
        "padding": PADDING,
        "layer": [
            line,
            {
                "layer": [{"mark": {"type": "line", "color": RUNS[0]}}, {"mark": dots, "encoding": {"tooltip": tooltip}}],
                "encoding": {
                    "x": {"field": "confidence", "title": "how sure it is", **percent},
                    "y": {"field": "accuracy", "title": "how often it is right", **percent},
                },
            },
        ],
    }
