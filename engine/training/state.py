"""The whole state of a training as JSON values and arrays: a training restored from them continues bit for bit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_integer, check_number
from engine.training.events import Change, EpochEnd
from engine.training.history import History
from engine.training.trainer import Trainer

COUNTERS = ("epoch", "step", "position", "samples", "loss_sum", "correct", "training_seconds", "seconds")
MAX_LOSS = 1e300  # finite, and more than any sum of losses in float32


def capture(trainer: Trainer) -> tuple[dict[str, Any], dict[str, npt.NDArray]]:
    """The JSON values and the arrays that a new trainer of the same configuration and data needs to continue from here."""
    counts, curve = trainer.curve.state()
    values = {name: getattr(trainer, name) for name in COUNTERS} | {
        "history": list(trainer.history),
        "changes": trainer.changes,
        "over": trainer.is_over,
        "best": trainer.best,
        "curve": counts,
        "optimizer_steps": trainer.optimizer.steps,
        "rngs": {name: rng.bit_generator.state for name, rng in trainer.rngs.items()},
    }
    arrays = _vectors(trainer) | {"curve": curve, "order": trainer.order.astype(np.uint32)}
    return values, arrays


def restore(trainer: Trainer, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray]) -> None:
    """Continue from what ``capture`` gave; raises ``InklingError`` if it does not fit this trainer."""
    size = len(trainer.train_set)
    if arrays["order"].shape != (size,) or not np.array_equal(np.sort(arrays["order"]), np.arange(size)):
        raise InklingError(f"order must be a permutation of the {size:,} training images")
    check_integer("position", values["position"], 0, size)
    epoch = check_integer("epoch", values["epoch"], 1, trainer.config.epochs)
    check_integer("epochs in the history", len(values["history"]), epoch - 1, epoch)
    if values["best"] is not None:
        best_loss, best_epoch = values["best"]
        trainer.best = check_number("best loss", best_loss, 0, MAX_LOSS), check_integer("best epoch", best_epoch, 1, epoch)
        trainer.best_state = np.empty_like(trainer.network.state_vector)
    for name, vector in _vectors(trainer).items():
        if name not in arrays or arrays[name].shape != vector.shape:
            got = arrays[name].shape if name in arrays else "none"
            raise InklingError(f"{name} must be {vector.size:,} numbers, got {got}")
        if not np.isfinite(arrays[name]).all():
            raise InklingError(f"{name} must be finite numbers, got NaN or infinity")
        vector[:] = arrays[name]
    for name in COUNTERS:
        if name in ("loss_sum", "training_seconds", "seconds"):
            check_number(name, values[name], 0, MAX_LOSS)
        else:
            check_integer(name, values[name], 0, 2**53)
        setattr(trainer, name, values[name])
    trainer.is_over = values["over"] is True
    trainer.history = History(EpochEnd, (_checked_epoch(*row) for row in values["history"]))
    trainer.changes = [_checked_change(trainer, *row) for row in values["changes"]]
    trainer.order = arrays["order"].astype(np.int64)
    trainer.curve.restore(values["curve"], arrays["curve"])
    trainer.optimizer.steps = check_integer("optimizer_steps", values["optimizer_steps"], 0, 2**53)
    for name, rng in trainer.rngs.items():
        rng.bit_generator.state = values["rngs"][name]
    trainer.begin_timing()


def _vectors(trainer: Trainer) -> dict[str, npt.NDArray]:
    """The vectors that change from step to step, by the name under which they are stored."""
    vectors = {"values": trainer.network.state_vector, "last_finite": trainer.previous_state}
    if trainer.average:
        vectors["average"] = trainer.average.state_vector
    if trainer.best_state is not None:
        vectors["best_values"] = trainer.best_state
    return vectors | {f"optimizer.{name}": vector for name, vector in trainer.optimizer.state.items()}


def _checked_epoch(*row: Any) -> EpochEnd:
    event = EpochEnd(*row)
    for name, value in event._asdict().items():
        if value is not None or not name.startswith("validation"):
            check_number(name, value, 0, MAX_LOSS)
    return event


def _checked_change(trainer: Trainer, step: Any, epoch: Any, values: Any) -> Change:
    trainer.config.changed(**values)
    check_number("epoch of a change", epoch, 0, trainer.config.epochs)
    return Change(check_integer("step of a change", step, 0, trainer.step), epoch, dict(values))
