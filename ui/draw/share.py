"""A drawing with its answer, to be shared: as a picture, and as a link that has the strokes in it.

The text of a link is the strokes as bytes, compressed, in URL-safe base64. Each stroke is its kind, its width, the number of
its points, and the steps from point to point in pixels, as whole numbers of seven bits a byte.
"""

import base64
import binascii
import io
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image, ImageDraw, ImageFont

from engine import InklingError
from engine.pen import CANVAS, PEN
from ui import networks, state
from ui.class_names import short
from ui.current_drawing import current_image
from ui.draw import keyboard_grid, strokes
from ui.draw.canvas import current_drawing
from ui.draw.prediction import Answer, answer, chance, have_long_names, sure
from ui.draw.strokes import PAPER_COLOUR, PEN_COLOUR, Objects
from ui.translation import _

PARAMETER = "drawing"  # of the page's address
MAX_LENGTH = 1_500  # characters of a link's text: longer addresses are cut off by some programs
MAX_BYTES = 10_000  # of its strokes
MAX_STROKES, MAX_POINTS = 200, 5_000
TOLERANCES = (0.7, 1.5, 3.0)  # pixels that a point may be off the line, for a link that is short enough

INK, ACCENT, PAPER, TRACK = "#1b1d28", "#3d4ad1", "#ffffff", "#e4e5ea"  # of the picture
WIDTH, HEIGHT, MARGIN = 1200, 630, 35  # pixels, as most programs show a shared picture


def to_text(objects: Objects) -> str | None:
    """The strokes as the text of a link; None if there is a picture among them, or if they are too long."""
    if not objects or len(objects) > MAX_STROKES or not all(shape.get("path") for shape in objects):
        return None
    for tolerance in TOLERANCES:
        content = b"".join(_stroke_bytes(shape, tolerance) for shape in objects)
        text = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
        if len(text) <= MAX_LENGTH and len(content) <= MAX_BYTES:
            return text
    return None


def from_text(text: str) -> Objects:
    """The strokes that ``to_text`` wrote; raises ``InklingError`` for anything else."""
    try:
        if len(text) > MAX_LENGTH:
            raise ValueError
        compressed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(compressed, MAX_BYTES)
        if not unpacker.eof:  # it would be longer
            raise ValueError
        objects = list(_read_strokes(_numbers(content)))
    except (ValueError, binascii.Error, zlib.error, StopIteration, RuntimeError):
        objects = []
    if not objects or len(strokes.valid_objects(objects)) < len(objects):
        raise InklingError("the drawing in this link is damaged or incomplete: ask for the link again")
    return objects


def _stroke_bytes(stroke: dict, tolerance: float) -> bytes:
    points = np.clip(strokes.path_points(stroke), -CANVAS, 2 * CANVAS)
    points = np.round(points[_corners(points, tolerance)]).astype(int)
    steps = np.diff(points, axis=0, prepend=0).ravel().tolist()
    erases = stroke.get("stroke", PEN_COLOUR).upper() == PAPER_COLOUR
    return b"".join(map(_varint, [int(erases), round(stroke.get("strokeWidth", PEN)), len(points), *map(_zigzag, steps)]))


def _corners(points: npt.NDArray[np.float64], tolerance: float) -> list[int]:
    """The positions of the points (P, 2) to which a line through them can be reduced (Douglas & Peucker, 1973)."""
    needed, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        start, end = spans.pop()
        between = points[start + 1 : end] - points[start]  # (B, 2)
        if not len(between):
            continue
        along = points[end] - points[start]
        position = np.clip(between @ along / max(along @ along, 1e-9), 0, 1)[:, None]
        distances = np.hypot(*(between - position * along).T)
        furthest = int(distances.argmax())
        if distances[furthest] > tolerance:
            middle = start + 1 + furthest
            needed.add(middle)
            spans += [(start, middle), (middle, end)]
    return sorted(needed)


def _zigzag(value: int) -> int:
    """0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4 ..."""
    return 2 * value if value >= 0 else -2 * value - 1


def _varint(value: int) -> bytes:
    """A number of seven bits a byte, the lowest first; the eighth bit says that more follow."""
    digits = []
    while value > 127:
        digits.append(value % 128 + 128)
        value //= 128
    return bytes([*digits, value])


def _numbers(content: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in content:
        value += (byte & 127) << shift
        shift += 7
        if shift > 28:
            raise ValueError
        if byte < 128:
            yield value
            value = shift = 0
    if shift:
        raise ValueError


def _read_strokes(numbers: Iterator[int]) -> Iterator[dict]:
    num_strokes = num_points = 0
    for erases in numbers:
        width, count = next(numbers), next(numbers)
        num_strokes, num_points = num_strokes + 1, num_points + count
        if erases > 1 or not count or num_strokes > MAX_STROKES or num_points > MAX_POINTS:
            raise ValueError
        steps = [
            value // 2 if value % 2 == 0 else -(value + 1) // 2 for value in (next(numbers) for _step in range(2 * count))
        ]
        points = np.cumsum(np.reshape(steps, (count, 2)), axis=0).tolist()
        path = strokes.make_path(points[:1], width, PAPER_COLOUR if erases else PEN_COLOUR)
        if count > 1:
            path["path"] = [["M", *points[0]], *(["L", *point] for point in points[1:])]
        yield path


def open_link() -> None:
    """Put the drawing of the page's address on the canvas, as a step that can be undone."""
    text = st.query_params.pop(PARAMETER, None)
    if text is None:
        return
    try:
        objects = from_text(text)
    except InklingError as error:
        st.toast(_("Sorry, {error}.").format(error=error), icon=":material/link_off:")
        return
    current_drawing().replace(objects)
    keyboard_grid.turn_off()


def show_share() -> None:
    """The link and the picture of the current drawing."""
    image = current_image()
    candidates = networks.candidates()
    chosen = candidates.get(state.value("network")) or next(iter(candidates.values()), None)
    answered = answer(chosen.network, image) if chosen else None
    st.markdown("**{}**".format(_("Share the drawing and its answer")))
    content = png(answered, image) if answered and image is not None else b""
    st.download_button(
        _("Picture with the answer"),
        content,
        "inkling.png",
        "image/png",
        icon=":material/share:",
        on_click="ignore",
        disabled=not content,
    )
    text = None if keyboard_grid.is_on() else to_text(current_drawing().objects + current_drawing().pending)
    if text:
        st.caption(_("Whoever opens this link sees the drawing, and how the network reads it:"))
        st.code(f"{_address()}?{PARAMETER}={text}", language=None)
    elif content:
        st.caption(_("This drawing is too long for a link, or not made of strokes. Share the picture instead."))


def _address() -> str:
    """The Draw page's address, without the secret name of the workspace."""
    url = urlsplit(str(st.context.url or ""))
    return f"{url.scheme}://{url.netloc}{url.path or '/'}"


def png(answered: Answer, image: npt.NDArray[np.uint8]) -> bytes:
    """The drawing (280, 280), the answer and its bars as a picture."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    side = HEIGHT - 2 * MARGIN
    picture.paste(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS), (MARGIN, MARGIN))
    pen = ImageDraw.Draw(picture)
    left, right = side + 3 * MARGIN, WIDTH - MARGIN
    symbol = answered.symbol if answered.is_number else short(answered.symbol)
    pen.text((left, 25), symbol, ACCENT, ImageFont.load_default(120 if len(symbol) < 6 else 60 if len(symbol) < 10 else 44))
    text = sure(answered.confidence) if answered.is_sure else _("not sure")
    pen.text((right, 100), text, INK, ImageFont.load_default(30), anchor="rs")
    small = ImageFont.load_default(24)
    last = answered.last
    bar_left, bar_right = left + (190 if have_long_names(last.names) else 35), right - 115
    for row, label in enumerate(last.shown):
        top, p = 185 + 37 * row, last.probabilities[label]
        is_winner = last.is_winner(label)
        pen.text((left, top), short(last.names[label]), ACCENT if is_winner else INK, small)
        pen.rounded_rectangle((bar_left, top + 5, bar_right, top + 25), 4, TRACK)
        end = bar_left + float(p) * (bar_right - bar_left)
        if end - bar_left >= 2:
            pen.rounded_rectangle((bar_left, top + 5, end, top + 25), 4, ACCENT if is_winner else "#8a8c99")
        pen.text((right, top), chance(p), INK, small, anchor="ra")
    pen.text(
        (left, HEIGHT - MARGIN), _("Inkling: a neural network in NumPy"), "#5c5f6e", ImageFont.load_default(20), anchor="ls"
    )
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
