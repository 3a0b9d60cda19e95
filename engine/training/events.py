"""What a training reports as it goes: immutable events."""

from typing import Any, NamedTuple


class StepEnd(NamedTuple):
    """One batch has moved the parameters. ``loss`` and ``accuracy`` are those of the batch before the step."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    samples_per_second: float
    seconds: float


class EpochEnd(NamedTuple):
    """Every image has been seen once more. ``loss`` and ``accuracy`` are means over the epoch's images, each measured before
    the step of its batch. The validation figures are None without a validation set. ``samples_per_second`` counts the steps
    alone; ``seconds`` is all of the training's time, without pauses."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    samples_per_second: float
    seconds: float


class Diverged(NamedTuple):
    """Training is over because the loss is NaN or infinite. The network is again as it was for the last batch with a finite
    loss, and all its weights are finite."""

    epoch: int
    step: int
    loss: float
    seconds: float


class Change(NamedTuple):
    """Settings that were changed during the training: after which ``step``, at which ``epoch`` (with a fraction), to which
    ``values`` by name."""

    step: int
    epoch: float
    values: dict[str, Any]


class Finished(NamedTuple):
    """Training is over: all epochs are done, or it ``stopped_early`` and the network of ``best_epoch`` is back in place."""

    epoch: int
    step: int
    stopped_early: bool
    best_epoch: int | None
    samples_per_second: float
    seconds: float


Event = StepEnd | EpochEnd | Diverged | Finished
