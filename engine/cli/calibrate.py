"""``calibrate``: make the confidence of a network match its accuracy."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.calibration import calibrate, find_threshold
from engine.checkpoint import load, save
from engine.checks import InklingError
from engine.cli.options import Commands, add_command, add_data, add_json, add_model, add_out, check_place
from engine.cli.rescue import save_or_rescue
from engine.config import Config
from engine.data import Dataset, load_data
from engine.data.dataset import NO_DIGIT
from engine.data.synthetic.strokes import held_out_drawings
from engine.network import Network
from engine.seeding import random_streams


def add_commands(commands: Commands) -> None:
    help = "make a network's confidence match its accuracy, on the validation images of its training"
    parser = add_command(commands, "calibrate", run_calibrate, help)
    add_model(parser, "a network's .npz file, trained on DATA")
    parser.set_defaults(calibrate=True)
    add_out(parser, required=True)
    add_data(parser)
    add_json(parser)


def run_calibrate(options: argparse.Namespace) -> None:
    check_place("--out", options.out)
    network = load(options.model)
    if "config" not in network.info or "data" not in network.info:
        raise InklingError(f"{options.model} must say how it was trained, to know which images it was not trained on")
    config = Config.from_json(network.info["config"])
    train_set, _ = load_data(options.data, progressbar=True)
    train_set, validation_set = config.split(train_set, random_streams(config.seed)["split"])
    if train_set.fingerprint()["sha256"] != network.info["data"]["sha256"]:
        raise InklingError(f"--data must be the data that {options.model} was trained on, got {options.data}")
    if validation_set is None:
        raise InklingError(f"{options.model} must have been trained with validation images held back, and was not")
    network.info["data"] = train_set.fingerprint()
    calibrate_and_round(network, validation_set, options)
    save_network(network, options)
    result = {name: network.info[name] for name in ("temperature", "threshold")}
    if options.json:
        print(json.dumps(result))
    else:
        print(f"temperature {result['temperature']:.3f}, threshold {result['threshold']:.3f}, saved to {options.out}")


def calibrate_and_round(network: Network, validation_set: Dataset | None, options: argparse.Namespace) -> None:
    """Calibrate the network if ``--calibrate`` asks for it, and round it to 16 bits a number if ``--float16`` does."""
    sets = _calibration_sets(options.data, validation_set) if options.calibrate and validation_set else {}
    if sets:
        network.info["temperature"] = network.info.get("temperature", 1) * calibrate(network, sets.values())
    if options.float16:
        network.state_vector[:] = network.state_vector.astype(np.float16)
    if sets:  # digits that people wrote set the threshold, if there are any
        handwritten = [part for name, part in sets.items() if name != "synthetic"]
        network.info["threshold"] = find_threshold(network, handwritten or sets.values())


def save_network(network: Network, options: argparse.Namespace, **info: Any) -> None:
    """Save the network as ``--out`` and ``--float16`` say; in a temporary place if that fails, which is then an error."""
    dtype = np.float16 if options.float16 else None
    save_or_rescue(options.out, lambda path: save(path, network, dtype=dtype, **info))


def _calibration_sets(source: str, validation_set: Dataset) -> dict[str, Dataset]:
    """The validation images that are digits, by source; for a file of strokes, those of its validation writers."""
    parts = validation_set.by_source() if validation_set.sources else {source: validation_set}
    sets = {
        name: held_out_drawings(name, "validation").dataset if Path(name).is_file() else part
        for name, part in parts.items()
        if (part.own_labels != NO_DIGIT).any()
    }
    if not sets:
        raise InklingError("calibration needs validation images of digits, and there are none")
    return sets
