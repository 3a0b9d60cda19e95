"""What a network predicts for a drawing: as text, as a small chart, and as the panel beside the canvas."""

from collections.abc import Sequence
from html import escape
from itertools import islice
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine import Network
from engine.calibration import threshold
from engine.data.dataset import DIGITS
from engine.layer_outputs import LayerActivity, activity
from engine.preprocessing import BlankDrawing, prepare
from engine.reading import Reading, Writing, find_writing, read_writing
from ui.class_names import listed, reads_digits, short
from ui.components import make_component
from ui.formatting import confidence, percent
from ui.state import session
from ui.translation import _

MIN_SPOKEN = 0.01  # smaller probabilities are not read out
MIN_TWO, MIN_STEP = 0.7, 2  # two candidates stand out if together they are this likely, and the second this often the third
MAX_NO_DIGIT = 0.3  # a drawing whose most likely class is less likely than this looks like none
CERTAIN = 0.9999  # more than this is shown as ">99.9 %": no network is certain
MAX_BARS = 10  # of more classes, the most likely
MAX_ROWS = 4  # of a small chart with long names
NARROW = 2  # characters of a name that fits under a column
MAX_ANSWERS = 8  # that are kept for one drawing
FIGURE_SPACE = "\u2007"  # as wide as a digit: numbers of any length begin at the same place, and do not move as they change


class Prediction(NamedTuple):
    """The probabilities (K,) of classes with these ``names``, which may be any text; with a confidence below ``threshold``
    the network is not sure."""

    probabilities: npt.NDArray[np.float32]
    threshold: float
    names: tuple[str, ...] = DIGITS

    @property
    def label(self) -> int:
        """The most likely class."""
        return int(self.probabilities.argmax())

    @property
    def name(self) -> str:
        return self.names[self.label]

    @property
    def digit(self) -> int | None:
        """The most likely digit; None if the classes are not digits."""
        return self.label if self.names == DIGITS else None

    @property
    def confidence(self) -> float:
        """The probability of the most likely class."""
        return float(self.probabilities.max())

    @property
    def is_sure(self) -> bool:
        return self.confidence >= self.threshold

    @property
    def is_no_digit(self) -> bool:
        """Whether the drawing looks like no digit, or none of the classes: all are unlikely."""
        return not self.is_sure and self.confidence < MAX_NO_DIGIT

    @property
    def candidates(self) -> list[int]:
        """The two most likely classes if the network is not sure and both stand out from the others, else none."""
        first, second, third = (*map(float, -np.sort(-self.probabilities)), 0.0)[:3]
        return self.ranking[:2] if not self.is_sure and first + second >= MIN_TWO and second >= MIN_STEP * third else []

    @property
    def symbol(self) -> str:
        """The class, or a question mark if the network is not sure."""
        return self.name if self.is_sure else "?"

    @property
    def text(self) -> str:
        """The prediction in a few words."""
        if self.is_sure:
            return f"{self.name}, {sure(self.confidence)}"
        if self.candidates:
            return _("not sure: {candidates}").format(candidates=self.candidates_text)
        return self.nothing if self.is_no_digit else _("not sure")

    @property
    def nothing(self) -> str:
        """What to say of a drawing that looks like none of the classes."""
        if self.names == DIGITS:
            return _("this doesn't look like a digit")
        return _("this doesn't look like anything it has learned")

    @property
    def candidates_text(self) -> str:
        """The candidates with their probabilities."""
        return either([f"{self.names[label]} ({chance(self.probabilities[label])})" for label in self.candidates])

    @property
    def ranking(self) -> list[int]:
        """The classes, the most likely first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    def chart(self) -> str:
        """Narrow columns, or rows if the names are long, as HTML: ten, or four."""
        likely = [label for label in self.ranking if self.probabilities[label] >= MIN_SPOKEN][:MAX_BARS] or self.ranking[:1]
        spoken = ", ".join(f"{self.names[label]} {chance(self.probabilities[label])}" for label in likely)
        is_named = have_long_names(self.names)
        bars = ""
        for label in self.ranking[:MAX_ROWS] if is_named else self.shown:
            name, p = self.names[label], float(self.probabilities[label])
            bar = f'<i style="--p:{100 * p:.1f}%" title="{escape(name)}: {chance(p)}"></i>'
            bars += f'<span class="{"winner" if self.is_winner(label) else ""}">{bar}<b>{escape(short(name))}</b></span>'
        kind = "inkling-ten named" if is_named else "inkling-ten"
        label = _("Probabilities: {probabilities}").format(probabilities=spoken)
        return f'<div class="{kind}" role="img" aria-label="{escape(label)}">{bars}</div>'

    @property
    def shown(self) -> list[int]:
        """The classes that have a bar: all in their order, or of more than ten the most likely, these first."""
        return list(range(len(self.names))) if len(self.names) <= MAX_BARS else self.ranking[:MAX_BARS]

    def is_winner(self, label: int) -> bool:
        """Whether the network is sure of this class."""
        return self.is_sure and label == self.label


class Answer(NamedTuple):
    """The predictions for the digits of a drawing, line by line, and what the network sees of the last one.

    A network for other classes takes the whole drawing as one.

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
    def is_sure(self) -> bool:
        return all(prediction.is_sure for prediction in self.predictions)

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


class LatestOutputs(NamedTuple):
    """The outputs of a network's layers for what it saw last in a session."""

    network: Network
    seen: npt.NDArray[np.float32]
    outputs: list[LayerActivity]


def chance(p: float) -> str:
    """A probability as the Draw page shows it everywhere: in at most seven characters, and never 100 %."""
    return confidence(min(float(p), CERTAIN), is_short=True)


def sure(p: float) -> str:
    """How sure a network is, in words: ``97.5 % sure``."""
    return _("{confidence} sure").format(confidence=chance(p))


def either(candidates: Sequence[str]) -> str:
    """Two candidates as ``4 or 9``; fewer as they are."""
    return (
        _("{first} or {second}").format(first=candidates[0], second=candidates[1]) if candidates[1:] else "".join(candidates)
    )


def predict(network: Network, images: Sequence[npt.NDArray[np.float32]]) -> list[Prediction]:
    """The prediction for each of the images (28, 28), which are in [0, 1]."""
    least, names = threshold(network), network.class_names
    return [Prediction(probabilities, least, names) for probabilities in network.predict_proba(np.asarray(images))]


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


def layer_outputs(network: Network, seen: npt.NDArray[np.float32]) -> list[LayerActivity]:
    """The outputs of each layer for ``Answer.seen``, computed once for all that show them."""
    latest = session().latest_outputs
    if latest is None or latest.network is not network or latest.seen is not seen:
        latest = session().latest_outputs = LatestOutputs(network, seen, activity(network, seen))
    return latest.outputs


def _answer(network: Network, image: npt.NDArray[np.uint8], writing: Writing) -> Answer:
    if not reads_digits(network):
        seen = prepare(image)
        return Answer(predict(network, [seen]), image, seen)
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


def have_long_names(names: Sequence[str]) -> bool:
    """Whether some names are too long for the place under a narrow column."""
    return max(map(len, names)) > NARROW


def panel_html(answer: Answer | None = None, names: tuple[str, ...] = DIGITS) -> str:
    """The panel: the class or the number, how sure the network is, and a bar for each class. Without an answer it says what
    to do with a network of classes with these ``names``."""
    return f'<div class="inkling-answer">{_headline(answer, names)}{_bars(answer and answer.last, names)}</div>'


def _headline(answer: Answer | None, names: tuple[str, ...]) -> str:
    symbol, text = "?", _("Draw a digit from 0 to 9 in the black square.")
    if answer is None and names != DIGITS:
        text = _("Draw in the black square. This network knows: {names}.").format(names=escape(listed(names)))
    if answer is not None:
        symbol, last = answer.symbol, answer.last
        if answer.is_number:
            text = _("<b>{confidence}</b> sure of all digits") if answer.is_sure else _("<b>Not sure</b> of each digit")
            text = f"{text.format(confidence=chance(answer.confidence))} <br><small>{_('The last digit:')}</small>"
        elif last.is_sure:
            text = _("<b>{confidence}</b> <br>sure").format(confidence=chance(last.confidence))
        elif last.is_no_digit:
            text = f"<b>{last.nothing[0].upper()}{last.nothing[1:]}</b>"
        else:
            text = f"<b>{_('Not sure')}</b>" + (f" <br>{escape(last.candidates_text)}?" if last.candidates else "")
        if not answer.is_number:
            symbol = short(symbol)
    length = f' data-length="{min(len(symbol), 8)}"' if len(symbol) > 1 else ""
    is_named = answer is not None and not answer.is_number and have_long_names([symbol])
    kind = "inkling-headline named" if is_named else "inkling-headline"
    return (
        f'<div class="{kind}"{length}><div class="inkling-digit" '
        f'data-sure="{answer is not None and answer.is_sure}">{escape(symbol)}</div><p>{text}</p></div>'
    )


def _bars(prediction: Prediction | None, names: tuple[str, ...]) -> str:
    names = prediction.names if prediction else names
    rows = []
    for label in prediction.shown if prediction else range(min(len(names), MAX_BARS)):
        p = 0 if prediction is None else float(prediction.probabilities[label])
        mark = ' class="winner"' if prediction and prediction.is_winner(label) else ""
        number = "" if prediction is None else chance(p).rjust(len(percent(1)), FIGURE_SPACE)
        name = escape(names[label])
        title = "" if short(names[label]) == names[label] else f' title="{name}"'
        rows.append(
            f'<li{mark}><span class="digit"{title}>{escape(short(names[label]))}</span>'
            f'<span class="track" aria-hidden="true"><span class="bar" style="--p:{100 * p:.2f}%"></span></span>'
            f'<span class="number">{number}</span></li>'
        )
    kind = "inkling-bars named" if have_long_names(names) else "inkling-bars"
    label = _("Probability of the most likely classes")
    if len(names) <= MAX_BARS:
        label = _("Probability of each digit") if names == DIGITS else _("Probability of each class")
    return f'<ul class="{kind}" aria-label="{label}">{"".join(rows)}</ul>'


def show_panel(answer: Answer | None, spoken: str = "", names: tuple[str, ...] = DIGITS) -> None:
    """Show the panel, changing only what differs from the last one; a screen reader reads out the ``spoken`` text."""
    status = f'<p class="inkling-spoken" role="status">{escape(spoken)}</p>'
    make_component("morph", "<div data-morph></div>")(data={"html": panel_html(answer, names) + status}, key="live")
