"""Reading IDX files: intact ones exactly, damaged ones as one line that names the file."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from helpers import idx_bytes, make_digits, outcome, write_idx_folder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.data import DataError, read_folder
from engine.data.idx import NAMES, find, read_idx, read_pair

DIGITS = make_digits(12)
GOOD = idx_bytes(DIGITS.images)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "some-images"


def check_refused(path, payload, *parts, dimensions=3):
    """Reading must raise an error of one line that names the file and contains these texts."""
    path.write_bytes(payload)
    with pytest.raises(DataError) as caught:
        read_idx(path, dimensions)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for part in parts:
        assert part in message, message


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["images", "images.gz", "images.png"])
def test_plain_and_gzip_read_the_same_whatever_the_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(GOOD))
    images = read_idx(tmp_path / name, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, DIGITS.images)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 1


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 15, 16, 17, 16 + 784, len(GOOD) - 1])
def test_truncated_anywhere(scratch, length):
    check_refused(scratch, GOOD[:length], "must", "got")
    check_refused(scratch, gzip.compress(GOOD[:length]), "must", "got")


def test_the_message_has_both_sizes(scratch):
    check_refused(scratch, GOOD[:-5], f"{len(GOOD):,}", f"{len(GOOD) - 5:,}")


@pytest.mark.parametrize("extra", [1, 100_000])
def test_oversized(scratch, extra):
    check_refused(scratch, GOOD + b"\0" * extra, f"{len(GOOD):,}", "got")
    check_refused(scratch, gzip.compress(GOOD + b"\0" * extra), f"{len(GOOD):,}", "got")


@pytest.mark.parametrize(
    "magic", ["00000801", "00000802", "00000804", "00000903", "00000d03", "00010803", "01000803", "03080000", "89504e47"]
)
def test_wrong_magic_number(scratch, magic):
    check_refused(scratch, bytes.fromhex(magic) + GOOD[4:], "0x00000803", f"0x{magic}")


def test_labels_where_images_are_expected(scratch):
    check_refused(scratch, idx_bytes(DIGITS.labels), "0x00000803", "0x00000801")


def test_a_header_with_a_huge_size_allocates_nothing(scratch):
    for shape in [(2**32 - 1, 28, 28), (2**32 - 1,) * 3, (60_000, 2**31, 2**31)]:
        tracemalloc.start()
        check_refused(scratch, struct.pack(">BBBB3I", 0, 0, 8, 3, *shape) + b"\0" * 1000, "at most")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5e6


def zeros_packed(start, size):
    """A gzip file of ``start`` and then ``size`` zeros, made without holding these in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(start)]
    block = bytes(1 << 20)
    parts += [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


def test_a_gzip_bomb_takes_no_more_memory_than_its_header_says(scratch):
    bomb = zeros_packed(GOOD[:16], 100 << 20)
    tracemalloc.start()
    check_refused(scratch, bomb, f"{len(GOOD):,}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


PACKED = gzip.compress(GOOD)


@pytest.mark.parametrize(
    "length", [2, 3, 9, 10, 11, 100, len(PACKED) // 2, len(PACKED) - 9, len(PACKED) - 8, len(PACKED) - 1]
)
def test_truncated_gzip(scratch, length):
    check_refused(scratch, PACKED[:length], "gzip")


@pytest.mark.parametrize("position", [2, 12, len(PACKED) // 2, len(PACKED) - 8, len(PACKED) - 4])
def test_gzip_with_a_wrong_byte(scratch, position):
    damaged = bytearray(PACKED)
    damaged[position] ^= 0xFF
    check_refused(scratch, bytes(damaged))


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=60)
    | st.binary(max_size=40).map(lambda tail: bytes.fromhex("00000803") + tail)
    | st.binary(max_size=40).map(gzip.compress)
    | st.binary(max_size=40).map(lambda tail: b"\x1f\x8b" + tail),
    st.sampled_from([1, 3]),
)
@example(b"", 1)
@example(bytes.fromhex("0000080100000000"), 1)
def test_any_bytes_give_an_array_or_a_data_error(scratch, payload, dimensions):
    scratch.write_bytes(payload)
    array, message = outcome(DataError, read_idx, scratch, dimensions)
    if message:
        assert str(scratch) in message
        assert "\n" not in message
    else:
        content = gzip.decompress(payload) if payload.startswith(b"\x1f\x8b") else payload
        assert content == idx_bytes(array)


def test_a_missing_file_and_a_folder_in_its_place(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(DataError) as caught:
            read_idx(path, 3)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "file", "parts"),
    [
        (np.zeros((3, 28, 28)), np.array([0, 63, 1]), "labels", ["0 to 62", "got 63", "position 1"]),
        (np.zeros((3, 28, 28)), np.array([0, 1]), "labels", ["3", "got 2"]),
        (np.zeros((2, 28, 28)), np.array([0, 1, 2]), "labels", ["2", "got 3"]),
        (np.zeros((2, 28, 27)), np.array([0, 1]), "images", ["28 x 28", "28 x 27"]),
        (np.zeros((2, 0, 28)), np.array([0, 1]), "images", ["28 x 28", "0 x 28"]),
        (np.zeros((0, 28, 28)), np.zeros(0), "images", ["at least one", "none"]),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, images, labels, file, parts):
    (tmp_path / "images").write_bytes(idx_bytes(images))
    (tmp_path / "labels").write_bytes(idx_bytes(labels))
    with pytest.raises(DataError) as caught:
        read_pair(tmp_path / "images", tmp_path / "labels")
    for part in [str(tmp_path / file), *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_folder_gives_both_sets(tmp_path, compressed):
    train, test = make_digits(30, 1), make_digits(20, 2)
    sets = read_folder(write_idx_folder(tmp_path / "folder", train, test, compressed))
    for part, expected in zip(sets, (train, test), strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)
        assert part.name == "folder"


def test_a_missing_file_in_a_folder_is_named_with_those_that_are_there(tmp_path):
    write_idx_folder(tmp_path, make_digits(30), make_digits(20))
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"must hold t10k-labels-idx1-ubyte or .*gz, and has t10k-images-idx3-ubyte, train-"):
        read_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    for name, reason in (("empty", "has no file"), ("no-such-folder", "does not exist")):
        with pytest.raises(DataError, match=f"{name} must hold train-images-idx3-ubyte .* {reason}"):
            read_folder(tmp_path / name)


OTHER_NAMES = {  # of the four files, as other sources call and place them
    "dots": lambda name: name.replace("-idx", ".idx"),
    "capitals, compressed": lambda name: name.upper() + ".gz",
    "Kaggle": lambda name: f"{name}/{name}",
    "torchvision": lambda name: f"MNIST/raw/{name}",
    "EMNIST": lambda name: "gzip/emnist-letters-" + name.replace("t10k", "test") + ".gz",
    "underscores": lambda name: name.replace("-", "_"),
}


@pytest.mark.parametrize("origin", OTHER_NAMES)
def test_files_are_found_by_the_names_that_others_give_them(tmp_path, origin):
    train, test = make_digits(30, 1), make_digits(20, 2)
    folder = write_idx_folder(tmp_path / "usual", train, test, "gz" in OTHER_NAMES[origin]("x"))
    for name in NAMES:
        path = tmp_path / "other" / OTHER_NAMES[origin](name)
        path.parent.mkdir(parents=True, exist_ok=True)
        find(folder, name).rename(path)
    for part, expected in zip(read_folder(tmp_path / "other"), (train, test), strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)


def test_of_several_files_the_nearest_is_read_and_two_data_sets_are_an_error(tmp_path):
    near, far = make_digits(30, 1), make_digits(30, 2)
    write_idx_folder(tmp_path / "a" / "b", far, far)
    write_idx_folder(tmp_path / "a", near, near)
    np.testing.assert_array_equal(read_folder(tmp_path)[0].images, near.images)
    folder = tmp_path / "emnist"
    folder.mkdir()
    for kind in ("letters", "digits"):
        for path in [*write_idx_folder(tmp_path / "usual", near, near).iterdir()]:
            path.rename(folder / f"emnist-{kind}-{path.name}")
    with pytest.raises(DataError, match=r"once, and has emnist-digits-.*: name a folder with one data set"):
        read_folder(folder)
