"""``Collection``: labelled drawings, each with the strokes it was drawn with and the image that a network sees."""

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, Self
from unicodedata import category

import numpy as np
import numpy.typing as npt

from engine.checks import shown
from engine.data.dataset import MAX_CLASSES, DataError, Dataset
from engine.image_file import Drawing
from engine.pen import CANVAS, PEN, draw_strokes
from engine.preprocessing import BlankDrawing, prepare

MAX_STROKES, MAX_POINTS = 200, 5_000  # in one drawing
MAX_COORDINATE, MAX_WIDTH = 10_000, 40  # pixels
MAX_WRITER_LENGTH = 40  # characters
MAX_IMAGE_TEXT = 1_100  # characters: an image of 784 bytes has 1,048 in Base64
EXAMPLE = '{"label": 7, "writer": "a name", "strokes": [{"points": [[90, 80], [190, 80], [130, 220]]}]}'


class PenStroke(NamedTuple):
    """A line drawn with a round pen, or with the eraser; all numbers in pixels of the canvas."""

    points: tuple[tuple[float, float], ...]
    width: float = PEN
    erases: bool = False


@dataclass(frozen=True, eq=False)
class LabelledDrawing:
    """A drawing and what it shows: ``image`` (28, 28) uint8, white on black; ``strokes``, or () if it came as an image."""

    label: int
    image: npt.NDArray[np.uint8]
    strokes: tuple[PenStroke, ...] = ()
    writer: str = ""

    @classmethod
    def from_strokes(cls, label: int, strokes: Sequence[PenStroke], writer: str = "") -> Self:
        """Draw the strokes and prepare the image as for a network; raises ``BlankDrawing`` if nothing can be seen."""
        return cls(label, prepared(render(strokes)), tuple(strokes), writer)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The drawing that ``to_json`` wrote; raises ``DataError`` for anything else."""
        try:
            label, writer = _label(value["label"]), check_writer(value.get("writer", ""))
            if "image" in value:
                return cls(label, _image(value["image"]), writer=writer)
            return cls.from_strokes(label, _strokes(value["strokes"]), writer)
        except BlankDrawing:
            raise DataError("a drawing shows nothing: draw something") from None
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise DataError(f"a drawing must be as {EXAMPLE}") from None

    def to_json(self) -> dict[str, Any]:
        """Label, writer and strokes, from which the image is drawn again; without strokes, the image in Base64."""
        if not self.strokes:
            image = base64.b64encode(self.image.tobytes()).decode()
            return {"label": self.label, "writer": self.writer, "image": image}
        strokes = [
            {"points": [list(point) for point in stroke.points], "width": stroke.width, "erases": stroke.erases}
            for stroke in self.strokes
        ]
        return {"label": self.label, "writer": self.writer, "strokes": strokes}


@dataclass(frozen=True, eq=False)
class Collection:
    """Labelled drawings in the order in which they were made.

    ``skipped`` says in a line each what could not be used of the file that they were read from.
    """

    drawings: tuple[LabelledDrawing, ...] = ()
    name: str = "drawings"
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.drawings)

    def __iter__(self) -> Iterator[LabelledDrawing]:
        return iter(self.drawings)

    @cached_property
    def dataset(self) -> Dataset:
        """All images and labels."""
        images = [drawing.image for drawing in self]
        return Dataset(
            np.stack(images) if images else np.zeros((0, 28, 28), np.uint8),
            np.array([drawing.label for drawing in self], np.uint8),
            self.name,
        )

    def counts(self) -> Counter[int]:
        """How many drawings there are of each label."""
        return Counter(drawing.label for drawing in self)

    def by_writer(self) -> dict[str, "Collection"]:
        """The drawings of each writer, in the order in which the writers appear."""
        writers = dict.fromkeys(drawing.writer for drawing in self)
        return {
            writer: Collection(tuple(drawing for drawing in self if drawing.writer == writer), writer) for writer in writers
        }

    def split(self, size: int, rng: np.random.Generator) -> tuple["Collection", "Collection"]:
        """Hold back ``size`` drawings, of each label about its share: return the others, and those held back."""
        order = rng.permutation(len(self))
        by_label: dict[int, list[int]] = {}
        for position in order:
            by_label.setdefault(self.drawings[position].label, []).append(int(position))
        # the i-th of n drawings of a label stands at (i + 1/2) / n: the first ``size`` have each label in proportion
        places = {p: (i + 0.5) / len(group) for group in by_label.values() for i, p in enumerate(group)}
        held_back = set(sorted(places, key=lambda position: (places[position], position))[:size])
        parts = ([], [])
        for position, drawing in enumerate(self):
            parts[position in held_back].append(drawing)
        return Collection(tuple(parts[0]), self.name), Collection(tuple(parts[1]), self.name)


def render(strokes: Sequence[PenStroke]) -> npt.NDArray[np.uint8]:
    """The strokes on a canvas (280, 280), white on black; each covers those before it."""
    image = np.zeros((CANVAS, CANVAS), np.uint8)
    for erases, group in groupby(strokes, lambda stroke: stroke.erases):
        lines = list(group)
        layer = draw_strokes([line.points for line in lines], CANVAS, [line.width for line in lines])
        image = np.minimum(image, 255 - layer) if erases else np.maximum(image, layer)
    return image


def prepared(picture: Drawing) -> npt.NDArray[np.uint8]:
    """A picture of one drawing as a network sees it, (28, 28) uint8; raises ``InklingError`` as ``prepare`` does."""
    return np.rint(255 * prepare(picture)).astype(np.uint8)


def strokes_from_json(values: Any) -> tuple[PenStroke, ...]:
    """The strokes in the JSON of a drawing; raises ``DataError`` if they are not sound."""
    try:
        return tuple(_strokes(values))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise DataError(f"strokes must be as in {EXAMPLE}") from None


def check_writer(value: Any) -> str:
    """Return ``value`` if it can be a writer's name: at most 40 characters, none of them a control character."""
    is_text = isinstance(value, str) and len(value) <= MAX_WRITER_LENGTH
    if not is_text or any(category(mark) in ("Cc", "Cs", "Zl", "Zp") for mark in value):
        raise DataError(f"a writer must be at most {MAX_WRITER_LENGTH} printable characters, got {shown(value)}")
    return value


def _label(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_CLASSES:
        raise ValueError
    return value


def _image(text: Any) -> npt.NDArray[np.uint8]:
    if not isinstance(text, str) or len(text) > MAX_IMAGE_TEXT:
        raise ValueError
    image = np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(28, 28)
    if not image.any():
        raise BlankDrawing
    return image


def _strokes(values: Any) -> list[PenStroke]:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_STROKES:
        raise ValueError
    if sum(len(value["points"]) for value in values) > MAX_POINTS:
        raise ValueError
    return [
        PenStroke(
            tuple((_number(x), _number(y)) for x, y in value["points"]),
            _number(value.get("width", PEN), 0.1, MAX_WIDTH),
            bool(value.get("erases", False)),
        )
        for value in values
        if value["points"]
    ]


def _number(value: Any, low: float = -MAX_COORDINATE, high: float = MAX_COORDINATE) -> float:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError
    return float(value)
