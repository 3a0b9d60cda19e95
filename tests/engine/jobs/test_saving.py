"""A job that is saved while it is paused."""

from io import BytesIO
from time import sleep

import numpy as np
import pytest
from helpers import make_digits

from engine.checkpoint import load_training, save_training
from engine.checks import InklingError
from engine.jobs import Job, JobState
from engine.jobs import job as job_module

TEST = make_digits(200, 3)
IMAGE = TEST.images[7] / np.float32(255)


def test_a_training_that_is_over_can_neither_be_changed_nor_saved(make_job):
    job = make_job()
    job.start()
    job.stop()
    job.wait_until_over(30)
    with pytest.raises(InklingError, match="over: it is stopped"):
        job.change(learning_rate=0.1)
    with pytest.raises(InklingError, match="only a paused training"):
        job.paused_training()
    job.follow(IMAGE)


def test_a_paused_training_continues_in_another_job_bit_for_bit(make_job, tiny):
    job = make_job(TEST, epochs=3, ema_decay=0.9)
    job.follow(IMAGE)
    for _ in range(60):
        job.step()
    assert job.wait_until_still(30)
    job.change(learning_rate=0.005)
    again = Job(load_training(BytesIO(job.paused_training()), tiny), TEST)
    again.start(paused=True)
    assert again.wait_until_still(30)
    paused, restored = job.snapshot(), again.snapshot()
    assert (restored.state, restored.step, restored.epoch) == (JobState.PAUSED, 60, 2)
    assert (restored.changes, restored.history, restored.config) == (paused.changes, paused.history, paused.config)
    np.testing.assert_array_equal(restored.curve, paused.curve)
    np.testing.assert_array_equal(restored.network.state_vector, paused.network.state_vector)
    for each in (job, again):
        each.resume()
        assert each.wait_until_over(30)
    assert job.snapshot().network.state_vector.tobytes() == again.snapshot().network.state_vector.tobytes()
    np.testing.assert_array_equal(job.snapshot().curve, again.snapshot().curve)


def test_a_training_that_has_not_begun_can_be_saved(make_job, tiny):
    job = make_job()
    assert load_training(BytesIO(job.paused_training()), tiny).step == 0


def test_a_training_that_was_over_when_it_was_saved_is_finished(make_job, tiny, make_trainer):
    trainer = make_trainer(epochs=1)
    list(trainer)
    file = BytesIO()
    save_training(file, trainer)
    job = Job(load_training(file, tiny), TEST)
    job.start(paused=True)
    assert job.wait_until_over(30)
    assert (job.snapshot().state, job.snapshot().progress) == (JobState.FINISHED, 1)
    assert job.snapshot().test.images == 200


def test_only_a_paused_training_is_saved(make_job):
    job = make_job()
    job.start()
    with pytest.raises(InklingError, match="running: pause it first"):
        job.paused_training()
    job.pause()
    assert job.paused_training()[:2] == b"PK"  # waits for the step under way


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_moves_while_a_training_is_saved(make_job, tiny, monkeypatch, begun, until):
    job = make_job()
    if begun:
        job.start(paused=True)

    def slow_save(file, trainer):
        (job.resume if begun else job.start)()
        job.change(learning_rate=0.5)
        sleep(0.1)
        assert trainer.step == 0
        assert trainer.changes == []
        save_training(file, trainer)

    monkeypatch.setattr(job_module, "save_training", slow_save)
    assert load_training(BytesIO(job.paused_training()), tiny).step == 0
    until(lambda: job.snapshot().step > 0)
    assert job.snapshot().changes[0][::2] == (0, {"learning_rate": 0.5})
