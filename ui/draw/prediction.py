"""What a network predicts for a drawing: as text, as a small chart, and as the panel beside the canvas."""

from collections.abc import Sequence
from itertools import islice
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine import Network
from engine.calibration import threshold
from engine.preprocessing import BlankDrawing
from engine.reading import Reading, Writing, find_writing, read_writing
from ui.components import make_component
from ui.formatting import confidence, percent
from ui.state import session

MIN_SPOKEN = 0.01  # smaller probabilities are not read out
MIN_TWO, MIN_STEP = 0.7, 2  # two candidates stand out if together they are this likely, and the second this often the third
MAX_NO_DIGIT = 0.3  # a drawing whose most likely digit is less likely than this is no digit
CERTAIN = 0.9999  # more than this is shown as ">99.9 %": no network is certain
MAX_ANSWERS = 8  # that are kept for one drawing
FIGURE_SPACE = "\u2007"  # as wide as a digit: numbers of any length begin at the same place, and do not move as they change


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
    def is_no_digit(self) -> bool:
        """Whether the drawing looks like no digit at all: all ten are unlikely."""
        return not self.is_sure and self.confidence < MAX_NO_DIGIT

    @property
    def candidates(self) -> list[int]:
        """The two most likely digits if the network is not sure and both stand out from the others, else none."""
        first, second, third = (float(self.probabilities[digit]) for digit in self.ranking[:3])
        return self.ranking[:2] if not self.is_sure and first + second >= MIN_TWO and second >= MIN_STEP * third else []

    @property
    def symbol(self) -> str:
        """The digit, or a question mark if the network is not sure."""
        return str(self.digit) if self.is_sure else "?"

    @property
    def text(self) -> str:
        """The prediction in a few words."""
        if self.is_sure:
            return f"{self.digit}, {chance(self.confidence)} sure"
        if self.candidates:
            return f"not sure: {self.candidates_text}"
        return "this doesn't look like a digit" if self.is_no_digit else "not sure"

    @property
    def candidates_text(self) -> str:
        """The candidates with their probabilities."""
        return " or ".join(f"{digit} ({chance(self.probabilities[digit])})" for digit in self.candidates)

    @property
    def ranking(self) -> list[int]:
        """The ten digits, the most likely first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    def chart(self) -> str:
        """Ten narrow columns, as HTML."""
        likely = [digit for digit in self.ranking if self.probabilities[digit] >= MIN_SPOKEN] or self.ranking[:1]
        spoken = ", ".join(f"{digit} {chance(self.probabilities[digit])}" for digit in likely)
        columns = "".join(
            f'<span class="{"winner" if self.is_winner(digit) else ""}">'
            f'<i style="height:{100 * p:.1f}%" title="{digit}: {chance(p)}"></i><b>{digit}</b></span>'
            for digit, p in enumerate(self.probabilities)
        )
        return f'<div class="inkling-ten" role="img" aria-label="Probabilities: {spoken}">{columns}</div>'

    def is_winner(self, digit: int) -> bool:
        """Whether the network is sure of this digit."""
        return self.is_sure and digit == self.digit


class Answer(NamedTuple):
    """The predictions for the digits of a drawing, line by line, and what the network sees of the last one.

    ``image`` (280, 280) is the drawing without the other digits, ``seen`` (28, 28) is the network's input. ``reading`` says
    where the digits are.
    """

    predictions: list[Prediction]
    image: npt.NDArray[np.uint8]
    seen: npt.NDArray[np.float32]
    reading: Reading | None = None

    @property
    def last(self) -> Prediction:
        return self.predictions[-1]

    @property
    def symbol(self) -> str:
        """The digit or the number, with a question mark for each digit that the network is not sure of.

        There is a space between numbers in different lines.
        """
        symbols = iter([prediction.symbol for prediction in self.predictions])
        lengths = [len(line) for line in self.reading.lines] if self.reading else [len(self.predictions)]
        return " ".join("".join(islice(symbols, length)) for length in lengths)

    @property
    def confidence(self) -> float:
        """How sure the network is of the whole number: the probability that every digit is right, if each has its own."""
        return prod(prediction.confidence for prediction in self.predictions)

    @property
    def is_number(self) -> bool:
        return len(self.predictions) > 1

    @property
    def text(self) -> str:
        """The answer in a few words, to be read out."""
        if not self.is_number:
            return self.last.text
        return f"{self.symbol}: {'; '.join(prediction.text for prediction in self.predictions)}"


class LatestDrawing(NamedTuple):
    """What was computed of the drawing that a session asked about last: of its pixels, and of each network."""

    content: bytes
    writing: Writing | None
    answers: dict[Network, Answer]


def chance(p: float) -> str:
    """A probability as the Draw page shows it everywhere: in at most seven characters, and never 100 %."""
    return confidence(min(float(p), CERTAIN), ">")


def predict(network: Network, images: Sequence[npt.NDArray[np.float32]]) -> list[Prediction]:
    """The prediction for each of the images (28, 28), which are in [0, 1]."""
    least = threshold(network)
    return [Prediction(probabilities, least) for probabilities in network.predict_proba(np.asarray(images))]


def answer(network: Network, image: npt.NDArray[np.uint8] | None) -> Answer | None:
    """What the network predicts for a drawing (280, 280); None if it is blank.

    The answers for the latest drawing are kept: bars, panels and challenges ask for them in turn.
    """
    if image is None:
        return None
    latest, content = session().latest_drawing, image.tobytes()
    if latest is None or latest.content != content:
        latest = session().latest_drawing = look(image)
    if latest.writing is None:
        return None
    if network not in latest.answers:
        if len(latest.answers) >= MAX_ANSWERS:  # of a network that trains: it is another one after each look
            latest.answers.clear()
        latest.answers[network] = _answer(network, image, latest.writing)
    return latest.answers[network]


def _answer(network: Network, image: npt.NDArray[np.uint8], writing: Writing) -> Answer:
    reading, least = read_writing(network, writing), threshold(network)
    predictions = [Prediction(digit.probabilities, least) for digit in reading.digits]
    last = reading.digits[-1]
    if (len(predictions) > 1 or reading.left_out) and last.ink is not None:
        left, top, right, bottom = last.box
        image = np.zeros_like(image)
        image[top:bottom, left:right] = np.round(255 * last.ink)
    return Answer(predictions, image, last.image, reading)


def look(image: npt.NDArray[np.uint8]) -> LatestDrawing:
    """What can be computed of a drawing without a network."""
    try:
        writing = find_writing(image)
    except BlankDrawing:
        writing = None
    return LatestDrawing(image.tobytes(), writing, {})


def with_article(digit: int) -> str:
    """The digit as "a 7" or "an 8"."""
    return f"{'an' if digit == 8 else 'a'} {digit}"


def panel_html(answer: Answer | None = None) -> str:
    """The panel: the digit or the number, how sure the network is, and ten bars. Without an answer it says what to do."""
    return f'<div class="inkling-answer">{_headline(answer)}{_bars(answer and answer.last)}</div>'


def _headline(answer: Answer | None) -> str:
    symbol, text = "?", "Draw a digit from 0 to 9 in the black square."
    if answer is not None:
        symbol, last = answer.symbol, answer.last
        if answer.is_number:
            sure = (
                "<b>Not sure</b> of each digit"
                if "?" in symbol
                else f"<b>{chance(answer.confidence)}</b> sure of all digits"
            )
            text = f"{sure} <br><small>The last digit:</small>"
        elif last.is_sure:
            text = f"<b>{chance(last.confidence)}</b> <br>sure"
        elif last.is_no_digit:
            text = "<b>This doesn't look like a digit</b>"
        else:
            text = f"<b>Not sure</b> <br>{last.candidates_text}?" if last.candidates else "<b>Not sure</b>"
    length = f' data-length="{min(len(symbol), 8)}"' if len(symbol) > 1 else ""
    return (
        f'<div class="inkling-headline"{length}><div class="inkling-digit" data-sure="{"?" not in symbol}">{symbol}</div>'
        f"<p>{text}</p></div>"
    )


def _bars(prediction: Prediction | None) -> str:
    rows = []
    for digit in range(10):
        p = 0 if prediction is None else float(prediction.probabilities[digit])
        mark = ' class="winner"' if prediction and prediction.is_winner(digit) else ""
        number = "" if prediction is None else chance(p).rjust(len(percent(1)), FIGURE_SPACE)
        rows.append(
            f'<li{mark}><span class="digit">{digit}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="--p:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    return f'<ul class="inkling-bars" aria-label="Probability of each digit">{"".join(rows)}</ul>'


def show_panel(answer: Answer | None, spoken: str = "") -> None:
    """Show the panel, changing only what differs from the last one; a screen reader reads out the ``spoken`` text."""
    status = f'<p class="inkling-spoken" role="status">{spoken}</p>'
    make_component("morph", "<div data-morph></div>")(data={"html": panel_html(answer) + status}, key="live")
