"""A job that is changed, followed and watched while it runs."""

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import JobState

TEST = make_digits(200, 3)
IMAGE, OTHER = TEST.images[7] / np.float32(255), TEST.images[8] / np.float32(255)


def test_changes_are_in_force_from_the_next_step_as_in_a_loop(make_job, train_alone):
    job = make_job(epochs=1)
    for _ in range(3):
        job.step()
    assert job.wait_until_still(30)
    job.change(learning_rate=0.01, batch_size=20, momentum=0.9)  # the same momentum as before
    assert job.wait_for_changes(30)
    now = job.snapshot()
    assert now.changes == ((3, 30 / 500, {"learning_rate": 0.01, "batch_size": 20}),)
    assert (now.config.learning_rate, now.config.batch_size) == (0.01, 20)
    job.resume()
    assert job.wait_until_over(30)
    trainer = train_alone(epochs=1, changes=[(3, {"learning_rate": 0.01, "batch_size": 20})])
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
    assert [change.values for change in now.changes] == [{"learning_rate": 0.5}, {"weight_decay": 0.1}]
    assert now.changes[0].step >= asked
    assert now.changes[0].epoch == pytest.approx(now.changes[0].step / 50)


@pytest.mark.parametrize("started", [False, True])
def test_a_change_without_a_worker_shows_at_once_and_is_in_force_from_the_first_step(make_job, started, train_alone):
    job = make_job(epochs=1)
    if started:
        job.start(paused=True)
    job.change(learning_rate=0.01)
    assert job.snapshot().config.learning_rate == 0.01
    assert job.wait_for_changes(0)  # it is in force before any step is taken
    (job.resume if started else job.start)()
    assert job.wait_until_over(30)
    assert job.snapshot().changes == ((0, 0, {"learning_rate": 0.01}),)
    trainer = train_alone(epochs=1, changes=[(0, {"learning_rate": 0.01})])
    assert job.snapshot().network.state_vector.tobytes() == trainer.network.state_vector.tobytes()


@pytest.mark.parametrize("values", [{"learning_rate": -1}, {"epochs": 3}, {"batch_size": 0.5}, {"no_such": 1}], ids=str)
@pytest.mark.parametrize("running", [False, True])
def test_impossible_changes_are_refused_at_once(make_job, values, running, until):
    job = make_job()
    if running:
        job.start()
        until(lambda: job.snapshot().step > 5)
    with pytest.raises(InklingError, match=next(iter(values))):
        job.change(**values)
    assert job.wait_for_changes(30)
    assert job.snapshot().changes == ()


def test_a_drawing_is_followed_through_the_training(make_job, until):
    job = make_job()
    job.follow(IMAGE)
    job.start()
    until(lambda: len(job.snapshot().followed) > 5)
    job.pause()
    assert job.wait_until_still(30)
    now = job.snapshot()
    steps, epochs = now.followed.T[:2]
    assert steps[:3].tolist() == [0, 1, 2]  # from before the first step
    np.testing.assert_allclose(epochs, steps / 50)
    np.testing.assert_allclose(now.followed[:, 2:].sum(axis=1), 1, atol=1e-5)
    assert (np.diff(steps) > 0).all()
    earlier = now.followed.copy()
    job.follow(OTHER)
    for _ in range(3):  # the page repeats the request whenever it is drawn
        job.follow(OTHER)
    assert job.wait_until_still(30)
    (row,) = job.snapshot().followed
    np.testing.assert_allclose(row[2:], job.snapshot().network.predict_proba(OTHER[None])[0], atol=1e-6)
    job.follow(None)
    assert job.wait_until_still(30)
    assert job.snapshot().followed.shape == (0, 12)
    np.testing.assert_array_equal(now.followed, earlier)


def test_no_curve_is_that_of_an_earlier_image(make_job):
    """Each snapshot's last prediction is of the image that was followed last, also while the request is on its way."""
    job = make_job()
    job.step()
    assert job.wait_until_still(30)
    for image in [IMAGE, OTHER] * 20:
        job.follow(image)
        now = job.snapshot()
        assert len(now.followed) <= 1
        expected = now.network.predict_proba(image[None])
        np.testing.assert_allclose(now.followed[:, 2:], np.repeat(expected, len(now.followed), axis=0), atol=1e-6)
    assert job.wait_until_still(30)
    (row,) = job.snapshot().followed
    np.testing.assert_allclose(row[2:], job.snapshot().network.predict_proba(OTHER[None])[0], atol=1e-6)


def test_an_image_is_copied_when_it_is_followed(make_job):
    job = make_job()
    image = IMAGE.copy()
    job.follow(image)
    image[:] = 0
    job.step()
    assert job.wait_until_still(30)
    now = job.snapshot()
    np.testing.assert_allclose(now.followed[-1, 2:], now.network.predict_proba(IMAGE[None])[0], atol=1e-6)


@pytest.mark.parametrize(
    "image", [np.zeros((28, 27)), np.full((28, 28), 2.0), np.full((28, 28), np.nan), np.full((28, 28), -0.1)], ids=str
)
def test_other_arrays_are_not_followed(make_job, image):
    job = make_job()
    job.start()
    with pytest.raises(InklingError, match="image to follow"):
        job.follow(image)
    assert job.snapshot().state in (JobState.QUEUED, JobState.RUNNING)


def test_snapshots_have_health_samples_and_confusions(make_job):
    job = make_job(TEST, epochs=60, batch_size=100)
    before = job.snapshot()
    assert (before.health, before.changes, before.confusions, before.samples) == ((), (), (), None)
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


def test_watching_changes_no_bit(make_job, train_alone):
    settings = {"epochs": 3, "optimizer": "nesterov", "weight_decay": 0.01, "ema_decay": 0.9}
    job = make_job(TEST, **settings)
    job.follow(IMAGE)
    job.start()
    for turn in range(10_000):
        job.follow((IMAGE, OTHER)[turn % 2])
        job.snapshot()
        if job.wait_until_over(0.001):
            break
    trainer = train_alone(**settings)
    assert job.snapshot().network.state_vector.tobytes() == trainer.result.state_vector.tobytes()
