"""The ``.npz`` files of Inkling: a JSON header and arrays, read with suspicion, since a file may come from anyone.

First the header is checked, then the shape and dtype of each array that it calls for, before that array is unpacked.
"""

import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, shorten, shown
from engine.files import atomic_write

FORMAT = 1
MAX_HEADER_BYTES = 20_000_000  # of JSON: the history of 100,000 epochs, the longest training, takes 14 MB
MAX_HEADER_MARKS = 1_200_000  # of the characters in ``MARKS``: this history has 900,000
MARKS = b',[{"'  # each value in JSON has one or more of them, and may take a hundred times its own memory when it is read
MAX_ARRAYS = 64
MAX_REASON = 500  # characters that an error quotes, in which a file may have had its say

# As NumPy writes it. NumPy's own reader compiles it, which Python 3.11 cannot do in two threads at once.
ARRAY_HEADER = re.compile(
    r"\{'descr': '([<>|][fu][1248])', 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,18},? ?)*)\), \} *\n"
)

PathOrFile = str | os.PathLike[str] | IO[bytes]


class CheckpointError(InklingError):
    """A file that is not a network or a paused training, or that is broken."""


class OtherDataError(CheckpointError):
    """A paused training that began with other data than it is to continue with."""


def write_archive(
    path: PathOrFile, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray], compress: bool = True
) -> None:
    try:
        text = json.dumps(header).encode()
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the info of a network must be JSON values: {error}") from None
    _check_header_size(text)
    members = {"header": np.frombuffer(text, np.uint8), **arrays}
    write = np.savez_compressed if compress else np.savez
    if isinstance(path, str | os.PathLike):
        with atomic_write(path, CheckpointError) as file:
            write(file, **members)  # pyright: ignore[reportArgumentType]
    else:
        write(path, **members)  # pyright: ignore[reportArgumentType]


@contextmanager
def one_line_errors(path: PathOrFile, kind: str) -> Iterator[None]:
    """Turn any error into a ``CheckpointError`` of one line that names the file."""
    name = " ".join(str(path if isinstance(path, str | os.PathLike) else getattr(path, "name", "the file")).split())
    try:
        yield
    except FileNotFoundError:
        raise CheckpointError(f"{name} must be a {kind}'s .npz file, and does not exist") from None
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror or error}") from None
    except OtherDataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a hostile archive
        reason = shorten(error, MAX_REASON) or type(error).__name__
        raise CheckpointError(f"{name} must be a sound {kind}'s .npz file: {reason}") from None


class Archive(Mapping[str, npt.NDArray]):
    """The arrays of an ``.npz`` file by name, each read when it is asked for, and only after ``expect``.

    The array that was read last is stored; so no two need memory at once, unless the caller stores them.
    """

    def __init__(self, path: PathOrFile) -> None:
        self._zip = zipfile.ZipFile(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._expected: dict[str, tuple[tuple[str, ...], tuple[int, ...] | None, int]] = {}
        self._last: tuple[str, npt.NDArray] | None = None
        members = self._zip.infolist()
        if len(members) > MAX_ARRAYS:
            raise CheckpointError(f"it must hold at most {MAX_ARRAYS} arrays, got {len(members)}")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in self._members:
                raise CheckpointError(f"it must hold each array once, got {name} twice")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks others in one go
                raise CheckpointError(f"{name} must be stored or deflated, got the zip compression {member.compress_type}")
            self._members[name] = member

    def expect(self, name: str, dtypes: Iterable[str], shape: tuple[int, ...] | None = None, max_bytes: int = 0) -> None:
        """Let ``name`` be read, in one of these dtypes such as "f4" and this shape, or in any shape up to ``max_bytes``."""
        self._expected[name] = tuple(dtypes), shape, max_bytes

    def describe(self, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
        """The shape that an array's own header announces, whether it is in Fortran order, and its dtype."""
        with self._zip.open(self._members[name]) as file:
            return _array_header(file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> npt.NDArray:
        if not self._last or self._last[0] != name:
            self._last = None  # its memory is free before the next one takes more
            self._last = name, self._read(name)
        return self._last[1]

    def _read(self, name: str) -> npt.NDArray:
        """An array, unpacked only if its own header announces what is expected."""
        dtypes, expected_shape, max_bytes = self._expected[name]
        with self._zip.open(self._members[name]) as file:
            shape, fortran, dtype = _array_header(file, name)
            if dtype.str[1:] not in dtypes:
                raise CheckpointError(f"{name} must be numbers of the type {' or '.join(dtypes)}, got {dtype}")
            size = prod(shape) * dtype.itemsize
            if expected_shape is None and size > max_bytes:
                raise CheckpointError(f"{name} must have at most {max_bytes:,} bytes, its shape {shape} announces {size:,}")
            if expected_shape is not None and shape != expected_shape:
                raise CheckpointError(f"{name} must be {prod(expected_shape):,} numbers for these layers, got {shape}")
            data = file.read(size + 1)
        if len(data) != size:
            raise CheckpointError(f"{name} must have {size:,} bytes for its shape {shape}, got {min(len(data), size + 1):,}")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _array_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether in Fortran order, and the dtype at the start of an array's file."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # NumPy writes numbers in this one; later versions allow headers of gigabytes
        raise CheckpointError(f"{name} must be in NumPy's array format 1.0, got {version}")
    text = file.read(int.from_bytes(file.read(2), "little")).decode("latin1")
    if not (match := ARRAY_HEADER.fullmatch(text)):
        raise CheckpointError(f"{name} must be an array of numbers, got the header {shown(text)}")
    kind, fortran, shape = match.groups()
    return tuple(map(int, re.findall("[0-9]+", shape))), fortran == "True", np.dtype(kind)


def _check_header_size(text: bytes) -> None:
    """Raise ``CheckpointError`` if the header would take much memory when it is read."""
    num_marks = sum(map(text.count, MARKS))
    if len(text) > MAX_HEADER_BYTES or num_marks > MAX_HEADER_MARKS:
        raise CheckpointError(
            f"its header, with the info and the history, must have at most {MAX_HEADER_BYTES:,} bytes and "
            f"{MAX_HEADER_MARKS:,} of the characters {MARKS.decode()}, got {len(text):,} and {num_marks:,}"
        )


def read_header(archive: Archive) -> dict[str, Any]:
    archive.expect("header", ["u1"], max_bytes=MAX_HEADER_BYTES)
    text = archive["header"].tobytes()
    _check_header_size(text)
    header = json.loads(text)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        version = header.get("format") if isinstance(header, dict) else header
        raise CheckpointError(f"its format must be {FORMAT}, got {shown(version)}; a newer Inkling may read it")
    if not isinstance(header.get("info"), dict):
        raise CheckpointError("its header must have a dict 'info'")
    return header
