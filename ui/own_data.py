"""Data sets that visitors bring: checked, brought to MNIST's conventions, and known to this server until it restarts."""

import re
import tempfile
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePath
from threading import Lock
from typing import NamedTuple

from engine.checks import InklingError, shorten
from engine.data import load_data
from engine.data.collection_folder import open_zip
from engine.data.conventions import MAX_NAME_LENGTH
from engine.data.dataset import DIGITS, MAX_CLASSES, DataError, Dataset
from engine.data.idx import unpacked
from engine.data.mapped import map_dataset
from ui.formatting import number
from ui.translation import _

SUFFIXES = ("npz", "csv", "gz", "zip")
MAX_BYTES = 200_000_000  # of a file, unpacked: more than MNIST's in CSV
MAX_IMAGES = 150_000
MAX_SETS = 20  # of all visitors: the oldest go first
MAX_NAME = 40  # characters
NAME = re.compile(r"own/[^/]{1,40}/[0-9a-f]{12}")  # of a source: what the page calls it, and the hash of its content
IDX_FILES = re.compile(r".*(idx[13][-.]ubyte(\.gz)?|classes\.txt|mapping\.txt)", re.IGNORECASE)


class OwnData(NamedTuple):
    """A visitor's data set under the name of its ``source``, with what there is to say about it."""

    source: str
    train_set: Dataset
    test_set: Dataset
    notices: tuple[str, ...]

    @property
    def may_be_no_digits(self) -> bool:
        """Whether its classes were taken for digits because they are at most ten: a file may have no names."""
        return self.train_set.class_names == DIGITS


_kept: dict[str, OwnData] = {}  # by source, for all sessions
_lock = Lock()
_reading = Lock()  # one file at a time: reading takes several times its size in memory


def is_own(source: object) -> bool:
    """Whether this is the name of a data set that a visitor brought, here or elsewhere."""
    return isinstance(source, str) and NAME.fullmatch(source) is not None


def label(source: str) -> str:
    """The name of a source on the page."""
    return source.split("/")[1] if is_own(source) else source


def find(source: str) -> OwnData | None:
    """The data set of this name, or None if it is not on this server (any more)."""
    return _kept.get(source)


def load(source: str) -> tuple[Dataset, Dataset]:
    """The train and test sets of a source; raises ``InklingError`` if they are not on this server (any more)."""
    own = find(source)
    if own is None:
        raise InklingError(
            f"the data set {label(source)} is not on this server any more: add the same file again under “My own data”"
        )
    return own.train_set, own.test_set


def add(file_name: str, content: bytes) -> OwnData:
    """Read an ``.npz`` or CSV file (``.gz``, too), or a zip file of four IDX files, which may come from anyone.

    The same content has the same source. Raises ``DataError`` for what cannot be read or is too large.
    """
    with _reading, tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        path = _write(PurePath(file_name).name, content, Path(folder))
        try:
            train_set, test_set = load_data(path)
        except DataError as error:
            raise DataError(str(error).replace(str(path), file_name)) from None
    if (total := len(train_set) + len(test_set)) > MAX_IMAGES:
        raise DataError(f"{file_name} must hold at most {MAX_IMAGES:,} images, got {total:,}")
    if train_set.labels.min() == train_set.labels.max():
        raise DataError(f"{file_name} must have at least two classes, got one")
    name = re.sub(r"[^\w .-]", "_", PurePath(file_name).name.split(".")[0])[:MAX_NAME].strip() or "data"
    return _keep(name, map_dataset(train_set).open(), map_dataset(test_set).open(), train_set.notices)


def with_names(own: OwnData, text: str) -> OwnData:
    """The same data set with these names of its classes, separated by commas. Raises ``DataError`` if they do not fit."""
    names = tuple(" ".join(name.split()) for name in text.strip().rstrip(",").split(","))
    needed = 1 + max(int(part.own_labels.max()) for part in (own.train_set, own.test_set))
    if not needed <= len(names) <= MAX_CLASSES:
        raise DataError(f"there must be a name for each of the {needed} classes, with commas between them, got {len(names)}")
    if len(set(names)) < len(names) or not all(names):
        raise DataError("each class must have a name of its own")
    if any(len(name) > MAX_NAME_LENGTH or not name.isprintable() for name in names):
        raise DataError(f"a class's name must be at most {MAX_NAME_LENGTH} printable characters")
    train_set, test_set = (replace(part, class_names=names) for part in (own.train_set, own.test_set))
    return _keep(label(own.source), train_set, test_set, own.notices)


def _keep(name: str, train_set: Dataset, test_set: Dataset, notices: tuple[str, ...]) -> OwnData:
    parts = [part.fingerprint()["sha256"] for part in (train_set, test_set)]
    digest = sha256(repr((parts, train_set.class_names)).encode()).hexdigest()
    own = OwnData(f"own/{name}/{digest[:12]}", train_set, test_set, notices)
    with _lock:
        _kept.pop(own.source, None)
        _kept[own.source] = own
        while len(_kept) > MAX_SETS:
            _remove(next(iter(_kept)))
    return own


def _remove(source: str) -> None:
    """Forget a data set, and delete its files; trainings that have them open keep them."""
    own = _kept.pop(source)
    used = [map_dataset(part).images for other in _kept.values() for part in other[1:3]]
    for mapped in map(map_dataset, own[1:3]):
        if mapped.images not in used:
            mapped.images.unlink(missing_ok=True)
            mapped.labels.unlink(missing_ok=True)


def describe(own: OwnData) -> list[str]:
    """What is in the data set, in sentences. To be escaped: names may be any text."""
    names, counts = own.train_set.class_names, Counter(own.train_set.take(slice(None))[1].tolist())
    of_each = [counts[label] for label in range(len(names))]
    least, most = number(min(of_each)), number(max(of_each))
    some = least if least == most else _("{least} to {most}").format(least=least, most=most)
    return [
        _("{train} images to train on, {test} to test on.").format(
            train=number(len(own.train_set)), test=number(len(own.test_set))
        ),
        _("{count} classes: {names}. Each has {some} images to train on.").format(
            count=len(names), names=", ".join(names), some=some
        ),
        *own.notices,
        _("It is on this server until the server restarts. To train on it again after that, add the same file again."),
    ]


def _write(name: str, content: bytes, folder: Path) -> Path:
    """The file, or the IDX files of a zip file, in a folder, without compression; never more than ``MAX_BYTES``."""
    if name.lower().endswith(".zip"):
        files = open_zip(content, name)
        chosen = [path for path in files if IDX_FILES.fullmatch(path)][:20]
        total = 0
        for path in chosen:
            data = _unpack(files[path], path)
            total += len(data)
            if total > MAX_BYTES:
                raise DataError(f"{name} must unpack to at most {MAX_BYTES / 1e6:.0f} MB, got more")
            (folder / re.sub(r"[^\w.-]", "_", path.rpartition("/")[2].removesuffix(".gz"))).write_bytes(data)
        if not chosen:
            raise DataError(f"{shorten(name, 100)} must hold four IDX files, and has none: name them as MNIST's are")
        return folder
    if name.lower().endswith(".npz"):
        open_zip(content, name)  # which checks what it announces to unpack to
        path = folder / "data.npz"
    elif name.lower().endswith((".csv", ".csv.gz")):
        content, path = _unpack(content, name), folder / "data.csv"
    else:
        raise DataError(f"{shorten(name, 100)} must be an .npz, .csv, .csv.gz or .zip file")
    path.write_bytes(content)
    return path


def _unpack(content: bytes, name: str) -> bytes:
    """The content, decompressed if it is gzip."""
    try:
        data = unpacked(BytesIO(content)).read(MAX_BYTES + 1)
    except Exception as error:  # gzip and zlib raise several kinds
        raise DataError(f"{shorten(name, 100)} must be a complete gzip file, and is damaged: {error}") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"{shorten(name, 100)} must unpack to at most {MAX_BYTES / 1e6:.0f} MB, got more")
    return data
