from dataclasses import FrozenInstanceError
from io import BytesIO
from threading import Event
from time import monotonic, sleep

import numpy as np
import pytest
from helpers import make_digits

from engine import jobs
from engine.checkpoint import load_training, save_training
from engine.checks import InklingError
from engine.config import Config
from engine.jobs import Job
from engine.layers import Dense
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.training import Diverged, Finished, Trainer

LONG = {"layers": dense_layers((16,)), "batch_size": 10, "epochs": 10_000, "validation_size": 100}
TEST = make_digits(200, 3)


@pytest.fixture
def make(tiny, monkeypatch):
    """Makes jobs that publish often, and stops what is left of them."""
    monkeypatch.setattr(jobs, "PUBLISH_EVERY", 0.01)
    made = []

    def make_job(*arguments, **changes):
        made.append(Job(Trainer.from_config(Config(**(LONG | changes)), tiny), *arguments))
        return made[-1]

    yield make_job
    for job in made:
        job.stop()
        assert job._state == "ready" or job.wait(5)


def until(condition, seconds=5):
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.005)


def test_a_job_is_ready_runs_and_finishes_with_its_test_result(make):
    job = make(TEST, epochs=2)
    trainer = job.trainer
    assert job.snapshot().state == "ready"
    assert (job.snapshot().step, job.snapshot().seconds_left) == (0, None)
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    assert end.state == "finished"
    assert end.over
    assert isinstance(end.end, Finished)
    assert (end.epoch, end.step, end.progress) == (2, 100, 1)
    assert [event.epoch for event in end.history] == [1, 2]
    assert end.error is None
    assert end.samples_per_second > 0
    expected = evaluate(end.network, TEST, trainer.loss)
    assert (end.test.accuracy, end.test.errors, end.test.images) == (expected.accuracy, expected.errors, 200)
    np.testing.assert_array_equal(end.network.values, trainer.network.values)
    assert job.trainer is None  # its arrays are many times the network
    assert job.snapshot() is end


def test_a_thread_makes_the_same_network_as_a_loop(make, tiny):
    job = make(epochs=1)
    job.start()
    job.wait(10)
    trainer = Trainer.from_config(Config(**(LONG | {"epochs": 1})), tiny)
    list(trainer)
    assert job.snapshot().network.parameters.tobytes() == trainer.network.parameters.tobytes()


def test_pause_stands_still_and_resume_goes_on(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.snapshot().state == "paused"
    sleep(0.1)  # the step under way may end
    held = job.snapshot()
    sleep(0.2)
    still = job.snapshot()
    assert still.step == held.step
    assert still.seconds == held.seconds
    assert not still.over
    assert not job.wait(0.01)
    np.testing.assert_array_equal(still.network.parameters, job.trainer.network.parameters)  # what a viewer sees is current
    job.resume()
    assert job.snapshot().state == "running"
    until(lambda: job.snapshot().step > held.step)


def test_a_job_starts_once(make):
    job = make()
    job.start()
    for _ in range(2):
        with pytest.raises(InklingError, match="once"):
            job.start()
        job.stop()
        job.wait(5)


def test_a_pause_before_the_start_is_kept(make):
    job = make()
    job.pause()
    job.start()
    assert job.snapshot().state == "paused"
    sleep(0.1)
    assert job.snapshot().step <= 1
    job.resume()
    until(lambda: job.snapshot().step > 5)


def test_a_viewer_sees_the_average_where_one_is_kept(make):
    job = make(TEST, epochs=1, averaging=0.9)
    trainer = job.trainer
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    np.testing.assert_array_equal(end.network.values, trainer.average.values)
    assert (trainer.average.values != trainer.network.values).any()
    assert end.test.accuracy == evaluate(trainer.average, TEST, trainer.loss).accuracy


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_it_and_keeps_the_network(make, paused):
    job = make(TEST)
    trainer = job.trainer
    job.start()
    until(lambda: job.snapshot().step > 20)
    if paused:
        job.pause()
    job.stop()
    assert job.wait(5)
    end = job.snapshot()
    assert (end.state, end.over, end.end) == ("stopped", True, None)
    assert 0 < end.progress < 1
    assert end.test.images == 200
    np.testing.assert_array_equal(end.network.values, trainer.network.values)


def test_while_it_is_tested_it_says_so_and_takes_no_other_step(make, monkeypatch):
    begun, may_end = Event(), Event()

    def slow(*arguments):
        begun.set()
        assert may_end.wait(10)
        return evaluate(*arguments)

    monkeypatch.setattr(jobs, "evaluate", slow)
    job = make(TEST, epochs=1)
    job.start()
    assert begun.wait(10)
    for ask in (job.step, job.step_epoch, job.pause, job.resume, job.stop):
        ask()
        now = job.snapshot()
        assert (now.state, now.over, now.step, now.test) == ("testing", False, 50, None)
    assert not job.settle(0)
    may_end.set()
    assert job.wait(10)
    assert job.snapshot().state == "finished"
    assert job.snapshot().test.images == 200


def test_what_is_over_stays_over(make):
    job = make()
    job.start()
    job.stop()
    job.wait(5)
    for action in (job.pause, job.resume, job.stop):
        action()
        assert job.snapshot().state == "stopped"


def test_divergence_is_a_state_with_a_finite_network(make):
    layers = (Dense(30), Dense(30), Dense(30), Dense(10))
    job = make(TEST, layers=layers, loss="mse", optimizer="sgd", learning_rate=10)
    job.start()
    assert job.wait(10)
    end = job.snapshot()
    assert end.state == "diverged"
    assert isinstance(end.end, Diverged)
    assert np.isfinite(end.network.parameters).all()
    assert end.test is not None
    assert any(found.verdict.startswith("exploding") for found in end.health)  # seen before it was over


def test_snapshots_never_change(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().history)
    early = job.snapshot()
    held = early.step, len(early.history), early.curve.copy(), early.network.parameters.copy()
    until(lambda: job.snapshot().step > early.step + 200)
    assert (early.step, len(early.history)) == held[:2]
    np.testing.assert_array_equal(early.curve, held[2])
    np.testing.assert_array_equal(early.network.parameters, held[3])
    with pytest.raises(FrozenInstanceError):
        early.step = 0


def test_a_viewers_network_is_none_that_is_being_trained(make):
    job = make()
    job.start()
    for _ in range(20):
        network = job.snapshot().network
        assert not np.shares_memory(network.parameters, job.trainer.network.parameters)
        first = network.predict_proba(TEST.images[:20])
        sleep(0.005)
        np.testing.assert_array_equal(network.predict_proba(TEST.images[:20]), first)
    until(lambda: (job.snapshot().network.parameters != network.parameters).any())


def test_the_curve_and_the_time_left_move(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().step > 30)
    now = job.snapshot()
    steps, epochs, _, accuracies = now.curve.T
    assert len(now.curve) > 1
    assert steps[0] >= 1
    assert steps[-1] <= now.step + 1
    np.testing.assert_allclose(epochs, steps / 50)  # 500 images in batches of 10
    assert accuracies.min() >= 0
    assert accuracies.max() <= 1
    assert np.isfinite(now.curve).all()
    assert now.seconds_left > 0


@pytest.mark.parametrize("paused", [False, True])
def test_what_nobody_watches_stops_after_the_grace(make, monkeypatch, paused):
    monkeypatch.setattr(jobs, "ASK_EVERY", 0.02)
    monkeypatch.setattr(jobs, "GRACE", 0.15)
    watched, seen = True, []

    def is_watched():
        if watched:
            seen.append(monotonic())
        return watched

    job = make(None, is_watched)
    job.start()
    if paused:
        job.pause()
    sleep(0.3)
    assert not job.snapshot().over  # as long as someone watches, it lives longer than the grace
    watched = False
    assert job.wait(5)
    assert monotonic() - seen[-1] >= 0.1
    assert job.snapshot().state == "stopped"


def test_a_watcher_who_returns_in_time_finds_it_running(make, monkeypatch):
    monkeypatch.setattr(jobs, "ASK_EVERY", 0.02)
    monkeypatch.setattr(jobs, "GRACE", 2.0)
    watched = False
    job = make(None, lambda: watched)
    job.start()
    sleep(0.1)
    watched = True
    sleep(0.1)
    assert job.snapshot().state == "running"


def test_a_fault_inside_becomes_the_state_failed(make, monkeypatch):
    job = make(TEST)
    monkeypatch.setattr(job.trainer, "loss", lambda *_: 1 / 0)
    job.start()
    assert job.wait(5)
    end = job.snapshot()
    assert end.state == "failed"
    assert end.over
    assert "ZeroDivisionError" in end.error
    assert end.test is None


# --- the laboratory: stepping, changing, following, writing down ---

IMAGE = TEST.images[7] / np.float32(255)


def test_a_step_is_exactly_one_batch_then_a_pause(make):
    job = make(TEST)
    for count in range(1, 4):  # the first one starts it
        job.step()
        assert job.settle(5)
        now = job.snapshot()
        assert (now.state, now.step) == ("paused", count)
        np.testing.assert_array_equal(now.network.values, job.trainer.network.values)
    sleep(0.1)
    assert job.snapshot().step == 3


def test_steps_that_are_asked_for_at_once_are_all_taken(make):
    job = make()
    for _ in range(60):  # over the end of an epoch of 50
        job.step()
    assert job.snapshot().state == "running"
    assert job.settle(5)
    assert (job.snapshot().state, job.snapshot().step, len(job.snapshot().history)) == ("paused", 60, 1)


def test_stepping_makes_the_same_network_as_running(make, tiny):
    job = make(epochs=2, batch_size=100)
    job.start(paused=True)
    assert job.settle(5)
    assert job.snapshot().step == 0
    while not job.snapshot().over:
        job.step()
        assert job.settle(5)
    assert job.wait(5)
    trainer = Trainer.from_config(Config(**(LONG | {"epochs": 2, "batch_size": 100})), tiny)
    list(trainer)
    end = job.snapshot()
    assert (end.state, end.step, end.progress) == ("finished", 10, 1)
    assert end.network.values.tobytes() == trainer.network.values.tobytes()


def test_an_epoch_is_stepped_to_its_end_with_its_measurement(make):
    job = make(epochs=3)
    for epoch in (1, 2):
        job.step_epoch()
        assert job.settle(5)
        now = job.snapshot()
        assert (now.state, now.step, [end.epoch for end in now.history]) == ("paused", 50 * epoch, list(range(1, epoch + 1)))
    job.step()
    job.step_epoch()  # of the third, which is under way; nothing is left then, so it is finished
    assert job.wait(5)
    assert (job.snapshot().state, job.snapshot().step) == ("finished", 150)


def test_two_asks_for_the_same_epoch_are_one(make):
    job = make(batch_size=2)
    job.step_epoch()
    job.step_epoch()
    assert job.settle(5)
    assert [end.epoch for end in job.snapshot().history] == [1]


@pytest.mark.parametrize("action", ["step", "step_epoch"])
def test_stepping_a_running_training_ends_in_a_pause(make, action):
    job = make()
    job.start()
    until(lambda: job.snapshot().step > 5)
    before = job.snapshot()
    getattr(job, action)()
    assert job.settle(5)
    after = job.snapshot()
    assert after.state == "paused"
    if action == "step":
        assert after.step > before.step
    else:  # at an epoch's last step, its measurement alone may be left
        assert len(after.history) > len(before.history)
        assert after.step % 50 == 0
    job.resume()
    until(lambda: job.snapshot().step > after.step + 5)


def test_a_pause_ends_the_stepping_of_an_epoch(make):
    job = make(batch_size=1)
    job.step_epoch()
    until(lambda: job.snapshot().step > 5)
    job.pause()
    assert job.settle(5)
    assert job.snapshot().step < 500
    assert not job.snapshot().history


def test_stepping_what_is_over_or_diverging_ends_well(make):
    layers = (Dense(30), Dense(30), Dense(30), Dense(10))
    job = make(TEST, layers=layers, loss="mse", optimizer="sgd", learning_rate=10)
    for _ in range(100):
        job.step()
    assert job.wait(10)
    assert job.snapshot().state == "diverged"
    job.step()
    job.step_epoch()
    assert job.settle(1)
    assert job.snapshot().state == "diverged"


def test_settling_says_when_it_still_runs(make):
    job = make()
    job.start()
    assert not job.settle(0.05)
    job.stop()
    assert job.settle(5)
    assert job.snapshot().over


def test_changes_are_in_force_from_the_next_step_as_in_a_loop(make, tiny):
    job = make(epochs=1)
    for _ in range(3):
        job.step()
    assert job.settle(5)
    job.change(learning_rate=0.01, batch_size=20, momentum=0.9)  # the momentum is as it was
    now = job.snapshot()
    assert now.changes == ((3, 30 / 500, {"learning_rate": 0.01, "batch_size": 20}),)
    assert (now.config.learning_rate, now.config.batch_size) == (0.01, 20)
    job.resume()
    assert job.wait(5)
    trainer = Trainer.from_config(Config(**(LONG | {"epochs": 1})), tiny)
    for _ in range(3):
        next(trainer)
    trainer.change(learning_rate=0.01, batch_size=20)
    list(trainer)
    assert job.snapshot().network.values.tobytes() == trainer.network.values.tobytes()
    assert job.snapshot().changes == now.changes


def test_a_running_training_can_be_changed(make):
    job = make()
    job.start()
    until(lambda: job.snapshot().step > 5)
    asked = job.snapshot().step
    job.change(learning_rate=0.5)
    job.change(weight_decay=0.1)
    assert job.takes_changes(5)
    assert job.snapshot().config.weight_decay == 0.1
    now = job.snapshot()
    assert now.config.learning_rate == 0.5
    assert now.changes[0].step >= asked
    assert now.changes[0].epoch == pytest.approx(now.changes[0].step / 50)


@pytest.mark.parametrize("values", [{"learning_rate": -1}, {"epochs": 3}, {"batch_size": 0.5}, {"no_such": 1}], ids=str)
@pytest.mark.parametrize("running", [False, True])
def test_changes_that_cannot_be_are_refused_at_once(make, values, running):
    job = make()
    if running:
        job.start()
        until(lambda: job.snapshot().step > 5)
    with pytest.raises(InklingError, match=next(iter(values))):
        job.change(**values)
    assert job.snapshot().changes == ()


def test_a_training_that_is_over_can_neither_be_changed_nor_written_down(make):
    job = make()
    job.start()
    job.stop()
    job.wait(5)
    with pytest.raises(InklingError, match="over: it is stopped"):
        job.change(learning_rate=0.1)
    with pytest.raises(InklingError, match="only a paused training"):
        job.paused_training()
    job.follow(IMAGE)


def test_a_drawing_is_followed_through_the_training(make):
    job = make()
    job.follow(IMAGE)
    assert job.snapshot().followed.shape == (1, 12)  # as it is read before the first step
    job.start()
    until(lambda: len(job.snapshot().followed) > 5)
    job.pause()
    assert job.settle(5)
    now = job.snapshot()
    steps, epochs = now.followed.T[:2]
    assert steps[:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(epochs, steps / 50)
    np.testing.assert_allclose(now.followed[:, 2:].sum(axis=1), 1, atol=1e-5)
    assert (np.diff(steps) > 0).all()
    held = now.followed.copy()
    other = TEST.images[8] / np.float32(255)
    job.follow(other)
    for _ in range(3):  # a page asks again whenever it is drawn
        job.follow(other)
    (row,) = job.snapshot().followed
    np.testing.assert_allclose(row[2:], job.snapshot().network.predict_proba(other[None])[0], atol=1e-6)
    job.follow(None)
    assert job.snapshot().followed.shape == (0, 12)
    np.testing.assert_array_equal(now.followed, held)


def test_snapshots_have_what_a_laboratory_shows(make):
    job = make(TEST, epochs=60, batch_size=100)
    before = job.snapshot()
    assert (before.health, before.changes, before.confusions) == ((), (), ())
    np.testing.assert_allclose(before.digits.probabilities, before.network.predict_proba(before.digits.images), atol=1e-6)
    job.step()
    assert job.settle(30)
    first = job.snapshot()
    assert [found.position for found in first.health] == [0, 2]
    assert all(found.gradient_norm > 0 and found.update_ratio > 0 for found in first.health)
    np.testing.assert_allclose(first.digits.probabilities, first.network.predict_proba(first.digits.images), atol=1e-6)
    job.resume()
    assert job.wait(60)
    end = job.snapshot()
    assert (end.confusions[0][0], end.confusions[-1][0]) == (1, 60)
    assert len(end.confusions) <= 50
    for epoch, confusion in end.confusions:
        assert np.trace(confusion) / confusion.sum() == pytest.approx(end.history[epoch - 1].validation_accuracy)
    np.testing.assert_allclose(end.test.probabilities, end.network.predict_proba(TEST.images), atol=1e-6)
    np.testing.assert_allclose(end.digits.probabilities, end.network.predict_proba(end.digits.images), atol=1e-6)


def test_being_watched_changes_no_bit(make, tiny):
    job = make(TEST, epochs=3, optimizer="nesterov", weight_decay=0.01, averaging=0.9)
    job.follow(IMAGE)
    job.start()
    while not job.wait(0.001):
        job.snapshot()
    trainer = Trainer.from_config(job.snapshot().config, tiny)
    list(trainer)
    assert job.snapshot().network.values.tobytes() == trainer.result.values.tobytes()


def test_a_paused_training_goes_on_elsewhere_bit_for_bit(make, tiny):
    job = make(TEST, epochs=3, averaging=0.9)
    job.follow(IMAGE)
    for _ in range(60):
        job.step()
    assert job.settle(5)
    job.change(learning_rate=0.005)
    again = Job(load_training(BytesIO(job.paused_training()), tiny), TEST)
    again.start(paused=True)
    assert again.settle(5)
    paused, restored = job.snapshot(), again.snapshot()
    assert (restored.state, restored.step, restored.epoch) == ("paused", 60, 2)
    assert (restored.changes, restored.history, restored.config) == (paused.changes, paused.history, paused.config)
    np.testing.assert_array_equal(restored.curve, paused.curve)
    np.testing.assert_array_equal(restored.network.values, paused.network.values)
    for each in (job, again):
        each.resume()
        assert each.wait(10)
    assert job.snapshot().network.values.tobytes() == again.snapshot().network.values.tobytes()
    np.testing.assert_array_equal(job.snapshot().curve, again.snapshot().curve)


def test_a_training_that_has_not_begun_can_be_written_down(make, tiny):
    job = make()
    assert load_training(BytesIO(job.paused_training()), tiny).step == 0


def test_a_training_that_was_over_when_it_was_written_down_is_finished(make, tiny):
    trainer = Trainer.from_config(Config(**(LONG | {"epochs": 1})), tiny)
    list(trainer)
    file = BytesIO()
    save_training(file, trainer)
    job = Job(load_training(file, tiny), TEST)
    job.start(paused=True)
    assert job.wait(5)
    assert (job.snapshot().state, job.snapshot().progress) == ("finished", 1)
    assert job.snapshot().test.images == 200


def test_only_what_stands_still_is_written_down(make):
    job = make()
    job.start()
    with pytest.raises(InklingError, match="running: pause it first"):
        job.paused_training()
    job.pause()
    assert job.paused_training()[:2] == b"PK"  # waits for the step under way


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_moves_while_a_training_is_written_down(make, tiny, monkeypatch, begun):
    job = make()
    if begun:
        job.start(paused=True)

    def slow_save(file, trainer):
        (job.resume if begun else job.start)()
        job.change(learning_rate=0.5)
        sleep(0.1)
        assert trainer.step == 0
        assert trainer.changes == []
        save_training(file, trainer)

    monkeypatch.setattr(jobs, "save_training", slow_save)
    assert load_training(BytesIO(job.paused_training()), tiny).step == 0
    until(lambda: job.snapshot().step > 0)
    assert job.snapshot().changes[0][::2] == (0, {"learning_rate": 0.5})
