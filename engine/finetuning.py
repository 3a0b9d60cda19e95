"""``FineTuning``: go on training a network on someone's own drawings, an iterator of progress events.

    for event in FineTuning(network, drawings, FineTuningSettings(), *load_data("mnist")):
        ...

It measures what is gained, on drawings that were held back, and what is forgotten, on test images. The trainer is the usual
one: every batch mixes own drawings with images of the old data ("rehearsal": Robins, "Catastrophic forgetting, rehearsal and
pseudorehearsal", 1995).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, prod
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS
from engine.data.collection import Collection
from engine.data.dataset import DataError, Dataset
from engine.layers import BatchNorm, Layer
from engine.losses import LOSSES
from engine.metrics import Score, evaluate, score
from engine.network import Network
from engine.seeding import random_streams
from engine.setting_fields import Integer, Number, check_settings, seed_setting, setting
from engine.training import Diverged, StepEnd, Trainer

BATCH_SIZE = 64  # images, own and rehearsed ones together
MEASUREMENTS = 8  # in the course of a training, besides the one before it
QUICK_TEST = 1_000  # test images that show in mid-training what is forgotten
MIN_HELD_BACK = 20  # drawings: with fewer, or with fewer than MIN_PER_DIGIT of a digit, cross-validation takes their place
MIN_PER_DIGIT = 3
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class FineTuningSettings:
    """What decides a fine-tuning, besides the network and the data."""

    rehearsal: int = setting(
        "Rehearsal",
        "How many of 100 images in each batch are old ones. Without any, the network forgets what it knew.",
        Integer(0, 100),
        default=75,
        usual=(0, 25, 50, 75, 100),
    )
    trained_layers: int | None = setting(
        "Trained layers",
        "How many layers change, counted from the last one. The layers before them are frozen: they stay as they are.",
        Integer(1, 100),
        default=None,
        usual=(1, 2, 3),
        none="all layers",
    )
    learning_rate: float = setting(
        "Learning rate",
        "How large the steps are. Too small: nothing is learned. Too large: the old is forgotten.",
        Number(0, 1, open_low=True),
        default=0.001,
        usual=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005),
    )
    drawings: int | None = setting(
        "Drawings",
        "How many of the drawings are used.",
        Integer(1, 100_000),
        default=None,
        usual=(10, 20, 50, 100),
        none="all drawings",
    )
    steps: int = setting(
        "Steps",
        f"How many batches of {BATCH_SIZE} images the network learns from.",
        Integer(1, 10_000),
        default=250,
        usual=(50, 100, 250, 500),
    )
    held_back: int = setting(
        "Held back",
        "How many of 100 drawings the network does not learn from, to see how well it reads new ones.",
        Integer(0, 90),
        default=25,
        usual=(0, 25, 50),
    )
    seed: int = seed_setting()

    def __post_init__(self) -> None:
        check_settings(self)


class ScoresByClass(NamedTuple):
    """Scores on test images: ``overall``, and of the images of each class."""

    overall: Score
    by_class: tuple[Score, ...]


class Measured(NamedTuple):
    """What the network reads after ``step`` steps; 0 is before the first.

    ``held_back`` counts drawings that were not learned from, and is None if there are none. ``tested`` is on 1,000 test
    images, always the same, and None without test images. In cross-validation, ``fold`` is the part of the drawings that
    this network does not learn from, from 1 on; fold 0 is the network that is kept. It learns from all drawings, and its
    ``held_back`` adds up the folds at the same step.
    """

    fold: int
    step: int
    trained_on: Score
    held_back: Score | None
    tested: ScoresByClass | None
    seconds: float


class FineTuned(NamedTuple):
    """Fine-tuning is over. ``before`` and ``after`` are on all test images, and None if there are none."""

    trained_on: Score
    held_back: Score | None
    before: ScoresByClass | None
    after: ScoresByClass | None
    seconds: float


FineTuningEvent = StepEnd | Measured | Diverged | FineTuned


class FineTuning(Iterator[FineTuningEvent]):
    """Fine-tunes a copy of ``start`` on ``drawings``: ``network`` is the result at the last ``Measured`` of fold 0.

    ``rehearsal_set`` are old images to mix in, ``test_set`` those that show what is forgotten; both may be None. ``source``
    says in the network's ``info`` what it was tuned from. Raises ``InklingError`` if the data do not fit the network.

    The split of the drawings follows from the seed: ``trained_on`` and ``held_back``. With few drawings it would say little.
    Then there are ``num_folds`` parts of the drawings, and the training runs once without each of them before the one that
    counts, on all drawings (k-fold cross-validation: Stone, 1974). Otherwise ``num_folds`` is 0.

    Batch normalisation keeps its running means, because a batch of few people's drawings is no sample of all digits.
    """

    def __init__(
        self,
        start: Network,
        drawings: Collection,
        settings: FineTuningSettings | None = None,
        rehearsal_set: Dataset | None = None,
        test_set: Dataset | None = None,
        source: str = "",
    ) -> None:
        self.settings = settings = settings or FineTuningSettings()
        _check_data(start, drawings, settings, rehearsal_set, test_set)
        self.config = training_config(start, settings)
        self.start, self.rehearsal_set, self.test_set, self.source = start, rehearsal_set, test_set, source
        rng = random_streams(settings.seed)["split"]
        if settings.drawings is not None and settings.drawings < len(drawings):
            drawings = drawings.split(settings.drawings, rng)[1]
        self.drawings, self.folds = drawings, list[Collection]()
        num_held_back = round(len(drawings) * settings.held_back / 100)
        self.trained_on, self.held_back = drawings.split(num_held_back, rng)
        if settings.held_back and (num_held_back < MIN_HELD_BACK or min(drawings.counts().values()) < MIN_PER_DIGIT):
            self.trained_on, self.held_back = drawings, Collection()
            self.folds = _folds(drawings, rng) if len(drawings) > 1 else []
        self.measurements = list[Measured]()
        self.end: Diverged | FineTuned | None = None
        self.steps_done, self.seconds = 0, 0.0
        self.network = start.copy()
        self._events = self._run()

    def __next__(self) -> FineTuningEvent:
        started = perf_counter()
        try:
            event = next(self._events)
        finally:
            self.seconds += perf_counter() - started
        event = event._replace(seconds=self.seconds)
        if isinstance(event, Measured):
            self.measurements.append(event)
        if isinstance(event, Diverged | FineTuned):
            self.end = event
        return event

    @property
    def is_over(self) -> bool:
        return self.end is not None

    @property
    def num_folds(self) -> int:
        """In how many parts cross-validation divides the drawings; 0 if there is none."""
        return len(self.folds)

    @property
    def image_bytes(self) -> int:
        """How many bytes the images take that it learns from: they are copied once."""
        num_old = self.settings.steps * round(BATCH_SIZE * self.settings.rehearsal / 100)
        return 2 * 28 * 28 * (len(self.drawings) + min(num_old, len(self.rehearsal_set or ())))

    @property
    def progress(self) -> float:
        """The fraction of all steps that is done, in [0, 1]."""
        return self.steps_done / (self.settings.steps * (self.num_folds + 1))

    def _run(self) -> Iterator[FineTuningEvent]:
        before = _test(self.start, self.test_set)
        for fold in range(1, self.num_folds + 1):
            others = [drawing for part in self.folds if part is not self.folds[fold - 1] for drawing in part]
            for event in self._train(fold, Collection(tuple(others), self.drawings.name), self.folds[fold - 1]):
                yield event
                if isinstance(event, Diverged):
                    return
        event = None
        for event in self._train(0, self.trained_on, self.held_back):
            yield event
        if not isinstance(event, Measured):  # it diverged
            return
        after = _test(self.network, self.test_set)
        self.network.info["fine_tuned"] = self._origin()
        self.network.info.pop("metrics", None)  # those of the start
        if after:
            correct, total = after.overall
            self.network.info["metrics"] = {
                "test_accuracy": correct / total,
                "test_errors": total - correct,
                "test_images": total,
            }
        yield FineTuned(event.trained_on, event.held_back, before, after, 0.0)

    def _train(self, fold: int, drawings: Collection, held_back: Collection) -> Iterator[StepEnd | Measured | Diverged]:
        """Train on ``drawings``; keep what it has learned so far in ``network`` if this is fold 0."""
        trainer = self._trainer(fold, drawings)
        moments = {ceil(self.settings.steps * part / MEASUREMENTS) for part in range(1, MEASUREMENTS + 1)}
        yield self._measure(trainer.network, 0, fold, drawings, held_back)
        for event in trainer:
            if isinstance(event, Diverged):
                self.network = self.start.copy()
                yield event
                return
            if not isinstance(event, StepEnd):
                break
            self.steps_done += 1
            yield event
            if trainer.step in moments:
                if not fold:
                    self.network = trainer.network.copy(self.start.layers)
                yield self._measure(trainer.network, trainer.step, fold, drawings, held_back)

    def _trainer(self, fold: int, drawings: Collection) -> Trainer:
        """A trainer whose one epoch is all the batches, in order; each has own drawings first, then rehearsed images."""
        settings, own, old = self.settings, drawings.dataset, self.rehearsal_set
        rng = np.random.default_rng([settings.seed, fold])
        num_old = round(BATCH_SIZE * settings.rehearsal / 100)
        rows = _endless(len(own), (settings.steps, BATCH_SIZE - num_old), rng)
        images, labels = own.images, own.labels
        if num_old and old:
            old_images, old_labels = old.take(rng.permutation(len(old))[: settings.steps * num_old])
            rows_of_old = len(own) + _endless(len(old_labels), (settings.steps, num_old), rng)
            rows = np.hstack([rows, rows_of_old])
            images = np.concatenate([images, old_images.reshape(-1, *images.shape[1:])])
            labels = np.concatenate([labels, old_labels])
        config = self.config
        config.check_memory()
        train_set = Dataset(images, labels, drawings.name, rows.ravel())
        return Trainer(self.start.copy(config.layers), config.make_optimizer(), train_set, None, config)

    def _measure(self, network: Network, step: int, fold: int, drawings: Collection, held_back: Collection) -> Measured:
        of_held_back = score(network, held_back.dataset) if len(held_back) else None
        if not fold and self.num_folds:
            of_folds = [event.held_back for event in self.measurements if event.fold and event.step == step]
            of_held_back = Score(*map(sum, zip(*filter(None, of_folds), strict=True)))
        tested = None if fold or not self.test_set else _test(network, _part(self.test_set))
        return Measured(fold, step, score(network, drawings.dataset), of_held_back, tested, 0.0)

    def _origin(self) -> dict[str, Any]:
        return {"from": self.source, "drawings": len(self.trained_on), "settings": asdict(self.settings)}


def training_config(start: Network, settings: FineTuningSettings) -> Config:
    """The configuration of the trainer that fine-tunes ``start``."""
    return Config(
        learning_rate=settings.learning_rate,
        epochs=1,
        batch_size=BATCH_SIZE,
        layers=frozen_layers(start.layers, settings.trained_layers),
        input_shape=start.input_shape,
        loss=next(name for name, loss in LOSSES.items() if loss.output == start.output),
        schedule="cosine",
        augmentation=AUGMENTATIONS["strong"],
        validation_size=0,
        shuffle=False,
        seed=settings.seed,
    )


def frozen_layers(layers: Sequence[Layer], trained_layers: int | None = None) -> tuple[Layer, ...]:
    """The layers, frozen before the last ``trained_layers`` that have weights (None: nothing is frozen).

    Batch normalisation is frozen in any case.
    """
    with_weights = [position for position, layer in enumerate(layers) if layer.decayed_parameters]
    count = len(with_weights) if trained_layers is None else min(trained_layers, len(with_weights))
    first = with_weights[-count] if count else 0
    return tuple(
        replace(layer, frozen=layer.frozen or position < first or isinstance(layer, BatchNorm))
        for position, layer in enumerate(layers)
    )


def _check_data(
    network: Network,
    drawings: Collection,
    settings: FineTuningSettings,
    rehearsal_set: Dataset | None,
    test_set: Dataset | None,
) -> None:
    if not len(drawings):
        raise DataError("fine-tuning needs at least one drawing, got none")
    if settings.rehearsal and not rehearsal_set:
        raise InklingError(f"rehearsal needs images of the old data, got none and rehearsal {settings.rehearsal}")
    classes, largest = network.output_shape[0], max(drawings.counts())
    if largest >= classes:
        raise DataError(f"labels must be below {classes}, one for each output of the network, got {largest}")
    for dataset in (drawings.dataset, rehearsal_set, test_set):
        if dataset is not None and prod(dataset.images.shape[1:]) != prod(network.input_shape):
            raise DataError(f"images must fit the network's inputs {network.input_shape}, got {dataset.images.shape[1:]}")


def _folds(drawings: Collection, rng: np.random.Generator) -> list[Collection]:
    """``FOLDS`` parts, or one for each drawing if there are fewer; the drawings of each label are dealt like cards."""
    shuffled = [drawings.drawings[position] for position in rng.permutation(len(drawings))]
    dealt, count = sorted(shuffled, key=lambda drawing: drawing.label), min(FOLDS, len(drawings))
    return [Collection(tuple(dealt[fold::count]), drawings.name) for fold in range(count)]


def _endless(size: int, shape: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.integer]:
    """Numbers below ``size`` in random order, each as often as any other, in an array of this shape."""
    count = shape[0] * shape[1]
    return np.concatenate([rng.permutation(size) for _ in range(ceil(count / size) or 1)])[:count].reshape(shape)


def _part(test_set: Dataset) -> Dataset:
    """``QUICK_TEST`` of the test images, always the same."""
    order = np.random.default_rng(0).permutation(len(test_set))
    return test_set.subset(np.sort(order[:QUICK_TEST]))


def _test(network: Network, test_set: Dataset | None) -> ScoresByClass | None:
    if not test_set:
        return None
    confusion = evaluate(network, test_set).confusion
    by_class = tuple(Score(int(row[digit]), int(row.sum())) for digit, row in enumerate(confusion))
    return ScoresByClass(Score(sum(part.correct for part in by_class), sum(part.total for part in by_class)), by_class)
