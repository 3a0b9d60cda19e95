"""How messages go through a pipe: large arrays and files without copies of them."""

import tracemalloc
from multiprocessing import Pipe
from threading import Thread

import numpy as np
import pytest
from helpers import make_digits

from engine.config import Config
from engine.jobs import Saved, Snapshot
from engine.jobs.messages import LARGE, Checkpoint, Goal, Report, Task, receive, send
from engine.network import Network, dense_layers
from tests.engine.jobs.test_snapshot_file import assert_same


def sent(message):
    """The message as it comes out of a pipe, and the largest amounts of memory that sending and receiving took."""
    other_end, connection = Pipe(duplex=False)
    received, peaks = [], []

    def do(action):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        action()
        peaks.append(tracemalloc.get_traced_memory()[1] - before)

    reader = Thread(target=lambda: received.append(receive(other_end)))
    tracemalloc.start()
    reader.start()
    do(lambda: send(connection, message))
    reader.join()
    tracemalloc.stop()
    for end in (other_end, connection):
        end.close()
    return received[0], peaks[0]


@pytest.mark.parametrize("size", [0, 100, LARGE - 1, LARGE, 30_000_000])
def test_a_checkpoint_comes_out_as_it_went_in(size):
    checkpoint = Checkpoint(5, bytes([7]) * size, Goal(paused=True, step=3))
    received, peak = sent(checkpoint)
    assert received == checkpoint
    assert type(received) is Checkpoint
    assert type(received.training) is bytes
    assert peak < 1.3 * size + 1_000_000  # what is received; nothing more where it is sent


@pytest.mark.parametrize("training", [None, b"short", b"long" * 1_000_000])
def test_a_task_comes_out_with_its_saved_training(training):
    config = Config(layers=dense_layers((300,)))
    network = Network(config.layers, rng=np.random.default_rng(0))
    saved = Saved(training, Snapshot.before_start(config, network))
    task = Task(config, make_digits(3), saved=saved, start=network)  # pyright: ignore[reportArgumentType]
    received, _ = sent(task)
    assert received.saved.training == training
    assert_same(received.saved.snapshot, saved.snapshot)
    np.testing.assert_array_equal(received.start.state_vector, network.state_vector)
    received.start.state_vector[:] = 0  # a network can be changed; large arrays cannot


def test_a_report_takes_no_more_memory_than_its_network():
    config = Config(layers=dense_layers((10_000,)))
    network = Network(config.layers, rng=np.random.default_rng(0))
    received, peak = sent(Report(1, Snapshot.before_start(config, network), []))
    np.testing.assert_array_equal(received.snapshot.network.state_vector, network.state_vector)
    assert peak < 3.2 * network.state_vector.nbytes  # what is received, and the network with its gradients made of it
