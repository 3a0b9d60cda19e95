"""Save the result of a long work although its file cannot be written: in another place."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.checks import InklingError


def save_or_rescue(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(path)``. If that fails, write to a temporary place, and raise an ``InklingError`` that says where."""
    try:
        write(path)
    except InklingError as error:
        place = rescue(write)
        rescued = f"it is saved as {place} instead" if place else "and it cannot be saved in a temporary place either"
        raise InklingError(f"{error}; {rescued}") from None


def rescue(write: Callable[[Path], None]) -> Path | None:
    """Write a file to the first temporary place that takes it; return its path, or None if there is no such place."""
    for parent in (tempfile.gettempdir, Path.home, Path.cwd):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="inkling-", dir=parent()))
            write(folder / "rescued.npz")
            return folder / "rescued.npz"
        except (InklingError, OSError, RuntimeError):  # the last if nobody knows the user's home
            if folder:
                folder.rmdir()
    return None
