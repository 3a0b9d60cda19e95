"""Saving and loading networks and paused trainings: one ``.npz`` file with a JSON header and flat vectors, never a pickle.

A file may come from anyone, so everything is checked before it is used: the sizes that the archive announces, the shapes
and dtypes in the arrays' own headers, the architecture against the number of parameters, and that every number is finite.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, shown
from engine.config import Config
from engine.data.dataset import Dataset
from engine.files import atomic_write
from engine.layers import layer_from_json
from engine.network import FLAT_IMAGE, MAX_PARAMETERS, Network, dense_layers
from engine.seeding import random_streams
from engine.training import Trainer
from engine.training.state import capture, restore

FORMAT = 1
MAX_HEADER_BYTES = 1 << 25  # of JSON: the history of a long training takes a fraction of that
MAX_ARRAYS = 64

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
    with np.errstate(over="ignore"):
        values = network.state_vector.astype(dtype or network.state_vector.dtype)
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"values must be finite and below {np.finfo(values.dtype).max:,.0f} to be saved as {values.dtype}"
        )
    _write(path, _architecture(network) | {"info": network.info | info}, {"values": values})


def load(path: PathOrFile) -> Network:
    """The network in a checkpoint, or in a plain file of arrays ``W1, b1, W2, b2, ...`` in either orientation.

    ``path`` may also be a file open for reading bytes. Raises ``CheckpointError`` for anything that is not a sound network.
    """
    with _one_line_errors(path, "network"):
        arrays = _read_arrays(path)
        if "header" not in arrays:
            return _from_plain(arrays)
        header = _header(arrays)
        return _filled(_network(header), arrays)


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
    with _one_line_errors(path, "paused training"):
        arrays = _read_arrays(path, networks=4)  # two optimizer vectors, an average, the best and the last finite values
        header = _header(arrays)
        if not isinstance(header.get("training"), dict):
            raise CheckpointError("it holds a network, not a training")
        training = header["training"]
        config = Config.from_json(training["config"])
        train_set, validation_set = config.split(train_set, random_streams(config.seed)["split"])
        if train_set.fingerprint()["sha256"] != training["data"]["sha256"]:
            name = shown(training["data"]["name"])
            raise OtherDataError(f"the training must continue with the data it began with, {name}, and these are other data")
        trainer = Trainer(_network(header), config.make_optimizer(), train_set, validation_set, config)
        restore(trainer, training["state"], arrays)
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
        members = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays}
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the info of a network must be JSON values: {error}") from None
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
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{name} must be a sound {kind}'s .npz file: {reason}") from None


def _read_arrays(path: PathOrFile, networks: int = 1) -> dict[str, npt.NDArray]:
    """Every array of the archive by name. Together they may be as large as so many networks."""
    arrays, room = {}, 8 * MAX_PARAMETERS * networks
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_ARRAYS:
            raise CheckpointError(f"it must hold at most {MAX_ARRAYS} arrays, got {len(members)}")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays:
                raise CheckpointError(f"it must hold each array once, got {name} twice")
            with archive.open(member) as file:
                arrays[name] = _read_array(file, name, MAX_HEADER_BYTES if name == "header" else room)
            room -= arrays[name].nbytes
    return arrays


def _read_array(file: IO[bytes], name: str, limit: int) -> npt.NDArray:
    """An array of at most ``limit`` bytes. Its header is checked before anything of the size it announces is allocated."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # NumPy writes numbers in this one; later versions allow headers of gigabytes
        raise CheckpointError(f"{name} must be in NumPy's array format 1.0, got {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "fu" or dtype.hasobject:
        raise CheckpointError(f"{name} must be numbers, got {dtype}")
    if min(shape, default=0) < 0:
        raise CheckpointError(f"{name} must have a shape of whole numbers from 0, got {shape}")
    size = prod(shape) * dtype.itemsize
    if size > limit:
        raise CheckpointError(f"{name} must have at most {limit:,} bytes, its shape {shape} announces {size:,}")
    data = file.read(size + 1)
    if len(data) != size:
        raise CheckpointError(f"{name} must have {size:,} bytes for its shape {shape}, got {min(len(data), size + 1):,}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(arrays: Mapping[str, npt.NDArray]) -> dict[str, Any]:
    header = json.loads(arrays["header"].tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        version = header.get("format") if isinstance(header, dict) else header
        raise CheckpointError(f"its format must be {FORMAT}, got {shown(version)}; a newer Inkling may read it")
    if not isinstance(header.get("info"), dict):
        raise CheckpointError("its header must have a dict 'info'")
    return header


def _network(header: Mapping[str, Any]) -> Network:
    """A network of the architecture in ``header``, with every number zero."""
    layers = tuple(map(layer_from_json, header["layers"]))
    input_shape = tuple(header["input_shape"])
    if not input_shape or not all(isinstance(n, int) and 0 < n <= MAX_PARAMETERS for n in input_shape):
        raise CheckpointError(f"input_shape must be positive whole numbers, got {input_shape}")
    return Network(layers, input_shape, output=header["output"], info=header["info"])


def _from_plain(arrays: Mapping[str, npt.NDArray]) -> Network:
    """A dense ReLU network from ``W1, b1, W2, b2, ...``; a weight may be (in, out) or (out, in)."""
    depth = sum(name.startswith("W") for name in arrays)
    expected = {f"{kind}{position}" for kind in "Wb" for position in range(1, depth + 1)}
    if not depth or arrays.keys() != expected:
        raise CheckpointError(f"it must hold 'header' and 'values', or W1, b1, W2, b2, ..., got {sorted(arrays)}")
    pairs, units = [], prod(FLAT_IMAGE)
    for position in range(1, depth + 1):
        weight, bias = arrays[f"W{position}"], arrays[f"b{position}"].ravel()
        if weight.ndim != 2 or weight.shape not in ((units, bias.size), (bias.size, units)):
            raise CheckpointError(f"W{position} must be ({units}, {bias.size}) or its transpose, got {weight.shape}")
        # The shape of a square weight does not say its orientation, but a bias column (n, 1) goes with y = W x.
        is_column = arrays[f"b{position}"].ndim == 2 and arrays[f"b{position}"].shape[1] == 1
        transposed = weight.shape != (units, bias.size) or (weight.shape[0] == weight.shape[1] and is_column)
        pairs.append((weight.T if transposed else weight, bias))
        units = bias.size
    layers = dense_layers([bias.size for _, bias in pairs[:-1]], classes=units)
    weights, biases = zip(*pairs, strict=True)
    vector = np.concatenate([array.ravel() for array in (*weights, *biases)])
    return _filled(Network(layers), {"values": vector})


def _filled(network: Network, arrays: Mapping[str, npt.NDArray]) -> Network:
    """``network`` with the state vector in ``arrays``."""
    if "values" not in arrays or arrays["values"].shape != network.state_vector.shape:
        shape = arrays["values"].shape if "values" in arrays else "none"
        raise CheckpointError(f"values must be {network.state_vector.size:,} numbers for these layers, got {shape}")
    with np.errstate(over="ignore"):  # a float64 that overflows float32 becomes infinite, and is refused below
        network.state_vector[:] = arrays["values"]
    if not np.isfinite(network.state_vector).all():
        raise CheckpointError("values must be finite numbers, got NaN or infinity")
    return network
