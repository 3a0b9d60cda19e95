"""``Situation``: what a visitor has done, as the conditions of lessons look at it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.config import Config


class Reading(Protocol):
    """What a network predicts for a drawing: ``ui.draw.prediction.Prediction`` is one."""

    @property
    def digit(self) -> int | None: ...
    @property
    def confidence(self) -> float: ...
    @property
    def is_sure(self) -> bool: ...


@dataclass(frozen=True)
class RunSeen:
    """A run. Accuracies are fractions in [0, 1], the latest; None while they are not known."""

    number: int
    config: Config
    num_seeds: int = 1
    is_over: bool = False
    step: int = 0
    training_accuracy: float | None = None
    validation_accuracy: float | None = None
    test_accuracy: float | None = None

    @property
    def accuracy(self) -> float | None:
        """On images that it does not learn from."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy


@dataclass(frozen=True)
class Situation:
    """``runs`` are those that began in this lesson, oldest first; ``ticked`` are the runs that are ticked in the table.

    ``image`` (280, 280) is the drawing, white on black, or None. ``read`` gives what a network reads of it: "chosen" is the
    one that is chosen on the Draw page, "run" the newest run. None: there is no such network, no ink, or several digits.
    """

    page: str = ""
    panel: str = ""
    network: str = ""  # key of the one that is chosen on the Draw page
    settings: Mapping[str, str] = field(default_factory=dict)  # on the Train page, as texts of a link
    switches: Mapping[str, bool] = field(default_factory=dict)  # by key
    runs: tuple[RunSeen, ...] = ()
    ticked: tuple[RunSeen, ...] = ()
    image: npt.NDArray[np.uint8] | None = None
    read: Callable[[str], Reading | None] = lambda network: None
