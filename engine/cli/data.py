"""``data`` and ``samples``: download and verify MNIST, and write test images as files."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from engine.checks import InklingError, check_integer
from engine.cli.options import Commands, add_command, add_data
from engine.data import load_data, load_mnist
from engine.network import CLASSES


def add_commands(commands: Commands) -> None:
    parser = add_command(commands, "samples", run_samples, "write test images as PNG files to a folder")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="is made if it does not exist")
    parser.add_argument("--each", type=int, default=1, metavar="N", help="images of each digit (default: 1)")
    add_data(parser)

    add_command(commands, "data", run_data, "download MNIST if it is not on this machine, and verify it")


def run_samples(options: argparse.Namespace) -> None:
    num_each = check_integer("--each", options.each, 1, 10_000)
    _, test_set = load_data(options.data, progressbar=True)
    images, labels = test_set.take(slice(None))
    num_written = 0
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for digit in range(CLASSES):
            for position, row in enumerate(np.flatnonzero(labels == digit)[:num_each]):
                Image.fromarray(images[row]).save(options.folder / f"digit_{digit}_sample_{position}.png")
                num_written += 1
    except OSError as error:
        raise InklingError(f"{options.folder} cannot be written to: {error.strerror or error}") from None
    print(f"wrote {num_written:,} images to {options.folder}")


def run_data(options: argparse.Namespace) -> None:
    train_set, test_set = load_mnist(progressbar=True)
    print(f"MNIST is complete: {len(train_set):,} training and {len(test_set):,} test images")
