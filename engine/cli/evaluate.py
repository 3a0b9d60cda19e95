"""``evaluate`` and ``predict``: use a network on the test images, or on image files."""

import argparse
import json

import numpy as np
import numpy.typing as npt

from engine.calibration import threshold
from engine.checks import InklingError
from engine.cli.options import Commands, add_command, add_data, add_json, add_model, load_digit_network, percent
from engine.data import load_data
from engine.image_file import read_image
from engine.metrics import evaluate
from engine.preprocessing import prepare


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "evaluate", run_evaluate, "measure a network on the test images")
    add_model(parser)
    add_data(parser)
    add_json(parser)

    parser = add_command(commands, "predict", run_predict, "read the digit in each image file")
    add_model(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a drawing or photo of one digit")
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
    probabilities = network.predict_proba(np.array([_prepare_file(path) for path in options.images]))
    min_confidence = threshold(network)
    predictions = [
        {
            "image": path,
            "digit": int(row.argmax()),
            "confidence": float(row.max()),
            "sure": bool(row.max() >= min_confidence),
            "probabilities": row.tolist(),
        }
        for path, row in zip(options.images, probabilities, strict=True)
    ]
    if options.json:
        print(json.dumps(predictions))
        return
    for prediction in predictions:
        doubt = "" if prediction["sure"] else ", not sure this is a digit"
        print(f"{prediction['image']}: {prediction['digit']} ({percent(prediction['confidence'], 1)}{doubt})")


def _prepare_file(path: str) -> npt.NDArray:
    """The image file as the network's input (28, 28); an error names the file."""
    try:
        return prepare(read_image(path))
    except InklingError as error:
        message = str(error)
        raise InklingError(message if message.startswith(path) else f"{path}: {message}") from None
