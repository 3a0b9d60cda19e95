"""The labelled images to train on, read once for all sessions, and sample digits to draw with."""

from concurrent.futures import Future, wait
from contextlib import suppress
from functools import cache
from threading import Lock, Thread

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import DataError, Dataset
from engine.checks import check_choice
from engine.data import SOURCES, load_data
from engine.data.dataset import DIGITS
from engine.data.idx import IMAGES, LABELS, find, read_idx
from engine.data.mapped import map_dataset
from engine.data.mnist import local_folder
from engine.data.synthetic import draw_digits
from ui import own_data
from ui.formatting import number
from ui.translation import _

POLL_SECONDS = 0.2  # between two looks at a download or drawing
NUM_DRAWN = 250  # digits to take samples from, where MNIST is missing

_loaded: "dict[str, Loading]" = {}  # by source, for all sessions
_lock = Lock()


def load(source: str) -> tuple[Dataset, Dataset]:
    """The train and test sets of ``source``, with a progress bar on the page while they are downloaded or drawn.

    All sessions that ask for the same source wait for the same thread. It goes on when a visitor leaves. Raises
    ``InklingError`` for a visitor's own data set that is not on this server any more.
    """
    if own_data.is_own(source):
        return own_data.load(source)
    if source == "mixed" and local_folder() is None:
        load("mnist")  # the same download as that of a session that wants MNIST alone
    with _lock:
        if source not in _loaded or _loaded[source].failed:  # a new attempt
            _loaded[source] = Loading(source)
        loading = _loaded[source]
    if not loading.sets.done():
        _show_progress(loading)
    if loading.failed:
        with _lock:
            if _loaded.get(source) is loading:  # forget it, with all that its error refers to
                del _loaded[source]
    return loading.sets.result()


class Loading:
    """The loading of a source in a thread of its own, with the interface of tqdm's bars."""

    def __init__(self, source: str) -> None:
        self.sets: Future[tuple[Dataset, Dataset]] = Future()
        self.source, self.total, self.num_done, self.unit = source, 0, 0, ""
        Thread(target=self._run, args=(source,), daemon=True).start()

    def _run(self, source: str) -> None:
        try:
            self.sets.set_result(_mapped(*load_data(source, self)))
        except BaseException as error:
            self.sets.set_exception(error)

    @property
    def failed(self) -> bool:
        return self.sets.done() and self.sets.exception() is not None

    def update(self, n: int) -> None:
        self.num_done += n

    def reset(self) -> None:
        self.num_done = 0

    def close(self) -> None:
        self.total, self.num_done, self.unit = 0, 0, ""

    def text(self) -> str:
        """What is being done, or "" while there is nothing to count."""
        total, num_done = self.total, self.num_done
        if self.unit == "B":
            done = number(num_done / 1e6, ".1f")
            if not total:
                return _("Downloading, {done} MB").format(done=done)
            return _("Downloading, {done} of {total} MB").format(done=done, total=number(total / 1e6, ".1f"))
        return _("Drawing digits, {done} of {total}").format(done=number(num_done), total=number(total)) if total else ""


def _mapped(train_set: Dataset, test_set: Dataset) -> tuple[Dataset, Dataset]:
    """The same sets, with arrays that this process shares with those that train on them."""
    return map_dataset(train_set).open(), map_dataset(test_set).open()


def _show_progress(loading: Loading) -> None:
    """Show a bar until the loading is over."""
    with st.spinner(_("Drawing digits") if loading.source == "synthetic" else _("Getting the digits")):
        bar = st.empty()
        while not wait([loading.sets], POLL_SECONDS).done:
            if text := loading.text():
                bar.progress(min(1.0, loading.num_done / max(1, loading.total)), text=text)
            else:
                bar.empty()  # any call of Streamlit lets the visitor leave
        bar.empty()


def is_local(source: str) -> bool:
    """Whether ``source`` needs no download."""
    return source == "synthetic" or local_folder() is not None


def num_train_images(source: str) -> int:
    """How many training images ``source`` has."""
    if own := own_data.find(source):
        return len(own.train_set)
    return 120_000 if source == "mixed" else 60_000


def class_names(source: str) -> tuple[str, ...]:
    """The names of the classes of ``source``."""
    own = own_data.find(source)
    return own.train_set.class_names if own else DIGITS


def check_source(source: object) -> str:
    """Return ``source`` if it may be the name of a source, one that visitors bring included."""
    if isinstance(source, str) and own_data.is_own(source):
        return source
    return check_choice("source", source, SOURCES)


def sample_digits(seed: int) -> list[npt.NDArray[np.uint8]]:
    """One image (28, 28) of each digit: from MNIST's test images or, if they are not on this machine, drawn ones."""
    rng, pool = np.random.default_rng(seed), _sample_pool()
    return [pool.images[rng.choice(np.flatnonzero(pool.labels == digit))] for digit in range(10)]


@cache
def _sample_pool() -> Dataset:
    if folder := local_folder():
        with suppress(DataError):  # a broken file is reported where it is needed
            images, labels = (find(folder, name.format("t10k")) or folder for name in (IMAGES, LABELS))
            return Dataset(read_idx(images, 3), read_idx(labels, 1))
    return draw_digits(NUM_DRAWN)
