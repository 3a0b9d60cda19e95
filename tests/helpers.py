"""Helpers for the tests of several folders."""

import gzip
import importlib.util
import json
import os
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.data import Dataset
from engine.data.synthetic.generator import draw_digits

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def need(what, reason):
    """Skip the test because ``what`` is missing; fail it if INKLING_REQUIRE (such as "mnist,browser") says it must exist."""
    if what in os.environ.get("INKLING_REQUIRE", "").replace(" ", "").split(","):
        pytest.fail(f"INKLING_REQUIRE asks for {what}, but {reason}")
    pytest.skip(reason)


def need_optuna():
    """Skip the test where Optuna is missing, as ``need`` does."""
    if importlib.util.find_spec("optuna") is None:
        need("optuna", "optuna is not installed; it is in the extra `sweep`")


@cache
def make_digits(count, seed=0):
    """Digits that Inkling draws itself: a small network learns them in a second, on any machine."""
    return draw_digits(count, seed)


def make_noise(count, seed=0):
    """Random images with random labels: they can only be memorized."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
    return Dataset(images, labels, "noise")


def idx_bytes(array):
    """An IDX file of unsigned bytes, written according to the format's description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx_folder(folder, train, test, compressed=False):
    """Write the four IDX files, named as MNIST's are, and return the folder."""
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
    """Pen-drawn digits as dicts with ``label``, ``writer`` and ``strokes``."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def outcome(kind, function, *arguments):
    """Call the function: return its result and None, or None and the message of an error of this ``kind``."""
    try:
        return function(*arguments), None
    except kind as error:
        return None, str(error)


def slope_error(function, gradient, x, rng, directions=5, step=1e-5):
    """The largest relative error of ``gradient`` against central differences of ``function`` along random directions."""
    assert x.dtype == gradient.dtype == np.float64
    largest_error = 0.0
    for _ in range(directions):
        direction = rng.normal(size=x.shape)
        measured = (function(x + step * direction) - function(x - step * direction)) / (2 * step)
        expected = float((gradient * direction).sum())
        largest_error = max(largest_error, abs(measured - expected) / max(abs(measured) + abs(expected), 1e-12))
    return largest_error
