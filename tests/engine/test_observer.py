from itertools import islice

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.config import Config
from engine.data import Dataset
from engine.data.dataset import NO_DIGIT
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.observer import Observer
from engine.training import EpochEnd, Trainer

TEST = make_digits(200, 3)
IMAGE = TEST.images[7] / np.float32(255)


@pytest.fixture
def trainer(tiny):
    return Trainer.from_config(Config(layers=dense_layers((16,)), batch_size=50, epochs=60, validation_size=100), tiny)


@pytest.fixture
def observer(trainer):
    return Observer(trainer.result, TEST)


def test_the_dozen_is_one_of_each_class_and_two_more(trainer, observer):
    observer.look(trainer, trainer.network)
    images, labels, probabilities = observer.digits
    assert images.shape == (12, 28, 28)
    assert images.dtype == np.uint8
    assert labels[:10].tolist() == list(range(10))
    places = [int(np.flatnonzero((TEST.images == image).all(axis=(1, 2)))[0]) for image in images]
    assert len(set(places)) == 12
    np.testing.assert_array_equal(TEST.labels[places], labels)
    assert all(place == np.argmax(TEST.labels == label) for place, label in zip(places[:10], labels, strict=False))
    np.testing.assert_allclose(probabilities, trainer.network.predict_proba(images), atol=1e-6)


def test_the_dozen_is_the_same_at_every_look_and_read_anew(trainer, observer):
    observer.look(trainer, trainer.network)
    before = observer.digits
    list(islice(trainer, 10))
    observer.look(trainer, trainer.network)
    np.testing.assert_array_equal(observer.digits.images, before.images)
    assert np.abs(observer.digits.probabilities - before.probabilities).max() > 0.01
    with pytest.raises(ValueError, match="read-only"):
        observer.digits.probabilities[0, 0] = 1


@pytest.mark.parametrize("count", [1, 5, 12])
def test_a_small_test_set_gives_what_it_has(trainer, count):
    part = TEST.subset(slice(3, 3 + count))
    observer = Observer(trainer.result, part)
    observer.look(trainer, trainer.network)
    assert sorted(image.tobytes() for image in observer.digits.images) == sorted(
        image.tobytes() for image in part.take(slice(None))[0]
    )


@pytest.mark.parametrize("none", [None, Dataset(TEST.images[:0], TEST.labels[:0])], ids=["no set", "an empty set"])
def test_without_test_images_there_are_no_digits(trainer, none):
    observer = Observer(trainer.result, none)
    observer.look(trainer, trainer.network)
    assert observer.digits is None


def test_health_waits_for_a_step_that_kept_its_gradient(trainer, observer):
    observer.look(trainer, trainer.network)
    assert observer.health == ()
    trainer.keeps_gradient = True
    next(trainer)
    observer.look(trainer, trainer.network)
    first = observer.health
    assert [found.position for found in first] == [0, 2]
    trainer.keeps_gradient = False
    next(trainer)
    observer.look(trainer, trainer.network)
    assert observer.health == first  # until there is another to tell


def test_what_is_followed_is_what_the_network_made_of_it_each_time(trainer, observer):
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
    assert len(observer.followed()) == 25  # the same image goes on
    observer.follow(1 - IMAGE)
    assert len(observer.followed()) == 0
    observer.record(trainer)
    assert len(observer.followed()) == 1
    observer.follow(None)
    assert len(observer.followed()) == 0


def test_a_followed_image_is_held_as_it_was_given(trainer, observer):
    image = IMAGE.copy()
    observer.follow(image)
    observer.record(trainer)
    image[:] = 0
    observer.record(trainer)
    first, second = observer.followed()
    np.testing.assert_array_equal(first, second)


def test_its_curve_never_outgrows_the_page(trainer, observer):
    observer.follow(IMAGE)
    for _ in range(2_000):
        observer.record(trainer)
    assert 200 <= len(observer.followed()) <= 400


@pytest.mark.parametrize(
    "image",
    [np.zeros((28, 27)), np.zeros((1, 28, 28)), np.full((28, 28), 2.0), np.full((28, 28), np.nan), np.full((28, 28), -0.1)],
    ids=["shape", "batch", "bytes", "nan", "negative"],
)
def test_what_is_no_image_is_not_followed(observer, image):
    with pytest.raises(InklingError, match="image to follow"):
        observer.follow(image)


def test_confusions_are_those_of_the_validation_set_at_the_ends_of_epochs(trainer, observer):
    expected = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            observer.note_epoch(trainer)
            expected[event.epoch] = evaluate(trainer.network, trainer.validation_set).confusion
    kept = observer.confusions.kept()
    epochs = [epoch for epoch, _ in kept]
    assert (epochs[0], epochs[-1]) == (1, 60)
    assert 25 <= len(kept) <= 50
    for epoch, confusion in kept:
        np.testing.assert_array_equal(confusion, expected[epoch])


def test_without_validation_there_are_none(tiny):
    trainer = Trainer.from_config(Config(layers=dense_layers((16,)), epochs=1, validation_size=0), tiny)
    observer = Observer(trainer.result)
    for event in trainer:
        if isinstance(event, EpochEnd):
            observer.note_epoch(trainer)
    assert observer.confusions.kept() == ()


def test_an_exploded_network_still_gives_numbers(trainer, observer):
    observer.follow(IMAGE)
    trainer.network.values[:] = np.inf
    observer.look(trainer, trainer.network)
    observer.record(trainer)
    np.testing.assert_allclose(observer.digits.probabilities, 0.1)
    np.testing.assert_allclose(observer.followed()[0, 2:], 0.1)


def test_the_average_is_followed_where_one_is_kept(tiny):
    trainer = Trainer.from_config(Config(layers=dense_layers((16,)), averaging=0.99, batch_size=50), tiny)
    observer = Observer(trainer.result)
    observer.follow(IMAGE)
    list(islice(trainer, 5))
    observer.record(trainer)
    np.testing.assert_allclose(observer.followed()[0, 2:], trainer.average.predict_proba(IMAGE[None])[0], atol=1e-6)


def test_images_of_no_digit_are_not_among_the_dozen(trainer):
    labels = TEST.labels.copy()
    labels[::2] = NO_DIGIT
    observer = Observer(trainer.result, Dataset(TEST.images, labels))
    observer.look(trainer, trainer.network)
    assert observer.digits.labels[:10].tolist() == list(range(10))
    assert observer.digits.labels.max() == 9
    none = Observer(trainer.result, Dataset(TEST.images, np.full(200, NO_DIGIT, np.uint8)))
    none.look(trainer, trainer.network)
    assert len(none.digits.images) == len(none.digits.probabilities) == 0
