"""How long an epoch will take on this machine: measured in a worker process, so that no click waits for it."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from threading import Lock

from engine import Config
from engine.jobs import default_pool
from ui.run import Run

MAX_MEASUREMENTS = 500  # that are remembered
SPEED_SETTINGS = (  # two configurations that share these take equally long per image
    *("layers", "loss", "optimizer", "batch_size", "augmentation"),
    *("ema_decay", "weight_decay", "l1", "max_grad_norm"),
)
EPOCH_SETTINGS = (*SPEED_SETTINGS, "train_size", "validation_size")  # and these, per epoch

_measurements: dict[str, Future[tuple[float, float]]] = {}  # by what decides the speed, for all sessions
_lock = Lock()


def seconds_per_epoch(
    config: Config, num_images: int, runs: Sequence[Run] = (), is_watched: Callable[[], bool] = lambda: True
) -> float | None:
    """Seconds of an epoch with its validation, if there are ``num_images`` training images.

    They are those of the latest of ``runs`` with the same settings, otherwise measured, which begins with the first call:
    None until then, and 0 if it cannot be measured. The measurement ends when nobody watches any more. Raises
    ``InklingError`` if no image would be left to train on.
    """
    num_images = min(config.train_size, num_images)
    num_validation = config.num_validation(num_images)
    for run in reversed(runs):
        if not run.from_file and _key(run.config, EPOCH_SETTINGS) == _key(config, EPOCH_SETTINGS):
            first = run.series.snapshots()[0]
            if first.history and not first.changes:
                return first.history[-1].seconds / len(first.history)
    measurement = _measurement(config, is_watched)
    if not measurement.done():
        return None
    if _was_cancelled(measurement):
        return None
    if measurement.exception():  # such a configuration cannot be trained either: Start says why
        return 0.0
    training, validation = measurement.result()
    return (num_images - num_validation) * training + num_validation * validation


def num_batches(config: Config, num_images: int) -> int:
    """How many batches an epoch has, if there are ``num_images`` training images."""
    num_images = min(config.train_size, num_images)
    num_images -= config.num_validation(num_images)
    return -(-num_images // min(config.batch_size or num_images, num_images))


def _key(config: Config, names: Sequence[str]) -> str:
    return repr([getattr(config, name) for name in names])


def _measurement(config: Config, is_watched: Callable[[], bool]) -> Future[tuple[float, float]]:
    """The measurement of this configuration, which begins now unless it has before."""
    key = _key(config, SPEED_SETTINGS)
    with _lock:
        if key not in _measurements or _was_cancelled(_measurements[key]):
            _measurements[key] = default_pool().measure(config, is_watched)
            while len(_measurements) > MAX_MEASUREMENTS:
                del _measurements[next(iter(_measurements))]
        return _measurements[key]


def _was_cancelled(measurement: Future[tuple[float, float]]) -> bool:
    """Whether those who wanted it have left before its end."""
    return measurement.cancelled() or (measurement.done() and isinstance(measurement.exception(), CancelledError))
