"""Loading data for all sessions: once for each source, and no session waits for a source that it did not ask for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import make_digits

from engine.data import DataError
from ui import datasets

SETS = make_digits(40, 1), make_digits(20, 2)
SECONDS = 60  # only reached if something hangs


class Left(BaseException):
    """What Streamlit raises in the script of a visitor who has left."""


@pytest.fixture
def visitors():
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def slow(monkeypatch, visitors):
    """``load_data`` waits for ``release``, except for synthetic digits; it records calls and shows a little progress."""
    state = SimpleNamespace(calls=[], begun=threading.Event(), release=threading.Event(), error=None, bar=None)

    def load_data(source, bar):
        state.calls.append(source)
        if source != "synthetic":
            bar.total, bar.unit, state.bar = 5_000_000, "B", bar
            bar.update(2_000_000)
            state.begun.set()
            assert state.release.wait(SECONDS)
        if state.error:
            raise state.error
        return SETS

    monkeypatch.setattr(datasets, "load_data", load_data)
    monkeypatch.setattr(datasets, "_mapped", lambda *sets: sets)
    monkeypatch.setattr(datasets, "local_folder", lambda: None)
    monkeypatch.setattr(datasets, "POLL_SECONDS", 0.001)
    datasets._loaded.clear()
    yield state
    state.release.set()
    datasets._loaded.clear()


@pytest.fixture
def shown(monkeypatch):
    """The texts of the progress bars, and an action for the next one."""
    state = SimpleNamespace(texts=[], ready=threading.Semaphore(0), act=lambda: None)

    def progress(fraction, text):
        assert 0 <= fraction <= 1
        state.texts.append(text)
        state.ready.release()
        state.act()

    monkeypatch.setattr(datasets.st, "empty", lambda: SimpleNamespace(progress=progress, empty=lambda: None))
    return state


def test_all_sessions_wait_for_one_download_and_see_its_progress(slow, shown, visitors):
    results = [visitors.submit(datasets.load, "mnist") for _ in range(5)]
    assert slow.begun.wait(SECONDS)
    for _ in range(20):
        assert shown.ready.acquire(timeout=SECONDS)
    slow.release.set()
    assert all(result.result(SECONDS) == SETS for result in results)
    assert datasets.load("mnist") == SETS
    assert slow.calls == ["mnist"]
    assert set(shown.texts) == {"Downloading, 2.0 of 5.0 MB"}


def test_another_source_does_not_wait(slow, visitors):
    hanging = visitors.submit(datasets.load, "mnist")
    assert slow.begun.wait(SECONDS)
    assert visitors.submit(datasets.load, "synthetic").result(SECONDS) == SETS
    assert not hanging.done()


def test_a_download_goes_on_when_its_first_visitor_leaves(slow, shown, visitors):
    def leave():
        raise Left

    shown.act = leave
    with pytest.raises(Left):
        datasets.load("mnist")
    shown.act = lambda: None
    second = visitors.submit(datasets.load, "mnist")
    slow.release.set()
    assert second.result(SECONDS) == SETS
    assert slow.calls == ["mnist"]


def test_an_error_reaches_all_who_wait_and_the_next_call_tries_again(slow, shown, visitors):
    slow.error = DataError("no connection")
    results = [visitors.submit(datasets.load, "mnist") for _ in range(3)]
    for _ in range(10):
        assert shown.ready.acquire(timeout=SECONDS)
    slow.release.set()
    for result in results:
        with pytest.raises(DataError, match="no connection"):
            result.result(SECONDS)
    assert not datasets._loaded
    slow.error = None
    assert datasets.load("mnist") == SETS


def test_mixed_waits_for_the_download_of_mnist(slow, visitors):
    first = visitors.submit(datasets.load, "mnist")
    assert slow.begun.wait(SECONDS)
    second = visitors.submit(datasets.load, "mixed")
    slow.release.set()
    assert first.result(SECONDS) == second.result(SECONDS) == SETS
    assert slow.calls == ["mnist", "mixed"]


def test_the_progress_as_text(slow):
    slow.release.set()
    loading = datasets.Loading("synthetic")
    loading.sets.result(SECONDS)
    assert loading.text() == ""
    loading.total = 70_000
    loading.update(500)
    assert loading.text() == "Drawing digits, 500 of 70,000"
    loading.close()
    loading.unit = "B"
    loading.update(1_500_000)
    assert loading.text() == "Downloading, 1.5 MB"  # the mirror did not say how large the file is
    loading.reset()
    assert loading.text() == "Downloading, 0.0 MB"


def test_the_arrays_are_mapped_from_files_that_trainings_share(monkeypatch):
    monkeypatch.setattr(datasets, "load_data", lambda source, bar: SETS)
    datasets._loaded.clear()
    for loaded, original in zip(datasets.load("synthetic"), SETS, strict=True):
        array = loaded.images
        while array.base is not None and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, np.memmap)
        np.testing.assert_array_equal(loaded.images, original.images)
        np.testing.assert_array_equal(loaded.labels, original.labels)
    datasets._loaded.clear()
