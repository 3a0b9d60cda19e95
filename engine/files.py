"""Writing files so that they are either complete or not changed at all."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO
from uuid import uuid4

import platformdirs

from engine.checks import InklingError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PROBE_BYTES = 1 << 16  # a full disk still takes an empty file
MAX_PART_SECONDS = 3600  # no file takes that long to write
KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe, so write a file and send that"),
    (stat.S_ISSOCK, "a socket, so write a file and send that"),
    (lambda mode: not stat.S_ISREG(mode), "a device"),
)

FilePath = str | os.PathLike[str]


def data_folder() -> Path:
    """The platform's folder for what people make with Inkling."""
    return platformdirs.user_data_path("inkling", appauthor=False)


@contextmanager
def atomic_write(path: FilePath, error: type[InklingError] = InklingError) -> Iterator[BinaryIO]:
    """Open a file for writing bytes. It replaces ``path`` when the block succeeds, and is deleted when the block fails.

    If ``path`` is a symbolic link, the file that it leads to is replaced. Raises ``error`` if the file cannot be written,
    or if ``path`` is a folder, a device or a pipe.
    """
    with _one_line_errors(path, error):
        target = _target(path)
        with _part_file(target.parent) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":  # an open file cannot be renamed there; elsewhere it stays locked until it has its name
                file.close()
            os.replace(file.name, target)


def check_writable(path: FilePath, error: type[InklingError] = InklingError) -> None:
    """Raise ``error`` unless ``path`` can be written now: a small file is written beside it, and deleted."""
    with _one_line_errors(path, error), _part_file(_target(path).parent) as file:
        file.write(bytes(PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _one_line_errors(path: FilePath, error: type[InklingError]) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise error(f"{path} cannot be written: {problem.strerror or problem}") from None


def _target(path: FilePath) -> Path:
    """The file that ``path`` leads to; raises ``OSError`` if it is something else or in no folder."""
    target = Path(os.path.realpath(path))
    try:
        mode = os.stat(path).st_mode  # not of ``target``: /dev/stdout is a pipe, but leads to no name
    except FileNotFoundError:
        if not target.parent.exists():
            raise OSError("its folder does not exist") from None
        return target
    for is_kind, kind in KINDS:
        if is_kind(mode):
            raise OSError(f"it is {kind}")
    return target


@contextmanager
def _part_file(folder: Path) -> Iterator[BinaryIO]:
    """A new, locked file in ``folder``, which is deleted at the end unless it was renamed.

    It is in the folder of the file to be, so that renaming is atomic. Files that killed processes left are deleted.
    """
    with suppress(OSError):
        for part in folder.glob(".inkling-*.part"):
            _delete_if_abandoned(part)
    part = folder / f".inkling-{uuid4().hex[:8]}.part"
    try:
        with open(part, "xb") as file:
            _lock(file)
            yield file
    finally:
        with suppress(OSError):  # it was renamed, or never created
            part.unlink()


def _delete_if_abandoned(part: Path) -> None:
    with suppress(OSError), open(part, "r+b") as file:
        info = os.fstat(file.fileno())
        # A file is locked before its first byte is written, and a lock ends with its process.
        if time.time() - info.st_mtime > MAX_PART_SECONDS or (info.st_size and _lock(file)):
            part.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Lock the file until it is closed; whether that worked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it, or the file system knows no locks
        return False
    return True
