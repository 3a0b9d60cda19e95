"""The command line: ``python -m engine train | recipes | calibrate | evaluate | predict | export | samples | data``."""

import argparse
import json
import os
import signal
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from engine.activations import ACTIVATIONS
from engine.calibration import calibrate, find_threshold, threshold
from engine.checkpoint import load, load_training, save, save_training
from engine.checks import InklingError, check_choice, check_integer
from engine.config import Config
from engine.data import SOURCES, load_data, load_mnist
from engine.data.augmentation import AUGMENTATIONS
from engine.data.dataset import NO_DIGIT
from engine.data.strokes import held_out
from engine.initializers import INITIALIZERS
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import CLASSES, FLAT_IMAGE, dense_layers
from engine.onnx import save_onnx
from engine.optimizers import OPTIMIZERS
from engine.preprocessing import prepare, read_image
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES
from engine.training import Diverged, EpochEnd, StepEnd, Trainer, streams


def _number(metavar):
    return {"type": float, "metavar": metavar}


def _count(metavar):
    return {"type": int, "metavar": metavar}


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


# flag: (field of Config, what it is, how argparse reads it)
TRAINING_FLAGS = {
    "--loss": ("loss", "what is made small", {"choices": LOSSES}),
    "--label-smoothing": ("label_smoothing", "part of each target shared out over all classes", _number("PART")),
    "--optimizer": ("optimizer", "how weights follow the gradient", {"choices": OPTIMIZERS}),
    "--learning-rate": ("learning_rate", "the size of a step", _number("RATE")),
    "--schedule": ("schedule", "how the rate changes through the training", {"choices": SCHEDULES}),
    "--momentum": ("momentum", "of momentum and nesterov", _number("M")),
    "--weight-decay": ("weight_decay", "L2 on the weights", _number("DECAY")),
    "--l1": ("l1", "L1 on the weights", _number("DECAY")),
    "--clip-norm": ("clip_norm", "the longest gradient that is followed as it is", _number("NORM")),
    "--averaging": ("averaging", "decay of a moving average of the weights", _number("DECAY")),
    "--augmentation": ("augmentation", "random changes to the images", {"choices": AUGMENTATIONS}),
    "--batch-size": ("batch_size", "images a step, or 'full'", {"type": _batch, "metavar": "N"}),
    "--epochs": ("epochs", "passes over the training images", _count("N")),
    "--validation": ("validation_size", "images held back: by itself 5,000, or a tenth of fewer", _count("N")),
    "--images": ("images", "training images, from the first", _count("N")),
    "--patience": ("patience", "stop early when the validation loss is stuck for so many epochs", _count("EPOCHS")),
    "--seed": ("seed", "of everything random", _count("N")),
}


def main(arguments=None):
    """Run one command; returns the exit status: 0, or 2 after one line on stderr that says what was wrong."""
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # a file that cannot be read is an error, and has its line
    try:
        options.run(options)
    except InklingError as error:
        print(f"inkling: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except MemoryError:
        print("inkling: this takes more memory than there is: try fewer units, or a smaller --batch-size", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
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
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    sub = command("train", train, "train a network and measure it on the test images")
    sub.add_argument("--recipe", choices=RECIPES, metavar="NAME", help="start from a recipe (see: recipes)")
    sub.add_argument("--begin-with", type=Path, metavar="MODEL", help="the weights of this network, in place of random ones")
    sub.add_argument("--hidden", type=_units, metavar="128,64", help="units of each hidden layer (default: 128)")
    sub.add_argument("--activation", choices=ACTIVATIONS, help="of the hidden layers (default: relu)")
    sub.add_argument("--initializer", choices=INITIALIZERS, help="of the weights (default: he_normal)")
    defaults = Config()
    for flag, (field, help, settings) in TRAINING_FLAGS.items():
        default = getattr(defaults, field)
        told = (
            f"{help} (default: {default:g})"
            if isinstance(default, int | float)
            else f"{help} (default: {default or 'none'})"
        )
        sub.add_argument(flag, dest=field, default=argparse.SUPPRESS, help=told, **settings)
    sub.add_argument("--resume", type=Path, metavar="FILE", help="go on with a training that --pause-to wrote")
    sub.add_argument("--pause-to", type=Path, metavar="FILE", help="keep the training here after each epoch and on Ctrl-C")
    sub.add_argument("--no-test", action="store_true", help="leave the test images alone: measure on the validation images")
    sub.add_argument("--calibrate", action="store_true", help="make its confidence right, on the validation images")
    _add_out(sub)
    _add_data(sub)
    _add_json(sub)

    sub = command(
        "calibrate", calibrate_model, "make a network's confidence right, on the validation images of its training"
    )
    sub.add_argument("model", metavar="MODEL", help="a network's .npz file, trained on DATA")
    sub.set_defaults(calibrate=True)
    _add_out(sub, required=True)
    _add_data(sub)
    _add_json(sub)

    sub = command("recipes", recipes, "list the recipes")
    sub.add_argument(
        "--run", nargs="*", metavar="NAME", dest="names", help="train these, or all that take no hours, and compare"
    )
    _add_data(sub)
    _add_json(sub)

    sub = command("export", export, "write a network as an ONNX model (needs the package onnx)")
    sub.add_argument("model", metavar="MODEL", help="a network's .npz file")
    sub.add_argument("out", metavar="FILE", help="where to write the .onnx file")

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
    sub.add_argument("--each", type=int, default=1, metavar="N", help="images of each digit (default: 1)")
    _add_data(sub)

    command("data", data, "fetch MNIST if it is not here, and verify it")
    return parser


def _add_out(sub, **settings):
    sub.add_argument("--out", type=Path, metavar="FILE", help="where to save the network (.npz)", **settings)
    sub.add_argument("--float16", action="store_true", help="save it with 16 bits a number: half the file")


def _add_data(sub):
    sub.add_argument(
        "--data",
        default="mnist",
        metavar="DATA",
        help=f"{', '.join(SOURCES)}, scribbles, a folder of IDX files named as MNIST's, or a file of pen strokes; "
        "several can be joined by + (default: mnist)",
    )


def _add_json(sub):
    sub.add_argument("--json", action="store_true", help="print one JSON value on stdout")


def _changes(options):
    """What the command line says of the fields of ``Config``."""
    changes = {field: getattr(options, field) for field, _, _ in TRAINING_FLAGS.values() if hasattr(options, field)}
    if "augmentation" in changes:
        changes["augmentation"] = AUGMENTATIONS[changes["augmentation"]]
    if (options.hidden, options.activation, options.initializer) != (None, None, None):
        hidden = (128,) if options.hidden is None else options.hidden
        changes["layers"] = dense_layers(hidden, options.activation or "relu", options.initializer or "he_normal")
    return changes


def _trainer(options, train_set):
    """The training to run: a paused one, a recipe or the default, with what the command line says in its place."""
    changes = _changes(options)
    if options.recipe and "layers" in changes:
        raise InklingError(f"--hidden, --activation and --initializer would replace the layers of --recipe {options.recipe}")
    if not options.resume:
        config = replace(RECIPES[options.recipe].config if options.recipe else Config(), **changes)
        return Trainer.from_config(config, train_set, options.begin_with and load(options.begin_with))
    for flag, given in (("--recipe", options.recipe), ("--begin-with", options.begin_with)):
        if given:
            raise InklingError(f"--resume goes on with the training in the file, got {flag} beside it")
    trainer = load_training(options.resume, train_set)
    if changes:
        trainer.change(**changes)
    return trainer


def train(options):
    for name, path in (("--out", options.out), ("--pause-to", options.pause_to)):
        _check_place(name, path)
    train_set, test_set = load_data(options.data, progressbar=True)
    trainer = _trainer(options, train_set)
    if trainer.validation_set is None and (options.calibrate or options.no_test):
        raise InklingError("--calibrate and --no-test need validation images, and --validation leaves none")
    end = _show(trainer, quiet=options.json, pause_to=options.pause_to)
    if isinstance(end, Diverged):
        raise InklingError(f"training diverged at step {end.step:,}: the loss is {end.loss}; try a smaller --learning-rate")
    _finish(trainer.result, trainer.validation_set, options)
    report = _report(trainer, None if options.no_test else test_set)
    if options.out:
        _save(trainer.result, options, config=trainer.config.to_json(), metrics=report)
    if options.json:
        print(json.dumps(report | {"history": [event._asdict() for event in trainer.history]}))
    else:
        if options.no_test:
            words = f"validation accuracy {report['validation_accuracy']:.2%}"
        else:
            errors = f"{report['test_errors']:,} errors of {report['test_images']:,}"
            words = f"test accuracy {report['test_accuracy']:.2%} ({errors})"
        print(f"{words} after {trainer.seconds:.1f} s")
        if options.out:
            print(f"saved to {options.out}")


def _check_place(name, path):
    if path and (path.is_dir() or not path.resolve().parent.is_dir()):
        raise InklingError(f"{name} must be a file in a folder that exists, got {path}")


def _finish(network, validation_set, options):
    """Calibrate the network, and round it to what will be in the file, as far as the options ask for either."""
    sets = _calibration_sets(options.data, validation_set) if options.calibrate else {}
    if sets:
        network.info["temperature"] = network.info.get("temperature", 1) * calibrate(network, sets.values())
    if options.float16:
        network.values[:] = network.values.astype(np.float16)
    if sets:  # real digits set the threshold, where there are any
        real = [part for name, part in sets.items() if name != "synthetic"]
        network.info["threshold"] = find_threshold(network, real or sets.values())


def _calibration_sets(source, validation_set):
    """The validation images that are digits, by where they come from; of a file of strokes, its validation writers'."""
    parts = validation_set.by_source() if validation_set.sources else {source: validation_set}
    sets = {
        name: held_out(name, "validation").dataset if Path(name).is_file() else part
        for name, part in parts.items()
        if (part.own_labels != NO_DIGIT).any()
    }
    if not sets:
        raise InklingError("calibration needs validation images of digits, and there are none")
    return sets


def _save(network, options, **info):
    save(options.out, network, dtype=np.float16 if options.float16 else None, **info)


def calibrate_model(options):
    _check_place("--out", options.out)
    network = load(options.model)
    if "config" not in network.info or "data" not in network.info:
        raise InklingError(f"{options.model} must say how it was trained, to find the images it was not trained on")
    config = Config.from_json(network.info["config"])
    train_set, validation_set = config.split(load_data(options.data, progressbar=True)[0], streams(config.seed)["split"])
    if train_set.fingerprint()["sha256"] != network.info["data"]["sha256"]:
        raise InklingError(f"--data must be what {options.model} was trained on, got {options.data}")
    if validation_set is None:
        raise InklingError(f"{options.model} must have been trained with validation images held back, and was not")
    network.info["data"] = train_set.fingerprint()
    _finish(network, validation_set, options)
    _save(network, options)
    found = {name: network.info[name] for name in ("temperature", "threshold")}
    if options.json:
        print(json.dumps(found))
    else:
        print(f"temperature {found['temperature']:.3f}, threshold {found['threshold']:.3f}, saved to {options.out}")


def _report(trainer, test_set):
    """What came of a training, as JSON values; nothing of the test images without them."""
    test = test_set and evaluate(trainer.result, test_set, trainer.loss)
    kept = trainer.best[1] if trainer.best else trainer.epoch  # the epoch whose network is the result
    tested = {"test_accuracy": test.accuracy, "test_errors": test.errors, "test_images": test.images} if test else {}
    return tested | {
        "validation_accuracy": trainer.history[kept - 1].validation_accuracy,
        "samples_per_second": trainer.samples_per_second,
        "seconds": trainer.seconds,
        "parameters": trainer.network.parameters.size,
    }


def recipes(options):
    if options.names is None:
        if options.json:
            print(json.dumps({name: recipe.config.to_json() for name, recipe in RECIPES.items()}))
        else:
            for recipe in RECIPES.values():
                print(f"{recipe.name:<20} {recipe.title}")
        return
    for name in options.names:
        check_choice("--run", name, RECIPES)
    train_set, test_set = load_data(options.data, progressbar=True)
    if not options.json:
        print(
            "| recipe | claimed | resting on | test accuracy here | its first 1,000 | seconds |\n|---|---|---|---|---|---|",
            flush=True,
        )
    rows = []
    names = options.names or [name for name, recipe in RECIPES.items() if not recipe.long]
    for recipe in map(RECIPES.get, names):
        trainer = Trainer.from_config(recipe.config, train_set)
        if isinstance(_show(trainer, quiet=True), Diverged):
            print(f"inkling: {recipe.name} diverged at step {trainer.step:,}", file=sys.stderr)
            continue
        report = _report(trainer, test_set)
        first = evaluate(trainer.result, test_set.subset(slice(1_000)), trainer.loss).accuracy
        rows.append({"recipe": recipe.name, "claimed": recipe.claimed, "first_1000_accuracy": first} | report)
        if not options.json:
            claimed = "-" if recipe.claimed is None else f"{recipe.claimed:.2%}"
            figures = f"{report['test_accuracy']:.2%} | {first:.1%} | {trainer.seconds:.0f}"
            print(f"| `{recipe.name}` | {claimed} | {recipe.basis or '-'} | {figures} |", flush=True)
    if options.json:
        print(json.dumps(rows))


def export(options):
    save_onnx(options.out, _load_reader(options.model))
    print(f"wrote {options.out}")


@contextmanager
def _interruptions():
    """A list that Ctrl-C puts something in, instead of breaking into the middle of a step."""
    pressed = []

    def press(*_):
        if pressed:  # a second time: at once, whatever is lost
            raise KeyboardInterrupt
        pressed.append(True)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _show(trainer, quiet, pause_to=None):
    """Run ``trainer`` to its end behind a progress bar, with a line an epoch unless ``quiet``; return the last event."""
    total, event = len(trainer.train_set) * trainer.config.epochs, None
    progress = tqdm(total=total, initial=trainer.samples, unit=" images", unit_scale=True, disable=None, mininterval=0.2)
    with _interruptions() as pressed, progress as bar:
        for event in trainer:
            if isinstance(event, StepEnd):
                bar.update(trainer.samples - bar.n)
            elif isinstance(event, EpochEnd) and not quiet:
                bar.write(_line(event))
            if pause_to and (pressed or isinstance(event, EpochEnd)):
                save_training(pause_to, trainer)
            if pressed:
                raise KeyboardInterrupt
    return event


def _line(event):
    validation = ""
    if event.validation_loss is not None:
        validation = f"  validation loss {event.validation_loss:.4f} accuracy {event.validation_accuracy:.2%}"
    training = f"epoch {event.epoch:>3}  loss {event.loss:.4f} accuracy {event.accuracy:.2%}"
    return f"{training}{validation}  {event.samples_per_second:,.0f} images/s"


def _load_reader(path):
    """The network at ``path``, which must read digits."""
    network = load(path)
    if prod(network.input_shape) != prod(FLAT_IMAGE) or network.output_shape != (CLASSES,):
        shapes = f"inputs {network.input_shape} and outputs {network.output_shape}"
        raise InklingError(f"{path} must read images of 28 x 28 pixels as {CLASSES} digits, got {shapes}")
    return network


def evaluate_model(options):
    network = _load_reader(options.model)
    _, test_set = load_data(options.data, progressbar=True)
    result = evaluate(network, test_set)
    if options.json:
        print(json.dumps({"accuracy": result.accuracy, "errors": result.errors, "images": result.images}))
    else:
        print(f"accuracy {result.accuracy:.2%}: {result.errors:,} errors of {result.images:,} images")


def predict(options):
    network = _load_reader(options.model)
    probabilities = network.predict_proba(np.array([_prepared(path) for path in options.images]))
    least = threshold(network)
    rows = [
        {
            "image": path,
            "digit": int(row.argmax()),
            "confidence": float(row.max()),
            "sure": bool(row.max() >= least),
            "probabilities": row.tolist(),
        }
        for path, row in zip(options.images, probabilities, strict=True)
    ]
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            doubt = "" if row["sure"] else ", not sure this is a digit"
            print(f"{row['image']}: {row['digit']} ({row['confidence']:.1%}{doubt})")


def _prepared(path):
    try:
        return prepare(read_image(path))
    except InklingError as error:
        message = str(error)
        raise InklingError(message if message.startswith(path) else f"{path}: {message}") from None


def samples(options):
    each = check_integer("--each", options.each, 1, 10_000)
    _, test_set = load_data(options.data, progressbar=True)
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
