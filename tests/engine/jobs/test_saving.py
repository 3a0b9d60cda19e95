"""A job that is saved while it is paused, and goes on in another."""

from io import BytesIO

import numpy as np
import pytest
from helpers import make_digits

from engine.checkpoint import load_training, save_training
from engine.checks import InklingError
from engine.jobs import JobState, Saved
from engine.jobs.snapshot import Snapshot

TEST = make_digits(200, 3)
IMAGE = TEST.images[7] / np.float32(255)


@pytest.fixture
def load(tiny):
    return lambda content: load_training(BytesIO(content), tiny)


def test_a_paused_training_continues_in_another_job_bit_for_bit(make_job, train_alone):
    settings = {"epochs": 3, "ema_decay": 0.9}
    job = make_job(TEST, **settings)
    job.follow(IMAGE)
    for _ in range(60):
        job.step()
    assert job.wait_until_still(30)
    job.change(learning_rate=0.005)
    assert job.paused_training() == job.saved.training
    again = make_job(TEST, saved=job.saved, **settings)
    again.follow(IMAGE)
    paused, restored = job.snapshot(), again.snapshot()
    assert (restored.state, restored.step, restored.epoch) == (JobState.PAUSED, 60, 2)
    assert (restored.changes, restored.history, restored.config) == (paused.changes, paused.history, paused.config)
    assert (restored.health, len(restored.confusions)) == (paused.health, 1)
    np.testing.assert_array_equal(restored.curve, paused.curve)
    np.testing.assert_array_equal(restored.network.state_vector, paused.network.state_vector)
    for each in (job, again):
        each.resume()
        assert each.wait_until_over(30)
    alone = train_alone(changes=[(60, {"learning_rate": 0.005})], **settings)
    for end in (job.snapshot(), again.snapshot()):
        assert end.network.state_vector.tobytes() == alone.result.state_vector.tobytes()
        assert [event.epoch for event in end.history] == [1, 2, 3]
        assert [epoch for epoch, _ in end.confusions] == [1, 2, 3]
        np.testing.assert_array_equal(end.curve, alone.curve.points())


def test_saving_gives_the_training_as_it_is_now_each_time(make_job, load):
    """The report that comes just before the checkpoint must not be taken for it."""
    job = make_job()
    for step in range(1, 31):
        job.step()
        assert job.wait_until_still(30)
        assert load(job.paused_training()).step == step


def test_a_training_that_has_not_begun_can_be_saved(make_job, load):
    job = make_job()
    assert load(job.paused_training()).step == 0
    job.change(learning_rate=0.5)
    trainer = load(job.paused_training())
    assert (trainer.config.learning_rate, trainer.step) == (0.5, 0)
    assert job.snapshot().state is JobState.READY


def test_a_change_without_a_worker_is_saved_and_still_recorded_once(make_job, load):
    first = make_job()
    first.step()
    assert first.wait_until_still(30)
    first.paused_training()
    job = make_job(saved=first.saved)
    job.change(learning_rate=0.5)
    for _ in range(2):
        trainer = load(job.paused_training())
        assert [tuple(change) for change in trainer.changes] == [(1, 0.02, {"learning_rate": 0.5})]
        assert job.snapshot().state is JobState.PAUSED
    job.step()
    assert job.wait_until_still(30)
    assert [tuple(change) for change in job.snapshot().changes] == [(1, 0.02, {"learning_rate": 0.5})]


def test_a_training_that_was_over_when_it_was_saved_is_finished(make_job, train_alone):
    trainer = train_alone(epochs=1)
    file = BytesIO()
    save_training(file, trainer)
    snapshot = Snapshot.before_start(trainer.config, trainer.network)
    job = make_job(TEST, saved=Saved(file.getvalue(), snapshot), epochs=1)
    job.step()
    assert job.wait_until_over(30)
    assert (job.snapshot().state, job.snapshot().progress) == (JobState.FINISHED, 1)
    assert job.snapshot().test.images == 200


def test_only_a_paused_training_is_saved(make_job, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 0)
    with pytest.raises(InklingError, match="running: pause it first"):
        job.paused_training()
    job.pause()
    assert job.paused_training()[:2] == b"PK"  # waits for the step under way


def test_a_pause_is_saved_by_itself(make_job, until, load):
    job = make_job()
    for _ in range(3):
        job.step()
    until(lambda: job.saved)
    assert (load(job.saved.training).step, job.saved.snapshot.step, job.saved.snapshot.state) == (3, 3, JobState.PAUSED)


def test_an_image_that_is_followed_after_the_saving_has_a_curve_of_its_own(make_job):
    first = make_job()
    first.follow(IMAGE)
    first.step()
    assert first.wait_until_still(30)
    first.paused_training()
    assert len(first.saved.snapshot.followed) == 2
    job = make_job(saved=first.saved)
    job.follow(1 - IMAGE)
    assert len(job.snapshot().followed) == 0
    job.step()
    assert job.wait_until_still(30)
    now = job.snapshot()
    assert now.followed[:, 0].tolist() == [1, 2]
    np.testing.assert_allclose(now.followed[-1, 2:], now.network.predict_proba(1 - IMAGE[None])[0], atol=1e-6)
