"""Data sets that visitors bring."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from helpers import make_digits, write_idx_folder

from engine import DataError, Dataset, InklingError
from ui import datasets, own_data


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(own_data, "_kept", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def npz(count=70, classes=12, **more):
    labels = np.arange(count) % classes
    file = io.BytesIO()
    np.savez_compressed(file, images=make_digits(count).images[np.arange(count)], labels=labels, **more)
    return file.getvalue()


def idx_zip(folder, *, names=("yes", "no", "<b>maybe</b>"), compressed=False):
    """Three classes as four IDX files in a folder of a zip file, with their names."""
    train, test = (
        Dataset(make_digits(count, seed).images, (np.arange(count) % 3).astype(np.uint8))
        for count, seed in ((60, 1), (30, 2))
    )
    write_idx_folder(folder, train, test, compressed)
    (folder / "classes.txt").write_text("\n".join(names))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"answers/{path.name}")
        archive.writestr("../../escaped.txt", "text")
    return file.getvalue()


def test_an_npz_file_becomes_a_source_that_can_be_loaded():
    own = own_data.add("my clothes!.npz", npz())
    assert own_data.is_own(own.source)
    assert own_data.label(own.source) == "my clothes_"
    train_set, test_set = datasets.load(own.source)
    assert (len(train_set), len(test_set)) == (60, 10)
    assert datasets.class_names(own.source) == tuple(map(str, range(12)))
    assert datasets.num_train_images(own.source) == 60
    assert datasets.check_source(own.source) == own.source
    text = " ".join(own_data.describe(own))
    assert "60 images to train on, 10 to test on. 12 classes: 0, 1, 2" in text
    assert "One image in seven was set aside" in text
    assert own_data.add("my clothes!.npz", npz()).source == own.source


@pytest.mark.parametrize("compressed", [False, True])
def test_a_zip_file_of_idx_files_has_its_own_names(tmp_path, compressed):
    own = own_data.add("answers.zip", idx_zip(tmp_path / "idx", compressed=compressed))
    assert own.train_set.class_names == ("yes", "no", "<b>maybe</b>")
    assert (len(own.train_set), len(own.test_set)) == (60, 30)
    assert "Each has 20 images to train on." in own_data.describe(own)[1]


def test_a_csv_file_may_be_compressed():
    rows = "\n".join(",".join(map(str, [k % 2, *make_digits(20).images[k].ravel()])) for k in range(20))
    own = own_data.add("Some.CSV.gz", gzip.compress(rows.encode()))
    assert len(own.train_set) + len(own.test_set) == 20
    assert own_data.label(own.source) == "Some"


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(own_data, "MAX_BYTES", 300_000)
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    hostile = {
        "photo.png": b"picture",
        "data.npz": b"PK\x03\x04 broken",
        "words.npz": npz(images_train=1)[:-40],
        "data.csv": b"1,2,3\n",
        "data.csv.gz": gzip.compress(b"0" * 400_000),
        "broken.csv.gz": gzip.compress(b"0" * 4000)[:-20],
        "none.zip": empty.getvalue(),
        "no.zip": b"no zip file",
        "names.zip": idx_zip(tmp_path / "names", names=("yes", "yes", "yes")),
        "one.npz": npz(classes=1),
        "many.npz": npz(classes=63),
    }
    for name, content in hostile.items():
        with pytest.raises(DataError) as caught:
            own_data.add(name, content)
        assert "\n" not in str(caught.value)
        assert "/inkling-" not in str(caught.value)
    assert own_data._kept == {}
    monkeypatch.setattr(own_data, "MAX_IMAGES", 50)
    with pytest.raises(DataError, match="at most 50 images, got 70"):
        own_data.add("data.npz", npz())


def test_the_oldest_data_set_goes_with_its_files(monkeypatch):
    monkeypatch.setattr(own_data, "MAX_SETS", 2)
    first, *others = (own_data.add(f"{count}.npz", npz(count)) for count in (40, 50, 60))
    assert own_data.find(first.source) is None
    assert [datasets.load(own.source)[0] for own in others] == [own.train_set for own in others]
    with pytest.raises(InklingError, match="40 is not on this server any more: add the same file again"):
        datasets.load(first.source)
    assert datasets.class_names(first.source) == tuple("0123456789")


@pytest.mark.parametrize("source", ["own/x", "own/a/b/0123456789ab", "own/../0123456789AB", None, 5, ["mnist"], "elsewhere"])
def test_other_names_are_no_source(source):
    assert not own_data.is_own(source)
    with pytest.raises(InklingError):
        datasets.check_source(source)


def test_unnamed_classes_get_names():
    own = own_data.add("pets.npz", npz(classes=3))
    assert own.may_be_no_digits
    named = own_data.with_names(own, " cat,  a  dog , horse,")
    assert named.train_set.class_names == ("cat", "a dog", "horse")
    assert not named.may_be_no_digits
    assert named.source != own.source
    assert own_data.label(named.source) == "pets"
    assert (datasets.load(named.source)[0].images == own.train_set.images).all()
    assert "3 classes: cat, a dog, horse. Each has" in " ".join(own_data.describe(named))
    assert own_data.find(own.source) is own


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cat, dog", "a name for each of the 3 classes, with commas between them, got 2"),
        ("", "a name for each of the 3 classes"),
        (",".join(map(str, range(63))), "got 63"),
        ("cat, cat, dog", "a name of its own"),
        ("cat, , dog", "a name of its own"),
        (f"cat, {'x' * 31}, dog", "at most 30 printable"),
        ("cat, d\0g, horse", "at most 30 printable"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    own = own_data.add("pets.npz", npz(classes=3))
    with pytest.raises(DataError, match=message):
        own_data.with_names(own, names)
