"""What the tests of the Train page share."""

import pytest
from helpers import make_digits

from engine.data import Dataset
from ui import datasets
from ui.train import run_controls


@pytest.fixture
def sets(monkeypatch) -> tuple[Dataset, Dataset]:
    """The page's data replaced by a small set, so that a run takes a moment."""
    sets = make_digits(1200, 1), make_digits(300, 2)
    monkeypatch.setattr(datasets, "load", lambda source: sets)
    return sets


@pytest.fixture(autouse=True)
def known_epoch_time(monkeypatch):
    """The time of an epoch, so that no test measures the speed of this machine."""
    monkeypatch.setattr(run_controls, "seconds_per_epoch", lambda config, num_images, runs: 1.0)
