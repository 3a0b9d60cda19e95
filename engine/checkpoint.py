"""Saving and loading networks and paused trainings: one ``.npz`` file with a JSON header and flat vectors, never a pickle.

A file may come from anyone, so everything is checked before it is used: first the JSON header, then the shape and dtype of
each array that this header calls for, before it is unpacked, and that every number and the network's outputs are finite.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.archive import (
    FORMAT,
    Archive,
    CheckpointError,
    OtherDataError,
    PathOrFile,
    one_line_errors,
    read_header,
    write_archive,
)
from engine.checks import check_choice, shown
from engine.config import Config
from engine.data.dataset import Dataset
from engine.layers import Dense, layers_from_json
from engine.network import FLAT_IMAGE, MAX_PARAMETERS, Network, dense_layers
from engine.seeding import random_streams
from engine.training import Trainer
from engine.training.state import capture, restore

DTYPES = ("float16", "float32", "float64")  # that numbers can be saved as
MAX_OUTPUT = 1e15  # of a network: a loss that squares it, or the difference of two, is finite in float32
FLOATS = tuple(np.dtype(name).str[1:] for name in DTYPES)  # as an array's own header writes them


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
    write_archive(path, architecture(network) | {"info": network.info | info}, {"values": values})


def load(path: PathOrFile) -> Network:
    """The network in a checkpoint, or in a plain file of arrays ``W1, b1, W2, b2, ...`` in either orientation.

    ``path`` may also be a file open for reading bytes. Raises ``CheckpointError`` for anything that is not a sound network.
    """
    with one_line_errors(path, "network"), Archive(path) as archive:
        return filled(empty_network(read_header(archive)), archive) if "header" in archive else _from_plain(archive)


def save_training(path: PathOrFile, trainer: Trainer, *, compress: bool = True) -> None:
    """Write a whole training to ``path``: continued from there, it gives the same bits as one that never stopped.

    The bits are the same wherever matrix products are: on the same kind of processor, with as many BLAS threads. ``path``
    may also be a file open for writing bytes. Without ``compress``, the file is some 10 % larger, and written in a tenth of
    the time.
    """
    values, arrays = capture(trainer)
    training = {"config": trainer.config.to_json(), "data": trainer.train_set.fingerprint(), "state": values}
    write_archive(
        path, architecture(trainer.network) | {"info": trainer.network.info, "training": training}, arrays, compress
    )


def load_training(path: PathOrFile, train_set: Dataset) -> Trainer:
    """The trainer that ``save_training`` wrote, on the data it began with.

    Raises ``OtherDataError`` for other data, and ``CheckpointError`` for anything that is not a sound paused training.
    """
    with one_line_errors(path, "paused training"), Archive(path) as archive:
        header = read_header(archive)
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
        trainer = Trainer(empty_network(header), config.make_optimizer(), train_set, validation_set, config)
        for name, array in capture(trainer)[1].items():
            archive.expect(name, [array.dtype.str[1:]], array.shape)
        archive.expect("best_values", ["f4"], trainer.network.state_vector.shape)
        archive.expect("curve", ["f8"], max_bytes=8 * trainer.curve.limit * len(trainer.curve.columns))
        restore(trainer, training["state"], archive)
        return trainer


def architecture(network: Network) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "layers": [layer.to_json() for layer in network.layers],
        "input_shape": list(network.input_shape),
        "output": network.output,
    }


def empty_network(header: Mapping[str, Any]) -> Network:
    """A network of the architecture in ``header``, with every number zero."""
    layers = layers_from_json(header["layers"])
    input_shape = tuple(header["input_shape"])
    if not input_shape or not all(isinstance(n, int) and 0 < n <= MAX_PARAMETERS for n in input_shape):
        raise CheckpointError(f"input_shape must be positive whole numbers, got {shown(input_shape)}")
    return Network(layers, input_shape, output=header["output"], info=header["info"])


def _from_plain(archive: Archive) -> Network:
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


def filled(network: Network, archive: Archive) -> Network:
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
