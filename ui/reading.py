"""A reading: what a network makes of one image, in words and as a small chart."""

from typing import NamedTuple

import numpy as np

from engine.calibration import threshold
from ui.words import percent

LEAST = 0.01  # probabilities under this are not read out


class Reading(NamedTuple):
    """Ten probabilities, and the confidence from which their network is sure."""

    probabilities: np.ndarray
    threshold: float

    @property
    def digit(self):
        """The likeliest digit."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self):
        return float(self.probabilities.max())

    @property
    def sure(self):
        return self.confidence >= self.threshold

    @property
    def sign(self):
        """The digit, or a question mark where the network is not sure."""
        return str(self.digit) if self.sure else "?"

    @property
    def words(self):
        """The reading in a few words."""
        if self.sure:
            return f"{self.digit}, {percent(self.confidence)} confident"
        return f"not sure: {self.doubt}"

    @property
    def doubt(self):
        """The two digits that it could be, with their probabilities."""
        return " or ".join(f"{digit} ({percent(self.probabilities[digit])})" for digit in self.likeliest[:2])

    @property
    def likeliest(self):
        """The ten digits, the likeliest first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    def chart(self):
        """Ten narrow columns, as HTML."""
        named = [digit for digit in self.likeliest if self.probabilities[digit] >= LEAST] or self.likeliest[:1]
        spoken = ", ".join(f"{digit} {percent(self.probabilities[digit])}" for digit in named)
        winner = self.digit if self.sure else None
        columns = "".join(
            f'<span class="{"winner" if digit == winner else ""}">'
            f'<i style="height:{100 * p:.1f}%" title="{digit}: {percent(p)}"></i><b>{digit}</b></span>'
            for digit, p in enumerate(self.probabilities)
        )
        return f'<div class="inkling-ten" role="img" aria-label="Probabilities: {spoken}">{columns}</div>'


def read(network, images):
    """The ``Reading`` of each image (N, 28, 28)."""
    least = threshold(network)
    return [Reading(probabilities, least) for probabilities in network.predict_proba(np.asarray(images))]
