"""Finds MNIST (LeCun, Cortes & Burges): in a folder of the user's, in the cache, or at one of two mirrors."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pooch

from engine.data.dataset import DataError
from engine.data.idx import find, header, read_folder, read_payload

FOLDER_VARIABLE = "INKLING_MNIST_DIR"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# Of the decompressed payload: mirrors compress anew, so only this holds everywhere.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
LARGEST = 47_040_016  # bytes of the largest payload
TIMEOUT = 15  # seconds without an answer before the next mirror is tried


class DataNotFound(DataError):
    """MNIST is neither on this machine nor to be had from a mirror."""


def cache_folder():
    """The platform's own folder for what can be fetched again."""
    return Path(pooch.os_cache("inkling"))


def local_folder():
    """The first folder that holds all four files, or None: then ``load_mnist`` has to download."""
    for folder in (os.environ.get(FOLDER_VARIABLE), cache_folder()):
        if folder and all(find(folder, name) for name in SHA256):
            return Path(folder)


def load_mnist(progressbar=False):
    """MNIST's train and test sets, (60,000 and 10,000), as read-only ``Dataset``s.

    They come from the folder in ``INKLING_MNIST_DIR``, else from the cache, else from a mirror. ``progressbar`` shows the
    download: True for tqdm's on stderr, or an object with tqdm's ``total``, ``update``, ``reset`` and ``close``. Raises
    ``DataNotFound`` where there is no way to the data, ``DataError`` for a file in the user's folder that is not MNIST's.
    """
    folder, cache = local_folder(), cache_folder()
    if folder is not None:
        try:
            return _read(folder)
        except DataError:
            if folder != cache:  # the user's own folder is theirs to mend
                raise
    _download(cache, progressbar)
    return _read(cache)


def _first_lacking(folder):
    return next((name for name in SHA256 if not find(folder, name)), "nothing")


def _read(folder):
    sets = read_folder(folder, "mnist")
    arrays = [array for part in sets for array in (part.images, part.labels)]
    for (name, expected), array in zip(SHA256.items(), arrays, strict=True):
        got = hashlib.sha256(header(array) + array.tobytes()).hexdigest()
        if got != expected:
            raise DataError(f"{find(folder, name)} must be MNIST's, payload sha256 {expected}, got {got}")
    return sets


def _whole(path, name):
    try:
        return hashlib.sha256(read_payload(path, LARGEST)).hexdigest() == SHA256[name]
    except DataError:
        return False


def _download(cache, progressbar):
    """Fetch what the cache lacks from the first mirror that has it."""
    pooch.get_logger().setLevel("WARNING")

    def fetch_payload(url, output, _):
        """Download ``url`` and leave its decompressed payload in ``output``, which pooch verifies and renames."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "download")
            pooch.HTTPDownloader(progressbar, chunk_size=1 << 16, timeout=TIMEOUT)(url, str(path), None)
            Path(output).write_bytes(read_payload(path, LARGEST))

    for name, digest in SHA256.items():
        path = find(cache, name)
        if path and _whole(path, name):
            continue
        failures = []
        for mirror in MIRRORS:
            try:
                pooch.retrieve(mirror + name + ".gz", f"sha256:{digest}", name, cache, downloader=fetch_payload)
                break
            except (OSError, ValueError) as error:  # no connection, a refusal, a full disk; a broken or wrong file
                failures.append(f"{urlsplit(mirror).hostname} {_reason(error)}")
        else:
            named = os.environ.get(FOLDER_VARIABLE)
            lacking = f"; {FOLDER_VARIABLE} names {named}, which lacks {_first_lacking(named)}" if named else ""
            raise DataNotFound(
                f"MNIST is not on this machine and could not be downloaded ({'; '.join(failures)}{lacking}): connect to the "
                f"internet, or put its four files in {cache} or in a folder that {FOLDER_VARIABLE} names"
            )


def _reason(error):
    """Why a mirror failed, in words that end the sentence "the mirror ..."."""
    import requests  # a third of what importing the engine takes, and needed only here

    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"did not answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return f"failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
