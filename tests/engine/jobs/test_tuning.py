"""Fine-tuning in a process of its own."""

import gc
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import make_digits

from engine import InklingError, Network
from engine.data.collection import Collection, LabelledDrawing
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings, Measured
from engine.jobs import Tuning
from engine.jobs import tuning as tuning_module
from engine.layers import Dense

WAIT = 60  # seconds after which a short fine-tuning hangs
OLD, TEST = make_digits(300, 1), make_digits(100, 2)


def drawings(count=120):
    digits = make_digits(count, 3)
    return Collection(tuple(LabelledDrawing(int(digits.labels[k]), digits.images[k]) for k in range(count)))


def network():
    return Network([Dense(10)], (784,), rng=np.random.default_rng(0))


def finished(tuning):
    deadline = time.monotonic() + WAIT
    while tuning.update():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return tuning


def test_it_does_in_a_process_what_the_iterator_does_here():
    settings = FineTuningSettings(steps=16, held_back=50, seed=3)
    start = network()
    tuning = finished(Tuning(start, drawings(), settings, OLD, TEST, "a dense network"))
    here = FineTuning(start, drawings(), settings, OLD, TEST, "a dense network")
    *_, end = here
    assert tuning.error == ""
    assert isinstance(tuning.end, FineTuned)
    assert tuning.end._replace(seconds=0) == end._replace(seconds=0)
    assert [event._replace(seconds=0) for event in tuning.measurements] == [
        event._replace(seconds=0) for event in here.measurements
    ]
    assert all(isinstance(event, Measured) for event in tuning.measurements)
    assert (tuning.network.state_vector == here.network.state_vector).all()
    assert tuning.network.info["fine_tuned"]["from"] == "a dense network"
    assert (len(tuning.trained_on), len(tuning.held_back)) == (60, 60)
    assert tuning.progress == 1


def test_it_can_be_stopped_and_ends_with_its_object():
    settings = FineTuningSettings(steps=10_000)
    tuning = Tuning(network(), drawings(), settings, OLD, TEST)
    process = tuning.stop.peek()[2][0]
    tuning.stop()
    assert tuning.is_over
    assert not tuning.update()
    process.join(WAIT)
    tuning = Tuning(network(), drawings(), settings, OLD, TEST)
    process = tuning.stop.peek()[2][0]
    del tuning
    gc.collect()
    process.join(WAIT)
    assert process.exitcode is not None


def test_what_goes_wrong_is_said_in_a_line(monkeypatch):
    with pytest.raises(InklingError, match="at least one drawing"):
        Tuning(network(), Collection(), FineTuningSettings(), OLD, TEST)
    tuning = Tuning(network(), drawings(), FineTuningSettings(steps=10_000), OLD, TEST)
    monkeypatch.setattr(tuning_module, "default_pool", lambda: SimpleNamespace(size=1))
    with pytest.raises(InklingError, match="try again in half a minute"):
        Tuning(network(), drawings(), FineTuningSettings(), OLD, TEST)
    os.kill(tuning.stop.peek()[2][0].pid, signal.SIGKILL)
    finished(tuning)
    assert tuning.error == tuning_module.ENDED
    assert finished(Tuning(network(), drawings(), FineTuningSettings(steps=4), OLD, TEST)).end


def test_a_machine_without_room_for_a_process_is_one_line(monkeypatch):
    def fail(_):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr("multiprocessing.context.ForkServerProcess.start", fail)
    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", fail)
    with pytest.raises(InklingError, match="try again"):
        Tuning(network(), drawings(), FineTuningSettings(rehearsal=0, steps=1), OLD, TEST)
