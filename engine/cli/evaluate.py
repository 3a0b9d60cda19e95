"""``evaluate`` and ``predict``: use a network on the test images, or on image files."""

import argparse
import json
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
    print_error,
    show_notices,
)
from engine.data import load_data
from engine.data.dataset import DIGITS
from engine.image_file import read_image
from engine.metrics import evaluate
from engine.network import Network
from engine.preprocessing import prepare
from engine.reading import read


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


def run_predict(options: argparse.Namespace) -> int:
    """Answer for every image that can be read; return the exit status, 2 if there are others."""
    network = load_image_network(options.model)
    predict, describe = (_read_digits, _describe_digits) if network.class_names == DIGITS else (_classify, _describe_class)
    predictions, status = [], 0
    for path in options.images:
        try:
            prediction = {"image": path} | predict(network, path)
        except InklingError as error:
            message = str(error)
            print_error(message if message.startswith(path) else f"{path}: {message}")
            status = 2
            continue
        predictions.append(prediction)
        if not options.json:
            print(f"{path}: {describe(prediction)}", flush=True)
    if options.json:
        print(json.dumps(predictions))
    return status


def _classify(network: Network, path: str) -> dict[str, Any]:
    """What an image file shows as a whole, for a network of other classes than digits."""
    probabilities = network.predict_proba(prepare(read_image(path))[None])[0]
    return {
        "class": network.class_names[probabilities.argmax()],
        "confidence": float(probabilities.max()),
        "sure": bool(probabilities.max() >= threshold(network)),
        "probabilities": dict(zip(network.class_names, probabilities.tolist(), strict=True)),
    }


def _describe_class(prediction: dict[str, Any]) -> str:
    doubt = "" if prediction["sure"] else ", not sure"
    return f"{prediction['class']} ({percent(prediction['confidence'], 1)}{doubt})"


def _read_digits(network: Network, path: str) -> dict[str, Any]:
    """The numbers in an image file: ``lines`` has a text for each line of writing.

    ``confidence`` is that of the whole number. ``digit`` and ``probabilities`` are those of the last digit.
    """
    reading, min_confidence = read(network, read_image(path)), threshold(network)
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
        "digit": digits[-1]["digit"],
        "confidence": prod(digit["confidence"] for digit in digits),
        "sure": all(digit["sure"] for digit in digits),
        "probabilities": digits[-1]["probabilities"],
        "lines": ["".join(str(digit.probabilities.argmax()) for digit in line) for line in reading.lines],
        "digits": digits,
        "left_out": reading.left_out,
    }


def _describe_digits(prediction: dict[str, Any]) -> str:
    noun = "this is a digit" if len(prediction["digits"]) == 1 else "of each digit"
    doubt = "" if prediction["sure"] else f", not sure {noun}"
    return f"{' '.join(prediction['lines'])} ({percent(prediction['confidence'], 1)}{doubt})"
