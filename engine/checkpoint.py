"""Saving and loading networks: one ``.npz`` of a JSON header and a flat vector, never a pickle.

A file is judged before it is believed: sizes as the archive announces them, shapes and dtypes as the arrays' own headers
say, the architecture against the number of parameters, and every number for finiteness.
"""

import json
import os
import zipfile
from contextlib import suppress
from math import prod
from pathlib import Path
from uuid import uuid4

import numpy as np

from engine.checks import InklingError
from engine.layers import layer_from_json
from engine.network import MAX_PARAMETERS, Network, dense_layers, parameter_count

FORMAT = 1
MAX_HEADER = 1 << 22  # bytes of JSON: a training's history fits many times over
MAX_MEMBERS = 64


class CheckpointError(InklingError):
    """A file that is not a network, or a broken one."""


def save(path, network, **info):
    """Write ``network`` to ``path``, whole or not at all; ``info`` (JSON values) is kept as ``network.info`` on loading."""
    header = {
        "format": FORMAT,
        "layers": [layer.to_json() for layer in network.layers],
        "input_shape": list(network.input_shape),
        "output": network.output,
        "info": network.info | info,
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path = Path(path)
    part = path.parent / f"{path.name}.{uuid4().hex[:8]}.part"  # beside it, so that the renaming is atomic
    try:
        with open(part, "xb") as file:
            np.savez_compressed(file, header=text, parameters=network.parameters)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):  # nothing there: it has been renamed, or could not be made
            part.unlink()


def load(path):
    """The network in the checkpoint ``path``, or in a plain file of arrays ``W1, b1, W2, b2, ...`` in either orientation.

    ``path`` may also be a file open for reading bytes. Raises ``CheckpointError`` for anything that is not a sound network.
    """
    name = str(path) if isinstance(path, str | os.PathLike) else getattr(path, "name", "the file")
    try:
        arrays = _read_arrays(path)
        return _from_header(arrays) if "header" in arrays else _from_plain(arrays)
    except FileNotFoundError:
        raise CheckpointError(f"{name} must be a network's .npz file, and does not exist") from None
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a hostile archive can make zipfile and NumPy raise nearly anything
        raise CheckpointError(f"{name} must be a sound network's .npz file: {' '.join(str(error).split())}") from None


def _read_arrays(path):
    """Every array of the archive by name, all of them together no larger than a network may be."""
    arrays, room = {}, 8 * MAX_PARAMETERS
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


def _from_header(arrays):
    header = json.loads(arrays["header"].tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        got = header.get("format") if isinstance(header, dict) else header
        raise CheckpointError(f"its format must be {FORMAT}, got {got!r}; a newer Inkling may read it")
    layers = tuple(map(layer_from_json, header["layers"]))
    input_shape = tuple(header["input_shape"])
    if not input_shape or not all(isinstance(n, int) and 0 < n <= MAX_PARAMETERS for n in input_shape):
        raise CheckpointError(f"input_shape must be positive whole numbers, got {input_shape}")
    if not isinstance(header.get("info"), dict):
        raise CheckpointError("its header must have a dict 'info'")
    expected = parameter_count(layers, input_shape)
    if "parameters" not in arrays or arrays["parameters"].shape != (expected,):
        got = arrays["parameters"].shape if "parameters" in arrays else "none"
        raise CheckpointError(f"parameters must be {expected:,} numbers for these layers, got {got}")
    return _filled(Network(layers, input_shape, output=header["output"], info=header["info"]), arrays["parameters"])


def _from_plain(arrays):
    """The ``W1, b1, W2, b2, ...`` of a dense ReLU network; a weight may be (in, out) or (out, in)."""
    depth = sum(name.startswith("W") for name in arrays)
    expected = {f"{kind}{position}" for kind in "Wb" for position in range(1, depth + 1)}
    if not depth or arrays.keys() != expected:
        raise CheckpointError(f"it must hold 'header' and 'parameters', or W1, b1, W2, b2, ..., got {sorted(arrays)}")
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
    return _filled(Network(layers), vector)


def _filled(network, vector):
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused here
        network.parameters[:] = vector
    if not np.isfinite(network.parameters).all():
        raise CheckpointError("parameters must be finite numbers, got NaN or infinite ones")
    return network
