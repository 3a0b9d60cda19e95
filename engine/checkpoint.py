"""Saving and loading networks and paused trainings: one ``.npz`` file with a JSON header and flat vectors, never a pickle.

A file may come from anyone, so everything is checked before it is used: first the JSON header, then the shape and dtype of
each array that this header calls for, before it is unpacked, and that every number and the network's outputs are finite.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_choice, shorten, shown
from engine.config import Config
from engine.data.dataset import Dataset
from engine.files import atomic_write
from engine.layers import Dense, layers_from_json
from engine.network import FLAT_IMAGE, MAX_PARAMETERS, Network, dense_layers
from engine.seeding import random_streams
from engine.training import Trainer
from engine.training.state import capture, restore

DTYPES = ("float16", "float32", "float64")  # that numbers can be saved as
FORMAT = 1
MAX_HEADER_BYTES = 20_000_000  # of JSON: the history of 100,000 epochs, the longest training, takes 14 MB
MAX_HEADER_MARKS = 1_200_000  # of the characters in ``MARKS``: this history has 900,000
MARKS = b',[{"'  # each value in JSON has one or more of them, and may take a hundred times its own memory when it is read
MAX_ARRAYS = 64
MAX_OUTPUT = 1e15  # of a network: a loss that squares it, or the difference of two, is finite in float32
MAX_REASON = 500  # characters that an error quotes, in which a file may have had its say
FLOATS = tuple(np.dtype(name).str[1:] for name in DTYPES)  # as an array's own header writes them

PathOrFile = str | os.PathLike[str] | IO[bytes]


class CheckpointError(InklingError):
    """A file that is not a network or a paused training, or that is broken."""


class OtherDataError(CheckpointError):
    """A paused training that began with other data than it is to continue with."""


def save(path: PathOrFile, network: Network, *, dtype: npt.DTypeLike | None = None, **info: Any) -> None:
    """Write ``network`` to ``path``, completely or not at all.

    ``info`` are JSON values; a loaded network has them in its ``info``. ``dtype`` None is the network's own; float16 makes
    the file half as large and rounds every number to three digits.
    """
    stored_dtype = check_choice("dtype", np.dtype(dtype or network.state_vector.dtype).name, DTYPES)
    with np.errstate(over="ignore"):
        values = network.state_vector.astype(stored_dtype)
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"values must be finite and below {np.finfo(values.dtype).max:,.0f} to be saved as {values.dtype}"
        )
    _write(path, _architecture(network) | {"info": network.info | info}, {"values": values})


def load(path: PathOrFile) -> Network:
    """The network in a checkpoint, or in a plain file of arrays ``W1, b1, W2, b2, ...`` in either orientation.

    ``path`` may also be a file open for reading bytes. Raises ``CheckpointError`` for anything that is not a sound network.
    """
    with _one_line_errors(path, "network"), _Archive(path) as archive:
        return _filled(_network(_header(archive)), archive) if "header" in archive else _from_plain(archive)


def save_training(path: PathOrFile, trainer: Trainer) -> None:
    """Write a whole training to ``path``: continued from there, it gives the same bits as one that never stopped.

    The bits are the same wherever matrix products are: on the same kind of processor, with as many BLAS threads. ``path``
    may also be a file open for writing bytes.
    """
    values, arrays = capture(trainer)
    training = {"config": trainer.config.to_json(), "data": trainer.train_set.fingerprint(), "state": values}
    _write(path, _architecture(trainer.network) | {"info": trainer.network.info, "training": training}, arrays)


def load_training(path: PathOrFile, train_set: Dataset) -> Trainer:
    """The trainer that ``save_training`` wrote, on the data it began with.

    Raises ``OtherDataError`` for other data, and ``CheckpointError`` for anything that is not a sound paused training.
    """
    with _one_line_errors(path, "paused training"), _Archive(path) as archive:
        header = _header(archive)
        if not isinstance(header.get("training"), dict):
            raise CheckpointError("it holds a network, not a training")
        training = header["training"]
        config = Config.from_json(training["config"])
        train_set, validation_set = config.split(train_set, random_streams(config.seed)["split"])
        if train_set.fingerprint()["sha256"] != training["data"]["sha256"]:
            name = shown(training["data"]["name"])
            raise OtherDataError(
                f"this training began with other data, {name}: choose the data it began with, then try again"
            )
        config.check_memory()
        if layers_from_json(header["layers"]) != config.layers:
            raise CheckpointError("its network must have the layers in its configuration, and has others")
        trainer = Trainer(_network(header), config.make_optimizer(), train_set, validation_set, config)
        for name, array in capture(trainer)[1].items():
            archive.expect(name, [array.dtype.str[1:]], array.shape)
        archive.expect("best_values", ["f4"], trainer.network.state_vector.shape)
        archive.expect("curve", ["f8"], max_bytes=8 * trainer.curve.limit * len(trainer.curve.columns))
        restore(trainer, training["state"], archive)
        return trainer


def _architecture(network: Network) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "layers": [layer.to_json() for layer in network.layers],
        "input_shape": list(network.input_shape),
        "output": network.output,
    }


def _write(path: PathOrFile, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray]) -> None:
    try:
        text = json.dumps(header).encode()
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the info of a network must be JSON values: {error}") from None
    _check_header_size(text)
    members = {"header": np.frombuffer(text, np.uint8), **arrays}
    if isinstance(path, str | os.PathLike):
        with atomic_write(path, CheckpointError) as file:
            np.savez_compressed(file, **members)  # pyright: ignore[reportArgumentType]
    else:
        np.savez_compressed(path, **members)  # pyright: ignore[reportArgumentType]


@contextmanager
def _one_line_errors(path: PathOrFile, kind: str) -> Iterator[None]:
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


class _Archive(Mapping[str, npt.NDArray]):
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
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "fu" or dtype.hasobject:
        raise CheckpointError(f"{name} must be numbers, got {dtype}")
    if min(shape, default=0) < 0:
        raise CheckpointError(f"{name} must have a shape of whole numbers from 0, got {shape}")
    return shape, fortran, dtype


def _check_header_size(text: bytes) -> None:
    """Raise ``CheckpointError`` if the header would take much memory when it is read."""
    num_marks = sum(map(text.count, MARKS))
    if len(text) > MAX_HEADER_BYTES or num_marks > MAX_HEADER_MARKS:
        raise CheckpointError(
            f"its header, with the info and the history, must have at most {MAX_HEADER_BYTES:,} bytes and "
            f"{MAX_HEADER_MARKS:,} of the characters {MARKS.decode()}, got {len(text):,} and {num_marks:,}"
        )


def _header(archive: _Archive) -> dict[str, Any]:
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


def _network(header: Mapping[str, Any]) -> Network:
    """A network of the architecture in ``header``, with every number zero."""
    layers = layers_from_json(header["layers"])
    input_shape = tuple(header["input_shape"])
    if not input_shape or not all(isinstance(n, int) and 0 < n <= MAX_PARAMETERS for n in input_shape):
        raise CheckpointError(f"input_shape must be positive whole numbers, got {shown(input_shape)}")
    return Network(layers, input_shape, output=header["output"], info=header["info"])


def _from_plain(archive: _Archive) -> Network:
    """A dense ReLU network from ``W1, b1, W2, b2, ...``; a weight may be (in, out) or (out, in)."""
    size = sum(prod(archive.describe(name)[0]) for name in archive)
    if size > MAX_PARAMETERS:
        raise CheckpointError(f"it must hold at most {MAX_PARAMETERS:,} numbers, its arrays announce {size:,}")
    depth = sum(name.startswith("W") for name in archive)
    expected = {f"{kind}{position}" for kind in "Wb" for position in range(1, depth + 1)}
    if not depth or archive.keys() != expected:
        raise CheckpointError(f"it must hold 'header' and 'values', or W1, b1, W2, b2, ..., got {shown(sorted(archive))}")
    shapes = {name: archive.describe(name)[0] for name in archive}
    hidden, transposed, units = [], [], prod(FLAT_IMAGE)
    for position in range(1, depth + 1):
        weight, bias = shapes[f"W{position}"], shapes[f"b{position}"]
        num_outputs = prod(bias)
        if weight not in ((units, num_outputs), (num_outputs, units)):
            raise CheckpointError(f"W{position} must be ({units}, {num_outputs}) or its transpose, got {weight}")
        # The shape of a square weight does not say its orientation, but a bias column (n, 1) goes with y = W x.
        is_column = len(bias) == 2 and bias[1] == 1
        transposed.append(weight != (units, num_outputs) or (weight[0] == weight[1] and is_column))
        units = num_outputs
        hidden.append(units)
    network = Network(dense_layers(hidden[:-1], classes=units))
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    for name, shape in shapes.items():
        archive.expect(name, FLOATS, shape)
    with np.errstate(over="ignore"):
        for position, (layer, flip) in enumerate(zip(dense, transposed, strict=True), 1):
            layer.W[...] = archive[f"W{position}"].T if flip else archive[f"W{position}"]
            layer.b[...] = archive[f"b{position}"].ravel()
    return _checked(network)


def _filled(network: Network, archive: _Archive) -> Network:
    """``network`` with the state vector in the archive."""
    if "values" not in archive:
        raise CheckpointError(f"values must be {network.state_vector.size:,} numbers for these layers, got none")
    archive.expect("values", FLOATS, network.state_vector.shape)
    with np.errstate(over="ignore"):  # a float64 that overflows float32 becomes infinite, and is refused
        network.state_vector[:] = archive["values"]
    return _checked(network)


def _checked(network: Network) -> Network:
    """``network`` if its numbers are finite, and its outputs for a blank and for a full image too."""
    if not np.isfinite(network.state_vector).all():
        raise CheckpointError("values must be finite numbers, got NaN or infinity")
    images = np.zeros((2, *network.input_shape), np.float32)
    images[1] = 1
    with np.errstate(all="ignore"):
        largest = np.abs(network.forward(images)).max()
    if not largest <= MAX_OUTPUT:  # NaN, too
        raise CheckpointError(
            f"its outputs for a blank and a full image must be below {MAX_OUTPUT:g}, got {largest:g}: the numbers in it are "
            "too large, as after a training that diverged; train it again with a smaller learning rate"
        )
    return network
