"""Learning rate schedules: how the learning rate changes during a training. ``SCHEDULES`` lists them by name."""

from dataclasses import dataclass
from math import cos, floor, pi
from typing import Protocol


class Schedule(Protocol):
    """The factor of the learning rate at a time of the training.

    Time is measured in epochs, with fractions, so that the batch size does not change the schedule.
    """

    label: str

    def __call__(self, epoch: float, epochs: int) -> float:
        """The factor, in [0, 1], after ``epoch`` of ``epochs`` epochs."""
        ...


def cosine(start: float, end: float, progress: float) -> float:
    """The value between ``start`` and ``end`` on half a cosine wave, at ``progress`` in [0, 1]."""
    return end + (start - end) * (1 + cos(pi * progress)) / 2


@dataclass(frozen=True)
class Constant:
    """Always 1."""

    label = "constant"

    def __call__(self, epoch: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Step:
    """Multiplied by ``factor`` after each ``fraction`` of the training."""

    label = "step"

    fraction: float = 1 / 3
    factor: float = 0.1

    def __call__(self, epoch: float, epochs: int) -> float:
        return self.factor ** floor(epoch / (self.fraction * epochs))


@dataclass(frozen=True)
class Exponential:
    """Falls to ``end``, by the same factor in every epoch."""

    label = "exponential"

    end: float = 0.01

    def __call__(self, epoch: float, epochs: int) -> float:
        return self.end ** (epoch / epochs)


@dataclass(frozen=True)
class Cosine:
    """Falls to ``end`` along half a cosine wave (Loshchilov & Hutter, 2017)."""

    label = "cosine"

    end: float = 0.0

    def __call__(self, epoch: float, epochs: int) -> float:
        return cosine(1, self.end, epoch / epochs)


@dataclass(frozen=True)
class OneCycle:
    """Rises from ``start`` to 1 in the first fraction ``rise`` of the training, then falls to ``end`` (Smith, 2018).

    Both parts are half cosine waves.
    """

    label = "one cycle"

    rise: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __call__(self, epoch: float, epochs: int) -> float:
        progress = epoch / epochs
        if progress < self.rise:
            return cosine(self.start, 1, progress / self.rise)
        return cosine(1, self.end, (progress - self.rise) / (1 - self.rise))


@dataclass(frozen=True)
class WarmUp:
    """Rises linearly from ``start`` to 1 in the first ``fraction`` of the training, then stays 1 (Goyal et al., 2017)."""

    label = "warm-up"

    fraction: float = 0.1
    start: float = 0.01

    def __call__(self, epoch: float, epochs: int) -> float:
        return min(1.0, self.start + (1 - self.start) * epoch / (self.fraction * epochs))


SCHEDULES: dict[str, Schedule] = {
    "constant": Constant(),
    "step": Step(),
    "exponential": Exponential(),
    "cosine": Cosine(),
    "one_cycle": OneCycle(),
    "warm_up": WarmUp(),
}
