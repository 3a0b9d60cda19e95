"""Files that are written whole or not at all."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from engine.checks import InklingError


@contextmanager
def whole_file(path, error=InklingError):
    """A file open for writing bytes; it takes the place of ``path`` when the block ends well, and else is gone.

    Raises ``error`` where it cannot be written.
    """
    path = Path(path)
    part = path.parent / f"{path.name}.{uuid4().hex[:8]}.part"  # beside it, so that the renaming is atomic
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as problem:
        raise error(f"{path} cannot be written: {problem.strerror or problem}") from None
    finally:
        with suppress(OSError):  # nothing there: it has been renamed, or could not be made
            part.unlink()
