"""``Dataset``: labelled images, and parts of them that share the bytes."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.checks import InklingError

NO_DIGIT = 10  # the label of an image that shows none: a network should be unsure of it


class DataError(InklingError):
    """A data file that is missing, broken, or not what it says it is."""


@dataclass(frozen=True)
class Dataset:
    """Images (M, 28, 28) uint8 and labels (M,) uint8, both read-only and shared by everyone who uses them.

    ``rows`` picks and orders the ones that belong to this set; None is all of them. ``sources`` are the names of what was
    joined into the images and how many are of each, one after the other; empty where nothing was joined.
    """

    images: np.ndarray
    labels: np.ndarray
    name: str = ""
    rows: np.ndarray | None = None
    sources: tuple[tuple[str, int], ...] = ()

    def __post_init__(self):
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name or 'a data set'} must have as many labels as images, "
                f"got {len(self.images):,} images and {len(self.labels):,} labels"
            )
        for name in ("images", "labels"):
            array = getattr(self, name).view()  # the caller's own array stays as it was
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self):
        return len(self.labels if self.rows is None else self.rows)

    def take(self, positions):
        """The images and labels at these positions of this set (an index array, or a slice), read-only or copied."""
        rows = positions if self.rows is None else self.rows[positions]
        return self.images[rows], self.labels[rows]

    @property
    def own_labels(self):
        """The labels (N,) of this set alone, in its order."""
        return self.labels if self.rows is None else self.labels[self.rows]

    def subset(self, positions):
        """The set of only these positions; the images stay where they are."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return replace(self, rows=rows[positions])

    def by_source(self):
        """What of this set is from each of its sources: names and sets."""
        if not self.sources:
            return {self.name: self}
        rows = np.arange(len(self)) if self.rows is None else self.rows
        of_row = np.repeat(np.arange(len(self.sources)), [size for _, size in self.sources])[rows]
        names = [name for name, _ in self.sources]
        return {name: replace(self, name=name, rows=rows[of_row == i], sources=()) for i, name in enumerate(names)}

    def split(self, size, rng):
        """This set without ``size`` positions that ``rng`` draws, and the set of those."""
        order = rng.permutation(len(self))
        return self.subset(np.sort(order[size:])), self.subset(np.sort(order[:size]))

    def fingerprint(self):
        """What identifies these images and labels, for a checkpoint's header."""
        return {"name": self.name, "images": len(self), "sha256": self._sha256}

    @cached_property
    def _sha256(self):
        digest = hashlib.sha256()
        for start in range(0, len(self), 4096):  # in parts: a copy of everything would double the memory
            for array in self.take(slice(start, start + 4096)):
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()
