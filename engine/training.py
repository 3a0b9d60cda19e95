"""``Trainer``: one step at a time, an iterator of progress events.

    for event in Trainer.from_config(Config(), train_set):
        ...

Not asking for the next event is a pause; leaving the loop is a stop.
"""

from time import perf_counter
from typing import NamedTuple

import numpy as np

from engine.losses import LOSSES
from engine.metrics import evaluate


class StepEnd(NamedTuple):
    """One batch has moved the parameters. ``loss`` and ``accuracy`` are of that batch, before it did."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    samples_per_second: float
    seconds: float


class EpochEnd(NamedTuple):
    """Every image has been seen once more. ``loss`` and ``accuracy`` are means over the epoch's batches, each taken before
    its step; the validation figures are None without a validation set. ``samples_per_second`` counts the steps alone,
    ``seconds`` all of the training's own time, pauses left out."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    samples_per_second: float
    seconds: float


class Diverged(NamedTuple):
    """The loss is no longer a finite number; the network is again as it was when it last was one. Training is over."""

    epoch: int
    step: int
    loss: float
    seconds: float


class Finished(NamedTuple):
    """Training is over: all epochs are done, or ``stopped_early`` and ``best_epoch``'s network is back in place."""

    epoch: int
    step: int
    stopped_early: bool
    best_epoch: int | None
    samples_per_second: float
    seconds: float


def streams(seed):
    """Independent random generators of one seed by use, so that what one draws does not move the others."""
    return dict(zip(("split", "weights", "order"), np.random.default_rng(seed).spawn(3), strict=True))


class Trainer:
    """Trains ``network`` in place on ``train_set``, as ``config`` says.

    It is its own iterator: all its state is in its attributes, so it can be left and taken up again at any event.
    ``validation_set`` may be None. ``history`` has the ``EpochEnd`` events so far.
    """

    def __init__(self, network, optimizer, train_set, validation_set, config):
        self.network, self.optimizer, self.config = network, optimizer, config
        self.train_set, self.validation_set = train_set, validation_set
        self.loss = LOSSES[config.loss]
        self.batch_size = min(config.batch_size or len(train_set), len(train_set))
        self.epoch, self.step, self.history = 1, 0, []
        self.training_seconds = self.seconds = 0.0  # of the steps alone; of all the trainer's work
        self._rng = streams(config.seed)["order"]
        self._samples = 0
        self._over = False
        self._best = None  # (validation loss, epoch, parameters), kept only for early stopping
        self._last_finite = network.parameters.copy()
        optimizer.start(network.parameters)
        self._begin_epoch()

    @classmethod
    def from_config(cls, config, train_set):
        """A trainer with a new network, on the first ``config.images`` of ``train_set`` less the validation split."""
        rngs = streams(config.seed)
        if len(train_set) > config.images:
            train_set = train_set.subset(slice(config.images))
        size = config.held_back(len(train_set))
        train_set, validation_set = train_set.split(size, rngs["split"]) if size else (train_set, None)
        return cls(config.network(rngs["weights"]), config.make_optimizer(), train_set, validation_set, config)

    @property
    def samples_per_second(self):
        """Images through forward, backward and update per second of it, since the start."""
        return self._samples / self.training_seconds if self.training_seconds else 0.0

    @property
    def steps_per_epoch(self):
        return -(-len(self.train_set) // self.batch_size)

    def __iter__(self):
        return self

    def __next__(self):
        if self._over:
            raise StopIteration
        started = perf_counter()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a divergence is told as an event
            if self._position < len(self.train_set):
                return self._take_step(started)
            if len(self.history) < self.epoch:
                return self._end_epoch(started)
            return self._go_on_or_finish()

    def _begin_epoch(self):
        self._order = self._rng.permutation(len(self.train_set))
        self._position = 0
        self._loss_sum = self._correct = 0.0

    def _take_step(self, started):
        network, optimizer, config = self.network, self.optimizer, self.config
        images, labels = self.train_set.take(self._order[self._position : self._position + self.batch_size])
        outputs = network.forward(network.as_input(images), training=True)
        loss, gradient = self.loss(outputs, labels)
        if not np.isfinite(loss):
            return self._diverge(loss, started)
        np.copyto(self._last_finite, network.parameters)
        network.backward(gradient)

        parameters, gradients, rate = network.parameters, network.gradients, config.learning_rate
        if config.weight_decay:
            weights = slice(network.decayed)
            if optimizer.decoupled_decay:
                parameters[weights] *= 1 - rate * config.weight_decay
            else:
                gradients[weights] += config.weight_decay * parameters[weights]
        optimizer.step(parameters, gradients, rate)

        correct = int(np.count_nonzero(outputs.argmax(axis=1) == labels))
        self.step += 1
        self._position += len(labels)
        self._samples += len(labels)
        self._loss_sum += loss * len(labels)
        self._correct += correct
        taken = perf_counter() - started
        self.training_seconds += taken
        self.seconds += taken
        return StepEnd(self.epoch, self.step, loss, correct / len(labels), self.samples_per_second, self.seconds)

    def _end_epoch(self, started):
        validation = self.validation_set and evaluate(self.network, self.validation_set, self.loss)
        if not np.isfinite(self.network.parameters).all() or (validation and not np.isfinite(validation.loss)):
            return self._diverge(validation.loss if validation else np.nan, started)
        self.seconds += perf_counter() - started
        size = len(self.train_set)
        event = EpochEnd(
            self.epoch,
            self.step,
            self._loss_sum / size,
            self._correct / size,
            validation and validation.loss,
            validation and validation.accuracy,
            self.samples_per_second,
            self.seconds,
        )
        self.history.append(event)
        if validation and self.config.patience and (self._best is None or validation.loss < self._best[0]):
            self._best = validation.loss, self.epoch, self.network.parameters.copy()
        return event

    def _go_on_or_finish(self):
        _, best_epoch, best_parameters = self._best or (None, None, None)
        stale = best_epoch is not None and self.epoch - best_epoch >= self.config.patience
        if self.epoch < self.config.epochs and not stale:
            self.epoch += 1
            self._begin_epoch()
            return next(self)
        self._over = True
        if best_parameters is not None:
            self.network.parameters[:] = best_parameters
        return Finished(self.epoch, self.step, stale, best_epoch, self.samples_per_second, self.seconds)

    def _diverge(self, loss, started):
        self._over = True
        np.copyto(self.network.parameters, self._last_finite)
        self.seconds += perf_counter() - started
        return Diverged(self.epoch, self.step, float(loss), self.seconds)
