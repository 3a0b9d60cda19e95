"""``evaluate`` and ``predict``: use a network on the test images, or on image files."""

import argparse
import json
from math import prod
from typing import Any

from engine.calibration import threshold
from engine.checks import InklingError
from engine.cli.options import Commands, add_command, add_data, add_json, add_model, load_digit_network, percent
from engine.data import load_data
from engine.image_file import read_image
from engine.metrics import evaluate
from engine.network import Network
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
    network = load_digit_network(options.model)
    _, test_set = load_data(options.data, progressbar=True)
    result = evaluate(network, test_set)
    if options.json:
        print(json.dumps({"accuracy": result.accuracy, "errors": result.errors, "images": result.images}))
    else:
        print(f"accuracy {percent(result.accuracy)}: {result.errors:,} errors of {result.images:,} images")


def run_predict(options: argparse.Namespace) -> None:
    network = load_digit_network(options.model)
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
    try:
        return read(network, read_image(path))
    except InklingError as error:
        message = str(error)
        raise InklingError(message if message.startswith(path) else f"{path}: {message}") from None
