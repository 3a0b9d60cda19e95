"""Records of a training of any length in little memory: ``History``, ``Curve`` and ``EvenlySpaced``."""

from collections.abc import Iterable, Sequence
from copy import copy
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.checks import InklingError, check_integer


class History(Sequence):
    """A growing sequence of events of one class, a ``NamedTuple`` of numbers.

    It behaves as a list, but stores rows of 8-byte numbers: a fraction of the memory, and columns without a loop. None is
    stored as NaN, so no number may be NaN.
    """

    def __init__(self, event_class: type, events: Iterable[tuple] = ()) -> None:
        self.event_class = event_class
        self._rows, self._length = np.empty((16, len(event_class._fields))), 0
        for event in events:
            self.append(event)

    def append(self, event: tuple) -> None:
        if self._length == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows[::2])])  # half as many again
        self._rows[self._length] = event  # None becomes NaN
        self._length += 1

    def frozen_copy(self) -> "History":
        """The events so far; those that are appended later do not show in it."""
        return copy(self)  # the rows are shared: a row never changes once it is there

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """One field of each event, (N,), NaN where it is None; a view that must not be written to."""
        return self._rows[: self._length, self.event_class._fields.index(name)]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(len(self)))]
        position = range(self._length)[position]  # also counted from the end; raises IndexError beyond it
        row, types = self._rows[position].tolist(), self.event_class.__annotations__.values()
        fields = (None if x != x else int(x) if field_type is int else x for x, field_type in zip(row, types, strict=True))
        return self.event_class(*fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


class Curve:
    """The first steps, and means over runs of the steps after them: at most ``limit`` points, however long the training.

    The first ``num_exact`` points are a step each, unless they were saved by an earlier version. Each other one covers the
    same number of steps: when there are too many points, neighbours are averaged in pairs.
    """

    def __init__(self, columns: Sequence[str], limit: int = 400) -> None:
        self.columns, self.limit = columns, limit
        self.num_exact = 2 * (limit // 16)
        self.steps_per_point = 1
        self._points: list[npt.NDArray] = []  # the mean of each full run of steps
        # The sums and the count of a run that is not full yet.
        self._open_run: tuple[tuple[float, ...], int] = (0.0,) * len(columns), 0

    def append(self, *values: float) -> None:
        """Add one step's values, in the order of ``columns``."""
        sums, count = self._open_run
        sums, count = tuple(map(add, sums, values)), count + 1
        if count < self.steps_per_point:
            self._open_run = sums, count
            return
        self._open_run = (0.0,) * len(self.columns), 0
        self._points.append(np.array(sums) / count)
        if len(self._points) == self.limit:
            first, others = self._points[: self.num_exact], self._points[self.num_exact :]
            self._points = first + list(np.array(others).reshape(-1, 2, len(self.columns)).mean(axis=1))
            self.steps_per_point *= 2

    def extend(self, points: npt.NDArray) -> None:
        """Add each of these points (P, columns) as a step."""
        for point in points.tolist():
            self.append(*point)

    def state(self) -> tuple[list[int], npt.NDArray]:
        """The whole curve as JSON values and an array, for ``restore``."""
        sums, count = self._open_run
        return [self.steps_per_point, count], np.array([*self._points, sums])

    def restore(self, counts: Sequence[int], rows: npt.NDArray) -> None:
        """Become the curve that ``state`` wrote down; raises ``InklingError`` for anything else."""
        self.steps_per_point, count = (check_integer("curve", count, 0, 2**53) for count in counts)
        right_shape = rows.ndim == 2 and rows.shape[1] == len(self.columns) and 1 <= len(rows) <= self.limit
        if not right_shape or not self.steps_per_point or not np.isfinite(rows).all():
            raise InklingError(
                f"curve must be at most {self.limit} rows of {len(self.columns)} finite numbers, got {rows.shape}"
            )
        self._points, self._open_run = list(rows[:-1]), (tuple(rows[-1].tolist()), count)

    def points(self) -> npt.NDArray:
        """The points so far, (P, columns). The last one covers the steps of a run that is not full yet."""
        sums, count = self._open_run
        last = [np.array(sums) / count] if count else []
        return np.array(self._points + last).reshape(-1, len(self.columns))


class EvenlySpaced:
    """At most ``limit`` of the items that are appended, evenly spaced, always with the first and the last."""

    def __init__(self, limit: int = 50) -> None:
        self.limit, self._stride = limit, 1
        self._items: list[tuple[int, Any]] = []

    def append(self, position: int, item: Any) -> None:
        """Add the item at this position, one more than the last, and drop earlier ones if there are too many."""
        items = self._on_stride()  # the last one may be off it
        if len(items) == self.limit:
            self._stride *= 2
            items = self._on_stride()
        self._items = [*items, (position, item)]

    def items(self) -> tuple[tuple[int, Any], ...]:
        """The pairs (position, item) that are left, in order."""
        return tuple(self._items)

    def restore(self, items: Sequence[tuple[int, Any]]) -> None:
        """Continue from what ``items`` returned."""
        self._items = list(items)
        self._stride = items[1][0] - items[0][0] if len(items) > 1 else 1

    def _on_stride(self) -> list[tuple[int, Any]]:
        return [pair for pair in self._items if (pair[0] - self._items[0][0]) % self._stride == 0]
