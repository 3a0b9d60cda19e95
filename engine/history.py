"""``History``: what a training of any length has told, in little memory."""

from collections.abc import Sequence
from copy import copy

import numpy as np


class History(Sequence):
    """A growing sequence of events of one ``kind``, a ``NamedTuple`` of numbers, as a list would hold them, but as rows of
    8-byte numbers: a fraction of the memory, and columns without a loop. None is held as NaN, so no number may be that."""

    def __init__(self, kind, events=()):
        self.kind = kind
        self._rows, self._length = np.empty((16, len(kind._fields))), 0
        for event in events:
            self.append(event)

    def append(self, event):
        if self._length == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows[::2])])  # half as many again
        self._rows[self._length] = event  # which makes NaN of None
        self._length += 1

    def so_far(self):
        """These events, and none of those that come."""
        return copy(self)  # the rows are shared: none that is there ever changes

    def column(self, name):
        """One of the numbers of each event, (N,) float64, NaN where it is None; to be read only."""
        return self._rows[: self._length, self.kind._fields.index(name)]

    def __len__(self):
        return self._length

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(self._length)[place]  # from the end too, and no further than that
        row, types = self._rows[place].tolist(), self.kind.__annotations__.values()
        return self.kind(*(None if x != x else int(x) if of is int else x for x, of in zip(row, types, strict=True)))

    def __eq__(self, other):
        return isinstance(other, Sequence) and list(self) == list(other)
