"""The picture that a visitor brought: an outline round each digit that was found, and boxes that the visitor drags.

The picture is kept in grey, as the file that is stored: so the same is read after a reload.
"""

import base64
import binascii
import io
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from math import ceil, prod
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from engine import BlankDrawing, InklingError, Network, prepare, read_image
from engine.calibration import threshold
from engine.preprocessing import BLANK, MIN_CONTRAST, Box, crop, fit
from engine.reading import Digit, Reading, Writing, find_writing, read_writing
from ui import compat, networks, state
from ui.class_names import short
from ui.components import make_component
from ui.draw import keyboard_grid
from ui.draw.canvas import current_drawing
from ui.draw.prediction import Prediction, sure
from ui.state import session
from ui.translation import N_, _, ngettext
from ui.visitor import workspace

KEY = "picture view"
MAX_BYTES = 400_000  # of the file that is stored
MAX_PNG_PIXELS = 250_000  # larger pictures are stored as JPEG
QUALITIES = (90, 75, 60)  # of JPEG: the first with which the file is small enough
MAX_BOXES = 20  # that a visitor can drag
MAX_AREA = 3  # of all boxes together, in pictures: each box is read anew after a reload
MIN_BOX_SIDE = 4  # pixels of the picture
MIN_READ_SIDE, MAX_READ_SIDE = 128, 1024  # pixels: what is in a smaller box is enlarged, so that paper can be told from ink
MAX_READINGS = 4  # that are kept for one picture: a network that trains is another one after each look
MIN_PART, MIN_PART_HEIGHT = 1 / 3, 1 / 2  # of a piece of ink, and of a box: what has less in the box belongs to a neighbour
MAX_LINE_SHAPE = 6  # a left-out mark that is longer than this, measured by its width, cannot be pressed: it is a line
HTML = """<section class="inkling-picture" aria-label="{picture}">
<div class="sheet"><img alt="{picture}" draggable="false"><div class="marks"></div></div>
<div class="beside"><div class="text"></div><div class="tools">
<button type="button" data-action="left"><span aria-hidden="true">↺</span> {left}</button>
<button type="button" data-action="right"><span aria-hidden="true">↻</span> {right}</button>
<button type="button" data-add><span aria-hidden="true">+</span> {add}</button>
<button type="button" data-action="undo"><span aria-hidden="true">⤺</span> {undo}</button>
<button type="button" data-action="remove"><span aria-hidden="true">✕</span> {remove}</button>
</div><p class="keys" hidden>{keys}</p></div><p class="inkling-spoken" role="status"></p></section>"""
HELP = N_("Press a digit to put it on the canvas. Did it miss one? Drag a box around it.")
NO_WRITING = N_("<b>No writing found.</b> Drag a box around a digit, or take a photo of dark ink on white paper, close up.")
NO_NETWORK = N_("<b>A network is needed to read this picture.</b> Train one on the Train page.")
NO_INK_IN_BOX = N_("There is no ink in that box. Drag it around a whole digit.")
NO_ROOM = N_("There is room for {count} boxes. Remove the last box first.")
TOO_LARGE = N_("Your boxes are too large together. Remove the last box first, or drag a smaller one.")


class Look(NamedTuple):
    """What is in a box: ``image`` (28, 28) is what the network sees, ``ink`` (h, w) is from the page, if it has any."""

    image: npt.NDArray[np.float32]
    ink: npt.NDArray[np.float32] | None


@dataclass
class Picture:
    """A picture with what was read on it. ``boxes`` are those that the visitor dragged, in the turned picture's pixels."""

    content: bytes  # a PNG or JPEG file
    upright: npt.NDArray[np.uint8]  # (H, W): the pixels of ``content``
    turns: int = 0  # quarter turns to the right
    boxes: tuple[Box, ...] = ()  # the newest last; replaced, never changed: another thread stores them
    looks: dict[Box, "Look | None"] = field(default_factory=dict)  # at what is in a box; None without ink
    problem: str = ""  # a sentence about the last box
    picked: tuple[Box, str] | None = None  # the digit that is on the canvas, and its pixels there
    readings: dict[Network, Reading] = field(default_factory=dict)
    file: bytes = b""  # of the turned picture

    @classmethod
    def from_image(cls, image: Image.Image) -> Self:
        """Raises ``BlankDrawing`` for a picture of one brightness."""
        grey = _grey(image)
        if np.ptp(grey) < MIN_CONTRAST:
            raise BlankDrawing(BLANK)
        content = encode(grey)
        return cls(content, _decode(content))

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """The picture that ``to_json`` wrote, without boxes that are wrong; None for anything else."""
        with suppress(InklingError, KeyError, TypeError, ValueError, binascii.Error):
            text, turns, boxes = value["image"], value["turns"], value["boxes"]
            if len(text) <= 2 * MAX_BYTES and type(turns) is int and isinstance(boxes, list):
                content = base64.b64decode(text, validate=True)
                picture = cls(content, _decode(content), turns % 4)
                for box in boxes[:MAX_BOXES]:
                    if (checked := valid_box(box, picture.pixels.shape)) and not picture.problem_with(checked):
                        picture.boxes = _with_newest(picture.boxes, checked)
                return picture
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "image": base64.b64encode(self.content).decode(),
            "turns": self.turns,
            "boxes": [list(box) for box in self.boxes],
        }

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """The turned picture, (H, W)."""
        return np.ascontiguousarray(np.rot90(self.upright, -self.turns))

    def turn(self, quarters: int) -> None:
        """Turn it to the right. The boxes are dropped: what was missed may be read now."""
        self.turns = (self.turns + quarters) % 4
        self.boxes, self.problem, self.picked = (), "", None
        self.looks, self.readings, self.file = {}, {}, b""

    def add_box(self, box: object) -> Box | None:
        """Have what is inside this box read as one digit; returns None if it is no box, or if it has a ``problem``."""
        self.problem = ""
        checked = valid_box(box, self.pixels.shape)
        if checked is None:
            return None
        self.problem = self.problem_with(checked) or ("" if self._look(checked) else _(NO_INK_IN_BOX))
        if self.problem:
            self.looks.pop(checked, None)
            return None
        self.boxes, self.readings = _with_newest(self.boxes, checked), {}
        return checked

    def problem_with(self, box: Box) -> str:
        """Why there is no room for this box, as a sentence; empty if there is."""
        boxes = _with_newest(self.boxes, box)
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
        if len(boxes) > MAX_BOXES:
            return _(NO_ROOM).format(count=MAX_BOXES)
        return _(TOO_LARGE) if area > MAX_AREA * self.upright.size else ""

    def _look(self, box: Box) -> Look | None:
        """A look at the page's own ink in a box. Only if it has none there, what is in the box is a photo of its own."""
        if box not in self.looks:
            writing = _writing(self.content, self.turns)
            ink = None if writing is None else _ink_in(writing, box)
            try:
                self.looks[box] = Look(prepare(self._part(box)) if ink is None else fit(ink), ink)
            except BlankDrawing:
                self.looks[box] = None
        return self.looks[box]

    def _part(self, box: Box) -> Image.Image:
        """What is inside a box, enlarged if it is small."""
        left, top, right, bottom = box
        part = Image.fromarray(self.pixels[top:bottom, left:right])
        factor = min(max(1, MIN_READ_SIDE / min(part.size)), MAX_READ_SIDE / max(part.size))
        width, height = (round(factor * side) for side in part.size)
        return part.resize((width, height), Image.Resampling.BICUBIC) if factor > 1 else part

    def ink_of(self, digit: Digit) -> Image.Image | npt.NDArray[np.uint8]:
        """A digit's ink without the other digits, as large as it is on the picture, in a form that the canvas takes."""
        if digit.ink is None and digit.box in self.boxes:
            return self._part(digit.box)
        ink = digit.image if digit.ink is None else digit.ink
        return np.pad(np.round(255 * ink / ink.max()).astype(np.uint8), max(ink.shape) // 2)

    def undo_box(self) -> None:
        """Drop the box that was dragged last."""
        for box in self.boxes[-1:]:
            self.looks.pop(box, None)
        self.boxes, self.readings, self.problem = self.boxes[:-1], {}, ""

    def act(self, action: object, network: Network | None) -> Digit | None:
        """Do what the browser says was done; return the digit to put on the canvas, if any. Anything else is ignored."""
        match action:
            case ["press", *sides] if network:  # the box, not a number: another network may have read other digits meanwhile
                self.problem = ""
                return next((digit for digit in self.read(network).digits if [*digit.box] == sides), None)
            case ["box", *sides] if network and (box := self.add_box(sides)):
                return next(digit for digit in self.read(network).digits if digit.box == box)
            case ["left" | "right" as side]:
                self.turn(-1 if side == "left" else 1)
                return self.first_digit(network) if network else None
            case ["undo"]:
                self.undo_box()
        return None

    def first_digit(self, network: Network) -> Digit | None:
        return next(iter(self.read(network).digits), None)

    def read(self, network: Network) -> Reading:
        """What is on the picture, with the visitor's boxes; no lines if there is no ink."""
        if network not in self.readings:
            if len(self.readings) >= MAX_READINGS:
                self.readings.clear()
            writing = _writing(self.content, self.turns)
            reading = read_writing(network, writing) if writing else Reading([], [])
            looks = {box: look for box in self.boxes if (look := self._look(box))}
            if looks:
                rows = network.predict_proba(np.asarray([look.image for look in looks.values()]))
                for (box, look), row in zip(looks.items(), rows, strict=True):
                    reading = with_digit(reading, Digit(box, look.image, row, look.ink))
            self.readings[network] = reading
        return self.readings[network]

    def view_file(self) -> bytes:
        """The turned picture as a file."""
        if not self.file:
            self.file = encode(self.pixels) if self.turns else self.content
        return self.file


def encode(grey: npt.NDArray[np.uint8]) -> bytes:
    """Grey values (H, W) as a PNG or JPEG file of at most ``MAX_BYTES``; made smaller if they have to be."""
    image, is_small = Image.fromarray(grey), grey.size <= MAX_PNG_PIXELS
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, "PNG" if is_small else "JPEG", quality=quality)
        if file.tell() <= MAX_BYTES:
            return file.getvalue()
    return encode(np.asarray(image.reduce(2)))


@lru_cache(maxsize=3)  # of all visitors together: one takes 10 to 42 MB
def _writing(content: bytes, turns: int) -> Writing | None:
    """What is on a turned picture, for any network; None if nothing is."""
    try:
        return find_writing(np.rot90(_decode(content), -turns))
    except BlankDrawing:
        return None


def _ink_in(writing: Writing, box: Box) -> npt.NDArray[np.float32] | None:
    """The page's ink in a box, (h, w), without the edges of neighbours; None if there is none."""
    from scipy import ndimage  # slow to import: the page is there first

    ink, (across, down) = writing.parts.ink, writing.scale
    (height, width), (left, top, right, bottom) = ink.shape, box
    rows = slice(min(int(top / down), height - 1), max(ceil(bottom / down), 1))
    columns = slice(min(int(left / across), width - 1), max(ceil(right / across), 1))
    part = ink[rows, columns]
    labels = np.empty(ink.shape, np.int32)
    ndimage.label(ink > 0, np.ones((3, 3)), output=labels)
    inside = labels[rows, columns]
    num_pixels, num_inside = np.bincount(labels.ravel()), np.bincount(inside.ravel(), minlength=int(labels.max()) + 1)
    heights = np.zeros(len(num_pixels))
    for number, places in enumerate(ndimage.find_objects(inside), start=1):
        if places:
            heights[number] = places[0].stop - places[0].start
    is_kept = (num_inside > 0) & ((num_inside >= MIN_PART * num_pixels) | (heights >= MIN_PART_HEIGHT * len(part)))
    is_kept[0] = False
    kept = np.where(is_kept[inside], part, np.float32(0))
    return crop(kept) if kept.any() else None


def _with_newest(boxes: tuple[Box, ...], box: Box) -> tuple[Box, ...]:
    return (*(other for other in boxes if other != box), box)


def _decode(content: bytes) -> npt.NDArray[np.uint8]:
    """The pixels (H, W) of a file."""
    if not content.startswith((b"\x89PNG", b"\xff\xd8")):
        raise InklingError("a stored picture must be PNG or JPEG")
    return np.asarray(read_image(io.BytesIO(content)).convert("L"))


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Brightness (H, W); behind transparent pixels is black or white, whichever has more contrast."""
    if "A" not in image.getbands():
        return np.asarray(image.convert("L"))
    sheets = (Image.new("RGBA", image.size, paper) for paper in ("white", "black"))
    greys = [np.asarray(Image.alpha_composite(sheet, image.convert("RGBA")).convert("L")) for sheet in sheets]
    return max(greys, key=np.std)


def valid_box(box: object, shape: tuple[int, ...]) -> Box | None:
    """A box that a browser sent, in whole pixels inside a picture of this shape; None if it is none, or too small."""
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(type(side) in (int, float) for side in box):
        return None
    if not all(-1e6 < side < 1e6 for side in box):  # nor NaN
        return None
    left, top, right, bottom = (min(max(round(side), 0), shape[1 - axis % 2]) for axis, side in enumerate(box))
    return (left, top, right, bottom) if min(right - left, bottom - top) >= MIN_BOX_SIDE else None


def with_digit(reading: Reading, digit: Digit) -> Reading:
    """The reading with one digit more, in place of those and of the left-out marks whose middle is in its box."""

    def is_inside(box: Box) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return digit.box[0] <= x < digit.box[2] and digit.box[1] <= y < digit.box[3]

    lines = [[other for other in line if not is_inside(other.box)] for line in reading.lines]
    lines = [line for line in lines if line]
    middle = (digit.box[1] + digit.box[3]) / 2
    for number, line in enumerate(lines):
        if min(other.box[1] for other in line) <= middle < max(other.box[3] for other in line):
            lines[number] = sorted([*line, digit], key=lambda other: other.box[0])
            break
    else:
        lines = sorted([*lines, [digit]], key=lambda line: line[0].box[1])
    return Reading(lines, [box for box in reading.left_out if not is_inside(box)])


def current_picture() -> Picture | None:
    """This session's picture, if there is any."""
    if not session().picture_is_read:
        session().picture_is_read = True
        session().picture = Picture.from_json(workspace().value("picture"))
    return session().picture


def take(image: Image.Image) -> None:
    """Show this picture, and its first digit on the canvas; to be called in a callback.

    Raises ``BlankDrawing`` if nothing at all is on it.
    """
    picture = Picture.from_image(image)
    session().picture, session().picture_is_read = picture, True
    _store()
    if (network := _chosen_network()) and (digit := picture.first_digit(network)):
        _put_on_canvas(picture, digit)


def _store() -> None:
    picture = session().picture
    workspace().set_value("picture", picture.to_json if picture else lambda: None)


def _chosen_network() -> Network | None:
    candidates = networks.candidates()
    chosen = candidates.get(state.value("network")) or next(iter(candidates.values()), None)
    return chosen and chosen.network


def put_on_canvas(image: Image.Image | npt.NDArray[np.uint8]) -> None:
    """Show an image's ink on the canvas, in place of what is drawn; to be called in a callback."""
    current_drawing().replace_with_picture(image)
    keyboard_grid.turn_off()


def _put_on_canvas(picture: Picture, digit: Digit) -> None:
    """Show a digit on the canvas, in place of what is drawn."""
    put_on_canvas(picture.ink_of(digit))
    picture.picked = digit.box, current_drawing().objects[0]["src"]


def show_picture(network: Network | None) -> None:
    """Show the picture with its outlines, the numbers on it, and what can be done with it; nothing if there is none."""
    picture = current_picture()
    if picture is None:
        return
    html = HTML.format(
        picture=_("Your picture"),
        left=_("Turn left"),
        right=_("Turn right"),
        add=_("Add a box"),
        undo=_("Remove the last box"),
        remove=_("Remove picture"),
        keys=_(
            "Move the box with the arrow keys, and change its size with Shift and the arrow keys. Enter reads what is in "
            "it. Escape removes it."
        ),
    )
    view = make_component("picture", html)
    view(data=view_data(picture, network), key=KEY, on_action_change=_act)


def view_data(picture: Picture, network: Network | None) -> dict[str, Any]:
    """The message to the browser: the picture's address and size, its outlines in percent, and the text beside it."""
    height, width = picture.pixels.shape
    reading = picture.read(network) if network else Reading([], [])
    least, names = (threshold(network), network.class_names) if network else (0, ())
    objects = current_drawing().objects
    on_canvas = objects[0].get("src") if len(objects) == 1 else None
    marks = []
    for box in reading.left_out:
        is_line = not _may_be_digit(box, reading)
        marks.append({"box": box, "kind": "left-out", "is_line": is_line, "name": _("Skipped. Press to read it.")})
    for digit in reading.digits:
        prediction = Prediction(digit.probabilities, least, names)
        marks.append(
            {
                "box": digit.box,
                "kind": "sure" if prediction.is_sure else "not-sure",
                "symbol": short(prediction.symbol),
                "name": prediction.text,
                "is_picked": picture.picked == (digit.box, on_canvas),
            }
        )
    lines = [[Prediction(digit.probabilities, least, names) for digit in line] for line in reading.lines]
    nothing = _("no writing found") if network else _("a network is needed to read it")
    spoken = _("Your picture: {numbers}").format(numbers="; ".join(map(line_text, lines)) or nothing)
    return {
        "src": compat.media_url(picture.view_file(), KEY),
        "width": width,
        "height": height,
        "is_small": len(reading.digits) == 1,
        "has_network": network is not None,
        "has_boxes": bool(picture.boxes),
        "marks": marks,
        "html": text_html(lines, len(reading.left_out), picture.problem) if network else f"<p>{_(NO_NETWORK)}</p>",
        "spoken": picture.problem or spoken,
        "texts": {"read_box": _("Box: read what is in it")},
    }


def _may_be_digit(box: Box, reading: Reading) -> bool:
    """Whether a left-out mark may be a digit: it is no line, and surrounds no digit."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    middles = [((d.box[0] + d.box[2]) / 2, (d.box[1] + d.box[3]) / 2) for d in reading.digits]
    is_around = any(left <= x < right and top <= y < bottom for x, y in middles)
    return not is_around and max(width, height) <= MAX_LINE_SHAPE * min(width, height)


def line_text(predictions: list[Prediction]) -> str:
    """A number on the picture, and how sure the network is of all of it: the product of its digits."""
    return f"{_written(predictions)}, {_sureness(predictions)}"


def _written(predictions: list[Prediction]) -> str:
    """What a line says: names of several letters stand apart."""
    symbols = [prediction.symbol for prediction in predictions]
    return (" " if any(len(symbol) > 1 for symbol in symbols) else "").join(symbols)


def _sureness(predictions: list[Prediction]) -> str:
    unsure = [number for number, prediction in enumerate(predictions) if not prediction.is_sure]
    if not unsure:
        return sure(prod(prediction.confidence for prediction in predictions))
    if len(predictions) == 1:
        return predictions[0].text
    if len(unsure) == 1:
        candidates = predictions[unsure[0]].candidates_text
        text = _("not sure of digit {number}: {candidates}") if candidates else _("not sure of digit {number}")
        return text.format(number=unsure[0] + 1, candidates=candidates)
    return _("not sure of {unsure} of {count} digits").format(unsure=len(unsure), count=len(predictions))


def text_html(lines: list[list[Prediction]], num_left_out: int, problem: str) -> str:
    """The numbers, what the outlines mean, and what can be done."""
    numbers = "".join(f"<li><b>{escape(_written(line))}</b> <span>{escape(_sureness(line))}</span></li>" for line in lines)
    is_sure = [prediction.is_sure for line in lines for prediction in line]
    legend = {
        "sure": _("read") if any(is_sure) else "",
        "not-sure": _("not sure") if not all(is_sure) else "",
        "left-out": "",
    }
    if num_left_out:
        text = ngettext("{count} mark skipped", "{count} marks skipped", num_left_out)
        legend["left-out"] = text.format(count=num_left_out)
    meanings = "".join(f'<li><i class="{kind}"></i>{text}</li>' for kind, text in legend.items() if text)
    return (
        (f"<ol>{numbers}</ol>" if numbers else f"<p>{_(NO_WRITING)}</p>")
        + (f'<ul aria-label="{_("The outlines")}">{meanings}</ul>' if not all(is_sure) or num_left_out else "")
        + (f'<p class="problem">{problem}</p>' if problem else "")
        + (f"<p>{_(HELP)}</p>" if numbers else "")
    )


def _act() -> None:
    """Do what the browser says was done on the picture."""
    picture, network = current_picture(), _chosen_network()
    action = st.session_state[KEY].get("action")
    if picture is None:
        return
    if action == ["remove"]:
        session().picture = None
    elif digit := picture.act(action, network):
        _put_on_canvas(picture, digit)
    _store()
