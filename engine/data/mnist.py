"""Get MNIST (LeCun, Cortes & Burges): from the user's folder, from the cache, or from one of two mirrors."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import urlsplit

import pooch

from engine.data.dataset import DataError, Dataset
from engine.data.idx import FilePath, find, header, read_folder, read_payload

FOLDER_VARIABLE = "INKLING_MNIST_DIR"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# Of the decompressed files, because each mirror compresses them differently.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MAX_FILE_SIZE = 47_040_016  # bytes of the largest file, decompressed
TIMEOUT = 15  # seconds without an answer until the next mirror is tried


class ProgressBar(Protocol):
    """What downloads and the drawing of digits use of tqdm's interface."""

    total: Any

    def update(self, n: int, /) -> Any: ...

    def reset(self) -> Any: ...

    def close(self) -> Any: ...


class DataNotFound(DataError):
    """MNIST is not on this machine and cannot be downloaded."""


def cache_folder() -> Path:
    """The platform's folder for Inkling's data that can be downloaded or drawn again."""
    return Path(pooch.os_cache("inkling"))


def local_folder() -> Path | None:
    """The first folder with all four files, or None: then ``load_mnist`` has to download them."""
    for folder in (os.environ.get(FOLDER_VARIABLE), cache_folder()):
        if folder and _first_missing(folder) is None:
            return Path(folder)
    return None


def load_mnist(progressbar: bool | ProgressBar = False) -> tuple[Dataset, Dataset]:
    """MNIST's train and test sets, of 60,000 and 10,000 images, as read-only ``Dataset``s.

    They come from the folder named by ``INKLING_MNIST_DIR``, else from the cache, else from a mirror. ``progressbar`` shows
    the progress of a download: True for tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset`` and
    ``close``. Raises ``DataNotFound`` if the data cannot be downloaded, ``DataError`` if a file in the user's folder is not
    MNIST's.
    """
    folder, cache = local_folder(), cache_folder()
    if folder is not None:
        try:
            return _read(folder)
        except DataError:
            if folder != cache:  # the user's own files are not replaced
                raise
    _download(cache, progressbar)
    return _read(cache)


def _first_missing(folder: FilePath) -> str | None:
    return next((name for name in SHA256 if not find(folder, name)), None)


def _read(folder: Path) -> tuple[Dataset, Dataset]:
    train_set, test_set = read_folder(folder, "mnist")
    arrays = (train_set.images, train_set.labels, test_set.images, test_set.labels)
    for (name, expected), array in zip(SHA256.items(), arrays, strict=True):
        got = hashlib.sha256(header(array) + array.tobytes()).hexdigest()
        if got != expected:
            raise DataError(f"{find(folder, name)} must be MNIST's: its contents must have sha256 {expected}, got {got}")
    return train_set, test_set


def _is_intact(path: Path, name: str) -> bool:
    try:
        return hashlib.sha256(read_payload(path, MAX_FILE_SIZE)).hexdigest() == SHA256[name]
    except DataError:
        return False


def _download(cache: Path, progressbar: bool | ProgressBar) -> None:
    """Download what is missing or damaged in the cache, each file from the first mirror that works."""
    pooch.get_logger().setLevel("WARNING")
    download = pooch.HTTPDownloader(progressbar, chunk_size=1 << 16, timeout=TIMEOUT)  # pyright: ignore[reportArgumentType]

    def fetch(url: str, output: Any, _: Any) -> None:
        """Write the decompressed contents of ``url`` into ``output``, which pooch verifies and renames."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "download")
            download(url, str(path), None)
            Path(output).write_bytes(read_payload(path, MAX_FILE_SIZE))

    for name, digest in SHA256.items():
        path = find(cache, name)
        if path and _is_intact(path, name):
            continue
        failures = []
        for mirror in MIRRORS:
            try:
                pooch.retrieve(mirror + name + ".gz", f"sha256:{digest}", name, cache, downloader=fetch)  # pyright: ignore[reportArgumentType]
                break
            except (OSError, ValueError) as error:  # no connection, a refusal, a full disk; a damaged or wrong file
                failures.append(f"{urlsplit(mirror).hostname} {_reason(error)}")
        else:
            folder = os.environ.get(FOLDER_VARIABLE)
            missing = _first_missing(folder) if folder else None
            if missing:
                failures.append(f"{FOLDER_VARIABLE} is {folder}, and {missing} is missing there")
            raise DataNotFound(
                f"MNIST is not on this machine and could not be downloaded ({'; '.join(failures)}): connect to the "
                f"internet, or put its four files into {cache} or into the folder that {FOLDER_VARIABLE} names"
            )


def _reason(error: Exception) -> str:
    """Why a mirror failed, as the end of a sentence that begins with the mirror's name."""
    import requests  # slow to import, and needed only here

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"did not answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return f"failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
