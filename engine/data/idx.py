"""Reads IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist, described at its foot."""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from engine.data.dataset import DataError, Dataset

IMAGES = "{}-images-idx3-ubyte"
LABELS = "{}-labels-idx1-ubyte"
UNSIGNED_BYTES = 0x08
MAX_PAYLOAD = 1 << 30  # bytes: no file may make us fill the memory


def find(folder, name):
    """The path of ``name`` or ``name.gz`` in ``folder``, or None where it has neither."""
    for path in (Path(folder, name), Path(folder, name + ".gz")):
        if path.is_file():
            return path


def read_payload(path, limit=MAX_PAYLOAD):
    """The bytes of a file, decompressed if they are gzip's, whatever the file is called; at most ``limit`` + 1."""
    try:
        with open(path, "rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return (gzip.GzipFile(fileobj=raw) if compressed else raw).read(limit + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} must be a whole gzip file, got a broken one: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def header(array):
    """The bytes that stand before ``array`` in its IDX file."""
    return bytes([0, 0, UNSIGNED_BYTES, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def read_idx(path, dimensions):
    """The read-only uint8 array in the IDX file ``path``, plain or gzip, which must have ``dimensions`` axes."""
    payload = read_payload(path)
    start = 4 + 4 * dimensions
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if payload[:4] != magic:
        raise DataError(f"{path} must start with the magic number 0x{magic.hex()}, got 0x{payload[:4].hex() or '(nothing)'}")
    if len(payload) < start:
        raise DataError(f"{path} must have a header of {start} bytes, got {len(payload)}")
    shape = tuple(int(n) for n in np.frombuffer(payload, ">u4", dimensions, offset=4))
    expected = start + prod(shape)
    if expected > MAX_PAYLOAD:
        raise DataError(f"{path} must hold at most {MAX_PAYLOAD:,} bytes, its header announces {expected:,}")
    if len(payload) != expected:
        got = f"{len(payload):,}" if len(payload) <= MAX_PAYLOAD else "more"
        raise DataError(f"{path} must hold {expected:,} bytes for its shape {shape}, got {got}")
    return np.frombuffer(payload, np.uint8, offset=start).reshape(shape)


def read_pair(images_path, labels_path, name=""):
    """The ``Dataset`` in a file of 28 x 28 images and the file of their labels, 0 to 9."""
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{images_path} must hold images of 28 x 28 pixels, got {images.shape[1]} x {images.shape[2]}")
    if not len(images):
        raise DataError(f"{images_path} must hold at least one image, got none")
    if len(images) != len(labels):
        raise DataError(f"{labels_path} must hold {len(images):,} labels, one for each image, got {len(labels):,}")
    if labels.max() > 9:
        raise DataError(f"{labels_path} must hold labels from 0 to 9, got {labels.max()} at position {labels.argmax():,}")
    return Dataset(images, labels, name)


def read_folder(folder, name=None):
    """The train and test sets in a folder of IDX files that are named as MNIST's are."""
    sets = []
    for part in ("train", "t10k"):
        paths = []
        for file in (IMAGES.format(part), LABELS.format(part)):
            paths.append(find(folder, file))
            if paths[-1] is None:
                raise DataError(f"{folder} must hold {file} or {file}.gz, and has neither")
        sets.append(read_pair(*paths, name or Path(folder).name))
    return tuple(sets)
