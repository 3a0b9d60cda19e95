"""``Curve``: what a training measured at every step, thinned so that it never outgrows a page."""

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
        self._sum, self._count = np.zeros(len(columns)), 0  # never changed in place: a viewer may be reading

    def append(self, *values):
        """Add one step's values, in the order of ``columns``."""
        self._sum, self._count = self._sum + values, self._count + 1
        if self._count < self.steps_per_point:
            return
        self._points.append(self._sum / self._count)
        self._sum, self._count = np.zeros(len(self.columns)), 0
        if len(self._points) == self.limit:
            pairs = np.array(self._points).reshape(-1, 2, len(self.columns))
            self._points = list(pairs.mean(axis=1))
            self.steps_per_point *= 2

    def state(self):
        """All of the curve, as JSON values and an array, for ``restore``."""
        return [self.steps_per_point, self._count], np.array([*self._points, self._sum])

    def restore(self, counts, rows):
        """Become the curve whose ``state`` this was."""
        self.steps_per_point, self._count = (check_integer("curve", count, 0, 2**53) for count in counts)
        if (
            rows.ndim != 2
            or rows.shape[1] != len(self.columns)
            or not 1 <= len(rows) <= self.limit
            or not self.steps_per_point
        ):
            raise InklingError(
                f"curve must have {len(self.columns)} columns and at most {self.limit} rows, got {rows.shape}"
            )
        self._points, self._sum = list(rows[:-1]), rows[-1]

    def points(self):
        """The points so far, (P, columns); the last one covers the steps that do not fill a point yet."""
        rest = [self._sum / self._count] if self._count else []
        return np.array(self._points + rest).reshape(-1, len(self.columns))
