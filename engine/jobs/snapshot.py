"""``Snapshot``: everything a viewer sees of a training at one moment."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.config import Config
from engine.data.dataset import Dataset
from engine.jobs.health import LayerHealth
from engine.jobs.observer import Observer, SamplePredictions
from engine.jobs.state import JobState
from engine.metrics import Evaluation
from engine.network import Network
from engine.training import Change, Diverged, EpochEnd, Finished, Trainer
from engine.training.history import History


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A training at one moment; nothing in it changes afterwards.

    ``config`` includes what was changed during the training, ``changes`` says when. ``curve`` has the columns step, epoch
    (with fractions), loss and accuracy. ``test`` is the result on the test images once the training is over. ``error`` says
    in one line why it failed, or what ended the process of a training that is paused now. ``seconds_left`` is None while it
    is not known.

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
    end: Finished | Diverged | None = None
    test: Evaluation | None = None
    samples_per_second: float = 0.0
    seconds: float = 0.0
    seconds_left: float | None = None
    error: str | None = None

    @classmethod
    def of(cls, trainer: Trainer, state: JobState, network: Network, observer: Observer) -> Self:
        """The training as it is now, with what ``observer`` has measured and a copy of its ``network``."""
        return cls(
            state=state,
            network=network,
            config=trainer.config,
            epoch=trainer.epoch,
            step=trainer.step,
            progress=trainer.progress,
            curve=trainer.curve.points(),
            history=trainer.history.frozen_copy(),
            changes=tuple(trainer.changes),
            health=observer.health,
            samples=observer.samples,
            followed=observer.followed(),
            confusions=observer.confusions.items(),
            samples_per_second=trainer.samples_per_second,
            seconds=trainer.seconds,
            seconds_left=trainer.seconds_left,
        )

    @classmethod
    def of_paused(cls, trainer: Trainer, test_set: Dataset | None = None) -> Self:
        """A training that was loaded from a file."""
        network = trainer.result.copy()
        observer = Observer(network, test_set)
        observer.look(trainer, network)
        return cls.of(trainer, JobState.PAUSED, network, observer)

    @classmethod
    def before_start(cls, config: Config, network: Network) -> Self:
        """A training that has not taken a step."""
        return cls(
            state=JobState.READY,
            network=network,
            config=config,
            epoch=1,
            step=0,
            progress=0.0,
            curve=np.empty((0, 4)),
            history=History(EpochEnd),
            changes=(),
            health=(),
            samples=None,
            followed=np.empty((0, 2 + network.output_shape[0])),
            confusions=(),
        )

    @property
    def is_over(self) -> bool:
        return self.state.is_over
