"""What the server and a worker process send each other about a training, and how."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy.typing as npt

from engine.checkpoint import load_training
from engine.config import Config
from engine.data.mapped import MappedDataset
from engine.jobs.keyframes import Keyframe
from engine.jobs.snapshot import Snapshot
from engine.network import Network
from engine.training import EpochEnd, Trainer

READY = "ready"  # the first message of a worker process
LARGE = 100_000  # bytes


def send(connection: Connection, message: Any) -> None:
    """Send a message. Large arrays and files follow it without being copied into it, which would take their memory again."""
    large: list[memoryview] = []

    def belongs_inside(buffer: pickle.PickleBuffer) -> bool:
        content = buffer.raw()
        if is_large := content.nbytes >= LARGE:
            large.append(content)
        return not is_large

    content = pickle.dumps(message, protocol=5, buffer_callback=belongs_inside)
    connection.send_bytes(bytes([len(large)]) + content)
    for buffer in large:
        connection.send_bytes(buffer)


def receive(connection: Connection) -> Any:
    """The next message. What was large in it cannot be written to."""
    content = connection.recv_bytes()
    return pickle.loads(memoryview(content)[1:], buffers=[connection.recv_bytes() for _ in range(content[0])])


class Saved(NamedTuple):
    """A paused training, as the bytes of a file (None before its first step), and what its viewers saw of it then."""

    training: bytes | None
    snapshot: Snapshot

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Saved, (_by_itself(self.training, protocol), self.snapshot)


def _by_itself(file: bytes | None, protocol: int) -> Any:
    """What stands for a file in a message, so that ``send`` can send it without a copy."""
    return file if file is None or protocol < 5 else pickle.PickleBuffer(file)


class Goal(NamedTuple):
    """What a training does by itself: if ``paused``, stand still after this ``step`` and this ``epoch``, otherwise go on."""

    paused: bool = False
    step: int = 0
    epoch: int = 0


GO_ON, STAND_STILL = Goal(), Goal(paused=True)


@dataclass(frozen=True, eq=False)
class Task:
    """A training to run: a new one, from the weights of ``start`` if given, or one that was ``saved``."""

    config: Config
    train_set: MappedDataset
    test_set: MappedDataset | None = None
    start: Network | None = None
    saved: Saved | None = None
    goal: Goal = GO_ON
    followed: npt.NDArray | None = None  # an image whose predictions are recorded
    speed: float | None = None  # batches a second at most; None is full speed

    def make_trainer(self) -> Trainer:
        """The trainer, as it was when it was saved."""
        train_set = self.train_set.open()
        if self.saved and self.saved.training is not None:
            return load_training(BytesIO(self.saved.training), train_set)
        return Trainer.from_config(self.config, train_set, self.start)


class Measurement(NamedTuple):
    """A configuration whose speed is to be measured. The worker answers with what ``measure_seconds`` returns."""

    config: Config


class Request(Enum):
    """What can be asked of a training that is under way."""

    PAUSE = auto()
    RESUME = auto()
    STEP = auto()
    STEP_EPOCH = auto()
    CHANGE = auto()
    FOLLOW = auto()
    SPEED = auto()
    SAVE = auto()
    PARK = auto()  # save, and make room for another training
    STOP = auto()


class Command(NamedTuple):
    """A numbered ``Request``. The worker carries it out between two steps."""

    number: int
    request: Request
    argument: Any = None


class Report(NamedTuple):
    """A training as it is now. ``answered`` is the number of the last command that was carried out.

    The history in ``snapshot`` is empty: ``new_epochs`` are those since the last report, and so are the ``keyframes``.
    """

    answered: int
    snapshot: Snapshot
    new_epochs: list[EpochEnd]
    keyframes: tuple[Keyframe, ...] = ()


class Checkpoint(NamedTuple):
    """A training as the bytes of a file, of the moment of the last report.

    If it is parked, which frees the worker, its ``goal`` says how it is to go on; otherwise that is None.
    """

    answered: int
    training: bytes
    goal: Goal | None = None

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Checkpoint, (self.answered, _by_itself(self.training, protocol), self.goal)


class Iterate(NamedTuple):
    """An iterator to run through: the worker reports what it yields as ``Yielded``, then says that it ``HAS_ENDED``.

    The function's last argument is another one, ``is_stopped()``, which says whether the server has sent ``STOP``.
    """

    function: Callable[..., Iterator[Any]]
    arguments: tuple[Any, ...]


class Yielded(NamedTuple):
    """What an iterator has yielded."""

    value: Any


STOP, HAS_ENDED = "stop", "has ended"


class Failure(NamedTuple):
    """A request that the worker could not carry out, in one line."""

    error: str
