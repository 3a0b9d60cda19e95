"""How long an epoch will take on this machine: measured on a thread of its own, so that no click waits for it."""

from threading import Lock, Thread

import numpy as np
import streamlit as st

from engine import InklingError
from engine.data import Dataset
from engine.training import measure_seconds

KEEP = 500  # measured configurations
IMAGES = 2_048  # to measure with
SAME_SPEED = ("layers", "loss", "optimizer", "batch_size", "augmentation", "averaging", "weight_decay", "l1", "clip_norm")
SAME_EPOCH = (*SAME_SPEED, "images", "validation_size")


def seconds_per_epoch(config, available, runs=()):
    """Seconds of an epoch, with its validation: as one of the ``runs`` took where it was alike, else as measured.

    ``available`` is how many training images there are. None until it was measured, which begins when it is first asked;
    0 where it cannot be. Raises ``InklingError`` where no image would be left to train on.
    """
    images = min(config.images, available)
    validation = config.held_back(images)
    epoch = _key(config, SAME_EPOCH)
    for run in reversed(runs):
        first = run.snapshots()[0]
        if first.history and _key(run.config, SAME_EPOCH) == epoch and not first.changes:
            return first.history[-1].seconds / len(first.history)
    key = _key(config, SAME_SPEED)
    measured, lock = _measured()
    if key not in measured and lock.acquire(blocking=False):
        Thread(target=_measure, args=(key, config, measured, lock), name="speed", daemon=True).start()
    if key not in measured:
        return None
    training, validating = measured[key]
    return (images - validation) * training + validation * validating


def _key(config, names):
    return repr(tuple(getattr(config, name) for name in names))


@st.cache_resource(show_spinner=False)
def _measured():
    return {}, Lock()


def _measure(key, config, measured, lock):
    try:
        measured[key] = measure_seconds(config, _noise())
    except (InklingError, MemoryError):
        measured[key] = 0.0, 0.0
    finally:
        while len(measured) > KEEP:
            del measured[next(iter(measured))]
        lock.release()


def _noise():
    """Images to be fast or slow with: what is on them makes no difference."""
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (IMAGES, 28, 28), np.uint8), np.arange(IMAGES, dtype=np.uint8) % 10, "noise")
