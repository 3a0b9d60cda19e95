"""The labelled images to train on, read once for all sessions, and sample digits to draw with."""

from contextlib import suppress
from threading import Lock

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import DataError, Dataset
from engine.data import load_data
from engine.data.idx import IMAGES, LABELS, find, read_idx
from engine.data.mnist import local_folder
from engine.data.synthetic import draw_digits

NUM_DRAWN = 250  # digits to take samples from, where MNIST is missing


def load(source: str) -> tuple[Dataset, Dataset]:
    """The train and test sets of ``source``, with a progress bar on the page while they are downloaded or drawn."""
    loaded, lock = _loaded()
    with lock:  # so that two sessions do not download the same
        if source not in loaded:
            with st.spinner("Reading the data"):
                loaded[source] = load_data(source, ProgressBar())
        return loaded[source]


@st.cache_resource(show_spinner=False)
def _loaded() -> tuple[dict[str, tuple[Dataset, Dataset]], Lock]:
    return {}, Lock()


def is_local(source: str) -> bool:
    """Whether ``source`` needs no download."""
    return source == "synthetic" or local_folder() is not None


def num_train_images(source: str) -> int:
    """How many training images ``source`` has."""
    return 120_000 if source == "mixed" else 60_000


def sample_digits(seed: int) -> list[npt.NDArray[np.uint8]]:
    """One image (28, 28) of each digit: from MNIST's test images or, if they are not on this machine, drawn ones."""
    rng, pool = np.random.default_rng(seed), _sample_pool()
    return [pool.images[rng.choice(np.flatnonzero(pool.labels == digit))] for digit in range(10)]


@st.cache_resource(show_spinner=False)
def _sample_pool() -> Dataset:
    if folder := local_folder():
        with suppress(DataError):  # a broken file is reported where it is needed
            images, labels = (find(folder, name.format("t10k")) or folder for name in (IMAGES, LABELS))
            return Dataset(read_idx(images, 3), read_idx(labels, 1))
    return draw_digits(NUM_DRAWN)


class ProgressBar:
    """A bar on the page with the interface of tqdm's."""

    def __init__(self) -> None:
        self.total, self._done, self._bar = 0, 0, None

    def update(self, size: int) -> None:
        self._done += size
        if self._bar is None:
            self._bar = st.progress(0.0)
        if self.total:
            self._bar.progress(min(1.0, self._done / self.total), text=self._text())

    def _text(self) -> str:
        if self.total > 1_000_000:  # bytes of a download; smaller numbers are digits to draw
            return f"Downloading, {self._done / 1e6:.1f} of {self.total / 1e6:.1f} MB"
        return f"Drawing digits, {self._done:,} of {self.total:,}"

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        if self._bar is not None:
            self._bar.empty()
