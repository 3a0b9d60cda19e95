"""The narrator: one plain sentence about what happens in a training now.

Every rule looks at means over many batches or epochs, and over windows that grow with the training, so that the sentence
changes seldom.
"""

from math import log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.diagnosis import diagnose
from engine.jobs import JobState, Snapshot
from engine.training import Finished
from ui.advice import in_words
from ui.formatting import number, percent
from ui.translation import _, ngettext

FEW_STEPS, FEW_POINTS = 20, 30  # from which little can be said yet: steps, and points of the curve
MIN_POINTS = 5  # at the end of the curve, that are averaged
SURE = 3.0  # standard errors of a slope that are no chance
FLAT_SLOPE = 0.1  # a smaller one is a plateau: twice as many steps then change the loss by less than 7 %
STARTED = 0.9  # of the first loss: above it, hardly anything has been learned
GUESSING = 0.15  # accuracy: below it, too
EASY = 0.35  # of the first loss: above it, the network still learns what is easy
RISE = 1.2  # times the lowest loss so far
HARD_ACCURACY = 0.85  # in the first epoch: below it, too
NEARLY_ALL = 0.995  # of the training images
PATIENCE = 3  # epochs without a better validation loss
WORSE = 1.02  # times the best validation loss, before it is said to have risen


def narrate(snapshot: Snapshot) -> str:
    """What happens now, in one sentence; or what is wrong, with its evidence and one thing to try."""
    match snapshot.state:
        case JobState.READY:
            return _("Nothing has been learned yet.")
        case JobState.QUEUED:
            return _("It waits until another training makes room for it.")
        case JobState.PAUSED:
            return _paused(snapshot)
        case JobState.RUNNING:
            return _running(snapshot)
        case JobState.TESTING:
            return _("It is being measured on the test images, which it has never seen.")
        case JobState.FAILED:
            return _("It ended because of an error.")
        case _:
            return _over(snapshot)


def _paused(snapshot: Snapshot) -> str:
    if not snapshot.step:
        return _("It is paused before its first step: it has learned nothing yet.")
    text = _("It is paused after step {step}: nothing changes until it goes on.")
    return text.format(step=number(snapshot.step))


def _over(snapshot: Snapshot) -> str:
    end, epochs = snapshot.end, snapshot.config.epochs
    if snapshot.state is JobState.DIVERGED:
        found = diagnose(snapshot)
        return in_words(found[0]) if found else _("The loss grew beyond all numbers, so the training ended.")
    values = {"step": number(snapshot.step), "count": number(epochs)}
    if isinstance(end, Finished) and end.stopped_early:
        values["epoch"] = str(end.best_epoch)
        text = _("The validation loss no longer fell, so it went back to the network of epoch {epoch}.")
        tested = _(
            "The validation loss no longer fell, so it went back to the network of epoch {epoch}: it reads {share} of the "
            "test images right."
        )
    elif snapshot.state is JobState.FINISHED:
        text = ngettext("Its only epoch is done.", "All {count} epochs are done.", epochs)
        tested = ngettext(
            "Its only epoch is done: it reads {share} of the test images right.",
            "All {count} epochs are done: it reads {share} of the test images right.",
            epochs,
        )
    else:
        text = _("It was stopped after step {step}.")
        tested = _("It was stopped after step {step}: it reads {share} of the test images right.")
    if snapshot.test:
        return tested.format(share=percent(snapshot.test.accuracy), **values)
    return text.format(**values)


def _running(snapshot: Snapshot) -> str:
    trend = _trend(snapshot)
    if len(snapshot.curve) >= 2 * MIN_POINTS and (found := diagnose(snapshot)):
        return in_words(found[0])
    if trend is None:
        return _("It takes its first steps: it guesses, and each batch moves its weights a little.")
    if trend.guesses:
        return _("The network still guesses: so far, it has learned hardly anything.")
    if trend.rises:
        return _("The loss is rising again.")
    epochs = _validation(snapshot)
    if epochs and epochs.is_memorising:
        return _(
            "The validation loss has risen since epoch {epoch} while the training loss falls: it is memorising the training "
            "images."
        ).format(epoch=number(epochs.best + 1))
    if trend.accuracy > NEARLY_ALL:
        return _("It reads nearly all training images right: little is left to learn from them.")
    if trend.is_flat:
        return _("The loss hardly moves any more: it is on a plateau.")
    if epochs and epochs.since_best >= PATIENCE:
        if not epochs.training_falls:
            return _("Neither the training loss nor the validation loss falls any more.")
        return _("The training loss still falls, but the validation loss does not: it learns little more about new images.")
    if trend.now > EASY * trend.first or (snapshot.curve[-1, 1] < 1 and trend.accuracy < HARD_ACCURACY):
        return _("The loss falls quickly: it is learning the easy part.")
    if epochs and len(epochs.losses) >= PATIENCE:
        return _("Training and validation loss both fall: what it learns holds for new images, too.")
    return _("The loss falls more slowly now: it is learning the harder images.")


class _Trend(NamedTuple):
    """Where the training loss goes: its mean in the ``first`` batches (at most that of guessing) and in the latest ones
    (``now``), the ``lowest`` such mean so far, and the accuracy of the latest batches. ``slope`` is that of the last two
    thirds of the points, with its standard ``error``, of the loss over the step on logarithmic axes."""

    first: float
    now: float
    lowest: float
    accuracy: float
    slope: float
    error: float
    num_points: int

    @property
    def guesses(self) -> bool:
        return self.now > STARTED * self.first or self.accuracy < GUESSING

    @property
    def rises(self) -> bool:
        is_sure = self.num_points >= FEW_POINTS and self.slope > SURE * self.error
        return is_sure and self.now > RISE * self.lowest

    @property
    def is_flat(self) -> bool:
        return self.num_points >= FEW_POINTS and abs(self.slope) < FLAT_SLOPE and SURE * self.error < FLAT_SLOPE


def _trend(snapshot: Snapshot) -> _Trend | None:
    """The trend of the curve; None while little can be said about it."""
    curve = snapshot.curve
    if len(curve) < 2 * MIN_POINTS or curve[-1, 0] < FEW_STEPS:
        return None
    width = max(len(curve) // 10, MIN_POINTS)
    steps, losses = curve[len(curve) // 3 :, 0], curve[len(curve) // 3 :, 2]
    means = np.convolve(curve[:, 2], np.full(width, 1 / width), "valid")
    slope, error = _slope(np.log(steps), np.log(np.maximum(losses, 1e-12)))
    first, now = float(curve[: max(width // 3, 1), 2].mean()), float(means[-1])
    if snapshot.config.loss == "cross_entropy":
        first = min(first, log(snapshot.network.output_shape[0]))  # the first points may be high already
    trend = _Trend(first, now, means.min(), curve[-width:, 3].mean(), slope, error, len(curve))
    return None if trend.guesses and len(curve) < FEW_POINTS else trend


def _slope(x: npt.NDArray, y: npt.NDArray) -> tuple[float, float]:
    """The slope of the least-squares line through these points, and its standard error."""
    x, y = x - x.mean(), y - y.mean()
    slope = x @ y / (x @ x)
    return float(slope), float(np.sqrt(np.square(y - slope * x).sum() / ((len(x) - 2) * (x @ x))))


class _Validation(NamedTuple):
    """The losses of the epochs so far: on the validation set and on the training images."""

    losses: npt.NDArray
    training: npt.NDArray

    @property
    def best(self) -> int:
        return int(self.losses.argmin())

    @property
    def since_best(self) -> int:
        """How many epochs have ended since the best one."""
        return len(self.losses) - 1 - self.best

    @property
    def training_falls(self) -> bool:
        """Whether the training loss has fallen since the epoch after the best one. An epoch's loss is that of its images
        while they were learned from: that of the first one is high in any case."""
        return bool(self.training[-1] < self.training[self.best + 1])

    @property
    def is_memorising(self) -> bool:
        """Whether the validation loss has risen for some epochs, by more than chance, while the training loss has fallen."""
        if self.since_best < PATIENCE:
            return False
        best = self.losses[self.best]
        has_risen = self.losses[self.best + 1 :].mean() > (1 + WORSE) / 2 * best and self.losses[-2:].mean() > WORSE * best
        return bool(has_risen and self.training_falls)


def _validation(snapshot: Snapshot) -> _Validation | None:
    losses, training = (snapshot.history.column(name) for name in ("validation_loss", "loss"))
    return _Validation(losses, training) if len(losses) and not np.isnan(losses).any() else None
