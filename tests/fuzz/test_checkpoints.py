"""Any file is refused in one line and little memory, or gives a network, a training or a snapshot that works."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
from fuzz.conftest import examples
from helpers import make_noise, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoint import CheckpointError, load, load_training, save, save_training
from engine.config import Config
from engine.jobs import Snapshot
from engine.jobs.snapshot_file import from_bytes, to_bytes
from engine.layers import LAYERS
from engine.network import Network, dense_layers
from engine.training import Trainer

NOISE = make_noise(40)
MAX_MEMORY = 10e6  # bytes: the files themselves are small


def _members(write, *arguments):
    file = io.BytesIO()
    write(file, *arguments)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _training():
    config = Config(layers=dense_layers((3,)), batch_size=8, patience=2, ema_decay=0.9)
    trainer = Trainer.from_config(config, NOISE)
    for _ in range(8):
        next(trainer)
    return trainer


FILES = {
    "network": _members(save, Network(dense_layers((3,)), rng=np.random.default_rng(0))),
    "training": _members(save_training, _training()),
    "snapshot": _members(lambda file: file.write(to_bytes(Snapshot.of_paused(_training(), NOISE)))),
}
HEADERS = {kind: json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes()) for kind, members in FILES.items()}
wrong_numbers = st.sampled_from([0, -1, 1e9, 10**400, 2**63, float("nan"), float("inf"), -0.5])
words = st.sampled_from([*LAYERS, "layer", "units", "relu", "softmax", "normalised", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | wrong_numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
) | st.sampled_from([[{"layer": "flatten"}] * 200, [{}] * 30_000, "x" * 100_000, [[[[]]]] * 1_000])


def places(value, path=()):
    """The path to every value in a JSON value."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


headers = {
    kind: st.builds(
        lambda path, new, header=header: as_npy(np.frombuffer(json.dumps(replaced(header, path, new)).encode(), np.uint8)),
        st.sampled_from(list(places(header))),
        json_values,
    )
    for kind, header in HEADERS.items()
}
shapes = st.sampled_from([(), (0,), (1,), (2385,), (2385, 1), (40,), (36,), (1, 4), (400, 4), (3_000_000,), (3, 1_000_000)])
arrays = st.builds(
    lambda shape, dtype, number: as_npy(np.full(shape, number).astype(dtype)),
    shapes,
    st.sampled_from(["f4", "f8", "f2", "u1", "u4", "i8", "?", "c8", ">f4", "S3"]),
    st.sampled_from([0, 1]),
)


@st.composite
def files(draw):
    """A network's, a training's or a snapshot's file with a few members replaced, added, removed or damaged."""
    kind = draw(st.sampled_from(list(FILES)))
    members = dict(FILES[kind])
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*members, "W1.npy", "more.npy"]))
        change = draw(st.sampled_from(["header", "array", "bytes", "remove", "cut"]))
        if change == "header":
            members["header.npy"] = draw(headers[kind])
        elif change == "array":
            members[name] = draw(arrays)
        elif change == "bytes":
            members[name] = b"\x93NUMPY\x01\x00" + draw(st.binary(max_size=150))
        elif change == "remove":
            members.pop(name, None)
        elif name in members:
            members[name] = members[name][: draw(st.integers(0, len(members[name])))]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    content = bytearray(file.getvalue())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


@settings(deadline=None, max_examples=examples(300))
@given(files() | st.binary(max_size=200))
def test_any_file_is_refused_in_one_line_and_little_memory_or_works(content):
    tracemalloc.start()
    network, message = outcome(CheckpointError, load, io.BytesIO(content))
    trainer, training_message = outcome(CheckpointError, load_training, io.BytesIO(content), NOISE)
    snapshot, snapshot_message = outcome(CheckpointError, from_bytes, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_MEMORY
    for text in (message, training_message, snapshot_message):
        assert text is None or ("\n" not in text and len(text) < 1_000)
    if network is not None:
        assert np.isfinite(network.forward(np.zeros((1, *network.input_shape), np.float32))).all()
    if trainer is not None and not trainer.is_over:
        next(trainer)
    if snapshot is not None:
        assert len(to_bytes(snapshot)) < MAX_MEMORY
