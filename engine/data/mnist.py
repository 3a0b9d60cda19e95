"""Get MNIST (LeCun, Cortes & Burges): from the user's folder, from the cache, or from one of two mirrors."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from gzip import BadGzipFile
from io import BytesIO
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlsplit

import pooch
from tqdm import tqdm

from engine.data.dataset import DataError, Dataset
from engine.data.idx import FilePath, find, find_all, header, read_folder, read_payload, unpacked
from engine.files import atomic_write, check_writable

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
SIZES = {  # bytes, decompressed; a mirror may compress them, and not make them larger
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}
TIMEOUT = 15  # seconds without an answer until the next mirror is tried
MIRROR_SECONDS = 300  # for all files of a mirror, until the next one is tried
CHUNK_SIZE = 1 << 13  # bytes received at a time
POLL_SECONDS = 0.1  # between two looks at a download
MAX_REASON = 200  # characters of an error that is not Inkling's


class ProgressBar(Protocol):
    """What downloads and the drawing of digits use of tqdm's interface."""

    total: Any
    unit: Any

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
    if (folder := os.environ.get(FOLDER_VARIABLE)) and not _missing(folder):
        return Path(folder)
    cache = cache_folder()
    return cache if all(find(cache, name) for name in SHA256) else None


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


def _missing(folder: FilePath) -> str:
    """What the user's folder lacks, as a sentence; "" if all four files are there."""
    try:
        find_all(folder)
    except DataError as error:
        return str(error)
    return ""


def _read(folder: Path) -> tuple[Dataset, Dataset]:
    train_set, test_set = read_folder(folder, "mnist")
    arrays, paths = (train_set.images, train_set.labels, test_set.images, test_set.labels), find_all(folder)
    for (name, expected), array in zip(SHA256.items(), arrays, strict=True):
        got = hashlib.sha256(header(array) + array.tobytes()).hexdigest()
        if got != expected:
            raise DataError(f"{paths[name]} must be MNIST's: its contents must have sha256 {expected}, got {got}")
    return train_set, test_set


def _is_intact(path: Path, name: str) -> bool:
    try:
        return hashlib.sha256(read_payload(path, SIZES[name])).hexdigest() == SHA256[name]
    except DataError:
        return False


def _download(cache: Path, progressbar: bool | ProgressBar) -> None:
    """Download what is missing or damaged in the cache, each file from the first mirror that works."""
    seconds_left: dict[str, float] = dict.fromkeys(MIRRORS, MIRROR_SECONDS)
    bar: Any = progressbar
    if isinstance(bar, bool):
        # With a delay, it is not shown before the first byte.
        bar = tqdm(desc="downloading MNIST", unit="B", unit_scale=True, delay=POLL_SECONDS, disable=not progressbar)
    bar.unit = "B"
    try:
        for name in SHA256:
            path = find(cache, name)
            if not path or not _is_intact(path, name):
                _download_file(name, cache, seconds_left, bar)
    finally:
        bar.close()


def _download_file(name: str, cache: Path, seconds_left: dict[str, float], bar: ProgressBar) -> None:
    """Write one file to the cache, from the first mirror that works and has any of its ``seconds_left``."""
    failures = []
    with _storing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        check_writable(cache / name, DataError)
    for mirror in MIRRORS:
        begin = monotonic()
        try:
            payload = _fetch(f"{mirror}{name}.gz", name, seconds_left[mirror], bar)
            break
        except (OSError, ValueError, EOFError, zlib.error) as error:  # no connection, a refusal; a damaged or wrong file
            failures.append(f"{urlsplit(mirror).hostname} {_reason(error)}")
        finally:
            seconds_left[mirror] -= monotonic() - begin
    else:
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder and (missing := _missing(folder)):
            failures.append(f"{FOLDER_VARIABLE}: {missing}")
        damaged = find(cache, name)
        state = f"{damaged} is damaged" if damaged else "MNIST is not on this machine"
        raise DataNotFound(
            f"{state} and could not be downloaded ({'; '.join(failures)}): connect to the "
            f"internet, or put its four files into {cache} or into the folder that {FOLDER_VARIABLE} names"
        )
    with _storing(cache), atomic_write(cache / name, DataError) as file:
        file.write(payload)


@contextmanager
def _storing(cache: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, DataError) as error:
        reason = str(error) if isinstance(error, DataError) else f"{cache} cannot be created: {error.strerror or error}"
        raise DataNotFound(
            f"MNIST cannot be stored: {reason}; "
            f"change that, or put its four files into a folder and set {FOLDER_VARIABLE} to it"
        ) from None


class _Download:
    """A download in a thread of its own, so that it can be given up although the server sends a byte now and then."""

    def __init__(self, url: str, max_bytes: int) -> None:
        self.url, self.max_bytes = url, max_bytes
        self.num_received, self.num_expected = 0, 0
        self.given_up = False
        self.result: Future[bytes] = Future()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.result.set_result(self._receive())
        except BaseException as error:
            self.result.set_exception(error)

    def _receive(self) -> bytes:
        import requests  # slow to import, and rarely needed

        content = bytearray()
        with requests.get(self.url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            self.num_expected = int(response.headers.get("content-length", 0))
            for chunk in response.iter_content(CHUNK_SIZE):
                content += chunk
                self.num_received = len(content)
                if len(content) > self.max_bytes:
                    raise DataError(f"sent more than {self.max_bytes:,} bytes, which is too long for this file")
                if self.given_up:
                    break
        return bytes(content)


def _fetch(url: str, name: str, seconds: float, bar: ProgressBar) -> bytes:
    """The contents of MNIST's file ``name``, downloaded from ``url`` in at most ``seconds``, and verified."""
    end = monotonic() + seconds
    download, num_shown, is_over = _Download(url, SIZES[name]), 0, False
    try:
        while not is_over:
            is_over = bool(wait([download.result], POLL_SECONDS).done)
            if not is_over and monotonic() > end:
                raise DataError(f"was too slow: it did not send its files within {MIRROR_SECONDS:g} s")
            num_received = download.num_received
            if num_received and not num_shown:
                bar.total = download.num_expected
                bar.reset()
            if num_received:
                bar.update(num_received - num_shown)
            num_shown = num_received
    finally:
        download.given_up = True  # also after an error or Ctrl-C
    with unpacked(BytesIO(download.result.result())) as file:
        payload = file.read(SIZES[name] + 1)
    if hashlib.sha256(payload).hexdigest() != SHA256[name]:
        raise DataError(f"sent something else than MNIST's {name}")
    return payload


def _reason(error: Exception) -> str:
    """Why a mirror failed, as the end of a sentence that begins with the mirror's name."""
    import requests  # slow to import, and rarely needed

    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"did not answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    if isinstance(error, EOFError | zlib.error | BadGzipFile):
        return "sent a damaged gzip file"
    return f"failed: {' '.join(str(error).split())[:MAX_REASON] or type(error).__name__}"
