from itertools import islice

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.config import Config
from engine.data import Dataset
from engine.data.dataset import NO_DIGIT
from engine.jobs import JobState
from engine.jobs.observer import Observer
from engine.jobs.snapshot import Snapshot
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.training import EpochEnd, Trainer

TEST = make_digits(200, 3)
IMAGE = TEST.images[7] / np.float32(255)


@pytest.fixture
def trainer(tiny):
    return Trainer.from_config(Config(layers=dense_layers((16,)), batch_size=50, epochs=60, validation_size=100), tiny)


@pytest.fixture
def observer(trainer):
    return Observer(trainer.result, TEST)


def test_the_samples_are_one_of_each_class_and_two_more(trainer, observer):
    observer.look(trainer, trainer.network)
    samples = observer.samples
    images, labels, probabilities = samples.images, samples.labels, samples.probabilities
    assert images.shape == (12, 28, 28)
    assert images.dtype == np.uint8
    assert labels[:10].tolist() == list(range(10))
    places = [int(np.flatnonzero((TEST.images == image).all(axis=(1, 2)))[0]) for image in images]
    assert len(set(places)) == 12
    np.testing.assert_array_equal(TEST.labels[places], labels)
    assert all(place == np.argmax(TEST.labels == label) for place, label in zip(places[:10], labels, strict=False))
    np.testing.assert_allclose(probabilities, trainer.network.predict_proba(images), atol=1e-6)


def test_the_samples_stay_the_same_and_are_predicted_again_at_each_look(trainer, observer):
    observer.look(trainer, trainer.network)
    before = observer.samples
    list(islice(trainer, 10))
    observer.look(trainer, trainer.network)
    np.testing.assert_array_equal(observer.samples.images, before.images)
    assert np.abs(observer.samples.probabilities - before.probabilities).max() > 0.01
    with pytest.raises(ValueError, match="read-only"):
        observer.samples.probabilities[0, 0] = 1


@pytest.mark.parametrize("count", [1, 5, 12])
def test_a_small_test_set_gives_all_its_images(trainer, count):
    part = TEST.subset(slice(3, 3 + count))
    observer = Observer(trainer.result, part)
    observer.look(trainer, trainer.network)
    assert sorted(image.tobytes() for image in observer.samples.images) == sorted(
        image.tobytes() for image in part.take(slice(None))[0]
    )


@pytest.mark.parametrize("none", [None, Dataset(TEST.images[:0], TEST.labels[:0])], ids=["no set", "an empty set"])
def test_without_test_images_there_are_no_samples(trainer, none):
    observer = Observer(trainer.result, none)
    observer.look(trainer, trainer.network)
    assert observer.samples is None


def test_health_waits_for_a_step_that_kept_its_gradient(trainer, observer):
    observer.look(trainer, trainer.network)
    assert observer.health == ()
    trainer.keep_gradient = True
    next(trainer)
    observer.look(trainer, trainer.network)
    first = observer.health
    assert [layer.position for layer in first] == [0, 2]
    trainer.keep_gradient = False
    next(trainer)
    observer.look(trainer, trainer.network)
    assert observer.health == first  # until another step keeps its gradient


def test_the_followed_predictions_are_those_of_the_network_each_time(trainer, observer):
    assert observer.followed().shape == (0, 12)
    observer.record(trainer)
    assert observer.followed().shape == (0, 12)  # nothing is followed yet
    observer.follow(IMAGE)
    expected = []
    for event in islice(trainer, 25):
        observer.record(trainer)
        expected.append([event.step, trainer.progress * 60, *trainer.network.predict_proba(IMAGE[None])[0]])
    np.testing.assert_allclose(observer.followed(), expected, atol=1e-6)
    np.testing.assert_allclose(observer.followed()[:, 2:].sum(axis=1), 1, atol=1e-5)
    observer.follow(IMAGE.copy())
    assert len(observer.followed()) == 25  # the same image continues its curve
    observer.follow(1 - IMAGE)
    assert len(observer.followed()) == 0
    observer.record(trainer)
    assert len(observer.followed()) == 1
    observer.follow(None)
    assert len(observer.followed()) == 0


def test_a_followed_image_is_copied(trainer, observer):
    image = IMAGE.copy()
    observer.follow(image)
    observer.record(trainer)
    image[:] = 0
    observer.record(trainer)
    first, second = observer.followed()
    np.testing.assert_array_equal(first, second)


def test_an_observer_goes_on_from_a_snapshot(trainer, observer):
    observer.follow(IMAGE)
    for event in islice(trainer, 30):
        if isinstance(event, EpochEnd):
            observer.record_epoch(trainer)
        observer.record(trainer)
    observer.look(trainer, trainer.network)
    snapshot = Snapshot.of(trainer, JobState.PAUSED, trainer.network.copy(), observer)
    restored = Observer(trainer.result, TEST)
    restored.restore(snapshot, IMAGE)
    np.testing.assert_array_equal(restored.followed(), observer.followed())
    assert (restored.health, restored.samples) == (observer.health, observer.samples)
    for event in islice(trainer, 30):
        for each in (observer, restored):
            if isinstance(event, EpochEnd):
                each.record_epoch(trainer)
            each.record(trainer)
    np.testing.assert_array_equal(restored.followed(), observer.followed())
    assert [epoch for epoch, _ in restored.confusions.items()] == [epoch for epoch, _ in observer.confusions.items()]
    assert len(restored.confusions.items()) > 2
    without = Observer(trainer.result, TEST)
    without.restore(snapshot, None)
    assert without.followed().shape == (0, 12)


def test_the_curve_of_the_followed_image_stays_small(trainer, observer):
    observer.follow(IMAGE)
    for _ in range(2_000):
        observer.record(trainer)
    assert 200 <= len(observer.followed()) <= 400


@pytest.mark.parametrize(
    "image",
    [np.zeros((28, 27)), np.zeros((1, 28, 28)), np.full((28, 28), 2.0), np.full((28, 28), np.nan), np.full((28, 28), -0.1)],
    ids=["shape", "batch", "bytes", "nan", "negative"],
)
def test_other_arrays_are_not_followed(observer, image):
    with pytest.raises(InklingError, match="image to follow"):
        observer.follow(image)


def test_confusions_are_those_of_the_validation_set_at_the_ends_of_epochs(trainer, observer):
    expected = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            observer.record_epoch(trainer)
            expected[event.epoch] = evaluate(trainer.network, trainer.validation_set).confusion
    confusions = observer.confusions.items()
    epochs = [epoch for epoch, _ in confusions]
    assert (epochs[0], epochs[-1]) == (1, 60)
    assert 25 <= len(confusions) <= 50
    for epoch, confusion in confusions:
        np.testing.assert_array_equal(confusion, expected[epoch])


def test_without_validation_there_are_no_confusions(tiny):
    trainer = Trainer.from_config(Config(layers=dense_layers((16,)), epochs=1, validation_size=0), tiny)
    observer = Observer(trainer.result)
    for event in trainer:
        if isinstance(event, EpochEnd):
            observer.record_epoch(trainer)
    assert observer.confusions.items() == ()


def test_an_exploded_network_still_gives_numbers(trainer, observer):
    observer.follow(IMAGE)
    trainer.network.state_vector[:] = np.inf
    observer.look(trainer, trainer.network)
    observer.record(trainer)
    np.testing.assert_allclose(observer.samples.probabilities, 0.1)
    np.testing.assert_allclose(observer.followed()[0, 2:], 0.1)


def test_with_averaging_the_average_is_followed(tiny):
    trainer = Trainer.from_config(Config(layers=dense_layers((16,)), ema_decay=0.99, batch_size=50), tiny)
    observer = Observer(trainer.result)
    observer.follow(IMAGE)
    list(islice(trainer, 5))
    observer.record(trainer)
    np.testing.assert_allclose(observer.followed()[0, 2:], trainer.average.predict_proba(IMAGE[None])[0], atol=1e-6)


def test_images_without_a_digit_are_not_among_the_samples(trainer):
    labels = TEST.labels.copy()
    labels[::2] = NO_DIGIT
    observer = Observer(trainer.result, Dataset(TEST.images, labels))
    observer.look(trainer, trainer.network)
    assert observer.samples.labels[:10].tolist() == list(range(10))
    assert observer.samples.labels.max() == 9
    none = Observer(trainer.result, Dataset(TEST.images, np.full(200, NO_DIGIT, np.uint8)))
    none.look(trainer, trainer.network)
    assert len(none.samples.images) == len(none.samples.probabilities) == 0
