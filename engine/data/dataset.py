"""``Dataset``: labelled images, and subsets of them that share the memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError

NO_DIGIT = 255  # the label of an image that shows no digit: a network should be unsure about it
DIGITS = tuple("0123456789")
MAX_CLASSES = 62  # digits, capital and small letters

MAX_KNOWN = 64  # subsets whose contents were read to identify them
_KNOWN: dict[tuple[str, str | None], str] = {}  # their fingerprints, by ``arrays_sha256`` and the fingerprint of ``rows``

Positions = npt.NDArray[np.integer] | slice


class DataError(InklingError):
    """A data file is missing, damaged, or has other contents than expected."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images (M, 28, 28) uint8 and labels (M,) uint8, both read-only and shared by all subsets.

    ``rows`` selects and orders the images that belong to this set; None selects all. ``sources`` are the names and sizes of
    the sets that were joined to make ``images``, in order; empty if nothing was joined. ``arrays_sha256`` identifies the
    contents of ``images`` and ``labels``, if that is known. ``class_names`` are what the labels 0, 1, ... stand for.
    ``notices`` are sentences on what is unusual about data of unknown origin, and what was changed. Two sets are equal only
    if they are the same object; compare ``fingerprint()`` to compare contents.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    name: str = ""
    rows: npt.NDArray[np.integer] | None = None
    sources: tuple[tuple[str, int], ...] = ()
    arrays_sha256: str = ""
    class_names: tuple[str, ...] = DIGITS
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name or 'a data set'} must have as many labels as images, "
                f"got {len(self.images):,} images and {len(self.labels):,} labels"
            )
        for name in ("images", "labels"):
            array = getattr(self, name).view()  # the caller's own array stays writable
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.labels if self.rows is None else self.rows)

    def take(self, positions: Positions) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The images and labels at ``positions`` of this set: read-only views or copies."""
        rows = positions if self.rows is None else self.rows[positions]
        return self.images[rows], self.labels[rows]

    @property
    def own_labels(self) -> npt.NDArray[np.uint8]:
        """The labels (N,) of this set, in its order."""
        return self.labels if self.rows is None else self.labels[self.rows]

    def subset(self, positions: Positions) -> "Dataset":
        """The set of the images at ``positions``; they are not copied."""
        return replace(self, rows=self._all_rows()[positions])

    def by_source(self) -> Mapping[str, "Dataset"]:
        """The subset that comes from each joined source, by the source's name."""
        if not self.sources:
            return {self.name: self}
        rows = self._all_rows()
        source_of_row = np.repeat(np.arange(len(self.sources)), [size for _, size in self.sources])[rows]
        names = [name for name, _ in self.sources]
        return {name: replace(self, name=name, rows=rows[source_of_row == i], sources=()) for i, name in enumerate(names)}

    def split(self, size: int, rng: np.random.Generator) -> tuple["Dataset", "Dataset"]:
        """Draw ``size`` images at random: return the set of the others, and the set of those."""
        order = rng.permutation(len(self))
        return self.subset(np.sort(order[size:])), self.subset(np.sort(order[:size]))

    def fingerprint(self) -> dict[str, Any]:
        """What identifies these images and labels, for a checkpoint's header."""
        return {"name": self.name, "images": len(self), "sha256": self._sha256}

    @cached_property
    def _sha256(self) -> str:
        if not self.arrays_sha256:
            return self._digest()
        rows = None if self.rows is None else hashlib.sha256(self.rows.tobytes()).hexdigest()
        key = self.arrays_sha256, rows
        known = _KNOWN.get(key)
        if known is None:
            if len(_KNOWN) >= MAX_KNOWN:
                _KNOWN.clear()
            _KNOWN[key] = known = self._digest()
        return known

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for start in range(0, len(self), 4096):  # in blocks: copying everything at once would double the memory
            for array in self.take(slice(start, start + 4096)):
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _all_rows(self) -> npt.NDArray[np.integer]:
        return np.arange(len(self)) if self.rows is None else self.rows
