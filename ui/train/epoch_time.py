"""How long an epoch will take on this machine: measured on a background thread, so that no click waits for it."""

import logging
from collections.abc import Sequence
from threading import Lock, Thread

import numpy as np
import streamlit as st

from engine import Config, InklingError
from engine.data import Dataset
from engine.training.timing import measure_seconds
from ui.runs import Run

MAX_MEASUREMENTS = 500  # that are remembered
NUM_NOISE_IMAGES = 2_048  # to measure with
SPEED_SETTINGS = (  # two configurations that share these take equally long per image
    *("layers", "loss", "optimizer", "batch_size", "augmentation"),
    *("ema_decay", "weight_decay", "l1", "max_grad_norm"),
)
EPOCH_SETTINGS = (*SPEED_SETTINGS, "train_size", "validation_size")  # and these, per epoch

log = logging.getLogger(__name__)


def seconds_per_epoch(config: Config, num_images: int, runs: Sequence[Run] = ()) -> float | None:
    """Seconds of an epoch with its validation, if there are ``num_images`` training images.

    They are those of the latest of ``runs`` with the same settings, otherwise measured, which begins with the first call:
    None until then, and 0 if it cannot be measured. Raises ``InklingError`` if no image would be left to train on.
    """
    num_images = min(config.train_size, num_images)
    num_validation = config.num_validation(num_images)
    for run in reversed(runs):
        first = run.series.snapshots()[0]
        same = not run.from_file and not first.changes and _key(run.config, EPOCH_SETTINGS) == _key(config, EPOCH_SETTINGS)
        if same and first.history:
            return first.history[-1].seconds / len(first.history)
    key = _key(config, SPEED_SETTINGS)
    measured, lock = _measured()
    if key not in measured and lock.acquire(blocking=False):
        Thread(target=_measure, args=(key, config, measured, lock), name="epoch time", daemon=True).start()
    if key not in measured:
        return None
    training, validation = measured[key]
    return (num_images - num_validation) * training + num_validation * validation


def _key(config: Config, names: Sequence[str]) -> str:
    return repr([getattr(config, name) for name in names])


@st.cache_resource(show_spinner=False)
def _measured() -> tuple[dict[str, tuple[float, float]], Lock]:
    """Seconds per image, of training and of validation, by key; and what is locked during a measurement."""
    return {}, Lock()


def _measure(key: str, config: Config, measured: dict[str, tuple[float, float]], lock: Lock) -> None:
    seconds = 0.0, 0.0
    try:
        seconds = measure_seconds(config, _noise())
    except (InklingError, MemoryError):
        pass  # such a configuration cannot be trained either: Start says why
    except Exception:  # a thread has nobody to raise to
        log.exception("the time of an epoch cannot be measured")
    finally:
        measured[key] = seconds
        while len(measured) > MAX_MEASUREMENTS:
            del measured[next(iter(measured))]
        lock.release()


def _noise() -> Dataset:
    """Images to measure with: what is on them makes no difference to the speed."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_NOISE_IMAGES, 28, 28), np.uint8)
    return Dataset(images, np.arange(NUM_NOISE_IMAGES, dtype=np.uint8) % 10, "noise")
