"""What is wrong with a training, as its figures show: each ``Diagnosis`` has its evidence and one thing to try.

Causes come first. A rule that only sees a symptom, such as a high loss, is asked when no cause was found. Losses are
smoothed before they are compared, and the health of the layers is read before the curves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log10

import numpy as np
import numpy.typing as npt

from engine.config import Config
from engine.data.dataset import Dataset
from engine.jobs import JobState, Snapshot
from engine.jobs.health import LayerHealth, Problem
from engine.layers import Activation, Conv2D, Dense
from engine.losses import LOSSES
from engine.network import Network, as_pixels
from engine.optimizers import OPTIMIZERS
from engine.seeding import random_streams
from engine.training import Diverged

N_ = str  # marks a text that a page translates

NUM_EXAMINED = 500  # images of each set that the network reads once more
NUM_COMPARED = 2_000  # test images that are looked for among the training images
BLANK = 0.5  # share of images without anything on them
BRIGHT = 2.0  # inputs are in [0, 1]; noise and blur add a little
SORTED = 0.5  # share of images with the label of the one before
DUPLICATES = 0.02  # share of the test images that are training images, too
FEW_DUPLICATES = 5
TRANSPOSED = 0.2  # how much more of the turned test images are read right
SHIFTED = 0.4  # share of the test images that are read as the same number more than their label
EQUAL = 1e-3  # of a layer's largest weight: how far its units may be from their mean to count as copies
DEAD_UNITS = 0.6  # share of a layer's units
EDGE = 0.03  # of 0 or 1, or of the same share of tanh's range: the slope is then less than an eighth of the largest one
SATURATED_UNITS = 0.6  # share of a layer's outputs
PULL = 3.0  # times the gradient of the loss, that a penalty's is
STRONG_L1, STRONG_DECAY = 1e-4, 3e-3  # a smaller penalty pulls no weight to 0
SHRUNK = 0.5  # of a layer's first weights: what is left after a penalty that is too large
LEARNS = 0.85  # share of training images that it reads right: a training that learns
SHOT_UP = 1.5  # times the loss of guessing, or that of the first batch
WILD = 0.1  # of a layer's size that a step moves it by, if nothing is learned
UNUSUAL = 8  # times the optimizer's usual learning rate, if little is learned
SINGLE = 4  # images in a batch, up to which a step follows single images
SMOOTHED_IMAGES, SMOOTHED_POINTS = 64, 3  # over which losses are averaged before they are compared, at least
NOT_LEARNED = 0.9  # times the loss of guessing
CHANCE = 0.1  # more than by guessing: hardly more
PATIENCE = 3  # epochs without a better validation loss
OVERFITTED, GAP = 1.15, 0.5  # times the best validation loss; training loss as a share of the validation loss
SMALL_RATIO = 5e-4  # of a layer's size that a step moves the fastest layer by
MANY_STEPS = 100
LITTLE = 0.5  # share of training images read right, below which a network learned little


@dataclass(frozen=True)
class Diagnosis:
    """Something that is wrong. ``title``, ``evidence`` and ``advice`` are English sentences with named places, which
    ``values`` fill: a page translates them first."""

    name: str
    title: str
    evidence: str
    advice: str
    values: dict[str, str]

    def __str__(self) -> str:
        return " ".join(text.format(**self.values) for text in (self.title, self.evidence, self.advice))


TITLES = {
    "blank_images": N_("The images are empty."),
    "unscaled_inputs": N_("The pixels are not divided by 255."),
    "decay_and_rate": N_("The weight decay is too large for this learning rate."),
    "large_decay": N_("The weight decay is too large."),
    "large_l1": N_("The L1 penalty is too large."),
    "softmax_twice": N_("There are two softmaxes, one after the other."),
    "unshuffled": N_("The images are sorted by label, and not shuffled."),
    "equal_weights": N_("All units of a layer are copies of each other."),
    "single_images": N_("Each step follows a single image, and goes too far."),
    "large_rate": N_("The learning rate is too large."),
    "exploding": N_("A layer is exploding."),
    "saturation": N_("The units are saturated."),
    "dead_units": N_("Most units are dead."),
    "vanishing": N_("The gradient vanishes."),
    "shifted_labels": N_("The labels are shifted."),
    "transposed_images": N_("Rows and columns of the test images are exchanged."),
    "leak": N_("Test images are among the training images."),
    "shuffled_labels": N_("The labels do not fit the images."),
    "overfitting": N_("It is memorising the training images."),
    "small_rate": N_("The learning rate is too small."),
    "underfitting": N_("It has learned little, even about its training images."),
}


@dataclass(frozen=True)
class Examination:
    """What a second look at the data and the finished network shows; shares and accuracies are in [0, 1].

    ``brightest`` is the largest input. ``blank`` training images have one colour; ``repeated`` ones have the label of the
    image before. ``duplicates`` of ``compared`` test images are training images, too. ``dead`` has the share of units that
    no training image switches on, and ``saturated`` the share of outputs at the flat ends of the activation, for each layer
    at its position. ``upright`` and ``transposed`` are accuracies on test images, as they are and with rows and columns
    exchanged.
    """

    brightest: float
    blank: float
    repeated: float
    train_accuracy: float
    dead: dict[int, float]
    saturated: dict[int, float]
    compared: int = 0
    duplicates: int = 0
    upright: float = 0.0
    transposed: float = 0.0


def examine(network: Network, config: Config, train_set: Dataset, test_set: Dataset | None = None) -> Examination:
    """Look at the data sets that ``config`` was trained and tested on, and let ``network`` read some images of each.

    The network reads 500 training images, and 500 test images twice: about as much work as ten steps. 2,000 test images
    are looked for among all training images, which takes a tenth of a second for 60,000.
    """
    train_set, _ = config.split(train_set, random_streams(config.seed)["split"])
    images, labels = train_set.take(_spread(len(train_set), NUM_EXAMINED))
    all_labels = train_set.own_labels
    with np.errstate(all="ignore"):
        dead, saturated = _activity(network, images)
        accuracy = _accuracy(network, images, labels)
        examination = Examination(
            brightest=float(as_pixels(images).max()),
            blank=float(np.mean(images.max(axis=(1, 2)) == images.min(axis=(1, 2)))),
            repeated=float(np.mean(all_labels[1:] == all_labels[:-1])) if len(all_labels) > 1 else 0.0,
            train_accuracy=accuracy,
            dead=dead,
            saturated=saturated,
        )
        if not test_set or not len(test_set):
            return examination
        images, labels = test_set.take(_spread(len(test_set), NUM_EXAMINED))
        upright, transposed = (_accuracy(network, turned, labels) for turned in (images, images.swapaxes(1, 2)))
    compared = _hashes(test_set, _spread(len(test_set), NUM_COMPARED))
    known = set(_hashes(train_set, np.arange(len(train_set))))
    return Examination(
        **vars(examination)
        | {
            "compared": len(compared),
            "duplicates": sum(image in known for image in compared),
            "upright": upright,
            "transposed": transposed,
        }
    )


def _spread(size: int, limit: int) -> npt.NDArray[np.int64]:
    """At most ``limit`` positions, evenly spread over ``size``."""
    return np.unique(np.linspace(0, size - 1, min(size, limit)).round().astype(int))


def _accuracy(network: Network, images: npt.NDArray, labels: npt.NDArray) -> float:
    return float(np.mean(network.probabilities(np.ascontiguousarray(images)).argmax(axis=1) == labels))


def _hashes(dataset: Dataset, positions: npt.NDArray) -> list[int]:
    """A hash of each image."""
    blocks = (dataset.take(positions[start : start + 4096])[0] for start in range(0, len(positions), 4096))
    return [hash(image.tobytes()) for images in blocks for image in images]


def _activity(network: Network, images: npt.NDArray) -> tuple[dict[int, float], dict[int, float]]:
    """The share of dead units of each layer with ReLUs, and that of saturated outputs of those with sigmoids or tanh."""
    dead: dict[int, float] = {}
    saturated: dict[int, float] = {}
    for start in range(0, len(images), network.max_batch_size):
        x = network.as_input(images[start : start + network.max_batch_size]).astype(np.float32)
        share = len(x) / len(images)
        for position, layer in enumerate(network.layers[:-1]):
            x = layer.forward(x)
            if not isinstance(layer, Activation):
                continue
            if layer.function == "relu":
                off = float(np.mean(x.max(axis=tuple(axis for axis in range(x.ndim) if axis != 1)) <= 0))
                dead[position] = min(dead.get(position, 1.0), off)
            elif layer.function in ("sigmoid", "tanh"):
                y = x if layer.function == "sigmoid" else (x + 1) / 2
                saturated[position] = saturated.get(position, 0.0) + share * float(np.mean((y < EDGE) | (y > 1 - EDGE)))
    return dead, saturated


def diagnose(snapshot: Snapshot, examination: Examination | None = None) -> list[Diagnosis]:
    """What is wrong with a training, the most likely cause first; [] if nothing is.

    Without an ``examination`` of its data, only what the snapshot shows is judged.
    """
    if not len(snapshot.curve):
        return []
    view = _View(snapshot, examination)
    causes = [*_data(view), *_settings(view)]
    if not causes:
        causes = list(_steps(view)) or list(_layers(view))
    found = causes + list(_results(view))
    return found or list(_learning(view))


class _View:
    """A snapshot and an examination, with what the rules compare."""

    def __init__(self, snapshot: Snapshot, examination: Examination | None) -> None:
        self.snapshot, self.examination, self.config = snapshot, examination, snapshot.config
        self.network, self.health = snapshot.network, snapshot.health
        self.optimizer = OPTIMIZERS[self.config.optimizer]
        scores = np.zeros((1, *self.network.output_shape), np.float32)  # of a network that knows nothing
        self.guessed, _ = LOSSES[self.config.loss](scores, np.zeros(1, int))
        self.losses, self.accuracies = snapshot.curve[:, 2], snapshot.curve[:, 3]

    @cached_property
    def smoothed(self) -> npt.NDArray:
        """Means of the loss, each over the fewest points that cover enough images; (0,) if there are too few."""
        spans = np.diff(self.snapshot.curve[:, 0], prepend=0)  # steps of each point
        steps = np.concatenate([[0], np.cumsum(spans)])
        sums = np.concatenate([[0], np.cumsum(spans * self.losses)])
        enough = SMOOTHED_IMAGES / (self.config.batch_size or SMOOTHED_IMAGES)
        begins = np.searchsorted(steps, steps - enough, "right") - 1
        begins, ends = np.minimum(begins, np.arange(len(steps)) - SMOOTHED_POINTS), np.arange(len(steps))
        begins, ends = begins[begins >= 0], ends[begins >= 0]
        return (sums[ends] - sums[begins]) / (steps[ends] - steps[begins])

    @property
    def diverged(self) -> bool:
        return self.snapshot.state is JobState.DIVERGED or isinstance(self.snapshot.end, Diverged)

    @property
    def chance(self) -> float:
        return 1 / self.network.output_shape[0]

    @cached_property
    def accuracy(self) -> float:
        """That on training images, of the network as it is now or of the latest batches."""
        if self.examination:
            return self.examination.train_accuracy
        return float(self.accuracies[-max(len(self.accuracies) // 10, 3) :].mean())

    @property
    def is_poor(self) -> bool:
        """Whether little is learned, after steps enough to learn something."""
        return self.diverged or (self.accuracy < LEARNS and (self.snapshot.is_over or self.snapshot.step >= MANY_STEPS))


def _found(name: str, evidence: str, advice: str, **values: str) -> Diagnosis:
    return Diagnosis(name, TITLES[name], evidence, advice, values)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def _name(layer: LayerHealth) -> dict[str, str]:
    return {"layer": f"{layer.position + 1} ({layer.label})"}


def _data(view: _View) -> Iterator[Diagnosis]:
    """What is wrong with the training images."""
    if (look := view.examination) is None:
        return
    if look.blank > BLANK:
        yield _found(
            "blank_images",
            N_("{share} of the training images have one colour only."),
            N_("Look at the images: something went wrong when they were read."),
            share=_percent(look.blank),
        )
    elif look.brightest > BRIGHT:
        yield _found(
            "unscaled_inputs",
            N_("The largest input is {largest}, and networks expect inputs from 0 to 1."),
            N_("Divide the pixels by {largest}."),
            largest=f"{look.brightest:.0f}",
        )
    if not view.config.shuffle and look.repeated > SORTED:
        yield _found(
            "unshuffled",
            N_("{share} of the images have the same label as the image before, so a batch shows only one or two classes."),
            N_("Shuffle the images in each epoch."),
            share=_percent(look.repeated),
        )


def decay_limit(config: Config) -> float:
    """The product of learning rate and weight decay from which on decay alone makes the weights grow in each step.

    A step multiplies the weights by 1 - rate * decay. With momentum, see Goh, 2017 (distill.pub/2017/momentum).
    """
    match config.optimizer:
        case "momentum":
            return 2 * (1 + config.momentum)
        case "nesterov":
            return 2 * (1 + config.momentum) / (1 + 2 * config.momentum)
        case "sgd" | "adamw":
            return 2.0
    return np.inf  # the size of a step does not depend on that of the gradient


def _settings(view: _View) -> Iterator[Diagnosis]:
    """Settings that cannot work, or that pull the weights to zero."""
    config, network = view.config, view.network
    product, limit = config.learning_rate * config.weight_decay, decay_limit(config)
    if product >= limit:
        yield _found(
            "decay_and_rate",
            N_("Learning rate {rate} times weight decay {decay} is {product}. From {limit} on, decay makes weights grow."),
            N_("Try a weight decay of {smaller}. Gradient clipping cannot help: it does not limit the decay."),
            rate=f"{config.learning_rate:g}",
            decay=f"{config.weight_decay:g}",
            product=f"{product:.3g}",
            limit=f"{limit:.3g}",
            smaller=f"{_round_down(limit / 1000 / config.learning_rate):g}",
        )
        return
    if penalty := _penalty(view):
        yield penalty
    elif (position := _copies(network)) is not None:
        yield _found(
            "equal_weights",
            N_("All units of layer {layer} have the same weights, so they all learn the same."),
            N_("Begin with random weights: he_normal suits ReLU, glorot_uniform suits sigmoid and tanh."),
            layer=f"{position + 1}",
        )
    last = network.layers[-1]
    if network.output == "softmax" and isinstance(last, Activation) and last.function == "softmax":
        K = network.output_shape[0]
        yield _found(
            "softmax_twice",
            N_("The last layer is a softmax, and the loss has its own. The loss was {lowest} at best, of {floor} possible."),
            N_("Remove the softmax from the end of the network."),
            lowest=f"{float(view.smoothed.min(initial=view.losses.min())):.2f}",
            floor=f"{np.log1p((K - 1) / np.e):.2f}" if view.config.loss == "cross_entropy" else "0",
        )


def _penalty(view: _View) -> Diagnosis | None:
    """A penalty that is larger than what the loss can stand against, while little is learned."""
    config, decayed = view.config, view.network.parameters[: view.network.num_decayed].astype(np.float64)
    if not (view.diverged or view.accuracy < LEARNS):
        return None
    pulls = {"large_l1": config.l1 * np.sqrt(np.count_nonzero(decayed)), "large_decay": 0.0}
    if not view.optimizer.decoupled_decay:
        pulls["large_decay"] = config.weight_decay * np.linalg.norm(decayed)
    name = max(pulls, key=pulls.__getitem__)
    penalty, least = (config.l1, STRONG_L1) if name == "large_l1" else (config.weight_decay, STRONG_DECAY)
    if penalty < least:
        return None
    gradient = np.sqrt(sum(layer.gradient_norm**2 for layer in view.health))
    values = {"penalty": f"{penalty:g}", "smaller": f"{_round_down(penalty / 1000):g}"}
    if view.health and pulls[name] > PULL * gradient:
        evidence = N_("It pulls at the weights {times} times as hard as the loss, and little is learned.")
        values["times"] = f"{pulls[name] / gradient:,.0f}" if gradient > 1e-3 * pulls[name] else "1,000"
    elif (left := _share_left(view)) < SHRUNK:
        evidence = N_("It pulled the weights of a layer to {left} of their first size, and little is learned.")
        values["left"] = _percent(left)
    else:
        return None
    return _found(name, evidence, N_("Try {smaller} instead of {penalty}, or 0."), **values)


def _round_down(number: float) -> float:
    """The power of ten at or below a number."""
    return 10.0 ** np.floor(log10(number))


def _weights(network: Network) -> Iterator[tuple[int, npt.NDArray]]:
    """The position and the weights (inputs, units) of each layer that has some."""
    for position, layer in enumerate(network.layers):
        if isinstance(layer, Dense):
            yield position, layer.W
        elif isinstance(layer, Conv2D):
            yield position, layer.W.reshape(len(layer.W), -1).T


def _share_left(view: _View) -> float:
    """The size of the layer that shrank most, as a share of what it was at first."""
    first = view.config.make_network(random_streams(view.config.seed)["weights"])
    shares = [
        np.linalg.norm(now) / size
        for (_, now), (_, before) in zip(_weights(view.network), _weights(first), strict=True)
        if (size := np.linalg.norm(before))
    ]
    return float(min(shares, default=1.0))


def _copies(network: Network) -> int | None:
    """The position of the first hidden layer whose units all have the same weights; None if there is none."""
    layers = list(_weights(network))
    for position, W in layers[:-1]:
        largest = np.abs(W).max()
        spread = np.abs(W - W.mean(axis=1, keepdims=True)).max()
        if W.shape[1] > 1 and np.isfinite(largest) and spread <= EQUAL * largest:
            return position
    return None


def _steps(view: _View) -> Iterator[Diagnosis]:
    """Steps that are too large."""
    config, snapshot = view.config, view.snapshot
    first = max(view.guessed, float(view.losses[0]))
    highest = float(view.smoothed.max(initial=0))
    shot_up = view.diverged or highest > SHOT_UP * first
    fastest = max((layer.update_ratio for layer in view.health), default=0.0)
    is_stuck = len(view.smoothed) > 0 and view.smoothed[-1] > NOT_LEARNED * view.guessed
    is_wild = is_stuck and fastest > WILD
    is_unusual = view.is_poor and config.learning_rate >= UNUSUAL * view.optimizer.usual_learning_rate
    if not shot_up and not is_wild and not is_unusual:
        return
    if view.diverged:
        evidence = N_("The loss overflowed (NaN or infinity) at step {step}.")
    elif shot_up:
        evidence = N_("The loss rose to {highest}; by guessing it is {guessed}.")
    elif is_wild:
        evidence = N_("A step changes the weights of a layer by {ratio} of their size, and the loss does not fall.")
    else:
        evidence = N_("It reads only {own} of its training images, and the rate is {times} times the usual one.")
    values = {
        "step": f"{snapshot.step + 1:,}",
        "highest": f"{highest:.3g}",
        "guessed": f"{view.guessed:.3g}",
        "ratio": _percent(fastest),
        "own": _percent(view.accuracy),
        "times": f"{config.learning_rate / view.optimizer.usual_learning_rate:.0f}",
        "rate": f"{config.learning_rate:g}",
        "smaller": f"{_smaller_rate(view):g}",
        "usual": f"{view.optimizer.usual_learning_rate:g}",
        "optimizer": view.optimizer.label,
        "size": f"{config.batch_size or 0}",
    }
    if config.batch_size and config.batch_size <= SINGLE:
        advice = N_("Try batches of 32 images or more instead of {size}, or a learning rate of {smaller}.")
        yield _found("single_images", evidence, advice, **values)
        return
    if view.diverged and config.max_grad_norm is None:
        advice = N_("Try a learning rate of {smaller} instead of {rate}, or use gradient clipping.")
    elif config.learning_rate > view.optimizer.usual_learning_rate:
        advice = N_("Try a learning rate of {smaller} instead of {rate}. The usual one for {optimizer} is {usual}.")
    else:
        advice = N_("Try a learning rate of {smaller} instead of {rate}.")
    yield _found("large_rate", evidence, advice, **values)


def _smaller_rate(view: _View) -> float:
    """A tenth, or the usual rate if that is less."""
    rate, usual = view.config.learning_rate, view.optimizer.usual_learning_rate
    return float(f"{min(rate / 10, usual):.1g}")


def _layers(view: _View) -> Iterator[Diagnosis]:
    """Layers that do not learn."""
    look = view.examination
    if look and look.saturated and max(look.saturated.values()) > SATURATED_UNITS:
        position, share = max(look.saturated.items(), key=lambda pair: pair[1])
        yield _found(
            "saturation",
            N_("{share} of the outputs of layer {layer} are at the flat ends of its activation, where no gradient passes."),
            N_("Begin with smaller weights (glorot_uniform), or use ReLU."),
            share=_percent(share),
            layer=f"{position + 1}",
        )
        return
    if look and look.dead and max(look.dead.values()) > DEAD_UNITS:
        position, share = max(look.dead.items(), key=lambda pair: pair[1])
        yield _found(
            "dead_units",
            N_("{share} of the units of layer {layer} give 0 for every training image, so they learn nothing."),
            N_("Begin again with other weights, a smaller learning rate, or leaky ReLU, which always has a slope."),
            share=_percent(share),
            layer=f"{position + 1}",
        )
        return
    for layer in view.health if view.accuracy < LEARNS else ():
        if layer.problem is Problem.DEAD:
            yield _found(
                "dead_units",
                N_("No gradient reaches layer {layer}, so it learns nothing."),
                N_("Begin again with other weights, or use leaky ReLU, which always has a slope."),
                **_name(layer),
            )
            return
        if layer.problem is Problem.VANISHING:
            yield _found(
                "vanishing",
                N_("Layer {layer} hardly learns: a step changes its weights by {ratio} of their size."),
                N_("Use ReLU instead of sigmoid or tanh, fewer layers, or batch normalisation."),
                ratio=_percent(layer.update_ratio),
                **_name(layer),
            )
            return
    exploding = [layer for layer in view.health if layer.problem is Problem.EXPLODING]
    if exploding and view.is_poor:
        yield _found(
            "exploding",
            N_("A step changes the weights of layer {layer} by {ratio} of their size."),
            N_("Use gradient clipping, or a learning rate of {smaller} instead of {rate}."),
            ratio=_percent(exploding[0].update_ratio),
            rate=f"{view.config.learning_rate:g}",
            smaller=f"{_smaller_rate(view):g}",
            **_name(exploding[0]),
        )


def _results(view: _View) -> Iterator[Diagnosis]:
    """What the test images say about labels and images."""
    test, look = view.snapshot.test, view.examination
    if test and test.images and not view.diverged:
        total = max(int(test.confusion.sum()), 1)
        K = len(test.confusion)
        shares = [np.trace(np.roll(test.confusion, -shift, axis=1)) / total for shift in range(K)]
        shift = int(np.argmax(shares))
        if shift and shares[shift] > SHIFTED and shares[shift] > 2 * shares[0]:
            yield _found(
                "shifted_labels",
                N_("{share} of the test images are read as the class that is {shift} further than their label."),
                N_("Check how the labels were read: one of the two sets counts from another number."),
                share=_percent(shares[shift]),
                shift=f"{shift}",
            )
    if look is None or not look.compared:
        return
    if look.transposed > look.upright + TRANSPOSED:
        yield _found(
            "transposed_images",
            N_("It reads {upright} of the test images, and {transposed} of them after rows and columns were exchanged."),
            N_("Exchange rows and columns where the images are read for prediction."),
            upright=_percent(look.upright),
            transposed=_percent(look.transposed),
        )
    if look.duplicates >= max(FEW_DUPLICATES, DUPLICATES * look.compared):
        yield _found(
            "leak",
            N_("{count} of {total} test images are training images, too, so the test accuracy says little."),
            N_("Remove the test images from the training set, and train again."),
            count=f"{look.duplicates:,}",
            total=f"{look.compared:,}",
        )


def _learning(view: _View) -> Iterator[Diagnosis]:
    """Too much or too little learning, if nothing else explains it."""
    snapshot = view.snapshot
    validation, training = (snapshot.history.column(name) for name in ("validation_loss", "loss"))
    has_validation = len(validation) > 0 and not np.isnan(validation).any()
    if has_validation and (best := int(validation.argmin())) <= len(validation) - 1 - PATIENCE:
        latest, chance = validation[-2:].mean(), view.chance + CHANCE
        has_learned = snapshot.history.column("validation_accuracy").max() > chance
        if has_learned and latest > OVERFITTED * validation[best] and training[-1] < min(GAP * latest, training[best + 1]):
            yield _found(
                "overfitting",
                N_("Since epoch {epoch}, the validation loss rose from {best} to {latest}. The training loss is {own}."),
                N_("Use more images, augmentation or dropout, or stop early."),
                best=f"{validation[best]:.3g}",
                latest=f"{latest:.3g}",
                epoch=f"{best + 1}",
                own=f"{training[-1]:.3g}",
            )
            return
    if not snapshot.is_over or snapshot.step < MANY_STEPS:
        return
    fastest = max((layer.update_ratio for layer in view.health), default=1.0)
    if fastest < SMALL_RATIO and view.accuracy < LITTLE:
        yield _found(
            "small_rate",
            N_("A step changes the weights by {ratio} of their size at most. {own} of the training images are read right."),
            N_("Try a learning rate of {larger} instead of {rate}."),
            ratio=_percent(fastest),
            own=_percent(view.accuracy),
            rate=f"{view.config.learning_rate:g}",
            larger=f"{min(10 * view.config.learning_rate, 10):g}",
        )
    elif has_validation and snapshot.history[-1].validation_accuracy < view.chance + CHANCE:
        yield _found(
            "shuffled_labels",
            N_("It reads {own} of its training images, and {new} of the validation images: no more than by guessing."),
            N_("Look at some images with their labels: do they belong together?"),
            own=_percent(view.accuracy),
            new=_percent(snapshot.history[-1].validation_accuracy),
        )
    elif view.accuracy < LITTLE:
        yield _found(
            "underfitting",
            N_("After {step} steps it reads {own} of its training images."),
            N_("Try more epochs, more units, or a schedule without small steps."),
            step=f"{snapshot.step:,}",
            own=_percent(view.accuracy),
        )
