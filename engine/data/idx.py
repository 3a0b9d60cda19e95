"""Read and write IDX files, the format of MNIST, described at the foot of http://yann.lecun.com/exdb/mnist."""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import BufferedReader, BytesIO
from math import prod
from os import PathLike
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.checks import shorten
from engine.data.dataset import MAX_CLASSES, DataError, Dataset
from engine.files import atomic_write

IMAGES = "{}-images-idx3-ubyte"
LABELS = "{}-labels-idx1-ubyte"
NAMES = tuple(kind.format(part) for part in ("train", "t10k") for kind in (IMAGES, LABELS))  # of MNIST's four files
UNSIGNED_BYTES = 0x08
MAX_PAYLOAD = 1 << 30  # bytes: a file may not fill the memory
MAX_DEPTH, MAX_FILES = 2, 10_000  # of a search: how many folders down, and how many files are looked at
MAX_LISTED = 5  # names of files in an error

FilePath = str | PathLike[str]
ReadableFile = BufferedReader | BytesIO
AnyPath = TypeVar("AnyPath", bound=PurePath)
Source = FilePath | BytesIO  # a path, or a file in memory that gives its name as text


def find(folder: FilePath, name: str) -> Path | None:
    """The path of ``name`` or ``name.gz`` in ``folder``, or None if it has neither."""
    paths = (Path(folder, name), Path(folder, name + ".gz"))
    return next((path for path in paths if os.path.isfile(path)), None)  # Path.is_file raises for a name that is too long


def find_all(folder: FilePath) -> dict[str, Path]:
    """The files of a data set in ``folder`` or up to two folders down, by MNIST's name for each.

    Names may have a prefix (``emnist-letters-``), ``test`` for ``t10k``, dots for hyphens, capitals, and ``.gz``. A file
    that is nearer, and then one without a prefix, comes first. Raises ``DataError`` unless all four files are there once.
    """
    exact = {name: path for name in NAMES if (path := find(folder, name))}
    if len(exact) == len(NAMES):
        return exact
    files = _files(folder)
    paths: dict[str, Path] = {}
    for name in NAMES:
        choices = nearest(files, name)
        if not choices:
            raise DataError(f"{folder} must hold {name} or {name}.gz, and has {_listed(folder, files)}")
        if len({path.name.lower().removesuffix(".gz") for path in choices}) > 1:
            raise DataError(
                f"{folder} must hold {name} once, and has {_listed(folder, choices)}: name a folder with one data set"
            )
        paths[name] = choices[0]
    return paths


def nearest(paths: Iterable[AnyPath], name: str) -> list[AnyPath]:
    """Of these paths, those of the file that MNIST calls ``name``: only the nearest, and of these those without a prefix."""
    ranked: dict[tuple[int, bool], list[AnyPath]] = {}
    for path in paths:
        if (usual := usual_name(path.name)).endswith(name):
            ranked.setdefault((len(path.parts), usual != name), []).append(path)
    return ranked[min(ranked)] if ranked else []


def _files(folder: FilePath) -> list[Path]:
    """The files in a folder and up to ``MAX_DEPTH`` folders down."""
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        if len(Path(parent).parts) - len(Path(folder).parts) >= MAX_DEPTH:
            folders.clear()
        folders.sort()
        files += [Path(parent, name) for name in sorted(names)]
        if len(files) > MAX_FILES:
            raise DataError(f"{folder} must hold at most {MAX_FILES:,} files, got more: name the folder of the data set")
    return files


def usual_name(name: str) -> str:
    """A file's name in the form of MNIST's ``NAMES``, as far as it has one; a prefix is kept."""
    name = name.lower().removesuffix(".gz").replace(".", "-").replace("_", "-")
    return re.sub(r"(^|-)test-(images|labels)", r"\1t10k-\2", name)


def _listed(folder: FilePath, files: Sequence[Path]) -> str:
    """The names of some of these files, for an error."""
    if not os.path.isdir(folder):
        return "is no folder" if os.path.exists(folder) else "does not exist"
    names = [shorten(str(path.relative_to(folder)), 60) for path in files[:MAX_LISTED]]
    more = len(files) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "") or "no file"


@contextmanager
def opened(path: Source) -> Iterator[gzip.GzipFile | ReadableFile]:
    """Open a file for reading bytes; gzip files are decompressed, no matter how they are called."""
    try:
        with nullcontext(path) if isinstance(path, BytesIO) else open(path, "rb") as raw:
            yield unpacked(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} must be a complete gzip file, and is damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def unpacked(raw: ReadableFile) -> gzip.GzipFile | ReadableFile:
    """A file open for reading bytes, whose contents are decompressed if they are gzip."""
    compressed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if compressed else raw


def read_payload(path: Source, limit: int) -> bytes:
    """The (decompressed) contents of a file, cut off after ``limit`` + 1 bytes: that many show that it is too long."""
    with opened(path) as file:
        return file.read(limit + 1)


def header(array: npt.NDArray[np.uint8]) -> bytes:
    """The bytes before ``array`` in its IDX file."""
    return bytes([0, 0, UNSIGNED_BYTES, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def read_idx(path: Source, dimensions: int, max_bytes: int = MAX_PAYLOAD) -> npt.NDArray[np.uint8]:
    """The read-only uint8 array in an IDX file, plain or gzip, which must have this number of ``dimensions``."""
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
        if start + size > max_bytes:
            raise DataError(f"{path} must hold at most {max_bytes:,} bytes, got a header for {start + size:,}")
        values = file.read(size + 1)  # one byte more than expected shows that the file is too long
    if len(values) != size:
        got = f"{start + len(values):,}" if len(values) < size else "more"
        raise DataError(f"{path} must hold {start + size:,} bytes for its shape {shape}, got {got}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_pair(images_path: Source, labels_path: Source, name: str = "", max_bytes: int = MAX_PAYLOAD) -> Dataset:
    """The ``Dataset`` in a file of 28 x 28 images and a file of their labels, 0 to 62 (some count from 1).

    Each file may hold ``max_bytes``.
    """
    images, labels = read_idx(images_path, 3, max_bytes), read_idx(labels_path, 1, max_bytes)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{images_path} must hold images of 28 x 28 pixels, got {images.shape[1]} x {images.shape[2]}")
    if not len(images):
        raise DataError(f"{images_path} must hold at least one image, got none")
    if len(images) != len(labels):
        raise DataError(f"{labels_path} must hold {len(images):,} labels, one for each image, got {len(labels):,}")
    if labels.max() > MAX_CLASSES:
        raise DataError(
            f"{labels_path} must hold labels from 0 to {MAX_CLASSES}, got {labels.max()} at position {labels.argmax():,}"
        )
    return Dataset(images, labels, name)


def read_folder(folder: FilePath, name: str | None = None) -> tuple[Dataset, Dataset]:
    """The train and test sets in a folder of four IDX files (see ``find_all``); raises ``DataError``."""
    paths = find_all(folder)
    train, test = (
        read_pair(paths[IMAGES.format(part)], paths[LABELS.format(part)], name or Path(folder).name)
        for part in ("train", "t10k")
    )
    return train, test


def write_folder(folder: FilePath, train_set: Dataset, test_set: Dataset) -> None:
    """Write two sets as the IDX files that ``read_folder`` reads; raises ``DataError`` if that fails."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be created: {error.strerror or error}") from None
    for prefix, dataset in (("train", train_set), ("t10k", test_set)):
        for name, array in zip((IMAGES, LABELS), dataset.take(slice(None)), strict=True):
            with atomic_write(Path(folder, name.format(prefix)), DataError) as file:
                file.write(header(array) + np.ascontiguousarray(array).tobytes())
