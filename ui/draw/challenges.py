"""Small challenges, which the page notices when a drawing meets them."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from engine import Network
from ui import images, networks
from ui.class_names import reads_digits
from ui.draw.canvas import current_drawing
from ui.draw.prediction import Answer, answer, chance
from ui.draw.strokes import Objects
from ui.state import session
from ui.translation import N_, _
from ui.visitor import workspace

UGLY_DIGIT, POSTCODE_LENGTH = 4, 5
THUMBNAIL = 56  # pixels a side
MAX_PICTURE_LENGTH, MAX_RESULT_LENGTH = 8_000, 60  # characters, of what the store may hold
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+=*")


@dataclass
class Result:
    """How a challenge was met: in words, with the drawing; less ``confidence`` is better where it counts."""

    text: str
    picture: str
    confidence: float = 1.0

    @property
    def is_valid(self) -> bool:
        """Whether the values, which may come from a file, are what they should be."""
        texts = isinstance(self.text, str) and isinstance(self.picture, str)
        return (
            texts
            and len(self.text) <= MAX_RESULT_LENGTH
            and len(self.picture) <= MAX_PICTURE_LENGTH
            and PICTURE.fullmatch(self.picture) is not None
            and isinstance(self.confidence, int | float)
            and 0 <= self.confidence <= 1
        )


@dataclass
class Progress:
    """Which challenges this workspace has met, by their names, and whether the rail is closed."""

    is_closed: bool = False
    results: dict[str, Result] = field(default_factory=dict)
    newest: str = ""  # the challenge that the last stroke has met
    checked: Objects | None = None  # the drawing that was checked last

    @classmethod
    def from_json(cls, value: Any) -> "Progress":
        """What ``to_json`` wrote, without what is wrong."""
        progress = cls()
        if not isinstance(value, dict):
            return progress
        progress.is_closed = value.get("is_closed") is True
        stored = value.get("results")
        for name in CHALLENGES:
            entry = stored.get(name) if isinstance(stored, dict) else None
            if isinstance(entry, dict) and set(entry) == {"text", "picture", "confidence"} and Result(**entry).is_valid:
                progress.results[name] = Result(**entry)
        return progress

    def to_json(self) -> dict[str, Any]:
        return {"is_closed": self.is_closed, "results": {name: asdict(result) for name, result in self.results.items()}}

    def take(self, name: str, text: str, confidence: float, image: npt.NDArray[np.uint8]) -> None:
        """Note how a challenge was met, unless it was met better before."""
        if name not in self.results or confidence < self.results[name].confidence:
            small = Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
            self.results[name] = Result(text, images.url(np.asarray(small)), confidence)
            self.newest = name


class Attempt(NamedTuple):
    """A drawing with the answers of the network in use, of the weakest and of the best shipped network."""

    answer: Answer
    weak: Answer
    best: Answer


def _ugliest(attempt: Attempt) -> tuple[str, float] | None:
    prediction = attempt.answer.last
    if attempt.answer.is_number or not prediction.is_winner(UGLY_DIGIT):
        return None
    text = _("{confidence} sure. Can you draw one that it is less sure of?")
    return text.format(confidence=chance(prediction.confidence)), prediction.confidence


def _fooled(attempt: Attempt) -> tuple[str, float] | None:
    weak, best = attempt.weak, attempt.best
    if weak.is_number or best.is_number or not best.last.is_sure or weak.symbol == best.symbol:
        return None
    text = _("the best reads {best}, the dense one {dense}").format(best=best.symbol, dense=weak.symbol)
    return text, float(weak.last.probabilities[best.last.digit])


def _postcode(attempt: Attempt) -> tuple[str, float] | None:
    symbol = attempt.answer.symbol
    return (symbol, 1 - attempt.answer.confidence) if len(symbol) == POSTCODE_LENGTH and symbol.isdecimal() else None


CHALLENGES: dict[str, tuple[str, Callable[[Attempt], tuple[str, float] | None]]] = {
    "ugliest": (N_("Draw the ugliest {digit} that it still reads"), _ugliest),
    "fooled": (N_("Draw a digit that the best network reads right and the dense one reads wrong"), _fooled),
    "postcode": (N_("Write a postcode of {length} digits"), _postcode),
}


def task(name: str) -> str:
    """What a challenge asks for."""
    return _(CHALLENGES[name][0]).format(digit=UGLY_DIGIT, length=POSTCODE_LENGTH)


def current_progress() -> Progress:
    """This session's progress, as it was stored last."""
    if session().challenges is None:
        session().challenges = Progress.from_json(workspace().value("challenges"))
    return session().challenges  # pyright: ignore[reportReturnType]


def show_rail(network: Network | None) -> None:
    """The challenges in one row, which can be closed; to be called when a stroke has ended, not while it grows.

    They are about digits: nothing is shown for a network of other classes.
    """
    if network and not reads_digits(network):
        return
    progress = current_progress()
    with st.container(key="challenges", horizontal=True, vertical_alignment="center", gap="small"):
        if progress.is_closed:
            st.button(_("Challenges"), icon=":material/trophy:", type="tertiary", on_click=_set_closed, args=(False,))
            return
        check_drawing(progress, network)
        st.html(_html(progress))
        st.button(_("Close the challenges"), icon=":material/close:", type="tertiary", on_click=_set_closed, args=(True,))


def _set_closed(is_closed: bool) -> None:
    current_progress().is_closed = is_closed
    workspace().set_value("challenges", current_progress().to_json)


def check_drawing(progress: Progress, network: Network | None) -> None:
    """Note which challenges the drawing meets, if it was drawn by hand and has changed since the last call."""
    drawing = current_drawing()
    objects, shipped = drawing.objects, [*networks.shipped_networks()[0].values()]
    if network is None or not reads_digits(network) or not shipped or drawing.pending or objects is progress.checked:
        return
    progress.checked, progress.newest = objects, ""
    image = drawing.image()
    if image is None or not all(shape.get("path") for shape in objects):
        return
    of_networks = [answer(one, image) for one in (network, shipped[-1], shipped[0])]
    if None in of_networks:
        return
    attempt = Attempt(*of_networks)  # pyright: ignore[reportArgumentType]
    for name, (_task, meets) in CHALLENGES.items():
        if met := meets(attempt):
            progress.take(name, *met, image)
    if progress.newest:
        workspace().set_value("challenges", progress.to_json)


def _html(progress: Progress) -> str:
    items = []
    for name in CHALLENGES:
        result = progress.results.get(name)
        mark = f'<img src="{escape(result.picture)}" alt="{_("your drawing")}">' if result else "<i></i>"
        text = f"<b>✓ {escape(result.text)}</b>" if result else ""
        items.append(f'<li class="{"new" if name == progress.newest else ""}">{mark}<span>{task(name)}{text}</span></li>')
    met = progress.results.get(progress.newest)
    spoken = ""
    if met:
        spoken = _("Challenge met: {task}. {result}").format(task=task(progress.newest), result=escape(met.text))
    title = _("Challenges")
    return f'<ul class="inkling-challenges" aria-label="{title}">{"".join(items)}</ul><p role="status">{spoken}</p>'
