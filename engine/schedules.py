"""How the learning rate changes through a training.

Each is a dataclass called as ``schedule(epoch, epochs)`` with the time so far, in epochs and parts of one, and the whole
length; it returns the factor that the learning rate is multiplied by. So a change of the batch size moves nothing.
"""

from dataclasses import dataclass
from math import cos, floor, pi


def cosine(start, end, part):
    """From ``start`` to ``end`` along half a cosine wave, of which ``part`` in [0, 1] is done."""
    return end + (start - end) * (1 + cos(pi * part)) / 2


@dataclass(frozen=True)
class Constant:
    """1 all the way."""

    def __call__(self, epoch, epochs):
        return 1.0


@dataclass(frozen=True)
class Step:
    """Times ``factor`` after each ``part`` of the training."""

    part: float = 1 / 3
    factor: float = 0.1

    def __call__(self, epoch, epochs):
        return self.factor ** floor(epoch / (self.part * epochs))


@dataclass(frozen=True)
class Exponential:
    """Down to ``end`` by the same factor in every epoch."""

    end: float = 0.01

    def __call__(self, epoch, epochs):
        return self.end ** (epoch / epochs)


@dataclass(frozen=True)
class Cosine:
    """Down to ``end`` along half a cosine wave (Loshchilov & Hutter, 2017)."""

    end: float = 0.0

    def __call__(self, epoch, epochs):
        return cosine(1, self.end, epoch / epochs)


@dataclass(frozen=True)
class OneCycle:
    """From ``start`` up to 1 for the first ``rise`` of the training, then down to ``end``, along cosines (Smith, 2018)."""

    rise: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __call__(self, epoch, epochs):
        part = epoch / epochs
        if part < self.rise:
            return cosine(self.start, 1, part / self.rise)
        return cosine(1, self.end, (part - self.rise) / (1 - self.rise))


@dataclass(frozen=True)
class WarmUp:
    """From ``start`` to 1 in a straight line over the first ``part`` of the training, then 1 (Goyal et al., 2017)."""

    part: float = 0.1
    start: float = 0.01

    def __call__(self, epoch, epochs):
        return min(1.0, self.start + (1 - self.start) * epoch / (self.part * epochs))


SCHEDULES = {
    "constant": Constant(),
    "step": Step(),
    "exponential": Exponential(),
    "cosine": Cosine(),
    "one_cycle": OneCycle(),
    "warm_up": WarmUp(),
}
