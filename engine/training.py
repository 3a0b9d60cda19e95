"""``Trainer``: one step at a time, an iterator of progress events.

    for event in Trainer.from_config(Config(), train_set):
        ...

Not asking for the next event is a pause; leaving the loop is a stop.
"""

from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np

from engine.checks import InklingError, check_integer, check_number
from engine.curves import Curve
from engine.data.dataset import NO_DIGIT
from engine.history import History
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.schedules import SCHEDULES

STREAMS = ("split", "weights", "order", "noise", "augmentation")  # new ones go last: the others then draw as before
COUNTERS = ("epoch", "step", "position", "samples", "loss_sum", "correct", "training_seconds", "seconds")
LARGEST_LOSS = 1e300  # finite, and more than any sum of losses in float32
CHANGEABLE = {"learning_rate", "momentum", "weight_decay", "batch_size"}


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
    """The loss is no longer a finite number; the network is again as it was for the last batch whose loss was one, itself
    finite in every weight. Training is over."""

    epoch: int
    step: int
    loss: float
    seconds: float


class Change(NamedTuple):
    """What was changed on the way: after this ``step``, at this ``epoch`` and part of one, to these ``values`` by name."""

    step: int
    epoch: float
    values: dict


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
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))


class Trainer:
    """Trains ``network`` in place on ``train_set``, as ``config`` says.

    It is its own iterator: all its state is in its attributes, so it can be left and taken up again at any event, and
    ``checkpoint`` can write it down whole. ``validation_set`` may be None. ``history`` has the ``EpochEnd`` events so far,
    ``curve`` what each step measured, thinned, ``changes`` what was changed on the way, ``validation`` the ``Evaluation``
    at the last epoch's end.

    ``previous`` has the network's values before its last step. Of a step taken with ``keeps_gradient``, ``gradient`` is the
    loss's gradient, until the next event: the step itself clips, regularises and overwrites it.
    """

    def __init__(self, network, optimizer, train_set, validation_set, config):
        self.network, self.optimizer, self.config = network, optimizer, config
        self.train_set, self.validation_set = train_set, validation_set
        self.loss, self.schedule = LOSSES[config.loss], SCHEDULES[config.schedule]
        self.rngs = streams(config.seed)
        self.epoch, self.step, self.history, self.changes = 1, 0, History(EpochEnd), []
        self.curve = Curve(("step", "epoch", "loss", "accuracy"))
        self.training_seconds = self.seconds = 0.0  # of the steps alone; of all the trainer's work
        self.samples = 0
        self.known = self._known(train_set.own_labels)
        self.over = False
        self.best = None  # (validation loss, epoch) and its values, kept only for early stopping
        self.best_values = None
        self.average = network.copy() if config.averaging is not None else None
        self.previous = network.values.copy()  # what a divergence falls back to: the loss was finite there
        self.validation = self.gradient = None
        self.keeps_gradient = False
        optimizer.start(network.parameters[: network.trained])
        for layer in network.layers:
            layer.rng = self.rngs["noise"]
        self._begin_epoch()

    @classmethod
    def from_config(cls, config, train_set, start=None):
        """A trainer with a new network, on the first ``config.images`` of ``train_set`` less the validation split.

        The network's weights are those that the seed draws, or those of the network ``start``, which has the same layers.
        """
        rngs = streams(config.seed)
        train_set, validation_set = config.split(train_set, rngs["split"])
        network = config.network(rngs["weights"])
        if start is not None:
            network.values[:] = _values_for(network, start)
        classes, labels = network.output_shape[0], train_set.own_labels
        largest = labels[labels != NO_DIGIT].max(initial=0)
        if largest >= classes:
            raise InklingError(f"labels must be below {classes}, one for each output, got {largest}")
        network.info |= {"config": config.to_json(), "data": train_set.fingerprint()}
        return cls(network, config.make_optimizer(), train_set, validation_set, config)

    @property
    def batch_size(self):
        return min(self.config.batch_size or len(self.train_set), len(self.train_set))

    @property
    def result(self):
        """The network to use: the one that trains, or the average of its weights where one is kept."""
        return self.average or self.network

    @property
    def samples_per_second(self):
        """Images through forward, backward and update per second of it, since the start."""
        return self.samples / self.training_seconds if self.training_seconds else 0.0

    @property
    def progress(self):
        """The part of the training that is done, in [0, 1], if it goes through all its epochs."""
        return (self.epoch - 1 + self.position / len(self.train_set)) / self.config.epochs

    @property
    def complete(self):
        """Whether it is over, or all its batches are taken and its epochs measured: then ``Finished`` comes next."""
        return self.over or (len(self.history) == self.epoch and (self.epoch == self.config.epochs or self._stale))

    @property
    def learning_rate(self):
        """The rate of the next step: the one that is set, times what the schedule makes of it now."""
        return self.config.learning_rate * self.schedule(self.progress * self.config.epochs, self.config.epochs)

    def changed(self, **values):
        """The configuration with ``learning_rate``, ``momentum``, ``weight_decay`` or ``batch_size`` changed, checked."""
        if not values.keys() <= CHANGEABLE:
            raise InklingError(f"only {', '.join(sorted(CHANGEABLE))} can be changed in a training, got {', '.join(values)}")
        return replace(self.config, **values)

    def change(self, **values):
        """Change what ``changed`` takes from the next step on, and note in ``changes`` what is now another value."""
        old, self.config = self.config, self.changed(**values)
        if "momentum" in values and hasattr(self.optimizer, "momentum"):
            self.optimizer.momentum = self.config.momentum
        new = {name: getattr(self.config, name) for name in values if getattr(self.config, name) != getattr(old, name)}
        if new:
            self.changes.append(Change(self.step, self.progress * self.config.epochs, new))
        for network in filter(None, (self.network, self.average)):
            network.info |= {"config": self.config.to_json()}

    def state(self):
        """All that a trainer of the same config and data lacks to go on from here: JSON values, and arrays by name."""
        counts, curve = self.curve.state()
        values = {name: getattr(self, name) for name in COUNTERS}
        values |= {
            "history": list(self.history),
            "changes": self.changes,
            "over": self.over,
            "best": self.best,
            "curve": counts,
            "optimizer_steps": self.optimizer.steps,
            "rngs": {name: rng.bit_generator.state for name, rng in self.rngs.items()},
        }
        arrays = {"values": self.network.values, "last_finite": self.previous, "curve": curve}
        arrays |= {"order": self.order.astype(np.uint32), "average": self.average and self.average.values}
        arrays |= {"best_values": self.best_values} | {f"optimizer.{name}": v for name, v in self.optimizer.state.items()}
        return values, {name: array for name, array in arrays.items() if array is not None}

    def restore(self, values, arrays):
        """Go on from what ``state`` wrote down; raises where it does not fit this trainer."""
        size = len(self.train_set)
        if arrays["order"].shape != (size,) or not np.array_equal(np.sort(arrays["order"]), np.arange(size)):
            raise InklingError(f"order must be a permutation of the {size:,} training images")
        check_integer("position", values["position"], 0, size)
        begun = check_integer("epoch", values["epoch"], 1, self.config.epochs)
        check_integer("epochs in the history", len(values["history"]), begun - 1, begun)
        if values["best"] is not None:
            loss, epoch = values["best"]
            self.best = check_number("best loss", loss, 0, LARGEST_LOSS), check_integer("best epoch", epoch, 1, begun)
            self.best_values = np.empty_like(self.network.values)
        into = {"values": self.network.values, "last_finite": self.previous, "best_values": self.best_values}
        into |= {f"optimizer.{name}": vector for name, vector in self.optimizer.state.items()}
        into["average"] = self.average and self.average.values
        for name, vector in into.items():
            if vector is None:
                continue
            if name not in arrays or arrays[name].shape != vector.shape:
                raise InklingError(
                    f"{name} must be {vector.size:,} numbers, got {arrays[name].shape if name in arrays else 'none'}"
                )
            if not np.isfinite(arrays[name]).all():
                raise InklingError(f"{name} must be finite numbers, got NaN or infinite ones")
            vector[:] = arrays[name]
        for name in COUNTERS:
            check_number(name, values[name], 0, LARGEST_LOSS if name == "loss_sum" else 1e18)
            setattr(self, name, values[name])
        self.over = values["over"] is True
        self.history = History(EpochEnd, (_checked_epoch(*row) for row in values["history"]))
        self.changes = [self._checked_change(*row) for row in values["changes"]]
        self.order = arrays["order"].astype(np.int64)
        self.curve.restore(values["curve"], arrays["curve"])
        self.optimizer.steps = check_integer("optimizer_steps", values["optimizer_steps"], 0, 2**53)
        for name, rng in self.rngs.items():
            rng.bit_generator.state = values["rngs"][name]

    def _checked_change(self, step, epoch, values):
        self.changed(**values)
        check_number("epoch of a change", epoch, 0, self.config.epochs)
        return Change(check_integer("step of a change", step, 0, self.step), epoch, dict(values))

    def __iter__(self):
        return self

    def __next__(self):
        if self.over:
            raise StopIteration
        self.gradient = None
        started = perf_counter()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a divergence is told as an event
            if self.position < len(self.train_set):
                return self._take_step(started)
            if len(self.history) < self.epoch:
                return self._end_epoch(started)
            return self._go_on_or_finish()

    def _begin_epoch(self):
        size = len(self.train_set)
        self.order = self.rngs["order"].permutation(size) if self.config.shuffle else np.arange(size)
        self.position = 0
        self.loss_sum, self.correct = 0.0, 0

    def _take_step(self, started):
        network, config = self.network, self.config
        images, labels = self.train_set.take(self.order[self.position : self.position + self.batch_size])
        if config.augmentation:
            images = config.augmentation(images, self.rngs["augmentation"])
        loss, correct = self._find_gradient(images, labels)
        if not np.isfinite(loss):
            return self._diverge(loss, started)
        np.copyto(self.previous, network.values)
        if self.keeps_gradient:
            self.gradient = network.gradients.copy()
        self._move()

        self.step += 1
        self.position += len(labels)
        self.samples += len(labels)
        self.loss_sum += loss * len(labels)
        self.correct += correct
        accuracy = correct / self._known(labels)
        self.curve.append(self.step, self.progress * config.epochs, loss, accuracy)
        taken = perf_counter() - started
        self.training_seconds += taken
        self.seconds += taken
        return StepEnd(self.epoch, self.step, loss, accuracy, self.samples_per_second, self.seconds)

    def _known(self, labels):
        """How many of the labels are classes: what accuracy is a part of; at least 1, to divide by."""
        return max(int(np.count_nonzero(labels < self.network.output_shape[0])), 1)

    def _find_gradient(self, images, labels):
        """Forward and backward; returns the mean loss and how many were right.

        A batch of more than ``network.at_once`` goes through in equal parts whose gradients are added: its memory stays
        bounded, and the result is the same but for batch normalisation, which looks at each part by itself.
        """
        network, smoothing = self.network, self.config.label_smoothing
        loss_sum, correct, total = 0.0, 0, None
        parts = -(-len(labels) // network.at_once)
        for rows in np.array_split(np.arange(len(labels)), parts) if parts > 1 else [slice(None)]:
            part = labels[rows]
            outputs = network.forward(network.as_input(images[rows]), training=True)
            loss, gradient = self.loss(outputs, part, smoothing)
            loss_sum += loss * len(part)
            correct += int(np.count_nonzero(outputs.argmax(axis=1) == part))
            if not np.isfinite(loss):
                break
            if parts > 1:
                gradient *= len(part) / len(labels)
            network.backward(gradient)
            if parts > 1:
                total = network.gradients.copy() if total is None else np.add(total, network.gradients, out=total)
        if total is not None:
            np.copyto(network.gradients, total)
        return loss_sum / len(labels), correct

    def _move(self):
        """One step of the optimizer along the gradient, clipped first, then with what regularises it."""
        network, optimizer, config = self.network, self.optimizer, self.config
        parameters, gradients = network.parameters[: network.trained], network.gradients[: network.trained]
        weights, rate = slice(network.decayed), self.learning_rate
        if config.clip_norm is not None:
            norm = np.linalg.norm(gradients.astype(np.float64))  # in float32 the squares of an explosion overflow
            if np.isfinite(norm) and norm > config.clip_norm:
                gradients *= config.clip_norm / norm
        if config.weight_decay and not optimizer.decoupled_decay:
            gradients[weights] += config.weight_decay * parameters[weights]
        if config.l1:
            gradients[weights] += config.l1 * np.sign(parameters[weights])
        if config.weight_decay and optimizer.decoupled_decay:
            parameters[weights] *= 1 - rate * config.weight_decay
        optimizer.step(parameters, gradients, rate)
        if self.average:
            average = self.average.values
            keep = min(config.averaging, (1 + self.step) / (10 + self.step))  # short at first: the start is soon forgotten
            average += (1 - keep) * (network.values - average)

    def _end_epoch(self, started):
        self.validation = validation = self.validation_set and evaluate(self.result, self.validation_set, self.loss)
        if not np.isfinite(self.network.values).all() or (validation and not np.isfinite(validation.loss)):
            return self._diverge(validation.loss if validation else np.nan, started)
        self.seconds += perf_counter() - started
        event = EpochEnd(
            self.epoch,
            self.step,
            self.loss_sum / len(self.train_set),
            self.correct / self.known,
            validation and validation.loss,
            validation and validation.accuracy,
            self.samples_per_second,
            self.seconds,
        )
        self.history.append(event)
        if validation and self.config.patience and (self.best is None or validation.loss < self.best[0]):
            self.best, self.best_values = (validation.loss, self.epoch), self.result.values.copy()
        return event

    @property
    def _stale(self):
        return bool(self.config.patience and self.best and self.epoch - self.best[1] >= self.config.patience)

    def _go_on_or_finish(self):
        if not self.complete:
            self.epoch += 1
            self._begin_epoch()
            return next(self)
        self.over = True
        if self.best_values is not None:
            self.result.values[:] = self.best_values
        best_epoch = self.best and self.best[1]
        return Finished(self.epoch, self.step, self._stale, best_epoch, self.samples_per_second, self.seconds)

    def _diverge(self, loss, started):
        self.over = True
        np.nan_to_num(self.previous, copy=False)  # an infinite weight can hide where a ReLU gives 0
        np.copyto(self.network.values, self.previous)
        if self.average:  # it has followed further than that
            np.copyto(self.average.values, self.previous)
        self.seconds += perf_counter() - started
        return Diverged(self.epoch, self.step, float(loss), self.seconds)


def _checked_epoch(*row):
    event = EpochEnd(*row)
    for name, value in event._asdict().items():
        if value is not None or not name.startswith("validation"):
            check_number(name, value, 0, LARGEST_LOSS)
    return event


def _values_for(network, start):
    """The values of ``start``, for ``network`` to begin with."""
    (size, layers), (other_size, others) = (
        (one.input_shape, [layer.to_json() | {"initializer": None} for layer in one.layers]) for one in (network, start)
    )
    if size != other_size or len(layers) != len(others):
        raise InklingError(
            f"a network to begin with must have {len(layers)} layers for inputs {size}, got {len(others)} for {other_size}"
        )
    for position, (layer, other) in enumerate(zip(layers, others, strict=True)):
        if layer != other:
            wanted, got = network.layers[position], start.layers[position]
            raise InklingError(f"a network to begin with must have {wanted} as layer {position + 1}, got {got}")
    return start.values


def measure_seconds(config, train_set, window=0.1, windows=5):
    """Seconds that training on an image takes by ``config``, and that validating on one does.

    Real steps of a copy with batches of the given size, up to 1,024, in ``windows`` of at least so many seconds; of these
    the fastest, which other work on the machine disturbed least. Matrix products take the threads they are given.
    """
    batch_size = min(config.batch_size or len(train_set), len(train_set), 1_024)
    changes = {
        "images": len(train_set),
        "validation_size": 0,
        "patience": None,
        "batch_size": batch_size,
        "learning_rate": 1e-9,
    }
    trainer = Trainer.from_config(replace(config, **changes, epochs=100_000), train_set)
    next(trainer)  # the first step allocates what the others use again
    training, validating = np.inf, np.inf
    for _ in range(windows):
        seconds, samples = trainer.training_seconds, trainer.samples
        while trainer.training_seconds - seconds < window or trainer.samples == samples:
            next(trainer)
        training = min(training, (trainer.training_seconds - seconds) / (trainer.samples - samples))
    part = train_set.subset(slice(trainer.network.at_once))
    for _ in range(windows):
        started = perf_counter()
        evaluate(trainer.result, part, trainer.loss)
        validating = min(validating, (perf_counter() - started) / len(part))
    return training, validating
