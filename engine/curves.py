"""What a training leaves behind as it goes, thinned so that it never outgrows a page: a ``Curve``, or ``Stills``."""

from operator import add

import numpy as np

from engine.checks import InklingError, check_integer


class Curve:
    """Means over runs of neighbouring steps: at most ``limit`` points, however long the training.

    Each point covers the same number of steps; when there are too many, neighbours are averaged in pairs.
    """

    def __init__(self, columns, limit=400):
        self.columns, self.limit = columns, limit
        self.steps_per_point = 1
        self._points = []  # the mean of each full run of steps
        self._rest = (0.0,) * len(columns), 0  # sums and count of a run that is not full; one value, for a viewer's sake

    def append(self, *values):
        """Add one step's values, in the order of ``columns``."""
        sums, count = self._rest
        sums, count = tuple(map(add, sums, values)), count + 1
        if count < self.steps_per_point:
            self._rest = sums, count
            return
        self._rest = (0.0,) * len(self.columns), 0
        self._points.append(np.array(sums) / count)
        if len(self._points) == self.limit:
            pairs = np.array(self._points).reshape(-1, 2, len(self.columns))
            self._points = list(pairs.mean(axis=1))
            self.steps_per_point *= 2

    def state(self):
        """All of the curve, as JSON values and an array, for ``restore``."""
        sums, count = self._rest
        return [self.steps_per_point, count], np.array([*self._points, sums])

    def restore(self, counts, rows):
        """Become the curve whose ``state`` this was."""
        self.steps_per_point, count = (check_integer("curve", count, 0, 2**53) for count in counts)
        if (
            rows.ndim != 2
            or rows.shape[1] != len(self.columns)
            or not 1 <= len(rows) <= self.limit
            or not self.steps_per_point
            or not np.isfinite(rows).all()
        ):
            raise InklingError(
                f"curve must be at most {self.limit} rows of {len(self.columns)} finite numbers, got {rows.shape}"
            )
        self._points, self._rest = list(rows[:-1]), (tuple(rows[-1].tolist()), count)

    def points(self):
        """The points so far, (P, columns); the last one covers the steps that do not fill a point yet."""
        sums, count = self._rest
        rest = [np.array(sums) / count] if count else []
        return np.array(self._points + rest).reshape(-1, len(self.columns))


class Stills:
    """Of things that come one after another, at most ``limit``, evenly spread: always the first and the last."""

    def __init__(self, limit=50):
        self.limit, self._stride, self._kept = limit, 1, []

    def append(self, position, thing):
        """Keep the thing at this position, one more than the last, and of those before it what there is room for."""
        kept = self._on_stride()  # the last one may be off it
        if len(kept) == self.limit:
            self._stride *= 2
            kept = self._on_stride()
        self._kept = [*kept, (position, thing)]

    def kept(self):
        """The pairs (position, thing) that are left, in order."""
        return tuple(self._kept)

    def _on_stride(self):
        return [pair for pair in self._kept if (pair[0] - self._kept[0][0]) % self._stride == 0]
