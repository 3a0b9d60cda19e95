"""``Folder``: the files in a folder, or in a zip file that may come from anyone, each read when it is asked for."""

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from engine.checks import InklingError, shorten
from engine.data.dataset import DataError
from engine.files import FilePath

MAX_BYTES = 200_000_000  # of a file, and of all that a zip file unpacks to
MAX_FILES = 100_000
NOISE = re.compile(r"(.*/)?(\.[^./]|__MACOSX/|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)  # what systems add to folders


class File(BytesIO):
    """A file in memory; as text, its name."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name

    def __str__(self) -> str:
        return self.name


class Folder(Mapping[str, bytes]):
    """The content of files by their path, such as ``7/a.png``. Reading one may raise ``DataError``, which names it."""

    def __init__(self, read: Mapping[str, Callable[[], bytes]]) -> None:
        self._read = read

    def __getitem__(self, path: str) -> bytes:
        read = self._read[path]
        try:
            return read()
        except InklingError:
            raise
        except Exception as error:  # zipfile raises nearly anything for a hostile archive
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DataError(f"{shown_path(path)} cannot be read: {shorten(reason, 200) or type(error).__name__}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)

    def file(self, path: str) -> File:
        """The file in memory, open for reading."""
        return File(self[path], shown_path(path))

    def find(self, name: str) -> str | None:
        """The path of the file with this name, or None; if there are several, the one in the fewest folders."""
        paths = [path for path in self if path.rpartition("/")[2] == name]
        return min(paths, key=lambda path: path.count("/"), default=None)


def shown_path(path: str) -> str:
    """The path as part of a message: short, and without characters that would do something to a terminal."""
    return "".join(mark if mark.isprintable() else "?" for mark in shorten(path, 100))


def open_folder(path: FilePath) -> Folder:
    """The files in a folder and in the folders in it; links to other folders are not followed."""
    read = {}
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(place, name)
            inside = file.relative_to(path).as_posix()
            if not NOISE.match(inside):
                read[inside] = lambda file=file: _read_file(file)
            if len(read) > MAX_FILES:
                raise DataError(f"{path} must hold at most {MAX_FILES:,} files, got more")
    return Folder(read)


def _read_file(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no file")
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"it must have at most {MAX_BYTES / 1e6:.0f} MB, and has more")
    return content


def open_zip(content: bytes, name: str) -> Folder:
    """The files in a zip file; raises ``DataError`` if it is broken, or holds more than ``MAX_FILES`` or ``MAX_BYTES``.

    Nothing is unpacked to the disk, so a path such as ``../../a.png`` is only a name.
    """
    if content.count(b"PK\1\2") > MAX_FILES:  # before zipfile makes an object of each
        raise DataError(f"{name} must hold at most {MAX_FILES:,} files, got more")
    try:
        source = zipfile.ZipFile(BytesIO(content))
    except Exception as error:  # zipfile raises nearly anything for a hostile archive
        raise DataError(f"{name} must be a complete zip file, and is damaged: {shorten(error, 200)}") from None
    entries = [entry for entry in source.infolist() if not entry.is_dir()]
    num_bytes = sum(entry.file_size for entry in entries)
    if num_bytes > MAX_BYTES:
        raise DataError(f"{name} must unpack to at most {MAX_BYTES / 1e6:.0f} MB, and announces {num_bytes / 1e6:,.0f} MB")
    read: dict[str, Callable[[], bytes]] = {}
    for entry in entries:
        path = entry.filename.replace("\\", "/")
        if path in read:
            raise DataError(f"{name} must hold each file once, got {shown_path(path)} twice")
        if not NOISE.match(path):
            read[path] = lambda entry=entry: _unpack(source, entry)
    return Folder(read)


def _unpack(source: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The content of an entry, never more than the size that it announces, even if it unpacks to more."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks others in one go
        raise OSError("it is compressed in an unusual way: store it, or deflate it")
    with source.open(entry) as file:
        content = file.read(entry.file_size)
    if len(content) != entry.file_size:
        raise OSError("it ends too early")
    return content
