"""The labelled images to train on, read once for all sessions."""

from contextlib import suppress
from threading import Lock

import numpy as np
import streamlit as st

from engine import DataError, Dataset
from engine.data import load_data
from engine.data.idx import IMAGES, LABELS, find, read_idx
from engine.data.mnist import local_folder
from engine.data.synthetic import draw_digits

POOL = 250  # drawn digits to take samples from


def load(source):
    """The train and test sets of ``source``, with a bar on the page while they are fetched or drawn."""
    loaded, lock = _loaded()
    with lock:  # two sessions do not fetch the same
        if source not in loaded:
            with st.spinner("Reading the data"):
                loaded[source] = load_data(source, Bar())
        return loaded[source]


def here(source):
    """Whether ``source`` can be had without a download."""
    return source == "synthetic" or local_folder() is not None


def size(source):
    """How many training images ``source`` has."""
    return 120_000 if source == "mixed" else 60_000


def samples(seed):
    """One image (28, 28) uint8 of each digit: of MNIST's test images or, where they are not on this machine, drawn ones."""
    rng, pool = np.random.default_rng(seed), _pool()
    return [pool.images[rng.choice(np.flatnonzero(pool.labels == digit))] for digit in range(10)]


@st.cache_resource(show_spinner=False)
def _pool():
    if folder := local_folder():
        with suppress(DataError):  # a broken file is told of where it is needed
            images, labels = (read_idx(find(folder, name.format("t10k")), axes) for name, axes in ((IMAGES, 3), (LABELS, 1)))
            return Dataset(images, labels)
    return draw_digits(POOL)


@st.cache_resource(show_spinner=False)
def _loaded():
    return {}, Lock()


class Bar:
    """What drives tqdm's bar, shown on the page."""

    def __init__(self):
        self.total, self._done, self._bar = 0, 0, None

    def update(self, size):
        self._done += size
        if self._bar is None:
            self._bar = st.progress(0.0)
        if self.total:
            self._bar.progress(min(1.0, self._done / self.total), text=self._words())

    def _words(self):
        if self.total > 1_000_000:  # bytes of a download; fewer are digits to draw
            return f"Downloading, {self._done / 1e6:.1f} of {self.total / 1e6:.1f} MB"
        return f"Drawing digits, {self._done:,} of {self.total:,}"

    def reset(self):
        self._done = 0

    def close(self):
        if self._bar is not None:
            self._bar.empty()
