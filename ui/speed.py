"""How long an epoch will take on this machine: measured on a thread of its own, so that no click waits for it."""

from threading import Lock, Thread

import numpy as np
import streamlit as st

from engine import InklingError
from engine.data import Dataset
from engine.training import measure_speed

KEEP = 500  # measured speeds
DECIDES = ("layers", "loss", "optimizer", "batch_size", "augmentation", "averaging", "weight_decay", "l1", "clip_norm")


def seconds_per_epoch(config, images, trainings=()):
    """Seconds for ``images``: as fast as one of the ``trainings`` (snapshots) was, where it was alike; else as measured.

    None until it was measured, which begins when it is first asked.
    """
    key = _key(config)
    alike = [one.samples_per_second for one in trainings if one.samples_per_second and _key(one.config) == key]
    if alike:
        return images / alike[-1]
    speeds, lock = _speeds()
    if key not in speeds and lock.acquire(blocking=False):
        Thread(target=_measure, args=(key, config, speeds, lock), name="speed", daemon=True).start()
    return images / speeds[key] if speeds.get(key) else None


def _key(config):
    return repr(tuple(getattr(config, name) for name in DECIDES))


@st.cache_resource(show_spinner=False)
def _speeds():
    return {}, Lock()


def _measure(key, config, speeds, lock):
    try:
        speeds[key] = measure_speed(config, _noise())
    except (InklingError, MemoryError):
        speeds[key] = None
    finally:
        while len(speeds) > KEEP:
            del speeds[next(iter(speeds))]
        lock.release()


def _noise():
    """Images to be fast or slow with: what is on them makes no difference."""
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (1_024, 28, 28), np.uint8), np.arange(1_024, dtype=np.uint8) % 10, "noise")
