"""What the page Sweeps draws: the columns of each chart, from a study's trials, and its Vega-Lite specification."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import bdtr

from engine.sweep.plan import MEASURES, Sweep
from engine.sweep.search_space import SEARCHABLE, Choices, Dimension, Range
from ui.charts import Columns, Spec
from ui.formatting import number, show_setting
from ui.translation import N_, _

if TYPE_CHECKING:  # Optuna is optional
    from optuna.trial import FrozenTrial

COMPLETE, PRUNED, RUNNING = N_("complete"), N_("stopped early"), N_("running")
COLOURS = {COMPLETE: "#5b69d6", PRUNED: "#9aa0b5", RUNNING: "#e4572e"}
BEST = "#2f9e6e"
HEIGHT = 240
MAX_EPOCHS = 50  # of a trial's curve
GREY = "#7b8194"  # of text, on a light and on a dark page
MAX_MARKS = 6  # at the line of a setting
PADDING = {"left": 0, "top": 5, "right": 12, "bottom": 4}  # whole letters
PERCENT = "format(100 * datum.value, '.4~r') + ' %'"  # of a fraction on an axis, in Vega's language


def kind_of(trial: "FrozenTrial") -> str | None:
    """The key in ``COLOURS`` for a trial; None for one that has not begun or has failed."""
    return {"COMPLETE": COMPLETE, "PRUNED": PRUNED, "RUNNING": RUNNING}.get(trial.state.name)


def progress_rows(sweep: Sweep, trials: "Sequence[FrozenTrial]") -> Columns:
    """The results in the order in which they came: ``number`` from 1, ``value``, and ``best`` until then."""
    complete = [trial for trial in trials if kind_of(trial) == COMPLETE]
    complete.sort(key=lambda trial: trial.datetime_complete or datetime.max)
    values = np.array([trial.values[0] for trial in complete])
    best = (np.maximum if MEASURES[sweep.measure].greater_is_better else np.minimum).accumulate(values)
    names = [trial.number for trial in complete]
    return {"order": list(range(1, len(complete) + 1)), "value": values, "best": best, "trial": names}


def progress(sweep: Sweep) -> Spec:
    x = {
        "field": "order",
        "type": "quantitative",
        "title": _("trials that are done"),
        "axis": {"tickMinStep": 1, "grid": False},
    }
    tooltip = [{"field": "trial", "title": _("trial")}, _value_field(sweep, "value")]
    dots = {"type": "point", "filled": True, "size": 50, "opacity": 0.7, "color": COLOURS[COMPLETE]}
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 2.5, "color": BEST}
    layers = [
        {"mark": line, "encoding": {"y": _y(sweep, "best")}},
        {"mark": dots, "encoding": {"y": _y(sweep, "value"), "tooltip": tooltip}},
    ]
    return _chart(encoding={"x": x}, layer=layers)


def curve_rows(trials: "Sequence[FrozenTrial]") -> Columns:
    """What each trial measured after each epoch of its first seed: ``epoch``, ``value``, ``trial`` and ``kind``."""
    points = [
        (epoch, value, trial.number, kind)
        for kind in (PRUNED, COMPLETE, RUNNING)  # the later ones lie above
        for trial in trials
        if kind_of(trial) == kind
        for epoch, value in _thinned(sorted(trial.intermediate_values.items()))
    ]
    return {name: [point[k] for point in points] for k, name in enumerate(("epoch", "value", "trial", "kind"))}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most ``MAX_EPOCHS`` of the points, evenly spaced, with the first and the last."""
    if len(points) <= MAX_EPOCHS:
        return points
    return [points[position] for position in np.linspace(0, len(points) - 1, MAX_EPOCHS).round().astype(int)]


def curves(sweep: Sweep) -> Spec:
    x = {"field": "epoch", "type": "quantitative", "title": _("epoch"), "axis": {"tickMinStep": 1, "grid": False}}
    tooltip = [
        {"field": "trial", "title": _("trial")},
        {"field": "epoch", "title": _("epoch")},
        _value_field(sweep, "value"),
    ]
    colour = {
        "field": "kind",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
    }
    mark = {"type": "line", "strokeWidth": 1.5, "opacity": 0.8, "point": {"size": 22, "filled": True, "aria": False}}
    detail = {"field": "trial", "type": "nominal"}
    return _chart(
        mark=mark, encoding={"x": x, "y": _y(sweep, "value"), "color": colour, "detail": detail, "tooltip": tooltip}
    )


def parallel_rows(sweep: Sweep, trials: "Sequence[FrozenTrial]") -> Columns:
    """A line through all settings for each complete trial: ``setting``, ``place`` in [0, 1], ``text``, ``value``, ``trial``.

    ``quality`` is 1 for the best trial and 0 for the worst.
    """
    complete = [trial for trial in trials if kind_of(trial) == COMPLETE]
    sign = 1 if MEASURES[sweep.measure].greater_is_better else -1
    complete.sort(key=lambda trial: sign * trial.values[0])  # the best line lies above
    rows = [
        (
            label(name),
            place(dimension, trial.params[name]),
            shown(name, trial.params[name]),
            trial.values[0],
            trial.number,
            (rank + 1) / len(complete),
        )
        for rank, trial in enumerate(complete)
        for name, dimension in sweep.varied.items()
    ]
    names = ("setting", "place", "text", "value", "trial", "quality")
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def parallel(sweep: Sweep) -> Spec:
    x = {"field": "setting", "type": "nominal", "title": None, "sort": [label(name) for name in sweep.varied]}
    x |= {"axis": {"labelAngle": 0, "labelLimit": 100, "grid": True, "labelOverlap": True}}
    y = {"field": "place", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1]}}
    colour = {"condition": {"test": "datum.quality === 1", "value": BEST}, "value": COLOURS[COMPLETE]}
    opacity = {"field": "quality", "type": "quantitative", "legend": None, "scale": {"domain": [0, 1], "range": [0.05, 1]}}
    tooltip = [
        {"field": "trial", "title": _("trial")},
        {"field": "setting", "title": _("setting")},
        {"field": "text", "title": _("chosen")},
        _value_field(sweep, "value"),
    ]
    mark = {"type": "line", "strokeWidth": 2, "point": {"filled": True, "size": 35, "aria": False}}
    detail = {"field": "trial", "type": "nominal"}
    lines = {"color": colour, "opacity": opacity, "detail": detail, "tooltip": tooltip}
    text = {"type": "text", "align": "left", "dx": 8, "fontSize": 11, "color": GREY, "limit": 70, "aria": False}
    layers = [
        {"mark": mark, "encoding": lines},
        {"data": {"values": _marks(sweep)}, "mark": text, "encoding": {"text": {"field": "text", "type": "nominal"}}},
    ]
    return _chart(HEIGHT, encoding={"x": x, "y": y}, layer=layers)


def _marks(sweep: Sweep) -> list[dict[str, Any]]:
    """What stands at the line of each setting: its lowest and highest value, or its choices if they are few."""
    marks = []
    for name, dimension in sweep.varied.items():
        values = dimension.values() if isinstance(dimension, Range) else dimension.texts
        for value in values if len(values) <= MAX_MARKS else (values[0], values[-1]):
            marks.append({"setting": label(name), "place": place(dimension, value), "text": shown(name, value)})
    return marks


def label(name: str) -> str:
    """The name of a setting as people read it."""
    return _(SEARCHABLE[name].label)


def shown(name: str, parameter: Any) -> str:
    """A parameter of Optuna's as people read it."""
    if isinstance(parameter, float):
        return number(parameter, ".4g")
    setting = SEARCHABLE[name]
    return show_setting(setting, setting.from_text(name, parameter)) if isinstance(parameter, str) else number(parameter)


def searched(dimension: Dimension) -> str:
    """What a dimension may choose from, as people read it."""
    values = dimension.values() if isinstance(dimension, Range) else dimension.texts
    return (" ... " if isinstance(dimension, Range) else " / ").join(shown(dimension.name, value) for value in values)


def place(dimension: Dimension, value: Any) -> float:
    """Where a value lies between the lowest and the highest, or among the choices, in [0, 1]."""
    if isinstance(dimension, Choices):
        return dimension.texts.index(value) / max(len(dimension.texts) - 1, 1)
    low, high = dimension.low, dimension.high
    return float(np.log(value / low) / np.log(high / low)) if dimension.log else (value - low) / (high - low)


def setting_rows(name: str, trials: "Sequence[FrozenTrial]") -> Columns:
    """One setting against the result: ``chosen``, ``value``, ``trial`` and ``kind``."""
    rows = [
        (_axis_value(name, trial.params[name]), trial.values[0], trial.number, kind_of(trial))
        for trial in trials
        if kind_of(trial) in (COMPLETE, PRUNED) and trial.values and name in trial.params
    ]
    return {column: [row[k] for row in rows] for k, column in enumerate(("chosen", "value", "trial", "kind"))}


def _axis_value(name: str, parameter: Any) -> Any:
    """A number, or a choice as people read it."""
    return shown(name, parameter) if isinstance(parameter, str) else parameter


def setting(sweep: Sweep, name: str) -> Spec:
    dimension = sweep.search[name]
    if isinstance(dimension, Range):
        scale = {"type": "log" if dimension.log else "linear", "domain": [dimension.low, dimension.high]}
        x = {"type": "quantitative", "scale": scale, "axis": {"grid": False, "format": "~g", "tickCount": 4}}
    else:
        x = {
            "type": "nominal",
            "sort": [shown(name, text) for text in dimension.texts],
            "axis": {"labelAngle": 0, "labelLimit": 80},
        }
    x |= {"field": "chosen", "title": label(name)}
    colour = {"field": "kind", "type": "nominal", "legend": None}
    colour |= {"scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}}
    tooltip = [
        {"field": "trial", "title": _("trial")},
        {"field": "chosen", "title": label(name)},
        _value_field(sweep, "value"),
    ]
    mark = {"type": "point", "filled": True, "size": 50, "opacity": 0.75}
    return _chart(190, mark=mark, encoding={"x": x, "y": _y(sweep, "value"), "color": colour, "tooltip": tooltip})


def importance_rows(importances: dict[str, float]) -> Columns:
    return {"setting": list(map(label, importances)), "share": list(importances.values())}


def importance() -> Spec:
    x = {"field": "share", "type": "quantitative", "title": None, "scale": {"domain": [0, 1]}}
    x |= {"axis": {"labelExpr": PERCENT, "grid": False, "tickCount": 4}}
    y = {"field": "setting", "type": "nominal", "title": None, "sort": None}
    return _chart({"step": 28}, mark={"type": "bar", "color": COLOURS[COMPLETE]}, encoding={"x": x, "y": y})


def flattery_rows(accuracy: float, num_images: int, num_trials: int) -> Columns:
    """How accurate the best of n equally good networks looks, on average: ``trials`` n and ``accuracy``.

    Each of them reads ``accuracy`` of all images right; on ``num_images`` images it is lucky or unlucky, as a binomial
    distribution says.
    """
    numbers = np.unique(np.geomspace(1, max(num_trials, 2), 40).round().astype(int))
    at_most = bdtr(np.arange(num_images), num_images, accuracy)  # the probability of at most k right answers
    best = [(1 - at_most**number).sum() / num_images for number in numbers.tolist()]
    return {"trials": numbers, "accuracy": np.array(best)}


def flattery() -> Spec:
    x = {"field": "trials", "type": "quantitative", "title": _("networks to choose from"), "axis": {"grid": False}}
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False},
        "axis": {"labelExpr": PERCENT},
    }
    tooltip = [{"field": "trials", "title": _("networks to choose from")}]
    tooltip += [{"field": "accuracy", "title": _("looks like"), "format": ".2%"}]
    mark = {
        "type": "line",
        "strokeWidth": 2.5,
        "color": COLOURS[RUNNING],
        "point": {"size": 20, "filled": True, "color": COLOURS[RUNNING], "aria": False},
    }
    return _chart(mark=mark, encoding={"x": x, "y": y, "tooltip": tooltip})


def _chart(height: Any = HEIGHT, **spec: Any) -> Spec:
    return {"height": height, "padding": PADDING, **spec}


def _is_fraction(sweep: Sweep) -> bool:
    return MEASURES[sweep.measure].greater_is_better  # an accuracy


def _y(sweep: Sweep, field: str) -> Spec:
    axis = {"labelExpr": PERCENT} if _is_fraction(sweep) else {"format": "~g"}
    return {"field": field, "type": "quantitative", "title": None, "scale": {"zero": False}, "axis": axis}


def _value_field(sweep: Sweep, field: str) -> Spec:
    title = _(MEASURES[sweep.measure].label).lower()
    return {"field": field, "title": title, "format": ".2%" if _is_fraction(sweep) else ".4~g"}
