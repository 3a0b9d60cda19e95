"""Speed, measured with a clock that stands still except for what each image takes: no test depends on the machine."""

from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from examples import READER
from helpers import make_digits

from engine.checkpoint import load_training, save_training
from engine.config import Config
from engine.network import Network, dense_layers
from engine.training import Finished, Trainer
from engine.training.timing import measure_seconds


class Clock:
    """Training on an image takes 3 ms, predicting it takes 1 ms, and a ``delay`` can come on top."""

    def __init__(self):
        self.now, self.training, self.predicting = 100.0, 0.003, 0.001
        self.delay = lambda: 0.0

    def read(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    forward = Network.forward

    def timed_forward(network, x, training=False):
        clock.now += len(x) * (clock.training if training else clock.predicting) + clock.delay()
        return forward(network, x, training)

    monkeypatch.setattr(Network, "forward", timed_forward)
    for module in ("trainer", "timing"):
        monkeypatch.setattr(f"engine.training.{module}.perf_counter", clock.read)
    return clock


@pytest.mark.parametrize(
    "changes", [{}, {"batch_size": None}, {"batch_size": 7}, {"layers": READER, "patience": 3}], ids=str
)
def test_the_seconds_of_an_image_are_measured_in_a_few_short_windows(changes, clock):
    dataset = make_digits(1_500)
    config = Config(**({"layers": dense_layers((32,)), "batch_size": 64, "epochs": 2} | changes))
    images_before, started = dataset.images.tobytes(), clock.now
    training, validating = measure_seconds(config, dataset, window=0.02, windows=3)
    batch_seconds = min(config.batch_size or 1_500, 1_024) * 0.003
    assert clock.now - started <= batch_seconds + 3 * (0.02 + batch_seconds) + 3 * 1_500 * 0.001
    assert training == pytest.approx(0.003)
    assert validating == pytest.approx(0.001)
    trainer = Trainer.from_config(config, dataset)
    list(trainer)
    assert trainer.samples_per_second == pytest.approx(1 / training)
    assert dataset.images.tobytes() == images_before


def test_other_work_on_the_machine_is_not_counted(clock, tiny):
    delays = iter([5.0, 0.7, 0.7, 0.0, 0.4, 0.4])  # the first step, then one in each window
    clock.delay = lambda: next(delays, 0.2)
    training, validating = measure_seconds(Config(batch_size=100), tiny, window=0.2, windows=3)
    assert training == pytest.approx(0.003)
    assert validating > 0.001


def test_a_learning_rate_at_which_it_would_diverge_can_be_measured(clock, tiny):
    layers = dense_layers((16, 16, 16, 16), "identity")
    config = Config(layers=layers, loss="sse", optimizer="sgd", learning_rate=10)
    assert measure_seconds(config, tiny, window=0.01, windows=2) == pytest.approx((0.003, 0.001))


def test_speed_and_time_left_come_from_the_images_so_far(clock, tiny):
    trainer = Trainer.from_config(Config(batch_size=100, epochs=2, validation_size=0), tiny)
    assert (trainer.samples_per_second, trainer.seconds_left) == (0, None)
    step = next(trainer)
    assert step.samples_per_second == trainer.samples_per_second == pytest.approx(1 / 0.003)
    assert (step.seconds, trainer.seconds_left) == pytest.approx((0.3, 11 * 0.3))


def test_a_loaded_training_measures_its_speed_anew(clock, tiny):
    paused = Trainer.from_config(Config(batch_size=100, epochs=2, validation_size=0), tiny)
    list(islice(paused, 3))
    file = BytesIO()
    save_training(file, paused)
    clock.training = 0.001  # another machine, three times as fast
    resumed = load_training(file, tiny)
    assert (resumed.samples_per_second, resumed.seconds_left) == (0, None)
    assert resumed.seconds == pytest.approx(0.9)  # all the time that the training took so far
    step = next(resumed)
    assert step.samples_per_second == pytest.approx(1 / 0.001)
    assert step.seconds == pytest.approx(0.9 + 0.1)
    assert resumed.seconds_left == pytest.approx(8 * 0.1)
    *_, end = resumed
    assert isinstance(end, Finished)
    assert end.samples_per_second == pytest.approx(1_000)
    np.testing.assert_allclose(resumed.history.column("samples_per_second"), 1_000)
