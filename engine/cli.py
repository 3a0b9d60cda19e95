"""The command line: ``python -m engine train | evaluate | predict | samples | data``."""

import argparse
import json
import sys
import warnings
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from engine.activations import ACTIVATIONS
from engine.checkpoint import load, save
from engine.checks import InklingError, check_integer
from engine.config import Config
from engine.data import load_mnist, read_folder
from engine.initializers import INITIALIZERS
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import CLASSES, FLAT_IMAGE, dense_layers
from engine.optimizers import OPTIMIZERS
from engine.preprocessing import prepare, read_image
from engine.training import Diverged, EpochEnd, StepEnd, Trainer

LOSS_OF_OUTPUT = {loss.output: loss for loss in reversed(LOSSES.values())}  # to measure a network by, whoever trained it


def main(arguments=None):
    """Run one command; returns the exit status: 0, or 2 after one line on stderr that says what was wrong."""
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # a file that cannot be read is an error, and has its line
    try:
        options.run(options)
    except InklingError as error:
        print(f"inkling: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("inkling: interrupted", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"inkling: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(prog="python -m engine", description="Inkling: a neural network from scratch in NumPy.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name, run, help):
        show_defaults = argparse.ArgumentDefaultsHelpFormatter
        sub = commands.add_parser(name, help=help, description=help, formatter_class=show_defaults)
        sub.set_defaults(run=run)
        return sub

    default = Config()
    sub = command("train", train, "train a network and measure it on the test images")
    sub.add_argument("--hidden", type=_units, default="128", metavar="128,64", help="units of each hidden layer")
    sub.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="of the hidden layers")
    sub.add_argument("--initializer", choices=INITIALIZERS, default="he_normal", help="of the weights")
    sub.add_argument("--loss", choices=LOSSES, default=default.loss, help="what is made small")
    sub.add_argument("--optimizer", choices=OPTIMIZERS, default=default.optimizer, help="how weights follow the gradient")
    sub.add_argument("--learning-rate", type=float, default=default.learning_rate, metavar="RATE", help="the size of a step")
    sub.add_argument("--momentum", type=float, default=default.momentum, metavar="M", help="of momentum and nesterov")
    sub.add_argument("--weight-decay", type=float, default=default.weight_decay, metavar="DECAY", help="L2 on the weights")
    sub.add_argument("--batch-size", type=_batch, default=default.batch_size, metavar="N", help="images a step, or 'full'")
    sub.add_argument("--epochs", type=int, default=default.epochs, metavar="N", help="passes over the training images")
    sub.add_argument("--validation", type=int, metavar="N", help="images held back (5000, or a tenth of fewer images)")
    sub.add_argument("--images", type=int, default=default.images, metavar="N", help="training images, from the first")
    sub.add_argument("--patience", type=int, metavar="EPOCHS", help="stop early when the validation loss is stuck so long")
    sub.add_argument("--seed", type=int, default=default.seed, metavar="N", help="of everything random")
    sub.add_argument("--out", type=Path, metavar="FILE", help="where to save the network (.npz)")
    _add_data(sub)
    _add_json(sub)

    sub = command("evaluate", evaluate_model, "measure a network on the test images")
    sub.add_argument("model", metavar="MODEL", help="a network's .npz file")
    _add_data(sub)
    _add_json(sub)

    sub = command("predict", predict, "read the digit in each image file")
    sub.add_argument("model", metavar="MODEL", help="a network's .npz file")
    sub.add_argument("images", nargs="+", metavar="IMAGE", help="a drawing or photo of one digit")
    _add_json(sub)

    sub = command("samples", samples, "write test images as PNG files to a folder")
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="made if it does not exist")
    sub.add_argument("--each", type=int, default=1, metavar="N", help="images of each digit")
    _add_data(sub)

    command("data", data, "fetch MNIST if it is not here, and verify it")
    return parser


def _add_data(sub):
    sub.add_argument("--data", default="mnist", metavar="DATA", help="mnist, or a folder of IDX files named as MNIST's")


def _add_json(sub):
    sub.add_argument("--json", action="store_true", help="print one JSON value on stdout")


def _units(text):
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be whole numbers with commas between, as in 128,64, got {text!r}") from None


def _batch(text):
    if text == "full":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number or 'full', got {text!r}") from None


def _load_data(source):
    return load_mnist(progressbar=True) if source == "mnist" else read_folder(source)


def train(options):
    config = Config(
        layers=dense_layers(options.hidden, options.activation, options.initializer),
        loss=options.loss,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        batch_size=options.batch_size,
        epochs=options.epochs,
        images=options.images,
        validation_size=options.validation,
        patience=options.patience,
        seed=options.seed,
    )
    if options.out and (options.out.is_dir() or not options.out.resolve().parent.is_dir()):
        raise InklingError(f"--out must be a file in a folder that exists, got {options.out}")
    train_set, test_set = _load_data(options.data)
    trainer = Trainer.from_config(config, train_set)
    end = _show(trainer, quiet=options.json)

    test = evaluate(trainer.network, test_set, trainer.loss)
    history = [event._asdict() for event in trainer.history]
    report = {
        "test_accuracy": test.accuracy,
        "validation_accuracy": history[(end.best_epoch or end.epoch) - 1]["validation_accuracy"],
        "samples_per_second": trainer.samples_per_second,
        "seconds": trainer.seconds,
        "parameters": trainer.network.parameters.size,
    }
    if options.out:
        metrics = report | {"test_errors": test.errors, "test_images": test.images}
        save(options.out, trainer.network, config=config.to_json(), metrics=metrics, data=train_set.fingerprint())
    if options.json:
        print(json.dumps(report | {"history": history}))
    else:
        print(f"test accuracy {test.accuracy:.2%} ({test.errors:,} errors of {test.images:,}) after {trainer.seconds:.1f} s")
        if options.out:
            print(f"saved to {options.out}")


def _show(trainer, quiet):
    """Run ``trainer`` to its end behind a progress bar, with a line for each epoch unless ``quiet``; return the end."""
    total = trainer.steps_per_epoch * trainer.config.epochs
    with tqdm(total=total, unit=" steps", disable=None, mininterval=0.2) as bar:
        for event in trainer:
            if isinstance(event, StepEnd):
                bar.update()
            elif isinstance(event, EpochEnd) and not quiet:
                validation = ""
                if event.validation_loss is not None:
                    validation = f"  validation loss {event.validation_loss:.4f} accuracy {event.validation_accuracy:.2%}"
                bar.write(
                    f"epoch {event.epoch:>3}  loss {event.loss:.4f} accuracy {event.accuracy:.2%}{validation}"
                    f"  {event.samples_per_second:,.0f} images/s"
                )
            elif isinstance(event, Diverged):
                raise InklingError(
                    f"training diverged at step {event.step:,}: the loss is {event.loss}; try a smaller --learning-rate"
                )
    return event


def _load_reader(path):
    """The network at ``path``, which must read digits."""
    network = load(path)
    if prod(network.input_shape) != prod(FLAT_IMAGE) or network.output_shape != (CLASSES,):
        shapes = f"inputs {network.input_shape} and outputs {network.output_shape}"
        raise InklingError(f"{path} must read images of 28 x 28 pixels as {CLASSES} digits, got {shapes}")
    return network


def evaluate_model(options):
    network = _load_reader(options.model)
    _, test_set = _load_data(options.data)
    result = evaluate(network, test_set, LOSS_OF_OUTPUT[network.output])
    if options.json:
        print(json.dumps({"accuracy": result.accuracy, "errors": result.errors, "images": result.images}))
    else:
        print(f"accuracy {result.accuracy:.2%}: {result.errors:,} errors of {result.images:,} images")


def predict(options):
    network = _load_reader(options.model)
    probabilities = network.predict_proba(np.array([_prepared(path) for path in options.images]))
    rows = [
        {"image": path, "digit": int(row.argmax()), "confidence": float(row.max()), "probabilities": row.tolist()}
        for path, row in zip(options.images, probabilities, strict=True)
    ]
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print(f"{row['image']}: {row['digit']} ({row['confidence']:.1%})")


def _prepared(path):
    try:
        return prepare(read_image(path))
    except InklingError as error:
        message = str(error)
        raise InklingError(message if message.startswith(path) else f"{path}: {message}") from None


def samples(options):
    each = check_integer("--each", options.each, 1, 10_000)
    _, test_set = _load_data(options.data)
    images, labels = test_set.take(slice(None))
    written = 0
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for digit in range(CLASSES):
            for position, row in enumerate(np.flatnonzero(labels == digit)[:each]):
                Image.fromarray(images[row]).save(options.folder / f"digit_{digit}_sample_{position}.png")
                written += 1
    except OSError as error:
        raise InklingError(f"{options.folder} cannot be written to: {error.strerror or error}") from None
    print(f"wrote {written:,} images to {options.folder}")


def data(options):
    train_set, test_set = load_mnist(progressbar=True)
    print(f"MNIST is here and whole: {len(train_set):,} training and {len(test_set):,} test images")
