"""A job that is changed, followed and watched while it runs."""

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.training import Trainer

TEST = make_digits(200, 3)
IMAGE = TEST.images[7] / np.float32(255)


def test_changes_are_in_force_from_the_next_step_as_in_a_loop(make_job, make_trainer):
    job = make_job(epochs=1)
    for _ in range(3):
        job.step()
    assert job.wait_until_still(30)
    job.change(learning_rate=0.01, batch_size=20, momentum=0.9)  # the same momentum as before
    now = job.snapshot()
    assert now.changes == ((3, 30 / 500, {"learning_rate": 0.01, "batch_size": 20}),)
    assert (now.config.learning_rate, now.config.batch_size) == (0.01, 20)
    job.resume()
    assert job.wait_until_over(30)
    trainer = make_trainer(epochs=1)
    for _ in range(3):
        next(trainer)
    trainer.change(learning_rate=0.01, batch_size=20)
    list(trainer)
    assert job.snapshot().network.state_vector.tobytes() == trainer.network.state_vector.tobytes()
    assert job.snapshot().changes == now.changes


def test_a_running_training_can_be_changed(make_job, until):
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 5)
    asked = job.snapshot().step
    job.change(learning_rate=0.5)
    job.change(weight_decay=0.1)
    assert job.wait_for_changes(30)
    assert job.snapshot().config.weight_decay == 0.1
    now = job.snapshot()
    assert now.config.learning_rate == 0.5
    assert now.changes[0].step >= asked
    assert now.changes[0].epoch == pytest.approx(now.changes[0].step / 50)


@pytest.mark.parametrize("values", [{"learning_rate": -1}, {"epochs": 3}, {"batch_size": 0.5}, {"no_such": 1}], ids=str)
@pytest.mark.parametrize("running", [False, True])
def test_impossible_changes_are_refused_at_once(make_job, values, running, until):
    job = make_job()
    if running:
        job.start()
        until(lambda: job.snapshot().step > 5)
    with pytest.raises(InklingError, match=next(iter(values))):
        job.change(**values)
    assert job.snapshot().changes == ()


def test_a_drawing_is_followed_through_the_training(make_job, until):
    job = make_job()
    job.follow(IMAGE)
    assert job.snapshot().followed.shape == (1, 12)  # predicted before the first step
    job.start()
    until(lambda: len(job.snapshot().followed) > 5)
    job.pause()
    assert job.wait_until_still(30)
    now = job.snapshot()
    steps, epochs = now.followed.T[:2]
    assert steps[:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(epochs, steps / 50)
    np.testing.assert_allclose(now.followed[:, 2:].sum(axis=1), 1, atol=1e-5)
    assert (np.diff(steps) > 0).all()
    earlier = now.followed.copy()
    other = TEST.images[8] / np.float32(255)
    job.follow(other)
    for _ in range(3):  # the page repeats the request whenever it is drawn
        job.follow(other)
    (row,) = job.snapshot().followed
    np.testing.assert_allclose(row[2:], job.snapshot().network.predict_proba(other[None])[0], atol=1e-6)
    job.follow(None)
    assert job.snapshot().followed.shape == (0, 12)
    np.testing.assert_array_equal(now.followed, earlier)


def test_snapshots_have_health_samples_and_confusions(make_job):
    job = make_job(TEST, epochs=60, batch_size=100)
    before = job.snapshot()
    assert (before.health, before.changes, before.confusions) == ((), (), ())
    np.testing.assert_allclose(before.samples.probabilities, before.network.predict_proba(before.samples.images), atol=1e-6)
    job.step()
    assert job.wait_until_still(30)
    first = job.snapshot()
    assert [layer.position for layer in first.health] == [0, 2]
    assert all(layer.gradient_norm > 0 and layer.update_ratio > 0 for layer in first.health)
    np.testing.assert_allclose(first.samples.probabilities, first.network.predict_proba(first.samples.images), atol=1e-6)
    job.resume()
    assert job.wait_until_over(30)
    end = job.snapshot()
    assert (end.confusions[0][0], end.confusions[-1][0]) == (1, 60)
    assert len(end.confusions) <= 50
    for epoch, confusion in end.confusions:
        assert np.trace(confusion) / confusion.sum() == pytest.approx(end.history[epoch - 1].validation_accuracy)
    np.testing.assert_allclose(end.test.probabilities, end.network.predict_proba(TEST.images), atol=1e-6)
    np.testing.assert_allclose(end.samples.probabilities, end.network.predict_proba(end.samples.images), atol=1e-6)


def test_watching_changes_no_bit(make_job, tiny):
    job = make_job(TEST, epochs=3, optimizer="nesterov", weight_decay=0.01, ema_decay=0.9)
    job.follow(IMAGE)
    job.start()
    while not job.wait_until_over(0.001):
        job.snapshot()
    trainer = Trainer.from_config(job.snapshot().config, tiny)
    list(trainer)
    assert job.snapshot().network.state_vector.tobytes() == trainer.result.state_vector.tobytes()
