"""``Look``: a study as it is at one moment, read once for all that is asked of it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.sweep.plan import MEASURES, Sweep

if TYPE_CHECKING:  # Optuna is optional
    from optuna.trial import FrozenTrial


class Look(NamedTuple):
    """What a study consists of: its ``sweep``, all its ``trials`` in order, and what is stored with it besides."""

    sweep: Sweep
    trials: "Sequence[FrozenTrial]"
    attributes: dict[str, Any]

    def in_state(self, *states: str) -> "list[FrozenTrial]":
        """The trials in these of Optuna's states, by name."""
        return [trial for trial in self.trials if trial.state.name in states]

    @property
    def is_late(self) -> bool:
        """Whether no other trial may begin: its minutes are over, or it was ended."""
        minutes, begun = self.sweep.minutes, self.attributes.get("begun_at")
        is_late = minutes is not None and begun is not None and time.time() - begun > 60 * minutes
        return is_late or bool(self.attributes.get("is_ended"))

    @property
    def is_over(self) -> bool:
        """Whether no trial is left to begin or to continue."""
        return not self.in_state("RUNNING", *([] if self.is_late else ["WAITING"]))

    @property
    def is_paused(self) -> bool:
        """Whether its workers are to stop; trials that are under way can be continued."""
        return bool(self.attributes.get("is_paused"))

    @property
    def best(self) -> "FrozenTrial | None":
        """The best of the complete trials; the first of those that are equal."""
        sign = -1 if MEASURES[self.sweep.measure].greater_is_better else 1
        return min(self.in_state("COMPLETE"), key=lambda trial: sign * trial.values[0], default=None)

    @property
    def winner(self) -> dict[str, Any] | None:
        """What ``Study.measure_winner`` measured; None before that, and if another trial has become the best one since."""
        best, winner = self.best, self.attributes.get("winner")
        return winner if best and winner and winner["accuracies"] and winner["trial"] == best.number else None

    @property
    def has_work(self) -> bool:
        """Whether something is left to do: a trial, or measuring the winner."""
        return not self.is_over or (self.best is not None and self.winner is None)

    @property
    def num_validation(self) -> int:
        """How many images choose, if their number is not searched."""
        num_images = self.attributes["data"]["images"]
        return self.sweep.config.num_validation(min(num_images, self.sweep.config.train_size))
