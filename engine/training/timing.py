"""How long a training takes on this machine."""

from dataclasses import replace
from time import perf_counter

import numpy as np

from engine.config import Config
from engine.data.dataset import Dataset
from engine.metrics import evaluate
from engine.training.trainer import Trainer

MAX_BATCH_SIZE = 1_024  # images: larger batches take as long per image


def measure_seconds(config: Config, train_set: Dataset, window: float = 0.1, windows: int = 5) -> tuple[float, float]:
    """Seconds per image that training takes with ``config``, and seconds per image that validation takes.

    Takes real steps on a copy, in ``windows`` windows of at least ``window`` seconds, and returns the fastest window, which
    other work on the machine disturbed least. Matrix products use the threads they are given.
    """
    changes = {
        "train_size": len(train_set),
        "validation_size": 0,
        "patience": None,
        "batch_size": min(config.batch_size or len(train_set), len(train_set), MAX_BATCH_SIZE),
        "learning_rate": 1e-9,
        "epochs": 100_000,
    }
    trainer = Trainer.from_config(replace(config, **changes), train_set)
    next(trainer)  # the first step allocates what the others use again
    training, validating = np.inf, np.inf
    for _ in range(windows):
        seconds, samples = trainer.training_seconds, trainer.samples
        while trainer.training_seconds - seconds < window or trainer.samples == samples:
            next(trainer)
        training = min(training, (trainer.training_seconds - seconds) / (trainer.samples - samples))
    batch = train_set.subset(slice(trainer.network.max_batch_size))
    for _ in range(windows):
        started = perf_counter()
        evaluate(trainer.result, batch, trainer.loss)
        validating = min(validating, (perf_counter() - started) / len(batch))
    return training, validating
