"""Saving and loading networks and paused trainings: one ``.npz`` of a JSON header and flat vectors, never a pickle.

A file is judged before it is believed: sizes as the archive announces them, shapes and dtypes as the arrays' own headers
say, the architecture against the number of parameters, and every number for finiteness.
"""

import json
import os
import zipfile
from contextlib import contextmanager
from math import prod

import numpy as np

from engine.checks import InklingError
from engine.config import Config
from engine.files import whole_file
from engine.layers import layer_from_json
from engine.network import MAX_PARAMETERS, Network, dense_layers
from engine.training import Trainer, streams

FORMAT = 1
MAX_HEADER = 1 << 25  # bytes of JSON: a training's history fits many times over
MAX_MEMBERS = 64


class CheckpointError(InklingError):
    """A file that is not a network, or a broken one."""


def save(path, network, *, dtype=None, **info):
    """Write ``network`` to ``path``, whole or not at all; ``info`` (JSON values) is kept as ``network.info`` on loading.

    ``dtype`` None is the network's own; float16 makes the file half as large, and rounds every number to three digits.
    """
    with np.errstate(over="ignore"):
        values = network.values.astype(dtype or network.values.dtype)
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"values must be finite and below {np.finfo(values.dtype).max:,.0f} to be saved as {values.dtype}"
        )
    _write(path, _architecture(network) | {"info": network.info | info}, {"values": values})


def load(path):
    """The network in the checkpoint ``path``, or in a plain file of arrays ``W1, b1, W2, b2, ...`` in either orientation.

    ``path`` may also be a file open for reading bytes. Raises ``CheckpointError`` for anything that is not a sound network.
    """
    with _judging(path, "network"):
        arrays = _read_arrays(path)
        if "header" not in arrays:
            return _from_plain(arrays)
        header = _header(arrays)
        return _filled(_network(header), arrays)


def save_training(path, trainer):
    """Write all of a training to ``path``: continued from there it gives the same bits as one that never stopped.

    That is so wherever matrix products give the same bits: on the same kind of processor, with as many BLAS threads.
    ``path`` may also be a file open for writing bytes.
    """
    values, arrays = trainer.state()
    training = {"config": trainer.config.to_json(), "data": trainer.train_set.fingerprint(), "state": values}
    _write(path, _architecture(trainer.network) | {"info": trainer.network.info, "training": training}, arrays)


def load_training(path, train_set):
    """The ``Trainer`` that ``save_training`` wrote, on the data that it was made with; raises ``CheckpointError``."""
    with _judging(path, "paused training"):
        arrays = _read_arrays(path, networks=4)  # two optimizer vectors, an average, the best and the last finite values
        header = _header(arrays)
        if not isinstance(header.get("training"), dict):
            raise CheckpointError("it holds a network, not a training")
        training = header["training"]
        config = Config.from_json(training["config"])
        train_set, validation_set = config.split(train_set, streams(config.seed)["split"])
        if train_set.fingerprint()["sha256"] != training["data"]["sha256"]:
            raise CheckpointError(
                f"it must go on with the data it began with, {training['data']['name']}, and this is not it"
            )
        trainer = Trainer(_network(header), config.make_optimizer(), train_set, validation_set, config)
        trainer.restore(training["state"], arrays)
        return trainer


def _architecture(network):
    return {
        "format": FORMAT,
        "layers": [layer.to_json() for layer in network.layers],
        "input_shape": list(network.input_shape),
        "output": network.output,
    }


def _write(path, header, arrays):
    """The archive of a JSON header and arrays, to a path or to a file open for writing bytes."""
    try:
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"what is kept with a network must be JSON values: {error}") from None
    if hasattr(path, "write"):
        np.savez_compressed(path, header=text, **arrays)
        return
    with whole_file(path, CheckpointError) as file:
        np.savez_compressed(file, header=text, **arrays)


@contextmanager
def _judging(path, kind):
    """Turn whatever is wrong with the file into a ``CheckpointError`` of one line that names it."""
    name = str(path) if isinstance(path, str | os.PathLike) else getattr(path, "name", "the file")
    try:
        yield
    except FileNotFoundError:
        raise CheckpointError(f"{name} must be a {kind}'s .npz file, and does not exist") from None
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a hostile archive can make zipfile and NumPy raise nearly anything
        raise CheckpointError(f"{name} must be a sound {kind}'s .npz file: {' '.join(str(error).split())}") from None


def _read_arrays(path, networks=1):
    """Every array of the archive by name, all of them together no larger than so many networks may be."""
    arrays, room = {}, 8 * MAX_PARAMETERS * networks
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise CheckpointError(f"it must hold at most {MAX_MEMBERS} arrays, got {len(members)}")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays:
                raise CheckpointError(f"it must hold each array once, got {name} twice")
            with archive.open(member) as file:
                arrays[name] = _read_array(file, name, MAX_HEADER if name == "header" else room)
            room -= arrays[name].nbytes
    return arrays


def _read_array(file, name, limit):
    """One array in NumPy's format; its header is checked before anything of the size it announces is allocated."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # what NumPy writes for numbers; later versions allow headers of gigabytes
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


def _header(arrays):
    header = json.loads(arrays["header"].tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        got = header.get("format") if isinstance(header, dict) else header
        raise CheckpointError(f"its format must be {FORMAT}, got {got!r}; a newer Inkling may read it")
    if not isinstance(header.get("info"), dict):
        raise CheckpointError("its header must have a dict 'info'")
    return header


def _network(header):
    """A network of the architecture in ``header``, all zero."""
    layers = tuple(map(layer_from_json, header["layers"]))
    input_shape = tuple(header["input_shape"])
    if not input_shape or not all(isinstance(n, int) and 0 < n <= MAX_PARAMETERS for n in input_shape):
        raise CheckpointError(f"input_shape must be positive whole numbers, got {input_shape}")
    return Network(layers, input_shape, output=header["output"], info=header["info"])


def _from_plain(arrays):
    """The ``W1, b1, W2, b2, ...`` of a dense ReLU network; a weight may be (in, out) or (out, in)."""
    depth = sum(name.startswith("W") for name in arrays)
    expected = {f"{kind}{position}" for kind in "Wb" for position in range(1, depth + 1)}
    if not depth or arrays.keys() != expected:
        raise CheckpointError(f"it must hold 'header' and 'values', or W1, b1, W2, b2, ..., got {sorted(arrays)}")
    pairs, units = [], 784
    for position in range(1, depth + 1):
        weight, bias = arrays[f"W{position}"], arrays[f"b{position}"].ravel()
        if weight.ndim != 2 or weight.shape not in ((units, bias.size), (bias.size, units)):
            raise CheckpointError(f"W{position} must be ({units}, {bias.size}) or its transpose, got {weight.shape}")
        # a square weight does not tell its orientation, but a bias column (n, 1) goes with y = W x
        column = arrays[f"b{position}"].ndim == 2 and arrays[f"b{position}"].shape[1] == 1
        transposed = weight.shape != (units, bias.size) or (weight.shape[0] == weight.shape[1] and column)
        pairs.append((weight.T if transposed else weight, bias))
        units = bias.size
    layers = dense_layers([bias.size for _, bias in pairs[:-1]], classes=units)
    vector = np.concatenate([part.ravel() for kind in zip(*pairs, strict=True) for part in kind])
    return _filled(Network(layers), {"values": vector})


def _filled(network, arrays):
    if "values" not in arrays or arrays["values"].shape != network.values.shape:
        got = arrays["values"].shape if "values" in arrays else "none"
        raise CheckpointError(f"values must be {network.values.size:,} numbers for these layers, got {got}")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused here
        network.values[:] = arrays["values"]
    if not np.isfinite(network.values).all():
        raise CheckpointError("values must be finite numbers, got NaN or infinite ones")
    return network
