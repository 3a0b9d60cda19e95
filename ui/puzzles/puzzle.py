"""A puzzle: a training with a mistake in it, and how far its solver is."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from engine import Config, dense_layers
from engine.data.dataset import Dataset
from engine.data.sources import default_source
from engine.faults import FAULTS, Setup
from engine.jobs import Series
from ui import datasets
from ui.run import Run
from ui.translation import _
from ui.visitor import workspace

SECONDS = 8.0  # that a training takes: slow enough to watch
NUM_TRAIN, NUM_TEST = 2_000, 1_000  # images
CONFIG = Config(layers=dense_layers((64,)), epochs=5, batch_size=16, train_size=NUM_TRAIN, validation_size=400)
SOLVED = "puzzles"  # the workspace's value with the faults that were named
NUM_HINTS = 3


@dataclass(eq=False)
class Puzzle:
    """A ``fault`` to be found in the run ``broken``, and the run ``mended`` beside it (None before it has begun)."""

    number: int
    fault: str
    seed: int
    source: str = field(default_factory=default_source)
    broken: Run | None = None
    mended: Run | None = None
    num_hints: int = 0
    wrong: str = ""  # the last guess, if it was not the fault
    is_named: bool = False
    is_told: bool = False  # not found, but shown

    @classmethod
    def new(cls, number: int, solved: Collection[str]) -> "Puzzle":
        """One of the faults that were not found yet, or any after all were."""
        rng = np.random.default_rng()
        left = [name for name in FAULTS if name not in solved] or list(FAULTS)
        return cls(number, str(rng.choice(left)), int(rng.integers(2**31)))

    @property
    def is_over(self) -> bool:
        """Whether it is known what the fault is."""
        return self.is_named or self.is_told

    @property
    def moves(self) -> bool:
        """Whether one of its trainings is not over."""
        return any(run is not None and not run.series.is_over for run in (self.broken, self.mended))

    def start(self) -> None:
        """Begin the broken training; raises ``InklingError`` if it cannot."""
        setup = FAULTS[self.fault].break_(self._healthy(), np.random.default_rng(self.seed))
        self.broken = self._run(setup, _("Broken"), 0)

    def mend(self) -> None:
        """Begin the same training without the fault; raises ``InklingError`` if it cannot."""
        if self.mended is None:
            self.mended = self._run(self._healthy(), _("Mended"), 1)

    def stop(self) -> None:
        """End its trainings."""
        for run in (self.broken, self.mended):
            if run:
                run.series.stop()

    def _healthy(self) -> Setup:
        train_set, test_set = datasets.load(self.source)
        rng = np.random.default_rng(self.seed)
        config = replace(CONFIG, seed=int(rng.integers(2**31)))
        setup = Setup(config, _some(train_set, NUM_TRAIN, rng), _some(test_set, NUM_TEST, rng))
        return FAULTS[self.fault].mended(setup)

    def _run(self, setup: Setup, name: str, number: int) -> Run:
        """A run of an ordinary training. It is not one of the workspace's, whose table would tell what is wrong with it."""
        config, train_set, test_set, start = setup
        series = Series(
            config,
            lambda: (train_set, test_set),
            1,
            start,
            visitor=workspace().id,
            is_watched=workspace().is_watched,
        )
        num_images = NUM_TRAIN - config.num_validation(NUM_TRAIN)
        series.set_speed(config.epochs * -(-num_images // (config.batch_size or num_images)) / SECONDS)
        series.start()
        return Run(-2 * self.number - number, name, config, self.source, series)


def _some(dataset: Dataset, number: int, rng: np.random.Generator) -> Dataset:
    """So many images of a data set, in a random order."""
    return dataset.subset(rng.permutation(len(dataset))[:number])


def solved() -> list[str]:
    """The faults that this workspace's visitors have named."""
    stored = workspace().value(SOLVED)
    return [name for name in FAULTS if isinstance(stored, list) and name in stored]


def remember(fault: str) -> None:
    """Keep that a fault was named."""
    names = [*solved(), fault]
    workspace().set_value(SOLVED, lambda: names)
