"""Reads IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist, described at its foot."""

import gzip
import zlib
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np

from engine.data.dataset import DataError, Dataset
from engine.files import whole_file

IMAGES = "{}-images-idx3-ubyte"
LABELS = "{}-labels-idx1-ubyte"
UNSIGNED_BYTES = 0x08
MAX_PAYLOAD = 1 << 30  # bytes: no file may make us fill the memory


def find(folder, name):
    """The path of ``name`` or ``name.gz`` in ``folder``, or None where it has neither."""
    for path in (Path(folder, name), Path(folder, name + ".gz")):
        if path.is_file():
            return path


@contextmanager
def opened(path):
    """The file at ``path`` for reading bytes, decompressed if they are gzip's, whatever the file is called."""
    try:
        with open(path, "rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield gzip.GzipFile(fileobj=raw) if compressed else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} must be a whole gzip file, got a broken one: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def read_payload(path, limit):
    """The payload of a file; at most ``limit`` + 1 bytes of it, which shows one that is too long."""
    with opened(path) as file:
        return file.read(limit + 1)


def header(array):
    """The bytes that stand before ``array`` in its IDX file."""
    return bytes([0, 0, UNSIGNED_BYTES, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def read_idx(path, dimensions):
    """The read-only uint8 array in the IDX file ``path``, plain or gzip, which must have ``dimensions`` axes."""
    start = 4 + 4 * dimensions
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    with opened(path) as file:
        head = file.read(start)
        if head[:4] != magic:
            raise DataError(
                f"{path} must start with the magic number 0x{magic.hex()}, got 0x{head[:4].hex() or '(nothing)'}"
            )
        if len(head) < start:
            raise DataError(f"{path} must have a header of {start} bytes, got {len(head)}")
        shape = tuple(int(n) for n in np.frombuffer(head, ">u4", dimensions, offset=4))
        size = prod(shape)
        if start + size > MAX_PAYLOAD:
            raise DataError(f"{path} must hold at most {MAX_PAYLOAD:,} bytes, its header announces {start + size:,}")
        values = file.read(size + 1)  # one more than announced shows a file that is too long
    if len(values) != size:
        got = f"{start + len(values):,}" if len(values) < size else "more"
        raise DataError(f"{path} must hold {start + size:,} bytes for its shape {shape}, got {got}")
    return np.frombuffer(values, np.uint8).reshape(shape)


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


def write_folder(folder, train_set, test_set):
    """Write two sets as the IDX files that ``read_folder`` reads; raises ``DataError`` where they cannot be written."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made: {error.strerror or error}") from None
    for part, data in (("train", train_set), ("t10k", test_set)):
        images, labels = data.take(slice(None))
        for name, array in ((IMAGES, images), (LABELS, labels)):
            with whole_file(Path(folder, name.format(part)), DataError) as file:
                file.write(header(array) + np.ascontiguousarray(array).tobytes())
