"""What a page can notice: ``CONDITIONS`` are functions of a visitor's ``Situation``, by the names that lessons use."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine import InklingError
from engine.checks import shown
from engine.config import Config
from engine.setting_fields import settings_of
from ui.lessons.situation import RunSeen, Situation
from ui.translation import _

CHOSEN, NEWEST_RUN = "chosen", "run"
SETTINGS = settings_of(Config)


def page_open(situation: Situation, *, page: str) -> bool:
    """A page is open."""
    return situation.page == page


def panel_open(situation: Situation, *, panel: str) -> bool:
    """A panel, named in English, is open, on the Draw or the Train page."""
    return situation.panel == _(panel)


def setting(situation: Situation, *, name: str, value: str) -> bool:
    """A setting on the Train page has this value, as a link says it."""
    return situation.settings.get(name) == value


def switched(situation: Situation, *, switch: str, on: bool) -> bool:
    """A switch, which is named by its key, is on or off."""
    return situation.switches.get(switch) is on


def chosen(situation: Situation, *, network: str) -> bool:
    """A network is chosen on the Draw page."""
    return situation.network == network


def reads(situation: Situation, *, digit: int, network: str = CHOSEN) -> bool:
    """A network is sure to read this digit."""
    reading = situation.read(network)
    return reading is not None and reading.is_sure and reading.digit == digit


def reads_another(situation: Situation, *, digit: int, network: str = CHOSEN) -> bool:
    """A network takes another digit for the most likely one, sure or not."""
    reading = situation.read(network)
    return reading is not None and reading.digit != digit


def sure(situation: Situation, *, network: str = CHOSEN) -> bool:
    """A network is sure, of whatever digit."""
    reading = situation.read(network)
    return reading is not None and reading.is_sure


def not_sure(situation: Situation, *, network: str = CHOSEN) -> bool:
    """There is a drawing, and a network is not sure what it is."""
    reading = situation.read(network)
    return reading is not None and not reading.is_sure


def ink_within(situation: Situation, *, pixels: int) -> bool:
    """All ink is in a square of so many pixels a side; the canvas has 280."""
    if situation.image is None or not situation.image.any():
        return False
    rows, columns = np.nonzero(situation.image)
    return bool(max(np.ptp(rows), np.ptp(columns)) < pixels)


def steps_taken(situation: Situation, *, steps: int) -> bool:
    """A run has taken so many steps."""
    return any(run.step >= steps for run in situation.runs)


def run_reached(situation: Situation, *, accuracy: float) -> bool:
    """A run reads this share of the images right that it does not learn from."""
    return any(run.accuracy is not None and run.accuracy >= accuracy for run in situation.runs)


def run_over(
    situation: Situation, *, settings: Mapping[str, str] | None = None, at_least: float = 0.0, at_most: float = 1.0
) -> bool:
    """A run with these settings, as a link says them, is over, and its accuracy lies between two values."""
    return any(
        run.is_over and _has(run, settings or {}) and run.accuracy is not None and at_least <= run.accuracy <= at_most
        for run in situation.runs
    )


def gap(situation: Situation, *, at_least: float) -> bool:
    """A run that is over reads so much more of its training images right than of others."""
    return any(
        run.is_over
        and run.training_accuracy is not None
        and run.accuracy is not None
        and run.training_accuracy - run.accuracy >= at_least
        for run in situation.runs
    )


def seeds_over(situation: Situation, *, seeds: int) -> bool:
    """A run with so many seeds is over."""
    return any(run.is_over and run.num_seeds >= seeds for run in situation.runs)


def compared(situation: Situation, *, runs: int) -> bool:
    """So many runs are ticked in the table of runs, which shows them in one chart."""
    return len(situation.ticked) >= runs


def _has(run: RunSeen, settings: Mapping[str, str]) -> bool:
    return all(SETTINGS[name].to_text(getattr(run.config, name)) == text for name, text in settings.items())


CONDITIONS: dict[str, Callable[..., bool]] = {
    function.__name__: function
    for function in (
        page_open,
        panel_open,
        setting,
        switched,
        chosen,
        reads,
        reads_another,
        sure,
        not_sure,
        ink_within,
        steps_taken,
        run_reached,
        run_over,
        gap,
        seeds_over,
        compared,
    )
}


def check_arguments(name: str, arguments: Any) -> None:
    """Raise ``InklingError`` unless there is such a condition with such arguments."""
    if name not in CONDITIONS:
        raise InklingError(f"expected a condition, one of {', '.join(CONDITIONS)}, got {shown(name)}")
    parameters = dict(list(inspect.signature(CONDITIONS[name]).parameters.items())[1:])
    needed = {parameter.name for parameter in parameters.values() if parameter.default is parameter.empty}
    if not isinstance(arguments, dict) or not needed <= set(arguments) <= set(parameters):
        raise InklingError(f"{name} must have {', '.join(parameters)}, got {shown(arguments)}")
    settings = {arguments["name"]: arguments["value"]} if name == "setting" else arguments.get("settings", {})
    for field, text in settings.items():
        if field not in SETTINGS:
            raise InklingError(f"{name} must name a setting, got {shown(field)}")
        value = SETTINGS[field].from_text(field, text)
        if SETTINGS[field].to_text(value) != text:
            raise InklingError(f"{field} must be written as a link writes it, {SETTINGS[field].to_text(value)}, got {text}")
