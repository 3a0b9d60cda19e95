"""Data sets in one file: .npz as Keras writes it, CSV as Kaggle's."""

import gzip
import zipfile

import numpy as np
import pytest
from helpers import make_digits

from engine.data import DataError, load_data
from engine.data.array_file import NO_TEST, read_arrays

TRAIN, TEST = make_digits(60, 1), make_digits(20, 2)


def write_csv(path, header="label", images=TRAIN.images, labels=TRAIN.labels, opener=open):
    columns = ",".join(f"pixel{i}" for i in range(784))
    rows = [f"{label},{','.join(map(str, image.ravel()))}" for image, label in zip(images, labels, strict=True)]
    with opener(path, "wt") as file:
        file.write("\n".join(([f"{header},{columns}"] if header else []) + rows))
    return path


def all_of(sets):
    """The images and labels of both sets, in an order that does not depend on how they were split."""
    images, labels = (np.concatenate(arrays) for arrays in zip(*(part.take(slice(None)) for part in sets), strict=True))
    order = np.lexsort([*images.reshape(len(images), -1).T[:300], labels])
    return images[order], labels[order]


def check_whole(sets):
    for array, expected in zip(all_of(sets), all_of([TRAIN]), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert len(sets[1]) == len(TRAIN) // 7
    assert sets[0].notices == (NO_TEST,)


@pytest.mark.parametrize("keys", ["x_train y_train x_test y_test", "train_images train_labels test_images test_labels"])
@pytest.mark.parametrize("kind", ["uint8", "flat", "channel", "fractions", "column of labels"])
def test_npz_files_with_test_images(tmp_path, keys, kind):
    make = {
        "flat": lambda images: images.reshape(-1, 784),
        "channel": lambda images: images[..., None],
        "fractions": lambda images: (images / 255).astype(np.float32),
    }.get(kind, lambda images: images)
    labels = [part.labels[:, None] if kind == "column of labels" else part.labels.astype(np.int64) for part in (TRAIN, TEST)]
    arrays = make(TRAIN.images), labels[0], make(TEST.images), labels[1]
    np.savez(tmp_path / "own.npz", **dict(zip(keys.split(), arrays, strict=True)))
    for part, expected in zip(read_arrays(tmp_path / "own.npz"), (TRAIN, TEST), strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)
        assert (part.name, part.notices) == ("own", ())


def test_without_test_images_one_in_seven_is_set_aside_always_the_same(tmp_path):
    np.savez(tmp_path / "own.npz", images=TRAIN.images, labels=TRAIN.labels)
    check_whole(read_arrays(tmp_path / "own.npz"))
    first, second = (read_arrays(tmp_path / "own.npz")[1] for _ in range(2))
    np.testing.assert_array_equal(first.images, second.images)


@pytest.mark.parametrize("header", ["label", "Label", "class", ""])
def test_csv_files(tmp_path, header):
    check_whole(read_arrays(write_csv(tmp_path / "train.csv", header)))


def test_a_compressed_csv_file_is_loaded_by_its_path(tmp_path):
    path = write_csv(tmp_path / "train.csv.gz", opener=gzip.open)
    assert len(load_data(path)[0]) + len(load_data(path)[1]) == len(TRAIN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("label,pixel0\n1,2\n", "784 columns of pixels, got 1 and 1"),
        ("label," + ",".join(f"p{i}" for i in range(784)) + "\n1," + ",".join(["x"] * 784), "whole numbers"),
        ("label," + ",".join(f"p{i}" for i in range(784)) + "\n1," + ",".join(["300"] * 784), "0 to 300|300 to 300"),
        ("label," + ",".join(f"p{i}" for i in range(784)) + "\n99," + ",".join(["3"] * 784), "labels from 0 to 62"),
        ("", "784 columns"),
        ("\x00\x01", "784"),
    ],
)
def test_wrong_csv_files_are_one_line(tmp_path, content, words):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        read_arrays(tmp_path / "bad.csv")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros(3)}, "and has a"),
        ({"images": np.zeros((3, 27, 28)), "labels": np.zeros(3, int)}, r"28 x 28 .* got images \(3, 27, 28\)"),
        ({"images": np.zeros((3, 28, 28)), "labels": np.zeros(2, int)}, "N labels"),
        ({"images": np.full((3, 28, 28), np.nan), "labels": np.zeros(3, int)}, "0 to 255"),
        ({"images": np.zeros((3, 28, 28)), "labels": np.zeros(3)}, "whole"),
        ({"images": np.zeros((0, 28, 28)), "labels": np.zeros(0, int)}, "at least one image|28 x 28"),
        ({"images": np.array([{}] * 3, object), "labels": np.zeros(3, int)}, "without Python objects"),
    ],
)
def test_wrong_npz_files_are_one_line(tmp_path, arrays, words):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=words):
        read_arrays(tmp_path / "bad.npz")


def test_a_damaged_or_missing_file_is_one_line(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 damaged")
    for name in ("bad.npz", "missing.npz", "missing.csv"):
        with pytest.raises(DataError, match=name):
            read_arrays(tmp_path / name)


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.data.array_file.MAX_BYTES", 10_000)
    np.savez_compressed(tmp_path / "large.npz", images=np.zeros((100, 28, 28), np.uint8), labels=np.zeros(100, int))
    with pytest.raises(DataError, match="at most 10,000 bytes"):
        read_arrays(tmp_path / "large.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_unpacks_without_a_limit_is_refused(tmp_path, method):
    np.savez(tmp_path / "own.npz", images=TRAIN.images, labels=TRAIN.labels)
    with zipfile.ZipFile(tmp_path / "own.npz") as source, zipfile.ZipFile(tmp_path / "other.npz", "w", method) as other:
        for name in source.namelist():
            other.writestr(name, source.read(name))
    with pytest.raises(DataError, match="deflate"):
        read_arrays(tmp_path / "other.npz")
