"""``MappedDataset``: the files that hold a data set's arrays, so that any number of processes share one copy in memory."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import time
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError
from engine.data.dataset import Dataset
from engine.data.mnist import cache_folder
from engine.files import atomic_write

MAX_UNUSED_DAYS = 30  # after which the arrays are deleted: they can be written again


@dataclass(frozen=True, eq=False)
class MappedDataset:
    """A ``Dataset`` whose ``images`` and ``labels`` are the paths of ``.npy`` files. It is small, and can be pickled."""

    images: Path
    labels: Path
    name: str
    rows: npt.NDArray[np.integer] | None
    sources: tuple[tuple[str, int], ...]
    sha256: str  # of the arrays
    class_names: tuple[str, ...]

    def exists(self) -> bool:
        """Whether the files are still there: a cache may be emptied."""
        return self.images.exists() and self.labels.exists()

    def open(self) -> Dataset:
        """The data set, its arrays mapped into memory: only what is read takes memory, once for all processes."""
        arrays = _map(self.images), _map(self.labels)
        dataset = Dataset(*arrays, self.name, self.rows, self.sources, self.sha256, self.class_names)
        _mapped[dataset] = self
        return dataset


_mapped: WeakKeyDictionary[Dataset, MappedDataset] = WeakKeyDictionary()


def map_dataset(dataset: Dataset) -> MappedDataset:
    """Write a data set's arrays to files, unless they are there already, in the cache or else in a temporary folder."""
    if dataset not in _mapped or not _mapped[dataset].exists():
        whole = replace(dataset, rows=None)
        name = whole.fingerprint()["sha256"]
        try:
            paths = _write(cache_folder() / "arrays", name, whole)
        except (InklingError, OSError):  # the disk is full, or the folder is read-only
            paths = _write(Path(_temporary_folder().name), name, whole)
        _mapped[dataset] = MappedDataset(*paths, dataset.name, dataset.rows, dataset.sources, name, dataset.class_names)
    return _mapped[dataset]


def _write(folder: Path, name: str, dataset: Dataset) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{name}-images.npy", folder / f"{name}-labels.npy"
    for path, array in zip(paths, (dataset.images, dataset.labels), strict=True):
        if path.exists():
            with suppress(OSError):  # the folder is read-only
                path.touch()  # it is used
        else:
            with atomic_write(path) as file:
                np.save(file, array, allow_pickle=False)
    with suppress(OSError):
        for path in folder.glob("*.npy"):
            if time() - path.stat().st_mtime > 86_400 * MAX_UNUSED_DAYS:
                path.unlink()
    return paths


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="inkling-")  # deleted when this process ends


def _map(path: Path) -> npt.NDArray:
    if path.stat().st_size < 200:  # an empty array cannot be mapped
        return np.load(path, allow_pickle=False)
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
