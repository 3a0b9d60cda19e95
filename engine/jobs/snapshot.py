"""``Snapshot``: everything a viewer sees of a training at one moment."""

from dataclasses import dataclass

import numpy.typing as npt

from engine.config import Config
from engine.jobs.health import LayerHealth
from engine.jobs.observer import SamplePredictions
from engine.jobs.state import JobState
from engine.metrics import Evaluation
from engine.network import Network
from engine.training import Change, Diverged, Finished
from engine.training.history import History


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A training at one moment; nothing in it changes afterwards.

    ``config`` includes what was changed during the training, ``changes`` says when. ``curve`` has the columns step, epoch
    (with fractions), loss and accuracy. ``test`` is the result on the test images once the training is over. ``error`` says
    in one line why it failed. ``seconds_left`` is None while it is not known.

    ``network``, ``health`` of its layers (empty before the first step) and ``samples``, a dozen test images with their
    predictions (None without a test set), are as of the last look, one or two a second. ``followed`` has a row for each
    prediction of the followed image: step, epoch and ten probabilities. ``confusions`` are pairs of an epoch and the
    validation set's confusion matrix at its end, for at most 50 epochs.
    """

    state: JobState
    network: Network
    config: Config
    epoch: int
    step: int
    progress: float
    curve: npt.NDArray
    history: History
    changes: tuple[Change, ...]
    health: tuple[LayerHealth, ...]
    samples: SamplePredictions | None
    followed: npt.NDArray
    confusions: tuple[tuple[int, npt.NDArray], ...]
    end: Finished | Diverged | None
    test: Evaluation | None
    samples_per_second: float
    seconds: float
    seconds_left: float | None
    error: str | None

    @property
    def is_over(self) -> bool:
        return self.state.is_over
