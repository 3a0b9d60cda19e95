"""Keyframes: a training's network at some of its steps, so that viewers can look back."""

from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import NamedTuple
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from engine.memory import total_memory

MAX_KEYFRAMES, MIN_KEYFRAMES = 60, 5  # of a training; none at all if there is no room for a few
MIN_EXACT = 30  # keyframes: if fewer fit, their numbers take half the memory each
MAX_BYTES = 8_000_000  # of a training
MAX_TOTAL_BYTES = min(60_000_000, total_memory() / 20)  # of all trainings in this process
EVEN_SHARE = 2 / 3  # of the keyframes, which are evenly spaced; the others are in the first steps
MAX_HALF = float(np.finfo(np.float16).max)


class Keyframe(NamedTuple):
    """A network after ``step`` steps, at ``epoch`` (with a fraction): its state vector, in float32 or float16.

    ``losses`` are the loss and the accuracy of the last batch; None before the first one.
    """

    step: int
    epoch: float
    losses: tuple[float, float] | None
    state: npt.NDArray

    @classmethod
    def of(cls, step: int, epoch: float, losses: tuple[float, float] | None, state_vector: npt.NDArray) -> "Keyframe":
        """A keyframe with a copy of the state vector."""
        _, dtype = capacity(state_vector.size)
        limit = MAX_HALF if dtype is np.float16 else np.inf
        with np.errstate(all="ignore"):  # the weights of a network that explodes
            return cls(step, epoch, losses, np.clip(state_vector, -limit, limit).astype(dtype))


def capacity(size: int) -> tuple[int, type]:
    """How many keyframes of ``size`` numbers a training may have, and the type of these numbers."""
    exact, half = MAX_BYTES // (4 * size), MAX_BYTES // (2 * size)
    if exact >= MIN_EXACT:
        return min(exact, MAX_KEYFRAMES), np.float32
    return (min(half, MAX_KEYFRAMES) if half >= MIN_KEYFRAMES else 0), np.float16


def next_step(step: int, num_steps: float, limit: int) -> float:
    """The first step after ``step`` to have a keyframe, in a training of ``num_steps``.

    These are 1, 2, 4, 8, ... while they are close, and then evenly spaced ones.
    """
    if not limit:
        return np.inf
    stride = max(int(np.ceil(num_steps / (EVEN_SHARE * limit))), 1)
    doubled = 1 << step.bit_length()
    return doubled if doubled < stride else (step // stride + 1) * stride


class Keyframes:
    """The keyframes of one training, oldest first, at most ``capacity``; ``frames`` is replaced, never changed.

    All of this process together have ``MAX_TOTAL_BYTES``. If they need more, those that were used longest ago are dropped,
    and ``were_dropped`` says so.
    """

    def __init__(self) -> None:
        self.frames: tuple[Keyframe, ...] = ()
        self.were_dropped = False
        self.used = monotonic()

    @property
    def num_bytes(self) -> int:
        return sum(frame.state.nbytes for frame in self.frames[:1]) * len(self.frames)

    def add(self, frames: Iterable[Keyframe]) -> None:
        """Add keyframes, in place of those of the same or later steps: a training can go back to a checkpoint."""
        for frame in frames:
            self.drop_after(frame.step - 1)
            kept = [*self.frames, frame]
            if len(kept) > capacity(frame.state.size)[0]:
                del kept[_most_crowded([frame.step for frame in kept])]
            self.frames = tuple(kept)
        self.used = monotonic()
        _limit_memory(self)

    def drop_after(self, step: int) -> None:
        """Drop the keyframes of later steps."""
        self.frames = tuple(frame for frame in self.frames if frame.step <= step)

    def drop(self) -> None:
        """Drop all, to free memory."""
        self.frames, self.were_dropped = (), True


def _most_crowded(steps: list[int]) -> int:
    """The position of the step, neither the first nor the last, with the nearest neighbours: both in how many steps they
    are away and in by how much."""
    values, last = np.array(steps, float), max(steps)
    places = values / last + np.log1p(values) / np.log1p(last)
    return 1 + int(np.argmin(places[2:] - places[:-2]))


_all: "WeakSet[Keyframes]" = WeakSet()
_lock = Lock()


def _limit_memory(newest: Keyframes) -> None:
    with _lock:
        _all.add(newest)
        num_bytes = sum(keyframes.num_bytes for keyframes in _all)
        for oldest in sorted(_all, key=lambda keyframes: keyframes.used):
            if num_bytes <= MAX_TOTAL_BYTES:
                break
            num_bytes -= oldest.num_bytes
            oldest.drop()
