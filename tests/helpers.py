"""What tests of several folders share."""

import gzip
import json
import os
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.data import Dataset
from engine.data.synthetic import draw_digits

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def need(what, reason):
    """Skip the test for want of ``what``; fail it where INKLING_REQUIRE (as "mnist,browser") says it must be here."""
    if what in os.environ.get("INKLING_REQUIRE", "").replace(" ", "").split(","):
        pytest.fail(f"INKLING_REQUIRE asks for {what}, but {reason}")
    pytest.skip(reason)


@cache
def make_digits(count, seed=0):
    """Digits that Inkling draws itself: what a small network learns in a second, on any machine."""
    return draw_digits(count, seed)


def make_noise(count, seed=0):
    """Images that have nothing to do with their labels: what can only be learned by heart."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
    return Dataset(images, labels, "noise")


def idx_bytes(array):
    """An IDX file of unsigned bytes, written from the format's description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx_folder(folder, train, test, compressed=False):
    """A folder of the four files, named as MNIST's are."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, dataset in (("train", train), ("t10k", test)):
        for kind, array in (("images-idx3", dataset.images), ("labels-idx1", dataset.labels)):
            name, payload = f"{part}-{kind}-ubyte", idx_bytes(array)
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(payload, 1))
            else:
                (folder / name).write_bytes(payload)
    return folder


def read_strokes(path):
    """The pen-drawn digits: dicts with ``label``, ``writer`` and ``strokes``."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def outcome(kind, function, *arguments):
    """What the call gives, and None; or None, and the message of its error of this ``kind``; other errors come through."""
    try:
        return function(*arguments), None
    except kind as error:
        return None, str(error)


def slope_error(function, gradient, x, rng, directions=5, step=1e-5):
    """The worst relative error of ``gradient`` against central differences of ``function`` along random directions."""
    assert x.dtype == gradient.dtype == np.float64
    worst = 0.0
    for _ in range(directions):
        direction = rng.normal(size=x.shape)
        measured = (function(x + step * direction) - function(x - step * direction)) / (2 * step)
        claimed = float((gradient * direction).sum())
        worst = max(worst, abs(measured - claimed) / max(abs(measured) + abs(claimed), 1e-12))
    return worst
