"""``Dataset``: labelled images, and parts of them that share the bytes."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.checks import InklingError


class DataError(InklingError):
    """A data file that is missing, broken, or not what it says it is."""


@dataclass(frozen=True)
class Dataset:
    """Images (M, 28, 28) uint8 and labels (M,) uint8, both read-only and shared by everyone who uses them.

    ``rows`` picks and orders the ones that belong to this set; None is all of them.
    """

    images: np.ndarray
    labels: np.ndarray
    name: str = ""
    rows: np.ndarray | None = None

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

    def subset(self, positions):
        """The set of only these positions; the images stay where they are."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return replace(self, rows=rows[positions])

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
