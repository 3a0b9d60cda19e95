"""``Trainer``: one step at a time, an iterator of progress events.

    for event in Trainer.from_config(Config(), train_set):
        ...

Not asking for the next event is a pause; leaving the loop is a stop.
"""

from collections.abc import Iterator
from math import prod
from time import perf_counter
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.config import Config
from engine.data.dataset import DIGITS, NO_DIGIT, Dataset
from engine.losses import LOSSES
from engine.metrics import Evaluation, evaluate
from engine.network import Network
from engine.optimizers import Optimizer
from engine.schedules import SCHEDULES
from engine.seeding import random_streams
from engine.training.events import Change, Diverged, EpochEnd, Event, Finished, StepEnd
from engine.training.history import Curve, History
from engine.training.warm_start import starting_state


def initial_network(config: Config, train_set: Dataset, start: Network | None = None) -> Network:
    """The network with which a training begins: drawn from the seed, or with the weights of ``start``.

    Raises ``InklingError`` if the configuration does not fit the data, or ``start`` not the configuration.
    """
    network = config.make_network(random_streams(config.seed)["weights"])
    if prod(network.input_shape) != prod(train_set.images.shape[1:]):
        raise InklingError(f"input_shape must fit images of {train_set.images.shape[1:]}, got {network.input_shape}")
    if start is not None:
        network.state_vector[:] = starting_state(network, start)
    classes, labels = network.output_shape[0], train_set.own_labels
    largest = labels[labels != NO_DIGIT].max(initial=0)
    if largest >= classes:
        raise InklingError(f"labels must be below {classes}, one for each output, got {largest}")
    return network


class _Mark(NamedTuple):
    """How far a training was at one moment."""

    samples: int = 0
    training_seconds: float = 0.0
    seconds: float = 0.0
    progress: float = 0.0


class Trainer(Iterator[Event]):
    """Trains ``network`` in place on ``train_set``, as ``config`` says.

    All its state is in its attributes, so it can be left and continued at any event, and ``checkpoint`` can write it to a
    file. ``validation_set`` may be None. ``history`` has the ``EpochEnd`` events so far, ``curve`` the loss and accuracy of
    the steps, averaged over more and more of them, ``changes`` the settings that were changed, and ``validation`` the
    ``Evaluation`` at the end of the last epoch.

    ``previous_state`` is the network's state vector before its last step. After a step with ``keep_gradient``, ``gradient``
    is the gradient of the loss, until the next event: the step itself clips, regularises and overwrites it.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        train_set: Dataset,
        validation_set: Dataset | None,
        config: Config,
    ) -> None:
        self.network, self.optimizer, self.config = network, optimizer, config
        self.train_set, self.validation_set = train_set, validation_set
        self.loss, self.schedule = LOSSES[config.loss], SCHEDULES[config.schedule]
        self.rngs = random_streams(config.seed)
        self.epoch, self.step, self.samples = 1, 0, 0
        self.history, self.changes = History(EpochEnd), list[Change]()
        self.curve = Curve(("step", "epoch", "loss", "accuracy"))
        self.training_seconds = self.seconds = 0.0  # of the steps alone; of all the trainer's work
        self._timing_start = _Mark()
        self.num_labelled = self._count_labelled(train_set.own_labels)
        self.is_over = False
        self.best: tuple[float, int] | None = None  # lowest validation loss and its epoch, only for early stopping
        self.best_state: npt.NDArray | None = None
        self.average = network.copy() if config.ema_decay is not None else None
        self.previous_state = network.state_vector.copy()  # what a divergence goes back to: the loss was finite there
        self.validation: Evaluation | None = None
        self.gradient: npt.NDArray | None = None
        self.keep_gradient = False
        optimizer.start(network.parameters[: network.num_trainable])
        for layer in network.layers:
            layer.rng = self.rngs["noise"]  # pyright: ignore[reportAttributeAccessIssue]
        self._begin_epoch()

    @classmethod
    def from_config(cls, config: Config, train_set: Dataset, start: Network | None = None) -> Self:
        """A trainer of a new network, on the first ``config.train_size`` images of ``train_set`` without the validation set.

        The weights are drawn from the seed, or copied from the network ``start``, which must have the same layers. Raises
        ``InklingError`` if the configuration does not fit the data.
        """
        train_set, validation_set = config.split(train_set, random_streams(config.seed)["split"])
        network = initial_network(config, train_set, start)
        network.info |= {"config": config.to_json(), "data": train_set.fingerprint()}
        if train_set.class_names != DIGITS:
            network.info["class_names"] = list(train_set.class_names)
        return cls(network, config.make_optimizer(), train_set, validation_set, config)

    # One step, from top to bottom.

    def __next__(self) -> Event:
        if self.is_over:
            raise StopIteration
        self.gradient = None
        started = perf_counter()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a divergence is reported as an event
            if self.position < len(self.train_set):
                return self._take_step(started)
            if len(self.history) < self.epoch:
                return self._end_epoch(started)
            return self._continue_or_finish()

    def _take_step(self, started: float) -> StepEnd | Diverged:
        images, labels = self._next_batch()
        loss, num_correct = self._compute_gradient(images, labels)
        if not np.isfinite(loss):
            return self._diverge(loss, started)
        np.copyto(self.previous_state, self.network.state_vector)
        if self.keep_gradient:
            self.gradient = self.network.gradients.copy()
        self._update_parameters()
        return self._record_step(loss, num_correct, labels, started)

    def _next_batch(self) -> tuple[npt.NDArray, npt.NDArray]:
        images, labels = self.train_set.take(self.order[self.position : self.position + self.batch_size])
        if self.config.augmentation:
            images = self.config.augmentation(images, self.rngs["augmentation"])
        return images, labels

    def _compute_gradient(self, images: npt.NDArray, labels: npt.NDArray, weight: float = 1.0) -> tuple[float, int]:
        """Go forward and backward; return the mean loss and how many images were right."""
        network = self.network
        if len(labels) > network.max_batch_size:
            return self._compute_gradient_in_parts(images, labels)
        outputs = network.forward(network.as_input(images), training=True)
        loss, gradient = self.loss(outputs, labels, self.config.label_smoothing)
        if np.isfinite(loss):
            network.backward(gradient if weight == 1 else gradient * weight)
        return loss, int(np.count_nonzero(outputs.argmax(axis=1) == labels))

    def _update_parameters(self) -> None:
        """Clip the gradient, add what regularises, take a step of the optimizer, and average the weights."""
        network, optimizer, config, rate = self.network, self.optimizer, self.config, self.learning_rate
        parameters, gradients = network.parameters[: network.num_trainable], network.gradients[: network.num_trainable]
        decayed = slice(network.num_decayed)  # weights, but not biases
        if config.max_grad_norm is not None:
            norm = np.linalg.norm(gradients.astype(np.float64))  # in float32 the squares of a large gradient overflow
            if np.isfinite(norm) and norm > config.max_grad_norm:
                gradients *= config.max_grad_norm / norm
        if config.weight_decay and not optimizer.decoupled_decay:
            gradients[decayed] += config.weight_decay * parameters[decayed]
        if config.l1:
            gradients[decayed] += config.l1 * np.sign(parameters[decayed])
        if config.weight_decay and optimizer.decoupled_decay:
            parameters[decayed] *= 1 - rate * config.weight_decay
        optimizer.step(parameters, gradients, rate)
        if self.average and config.ema_decay is not None:
            average = self.average.state_vector
            decay = min(config.ema_decay, (1 + self.step) / (10 + self.step))  # small at first: the start is soon forgotten
            average += (1 - decay) * (network.state_vector - average)

    def _record_step(self, loss: float, num_correct: int, labels: npt.NDArray, started: float) -> StepEnd:
        self.step += 1
        self.position += len(labels)
        self.samples += len(labels)
        self.loss_sum += loss * len(labels)
        self.correct += num_correct
        accuracy = num_correct / self._count_labelled(labels)
        self.curve.append(self.step, self.progress * self.config.epochs, loss, accuracy)
        seconds = perf_counter() - started
        self.training_seconds += seconds
        self.seconds += seconds
        return StepEnd(self.epoch, self.step, loss, accuracy, self.samples_per_second, self.seconds)

    def _compute_gradient_in_parts(self, images: npt.NDArray, labels: npt.NDArray) -> tuple[float, int]:
        """The same for a batch that would take too much memory at once: the gradients of equal parts, added up.

        The result is the same, except that batch normalisation looks at each part by itself.
        """
        gradients, num_parts = self.network.gradients, -(-len(labels) // self.network.max_batch_size)
        loss_sum, num_correct, total = 0.0, 0, np.zeros_like(gradients)
        for rows in np.array_split(np.arange(len(labels)), num_parts):
            loss, correct_in_part = self._compute_gradient(images[rows], labels[rows], len(rows) / len(labels))
            loss_sum += loss * len(rows)
            num_correct += correct_in_part
            if not np.isfinite(loss):
                break
            total += gradients
        np.copyto(gradients, total)
        return loss_sum / len(labels), num_correct

    # Between epochs, and at the end.

    def _begin_epoch(self) -> None:
        size = len(self.train_set)
        self.order = self.rngs["order"].permutation(size) if self.config.shuffle else np.arange(size)
        self.position = 0
        self.loss_sum, self.correct = 0.0, 0

    def _end_epoch(self, started: float) -> EpochEnd | Diverged:
        validation = evaluate(self.result, self.validation_set, self.loss) if self.validation_set else None
        self.validation = validation
        if not np.isfinite(self.network.state_vector).all() or (validation and not np.isfinite(validation.loss)):
            return self._diverge(validation.loss if validation else np.nan, started)
        self.seconds += perf_counter() - started
        event = EpochEnd(
            self.epoch,
            self.step,
            self.loss_sum / len(self.train_set),
            self.correct / self.num_labelled,
            validation.loss if validation else None,
            validation.accuracy if validation else None,
            self.samples_per_second,
            self.seconds,
        )
        self.history.append(event)
        if validation and self.config.patience and (self.best is None or validation.loss < self.best[0]):
            self.best, self.best_state = (validation.loss, self.epoch), self.result.state_vector.copy()
        return event

    def _continue_or_finish(self) -> Event:
        if not self.complete:
            self.epoch += 1
            self._begin_epoch()
            return next(self)
        self.is_over = True
        if self.best_state is not None:
            self.result.state_vector[:] = self.best_state
        best_epoch = self.best[1] if self.best else None
        return Finished(self.epoch, self.step, self._out_of_patience, best_epoch, self.samples_per_second, self.seconds)

    def _diverge(self, loss: float, started: float) -> Diverged:
        self.is_over = True
        np.nan_to_num(self.previous_state, copy=False)  # an infinite weight can hide where a ReLU gives 0
        np.copyto(self.network.state_vector, self.previous_state)
        if self.average:  # it has already followed the diverging weights
            np.copyto(self.average.state_vector, self.previous_state)
        self.seconds += perf_counter() - started
        return Diverged(self.epoch, self.step, float(loss), self.seconds)

    # What can be read and changed between two steps.

    @property
    def batch_size(self) -> int:
        return min(self.config.batch_size or len(self.train_set), len(self.train_set))

    @property
    def result(self) -> Network:
        """The network to use: the one that trains, or the average of its weights if there is one."""
        return self.average or self.network

    @property
    def learning_rate(self) -> float:
        """The rate of the next step: the one in the configuration, times the schedule's factor now."""
        return self.config.learning_rate * self.schedule(self.progress * self.config.epochs, self.config.epochs)

    @property
    def progress(self) -> float:
        """The fraction of the training that is done, in [0, 1], if it goes through all its epochs."""
        return (self.epoch - 1 + self.position / len(self.train_set)) / self.config.epochs

    @property
    def complete(self) -> bool:
        """Whether all batches are trained on and all epochs are measured, so that only ``Finished`` is left to come."""
        return self.is_over or (
            len(self.history) == self.epoch and (self.epoch == self.config.epochs or self._out_of_patience)
        )

    @property
    def _out_of_patience(self) -> bool:
        return bool(self.config.patience and self.best and self.epoch - self.best[1] >= self.config.patience)

    @property
    def samples_per_second(self) -> float:
        """Images per second of forward, backward and update, since ``begin_timing``."""
        seconds = self.training_seconds - self._timing_start.training_seconds
        return (self.samples - self._timing_start.samples) / seconds if seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds the rest takes at the speed since ``begin_timing``; None if nothing was measured yet."""
        done = self.progress - self._timing_start.progress
        return (self.seconds - self._timing_start.seconds) * (1 - self.progress) / done if done else None

    def begin_timing(self) -> None:
        """Measure the speed from here on: what came before may have run on another machine."""
        self._timing_start = _Mark(self.samples, self.training_seconds, self.seconds, self.progress)

    def change(self, **values: Any) -> None:
        """Change settings from the next step on, and record in ``changes`` those that now have another value."""
        old, self.config = self.config, self.config.changed(**values)
        if "momentum" in values and hasattr(self.optimizer, "momentum"):
            self.optimizer.momentum = self.config.momentum  # pyright: ignore[reportAttributeAccessIssue]
        new = {name: getattr(self.config, name) for name in values if getattr(self.config, name) != getattr(old, name)}
        if new:
            self.changes.append(Change(self.step, self.progress * self.config.epochs, new))
        for network in (self.network, self.average):
            if network:
                network.info |= {"config": self.config.to_json()}

    def _count_labelled(self, labels: npt.NDArray) -> int:
        """How many of the labels are classes, which accuracy is a fraction of; at least 1, to divide by."""
        return max(int(np.count_nonzero(labels < self.network.output_shape[0])), 1)
