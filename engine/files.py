"""Writing files so that they are either complete or not changed at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from engine.checks import InklingError


@contextmanager
def atomic_write(path: str | os.PathLike[str], error: type[InklingError] = InklingError) -> Iterator[BinaryIO]:
    """Open a file for writing bytes. It replaces ``path`` when the block succeeds, and is deleted when the block fails.

    Raises ``error`` if the file cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f"{path.name}.{uuid4().hex[:8]}.part"  # in the same folder, so that renaming is atomic
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as problem:
        raise error(f"{path} cannot be written: {problem.strerror or problem}") from None
    finally:
        with suppress(OSError):  # it was renamed, or never created
            temporary.unlink()
