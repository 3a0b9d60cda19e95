"""Drawn digits: repeatable by seed, laid out like MNIST's, cached, and good training data."""

import numpy as np
import pytest

import engine
from engine.data.augmentation import AUGMENTATIONS
from engine.data.synthetic import generator
from engine.data.synthetic.generator import CHUNK_SIZE, draw_digits, load_synthetic
from engine.preprocessing import CENTRE


@pytest.fixture(scope="module")
def digits():
    return draw_digits(2 * CHUNK_SIZE)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A data set of 40 digits, cached in an empty folder."""
    monkeypatch.setattr(generator, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(generator, "TRAIN_SIZE", 30)
    monkeypatch.setattr(generator, "TEST_SIZE", 10)
    return tmp_path


class Bar:
    """A progress bar that counts, as a page's does."""

    def __init__(self):
        self.total, self.done, self.closed = None, 0, False

    def reset(self):
        self.done = 0

    def update(self, size):
        self.done += size

    def close(self):
        self.closed = True


def test_the_same_seed_gives_the_same_digits_and_a_smaller_count_the_first_of_them(digits):
    fewer = draw_digits(CHUNK_SIZE + 7)
    assert np.array_equal(fewer.images, digits.images[: CHUNK_SIZE + 7])
    assert np.array_equal(fewer.labels, digits.labels[: CHUNK_SIZE + 7])
    other = draw_digits(CHUNK_SIZE, seed=1)
    assert not np.array_equal(other.labels, digits.labels[:CHUNK_SIZE])
    assert not np.array_equal(digits.images[:CHUNK_SIZE], digits.images[CHUNK_SIZE:])


def test_they_are_placed_in_their_images_as_mnists_are(digits):
    assert digits.images.dtype == digits.labels.dtype == np.uint8
    assert set(digits.labels) == set(range(10))
    for image in digits.images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        middle = np.array([image.sum(axis=1) @ np.arange(28), image.sum(axis=0) @ np.arange(28)]) / image.sum()
        for place, inked in zip(middle, (rows, columns), strict=True):
            assert abs(place - CENTRE) <= 0.51 or {0, 27} & set(inked)  # as near as the edge allows


def test_no_two_are_the_same_and_pens_differ(digits):
    flat = digits.images.reshape(len(digits), -1).astype(float)
    assert len(np.unique(flat, axis=0)) == len(digits)
    ink = flat.mean(axis=1) / 255
    assert np.percentile(ink, 95) > 2.5 * np.percentile(ink, 5)


def test_a_second_load_reads_what_the_first_drew(small, monkeypatch):
    train_set, test_set = load_synthetic()
    assert (len(train_set), len(test_set), train_set.name) == (30, 10, "synthetic")
    monkeypatch.setattr(generator, "draw_chunk", None)
    again, test_again = load_synthetic()
    assert np.array_equal(again.images, train_set.images)
    assert np.array_equal(test_again.labels, test_set.labels)
    monkeypatch.undo()


def test_digits_of_another_version_or_seed_are_not_used(small, monkeypatch):
    first, _ = load_synthetic()
    monkeypatch.setattr(generator, "VERSION", generator.VERSION + 1)
    load_synthetic()
    other, _ = load_synthetic(seed=1)
    assert not np.array_equal(first.images, other.images)
    assert len(list(small.iterdir())) == 3


def test_a_damaged_cache_is_drawn_again(small):
    train_set, _ = load_synthetic()
    file = next(small.glob("*/train-images-idx3-ubyte"))
    file.write_bytes(file.read_bytes()[:1000])
    again, _ = load_synthetic()
    assert np.array_equal(again.images, train_set.images)
    assert file.stat().st_size > 1000


def test_no_cache_is_needed_if_it_cannot_be_written(small, monkeypatch):
    blocked = small / "file"
    blocked.write_text("")
    monkeypatch.setattr(generator, "cache_folder", lambda: blocked)
    assert len(load_synthetic()[0]) == 30


def test_a_progress_bar_counts_every_digit():
    bar = Bar()
    draw_digits(CHUNK_SIZE + 10, progressbar=bar)
    assert (bar.total, bar.done, bar.closed) == (CHUNK_SIZE + 10, CHUNK_SIZE + 10, True)


def test_the_command_lines_progress_bar_is_on_stderr(capsys):
    draw_digits(10, progressbar=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "drawing digits" in err
    draw_digits(10)
    assert capsys.readouterr().err == ""


def test_a_network_trained_on_them_alone_reads_peoples_digits(mnist):
    """MNIST's training images are read: the test images are for measuring (tests/benchmarks/synthetic.py)."""
    config = engine.Config(
        augmentation=AUGMENTATIONS["light"], epochs=8, train_size=6_000, schedule="one_cycle", learning_rate=0.005
    )
    trainer = engine.Trainer.from_config(config, draw_digits(6_000))
    for _ in trainer:
        pass
    images, labels = mnist[0].take(slice(5_000))
    right = trainer.result.predict(images) == labels
    assert right.mean() > 0.88
    assert min(right[labels == digit].mean() for digit in range(10)) > 0.7


def test_dotted_lines_have_gaps_wider_than_a_dot_but_enough_dots_to_be_read():
    line = np.stack([np.linspace(0, 100, generator.NUM_DOTS), np.zeros(generator.NUM_DOTS)], axis=1)
    lines, radii = np.repeat(line[None], 50, axis=0), np.full((50, generator.NUM_DOTS), 1.5)
    dotted = generator.leave_gaps(lines, radii, np.random.default_rng(0))
    steps = np.diff(dotted[..., 0], axis=1)
    assert (steps >= 0).all()
    assert (steps.max(axis=1) > 2 * 1.5).all()  # between two dots of this radius the paper shows
    assert ((steps > 2).sum(axis=1) >= generator.MIN_DASHES - 1).all()
    thick = generator.leave_gaps(lines, np.full(radii.shape, 12.0), np.random.default_rng(0))
    assert np.diff(thick[..., 0], axis=1).max() < 2 * 12  # a thick line stays whole
