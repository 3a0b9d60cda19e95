"""Fine-tuning, and leaving one writer out, in worker processes: in the queue beside trainings."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits

from engine import InklingError, Network
from engine.data.collection import Collection, LabelledDrawing
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings, Measured
from engine.jobs import LeavingOut, Pool, Tuning
from engine.jobs import iteration as iteration_module
from engine.jobs import pool as pool_module
from engine.layers import Dense
from engine.leave_one_writer_out import WriterTested, leave_one_writer_out
from engine.network import dense_layers

WAIT = 60  # seconds after which a short fine-tuning hangs
OLD, TEST = make_digits(300, 1), make_digits(100, 2)


@pytest.fixture
def pool():
    pool = Pool(size=1)
    yield pool
    pool.close()


def drawings(count=120):
    digits = make_digits(count, 3)
    return Collection(tuple(LabelledDrawing(int(digits.labels[k]), digits.images[k]) for k in range(count)))


def network():
    return Network([Dense(10)], (784,), rng=np.random.default_rng(0))


def finished(tuning):
    deadline = time.monotonic() + WAIT
    while not tuning.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return tuning


def test_it_does_in_a_process_what_the_iterator_does_here(pool):
    settings = FineTuningSettings(steps=16, held_back=50, seed=3)
    start = network()
    tuning = finished(Tuning(start, drawings(), settings, OLD, TEST, "a dense network", pool))
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


def test_it_can_be_stopped_and_frees_its_worker(pool):
    settings = FineTuningSettings(steps=10_000)
    first = Tuning(network(), drawings(), settings, OLD, TEST, pool=pool)
    second = Tuning(network(), drawings(), replace(settings, steps=4), OLD, TEST, pool=pool)
    wait_until(lambda: first.measurements)
    assert pool.counts() == (1, 1)
    first.stop()
    assert first.is_over
    assert first.end is None
    assert finished(second).end
    assert pool.counts() == (0, 0)


def wait_until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_visitors_take_turns_and_a_visitor_has_a_few_at_a_time(pool):
    many, few = FineTuningSettings(steps=10_000), FineTuningSettings(steps=4)
    first = Tuning(network(), drawings(), many, OLD, TEST, pool=pool, visitor="a")
    wait_until(lambda: first.worker)
    of_a = Tuning(network(), drawings(), few, OLD, TEST, pool=pool, visitor="a")
    with pytest.raises(InklingError, match="2 trainings at a time"):
        Tuning(network(), drawings(), few, OLD, TEST, pool=pool, visitor="a")
    of_b = [Tuning(network(), drawings(), few, OLD, TEST, pool=pool, visitor="b") for _ in range(2)]
    assert [work.place.position for work in (of_a, *of_b)] == [1, 2, 3]
    first.stop()
    assert all(finished(work).end for work in (of_a, *of_b))


def test_what_goes_wrong_is_said_in_a_line(pool):
    with pytest.raises(InklingError, match="at least one drawing"):
        Tuning(network(), Collection(), FineTuningSettings(), OLD, TEST, pool=pool)
    with pytest.raises(InklingError, match="MB of memory"):
        Tuning(network(), drawings(), FineTuningSettings(), OLD, TEST, pool=Pool(size=1, memory=1e6))
    tuning = Tuning(network(), drawings(), FineTuningSettings(steps=10_000), OLD, TEST, pool=pool)
    wait_until(lambda: tuning.measurements)
    os.kill(tuning.worker.process.pid, signal.SIGKILL)
    assert finished(tuning).error == iteration_module.ENDED
    assert finished(Tuning(network(), drawings(), FineTuningSettings(steps=4), OLD, TEST, pool=pool)).end


def test_it_stops_when_nobody_watches():
    pool = Pool(size=1, unattended_seconds=0.1)
    tuning = Tuning(network(), drawings(), FineTuningSettings(steps=10_000), OLD, TEST, pool=pool, is_watched=lambda: False)
    assert finished(tuning).error == iteration_module.UNATTENDED
    pool.close()


def test_the_end_of_the_server_ends_it(pool):
    tuning = Tuning(network(), drawings(), FineTuningSettings(steps=10_000), OLD, TEST, pool=pool)
    wait_until(lambda: tuning.measurements)
    pool.close()
    assert tuning.is_over


def class_drawings():
    digits = drawings(90)
    writers = ("ada", "ben", "eve")
    return Collection(tuple(replace(drawing, writer=writers[k % 3]) for k, drawing in enumerate(digits)))


def test_each_writer_is_left_out_in_a_worker(pool):
    settings = FineTuningSettings(steps=6, learning_rate=0.01)
    start = network()
    work = finished(LeavingOut(start, class_drawings(), ["eve", "ada"], settings, OLD, pool=pool))
    here = leave_one_writer_out(start, class_drawings(), settings, OLD, ["eve", "ada"])
    assert [*work.tested] == [event for event in here if isinstance(event, WriterTested)]
    assert [result.writer for result in work.tested] == ["eve", "ada"]
    assert (work.progress, work.writer, work.error) == (1, "", "")
    with pytest.raises(InklingError, match="two writers"):
        LeavingOut(start, drawings(), [""], settings, OLD, pool=pool)
    with pytest.raises(InklingError, match="got none"):
        LeavingOut(start, class_drawings(), [], settings, OLD, pool=pool)


def test_leaving_out_makes_room_after_a_turn_and_goes_on_with_the_others(pool, monkeypatch):
    settings = FineTuningSettings(steps=150)
    work = LeavingOut(network(), class_drawings(), ["ada", "ben", "eve"], settings, OLD, pool=pool, visitor="a")
    wait_until(lambda: work.tested)
    monkeypatch.setattr(pool_module, "TURN_SECONDS", 0.0)
    other = Tuning(network(), drawings(), FineTuningSettings(steps=4), OLD, TEST, pool=pool, visitor="b")
    assert finished(other).end
    assert finished(work).error == ""
    assert [result.writer for result in work.tested] == ["ada", "ben", "eve"]


def test_writers_without_whom_the_network_does_not_learn_are_named(pool):
    huge = Network(dense_layers((32,)), rng=np.random.default_rng(0))
    huge.parameters *= 1e20
    work = finished(LeavingOut(huge, class_drawings(), ["ada", "ben"], FineTuningSettings(steps=4), OLD, pool=pool))
    assert work.tested == ()
    assert work.diverged == ("ada", "ben")
