"""Read a data set from one file: NumPy's ``.npz``, or CSV with a label and 784 pixels in each row (as Kaggle's)."""

import csv
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.checks import shorten
from engine.data.dataset import MAX_CLASSES, DataError, Dataset
from engine.data.idx import FilePath, opened

SUFFIXES = (".npz", ".csv", ".csv.gz")
MAX_BYTES = 1 << 30  # of a file, unpacked
MAX_IMAGES = 1_000_000
MAX_LINE = 100_000  # bytes: names of 785 columns have fewer
NUM_PIXELS = 784
HELD_OUT = 7  # one image in so many is a test image if the file has none
NO_TEST = "The file has no test images. One image in seven was set aside to test with, always the same ones."
IMAGE_KEYS = ("images", "x", "data", "pixels")  # in an .npz file, alone or with "train" or "test"
LABEL_KEYS = ("labels", "label", "y", "target", "targets")
LABEL_COLUMNS = {"label", "labels", "class", "target", "y"}  # in a CSV file
OTHER_COLUMNS = {"", "id", "index", "writer", "unnamed: 0"}

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def read_arrays(path: FilePath) -> tuple[Dataset, Dataset]:
    """The train and test sets in an ``.npz`` or CSV file; raises ``DataError``.

    An ``.npz`` file holds ``x_train, y_train, x_test, y_test`` or ``images, labels`` (or similar names). Images are
    (N, 28, 28), (N, 784) or (N, 28, 28, 1), whole numbers from 0 to 255 or fractions from 0 to 1.
    """
    train, test = _read_npz(path) if str(path).lower().endswith(".npz") else (_read_csv(path), None)
    name, notices = Path(path).name.split(".")[0], ()
    if test is None:
        if len(train[1]) < 2:
            raise DataError(f"{path} must hold at least two images, got {len(train[1])}")
        parts = Dataset(*train).split(max(1, len(train[1]) // HELD_OUT), np.random.default_rng(0))
        train, test = (part.take(slice(None)) for part in parts)
        notices = (NO_TEST,)
    train_set, test_set = (Dataset(*pair, name, notices=notices) for pair in (train, test))
    return train_set, test_set


def _read_npz(path: FilePath) -> tuple[Pair, Pair | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise DataError(f"{path} must be compressed as NumPy does it (deflate), and is compressed in another way")
        size = sum(member.file_size for member in members)
        if size > MAX_BYTES:
            raise DataError(f"{path} must hold at most {MAX_BYTES:,} bytes unpacked, got {size:,}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name.lower(): file[name] for name in file.files[:16]}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError):
        raise DataError(f"{path} must be an .npz file of images and labels without Python objects, and is damaged") from None
    pairs = {part: _pair_of(path, arrays, part) for part in ("train", "test", "")}
    train = pairs["train"] or pairs[""]
    if train is None:
        names = ", ".join(map(str, arrays)) or "nothing"
        raise DataError(
            f"{path} must hold x_train, y_train, x_test and y_test, or images and labels, and has {shorten(names, 200)}"
        )
    return train, pairs["test"]


def _pair_of(path: FilePath, arrays: dict[str, npt.NDArray], part: str) -> Pair | None:
    """The images and labels of "train", "test" or "" (of neither); None if there are none."""

    def array(keys: tuple[str, ...]) -> npt.NDArray | None:
        names = [name for key in keys for name in ((f"{key}_{part}", f"{part}_{key}") if part else (key,))]
        return next((arrays[name] for name in names if name in arrays), None)

    images, labels = array(IMAGE_KEYS), array(LABEL_KEYS)
    return None if images is None or labels is None else _checked(path, images, labels)


def _read_csv(path: FilePath) -> Pair:
    with opened(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} must hold at most {MAX_BYTES:,} bytes, got more")
    try:
        first = next(csv.reader([content[:MAX_LINE].split(b"\n")[0].decode("utf-8-sig").strip()]), [])
        header = [name.strip().lower() for name in first]
        has_header = any(name and not name.lstrip("-").replace(".", "", 1).isdigit() for name in header)
        label, pixels = _columns(path, header if has_header else None, len(first))
        table = np.loadtxt(
            io.TextIOWrapper(io.BytesIO(content), "utf-8-sig"),
            np.int16,
            delimiter=",",
            skiprows=int(has_header),
            usecols=[label, *pixels],
            max_rows=MAX_IMAGES,
            ndmin=2,
            comments=None,
            quotechar='"',
        )
    except (ValueError, csv.Error, OverflowError) as error:
        raise DataError(
            f"{path} must hold whole numbers, a label and {NUM_PIXELS} pixels in each row: {error}"[:400]
        ) from None
    return _checked(path, table[:, 1:], table[:, 0])


def _columns(path: FilePath, header: list[str] | None, num_columns: int) -> tuple[int, list[int]]:
    """The positions of the label and of the pixels; without a header, the label is the first column."""
    names = header or ["label", *(f"pixel{i}" for i in range(num_columns - 1))]
    labels = [i for i, name in enumerate(names) if name in LABEL_COLUMNS]
    pixels = [i for i, name in enumerate(names) if name not in LABEL_COLUMNS | OTHER_COLUMNS]
    if len(labels) != 1 or len(pixels) != NUM_PIXELS:
        raise DataError(
            f"{path} must have a column named label and {NUM_PIXELS} columns of pixels, got {len(labels)} and {len(pixels)}"
        )
    return labels[0], pixels


def _checked(path: FilePath, images: npt.NDArray, labels: npt.NDArray) -> Pair:
    """The arrays as (N, 28, 28) and (N,) uint8."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.ndim < 2 or images[0:1].size != NUM_PIXELS or labels.shape != images.shape[:1]:
        raise DataError(
            f"{path} must hold N images of 28 x 28 pixels and N labels, got images {images.shape} and labels {labels.shape}"
        )
    if images.dtype.kind not in "uif" or labels.dtype.kind not in "ui":
        raise DataError(f"{path} must hold numbers, and labels that are whole, got {images.dtype} and {labels.dtype}")
    low, high = (images.min(), images.max()) if len(images) else (0, 0)
    if not (low >= 0 and high <= 255):  # also if they are NaN
        raise DataError(f"{path} must hold pixels from 0 to 255, or from 0 to 1, got {low:g} to {high:g}")
    if not len(labels):
        raise DataError(f"{path} must hold at least one image, got none")
    if labels.min() < 0 or labels.max() > MAX_CLASSES:
        raise DataError(f"{path} must hold labels from 0 to {MAX_CLASSES}, got {labels.min()} to {labels.max()}")
    scale = 255 if images.dtype.kind == "f" and high <= 1 else 1
    pixels = np.rint(images * scale) if images.dtype.kind == "f" else images
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)
