"""Any file is refused in one line and little memory, or gives a network, a training or a snapshot that works."""

import io
import tracemalloc

import numpy as np
from fuzz.conftest import examples
from fuzz.damage import damaged_npz, npz_members
from helpers import make_noise, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoint import CheckpointError, load, load_training, save, save_training
from engine.config import Config
from engine.jobs import Snapshot
from engine.jobs.snapshot_file import from_bytes, to_bytes
from engine.network import Network, dense_layers
from engine.training import Trainer

NOISE = make_noise(40)
MAX_MEMORY = 10e6  # bytes: the files themselves are small


def _members(write, *arguments):
    file = io.BytesIO()
    write(file, *arguments)
    return npz_members(file.getvalue())


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
files = st.sampled_from(list(FILES.values())).flatmap(damaged_npz)


@settings(deadline=None, max_examples=examples(300))
@given(files | st.binary(max_size=200))
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
