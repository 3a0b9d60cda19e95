"""``evaluate`` and ``predict``: use a network on the test images, or on image files."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

from engine.calibration import threshold
from engine.checks import InklingError, shorten
from engine.cli.options import (
    Commands,
    add_command,
    add_data,
    add_json,
    add_model,
    load_image_network,
    percent,
    show_notices,
)
from engine.data import load_data
from engine.data.dataset import DIGITS
from engine.image_file import read_image
from engine.metrics import evaluate
from engine.network import Network
from engine.preprocessing import prepare
from engine.reading import Reading, read


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "evaluate", run_evaluate, "measure a network on the test images")
    add_model(parser)
    add_data(parser)
    add_json(parser)

    parser = add_command(commands, "predict", run_predict, "read the digit or the number in each image file")
    add_model(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a drawing or photo of digits")
    add_json(parser)


def run_evaluate(options: argparse.Namespace) -> None:
    network = load_image_network(options.model)
    _, test_set = load_data(options.data, progressbar=True)
    show_notices(test_set)
    if network.class_names != test_set.class_names:
        names = " ".join(network.class_names)
        raise InklingError(shorten(f"{options.data} must have the classes that {options.model} knows: {names}", 200))
    result = evaluate(network, test_set)
    if options.json:
        print(json.dumps({"accuracy": result.accuracy, "errors": result.errors, "images": result.images}))
    else:
        print(f"accuracy {percent(result.accuracy)}: {result.errors:,} errors of {result.images:,} images")


def run_predict(options: argparse.Namespace) -> None:
    network = load_image_network(options.model)
    if network.class_names != DIGITS:
        _predict_classes(network, options)
        return
    min_confidence = threshold(network)
    predictions = [_as_json(path, _read_file(network, path), min_confidence) for path in options.images]
    if options.json:
        print(json.dumps(predictions))
        return
    for prediction in predictions:
        noun = "this is a digit" if len(prediction["digits"]) == 1 else "of each digit"
        doubt = "" if prediction["sure"] else f", not sure {noun}"
        number = " ".join(prediction["lines"])
        print(f"{prediction['image']}: {number} ({percent(prediction['confidence'], 1)}{doubt})")


def _predict_classes(network: Network, options: argparse.Namespace) -> None:
    """Say what each image file shows as a whole, for a network of other classes than digits."""
    predictions = []
    for path in options.images:
        with _naming(path):
            probabilities = network.predict_proba(prepare(read_image(path))[None])[0]
        prediction = {
            "image": path,
            "class": network.class_names[probabilities.argmax()],
            "confidence": float(probabilities.max()),
            "sure": bool(probabilities.max() >= threshold(network)),
            "probabilities": dict(zip(network.class_names, probabilities.tolist(), strict=True)),
        }
        predictions.append(prediction)
        if not options.json:
            doubt = "" if prediction["sure"] else ", not sure"
            print(f"{path}: {prediction['class']} ({percent(prediction['confidence'], 1)}{doubt})")
    if options.json:
        print(json.dumps(predictions))


def _as_json(path: str, reading: Reading, min_confidence: float) -> dict[str, Any]:
    """What is printed about one image file: ``lines`` has a text for each line of writing.

    ``confidence`` is that of the whole number. ``digit`` and ``probabilities`` are those of the last digit.
    """
    digits = [
        {
            "digit": int(digit.probabilities.argmax()),
            "confidence": float(digit.probabilities.max()),
            "sure": bool(digit.probabilities.max() >= min_confidence),
            "probabilities": digit.probabilities.tolist(),
            "box": digit.box,
        }
        for digit in reading.digits
    ]
    return {
        "image": path,
        "digit": digits[-1]["digit"],
        "confidence": prod(digit["confidence"] for digit in digits),
        "sure": all(digit["sure"] for digit in digits),
        "probabilities": digits[-1]["probabilities"],
        "lines": ["".join(str(digit.probabilities.argmax()) for digit in line) for line in reading.lines],
        "digits": digits,
        "left_out": reading.left_out,
    }


def _read_file(network: Network, path: str) -> Reading:
    """The numbers in an image file; an error names the file."""
    with _naming(path):
        return read(network, read_image(path))


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Have errors name the file."""
    try:
        yield
    except InklingError as error:
        message = str(error)
        raise InklingError(message if message.startswith(path) else f"{path}: {message}") from None
