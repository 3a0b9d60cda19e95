"""``History``: what a training of any length has told, in little memory."""

from array import array
from collections.abc import Sequence
from copy import copy

import numpy as np


class History(Sequence):
    """A growing sequence of events of one ``kind``, a ``NamedTuple`` of numbers, as a list would hold them, but as rows of
    8-byte numbers: a fifth of the memory, and columns without a loop. None is held as NaN, so no number may be that."""

    def __init__(self, kind, events=()):
        self.kind = kind
        self._numbers, self._length = array("d"), 0
        for event in events:
            self.append(event)

    def append(self, event):
        self._numbers.extend(np.nan if value is None else value for value in event)
        self._length += 1

    def so_far(self):
        """These events, and none of those that come."""
        return copy(self)  # the numbers are shared: rows are only added to them

    def column(self, name):
        """One of the numbers of each event, (N,) float64, NaN where it is None."""
        width = len(self.kind._fields)
        rows = np.frombuffer(self._numbers[: self._length * width]).reshape(-1, width)
        return rows[:, self.kind._fields.index(name)]

    def __len__(self):
        return self._length

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(self._length)[place]  # from the end too, and no further than that
        width, types = len(self.kind._fields), self.kind.__annotations__.values()
        row = self._numbers[place * width : (place + 1) * width]
        return self.kind(*(None if x != x else int(x) if of is int else x for x, of in zip(row, types, strict=True)))

    def __eq__(self, other):
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None
