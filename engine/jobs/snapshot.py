"""``Snapshot``: everything a viewer sees of a training at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.config import Config
from engine.data.dataset import Dataset
from engine.jobs.health import LayerHealth
from engine.jobs.keyframes import Keyframe
from engine.jobs.observer import Observer, SamplePredictions, predict, sample_predictions
from engine.jobs.state import JobState
from engine.losses import LOSSES
from engine.metrics import Evaluation, evaluate
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

    @classmethod
    def of_trial(cls, network: Network, test_set: Dataset) -> Self:
        """A training of a sweep that is over or was pruned, from one of ``Study.networks``; measured on the test images."""
        config, training = Config.from_json(network.info["config"]), network.info.pop("training")
        history = History(EpochEnd, map(EpochEnd._make, training["history"]))
        last, best_epoch = history[-1], training["best_epoch"]
        speed_and_time = last.samples_per_second, last.seconds
        end = Finished(last.epoch, last.step, last.epoch < config.epochs, best_epoch, *speed_and_time)
        return replace(
            cls.before_start(config, network),
            state=JobState.FINISHED if training["is_complete"] else JobState.STOPPED,
            epoch=last.epoch,
            step=last.step,
            progress=last.epoch / config.epochs,
            curve=np.array(training["curve"]).reshape(-1, 4),
            history=history,
            samples=sample_predictions(network, test_set),
            end=end if training["is_complete"] else None,
            test=evaluate(network, test_set, LOSSES[config.loss]),
            samples_per_second=last.samples_per_second,
            seconds=last.seconds,
        )

    def at(self, keyframe: Keyframe, keyframes: Sequence[Keyframe] = ()) -> Self:
        """The training as it was at an earlier moment, one of ``keyframes``, as if it had been paused then.

        What was not recorded is empty: ``health``, ``end`` and ``test``.
        """
        step, network, samples, epochs = keyframe.step, self.network.copy(), self.samples, self.config.epochs
        network.state_vector[:] = keyframe.state
        ended = [event for event in self.history if event.step <= step]
        if samples:
            samples = replace(samples, probabilities=predict(network, samples.images))
        return replace(
            self,
            state=JobState.PAUSED,
            network=network,
            epoch=min(int(keyframe.epoch) + 1, epochs),
            step=step,
            progress=keyframe.epoch / epochs,
            curve=self._curve_until(step, [*keyframes, keyframe]),
            history=History(EpochEnd, ended),
            changes=tuple(change for change in self.changes if change.step <= step),
            health=(),
            samples=samples,
            followed=self.followed[self.followed[:, 0] <= step],
            confusions=tuple(pair for pair in self.confusions if pair[0] <= len(ended)),
            end=None,
            test=None,
            seconds=ended[-1].seconds if ended else 0.0,
            seconds_left=None,
            error=None,
        )

    def _curve_until(self, step: int, keyframes: Sequence[Keyframe]) -> npt.NDArray:
        """The curve until ``step``. Its points may cover many steps: outside of them, those of the keyframes stand."""
        points = self.curve[self.curve[:, 0] <= step]
        covered = (points[0, 0], points[-1, 0]) if len(points) else (np.inf, -np.inf)
        more = {
            frame.step: (frame.step, frame.epoch, *frame.losses)
            for frame in keyframes
            if frame.losses and frame.step <= step and not covered[0] <= frame.step <= covered[1]
        }
        rows = np.concatenate([points, np.array(list(more.values())).reshape(-1, 4)])
        return rows[np.argsort(rows[:, 0])]

    @property
    def is_over(self) -> bool:
        return self.state.is_over
