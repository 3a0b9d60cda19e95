"""What a network predicts for an image: as text, as a small chart, and as the panel beside the canvas."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine import Network
from engine.calibration import threshold
from ui import images
from ui.components import make_component
from ui.formatting import confidence, percent

MIN_SPOKEN = 0.01  # smaller probabilities are not read out
FIGURE_SPACE = "\u2007"  # as wide as a digit: numbers of any length begin at the same place, and do not move as they change
BLANK = np.zeros((28, 28))


class Prediction(NamedTuple):
    """Ten probabilities; with a confidence below ``threshold`` the network is not sure."""

    probabilities: npt.NDArray[np.float32]
    threshold: float

    @property
    def digit(self) -> int:
        """The most likely digit."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the most likely digit."""
        return float(self.probabilities.max())

    @property
    def is_sure(self) -> bool:
        return self.confidence >= self.threshold

    @property
    def symbol(self) -> str:
        """The digit, or a question mark if the network is not sure."""
        return str(self.digit) if self.is_sure else "?"

    @property
    def text(self) -> str:
        """The prediction in a few words."""
        return f"{self.digit}, {confidence(self.confidence)} sure" if self.is_sure else f"not sure: {self.top_two}"

    @property
    def top_two(self) -> str:
        """The two most likely digits with their probabilities."""
        return " or ".join(f"{digit} ({confidence(self.probabilities[digit])})" for digit in self.ranking[:2])

    @property
    def ranking(self) -> list[int]:
        """The ten digits, the most likely first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    def chart(self) -> str:
        """Ten narrow columns, as HTML."""
        likely = [digit for digit in self.ranking if self.probabilities[digit] >= MIN_SPOKEN] or self.ranking[:1]
        spoken = ", ".join(f"{digit} {confidence(self.probabilities[digit])}" for digit in likely)
        columns = "".join(
            f'<span class="{"winner" if self.is_winner(digit) else ""}">'
            f'<i style="height:{100 * p:.1f}%" title="{digit}: {_short(p)}"></i><b>{digit}</b></span>'
            for digit, p in enumerate(self.probabilities)
        )
        return f'<div class="inkling-ten" role="img" aria-label="Probabilities: {spoken}">{columns}</div>'

    def is_winner(self, digit: int) -> bool:
        """Whether the network is sure of this digit."""
        return self.is_sure and digit == self.digit


def _short(p: float) -> str:
    """A probability in at most seven characters."""
    return confidence(p).replace("more than ", ">")


def predict(network: Network, images: Sequence[npt.NDArray[np.float32]]) -> list[Prediction]:
    """The prediction for each of the images (28, 28), which are in [0, 1]."""
    least = threshold(network)
    return [Prediction(probabilities, least) for probabilities in network.predict_proba(np.asarray(images))]


def with_article(digit: int) -> str:
    """The digit as "a 7" or "an 8"."""
    return f"{'an' if digit == 8 else 'a'} {digit}"


def panel_html(prediction: Prediction | None = None, image: npt.NDArray | None = None) -> str:
    """The panel: the digit, its confidence, the image (28, 28) that the network sees, and ten bars.

    Without a prediction it says what to do. If the network is not sure, it names no digit, but the two most likely ones.
    """
    return f'<div class="inkling-answer">{_headline(prediction, image)}{_bars(prediction)}</div>'


def _headline(prediction: Prediction | None, image: npt.NDArray | None) -> str:
    if prediction is None or image is None:
        symbol, text, picture, alt = "?", "Draw a digit from 0 to 9 in the black square.", BLANK, ""
    else:
        symbol, picture, alt = prediction.symbol, image, "The 28 x 28 pixels that the network sees"
        text = f"<b>{confidence(prediction.confidence)}</b> <br>sure"
        if not prediction.is_sure:
            text = f"<b>Not sure</b> <br>{prediction.top_two}?"
    return (
        f'<div class="inkling-headline"><div class="inkling-digit" data-sure="{symbol != "?"}">{symbol}</div>'
        f'<p>{text}</p><figure><img class="inkling-seen" src="{images.url(picture)}" alt="{alt}">'
        "<figcaption>what the network sees</figcaption></figure></div>"
    )


def _bars(prediction: Prediction | None) -> str:
    rows = []
    for digit in range(10):
        p = 0 if prediction is None else float(prediction.probabilities[digit])
        mark = ' class="winner"' if prediction and prediction.is_winner(digit) else ""
        number = "" if prediction is None else _short(p).rjust(len(percent(1)), FIGURE_SPACE)
        rows.append(
            f'<li{mark}><span class="digit">{digit}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="width:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    return f'<ul class="inkling-bars" aria-label="Probability of each digit">{"".join(rows)}</ul>'


def show_panel(prediction: Prediction | None, image: npt.NDArray | None, spoken: str = "") -> None:
    """Show the panel, changing only what differs from the last one; a screen reader reads out the ``spoken`` text."""
    status = f'<p class="inkling-spoken" role="status">{spoken}</p>'
    make_component("morph", "<div data-morph></div>")(data={"html": panel_html(prediction, image) + status}, key="live")
