"""Data of unknown origin: digits made foreign in known ways must come back as they were, with a sentence that says so."""

from dataclasses import replace
from string import ascii_uppercase

import numpy as np
import pytest

from engine.data import DataError, load_data
from engine.data.conventions import MERGED_LETTERS, conform, read_names
from engine.data.dataset import DIGITS, Dataset
from engine.data.idx import write_folder
from engine.data.synthetic.generator import draw_digits


@pytest.fixture(scope="module")
def digits():
    dataset = draw_digits(1_200, 5)
    return dataset.subset(slice(1_000)), dataset.subset(slice(1_000, 1_200))


def whole(dataset):
    images, labels = dataset.take(slice(None))
    return Dataset(images, labels, "own")


def changed(sets, images=lambda images: images, labels=lambda labels: labels):
    return [Dataset(images(part.images), labels(part.labels), "own") for part in map(whole, sets)]


FOREIGN = {
    "dark on light": ({"images": lambda images: 255 - images}, "dark on light"),
    "transposed": ({"images": lambda images: images.swapaxes(1, 2)}, "lie on their side"),
    "both": ({"images": lambda images: 255 - images.swapaxes(1, 2)}, "lie on their side"),
    "from 1": ({"labels": lambda labels: labels + 1}, "start at 1"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_data_are_brought_to_the_conventions_and_a_sentence_says_so(digits, kind):
    changes, words = FOREIGN[kind]
    sets = conform(*changed(digits, **changes))
    for part, expected in zip(sets, map(whole, digits), strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)
        assert part.class_names == DIGITS
    assert any(words in notice for notice in sets[0].notices)
    assert len(sets[0].notices) == (2 if kind == "both" else 1)


def test_usual_digits_stay_as_they_are_without_a_word(digits):
    for part, expected in zip(conform(*digits), digits, strict=True):
        assert part.images is expected.images or np.shares_memory(part.images, expected.images)
        assert part.notices == ()


def test_mnist_is_usual(mnist):
    assert conform(*mnist)[0].notices == ()


def test_mnist_transposed_is_noticed(mnist):
    sets = [Dataset(part.images.swapaxes(1, 2), part.labels, "own") for part in mnist]
    assert "lie on their side" in conform(*sets)[0].notices[0]


def test_labels_that_are_shifted_or_constant_are_doubted(digits):
    assert "labelled 2 are the narrowest" in conform(*changed(digits, labels=lambda labels: (labels + 1) % 10))[0].notices[0]
    constant = conform(*changed(digits, labels=lambda labels: labels * 0 + 7))[0].notices
    assert constant == ("Every label is 7, so there is nothing to learn. Check the labels.",)


def test_black_images_are_an_error_and_some_empty_ones_are_counted(digits):
    with pytest.raises(DataError, match="own must show something"):
        conform(*changed(digits, images=lambda images: images * 0))
    train, test = changed(digits)
    images = train.images.copy()
    images[:3] = 9
    assert conform(replace(train, images=images), test)[0].notices == ("3 of 1,200 images are empty. Check the images.",)


@pytest.mark.parametrize(
    ("num_classes", "names"), [(26, ascii_uppercase), (47, "0123456789" + ascii_uppercase + MERGED_LETTERS)]
)
def test_letters_have_their_names(num_classes, names):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (200, 28, 28)).astype(np.uint8)
    labels = (np.arange(200) % num_classes).astype(np.uint8)
    train, _ = conform(Dataset(images, labels, "own"), Dataset(images, labels, "own"))
    assert "".join(train.class_names) == names
    assert "".join(conform(Dataset(images, labels + 1, "own"), Dataset(images, labels + 1, "own"))[0].class_names) == names


def test_names_come_from_a_file(tmp_path):
    assert read_names(tmp_path) == ()
    (tmp_path / "classes.txt").write_text("shirt\n\ntrouser\n")
    assert read_names(tmp_path) == ("shirt", "trouser")
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n")
    assert read_names(tmp_path) == ("A", "B")
    for content in (b"\xff\xfe", b"one", b"same\nsame", b"x" * 20_000):
        (tmp_path / "classes.txt").write_bytes(content)
        with pytest.raises(DataError, match=r"must hold a class|must hold 2 to 62"):
            read_names(tmp_path)


def test_too_few_names_are_an_error(digits):
    with pytest.raises(DataError, match="a name for each of its 10 classes, got 2"):
        conform(*digits, ("a", "b"))


def test_data_with_other_classes_are_not_joined(tmp_path, idx_folder, digits):
    write_folder(tmp_path / "own", *map(whole, digits))
    assert load_data(f"{tmp_path / 'own'}+{idx_folder}")[0].class_names == DIGITS
    (tmp_path / "own" / "classes.txt").write_text("\n".join("abcdefghij"))
    with pytest.raises(DataError, match="the same classes"):
        load_data(f"{tmp_path / 'own'}+{idx_folder}")
