"""Collections as pictures by label, in a folder or a zip file: ``7/0001.png``.

What a picture cannot say is in two more files: ``labels.csv`` has the writers and the order, ``strokes.jsonl`` the strokes,
one drawing per line. Without them, any pictures in folders named by digit can be read.
"""

import csv
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO, StringIO, TextIOWrapper
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.checks import InklingError, shorten, shown
from engine.data.collection import (
    Collection,
    LabelledDrawing,
    PenStroke,
    check_writer,
    prepared,
    strokes_from_json,
)
from engine.data.collection_folder import MAX_FILES, File, Folder, shown_path
from engine.data.dataset import DataError
from engine.image_file import MAX_PIXELS, UnsuitableImage, read_image
from engine.preprocessing import BlankDrawing

LABELS, STROKES = "labels.csv", "strokes.jsonl"
COLUMNS = ["file", "label", "writer"]
MAX_TOTAL_PIXELS = 2_000_000_000  # of all pictures: if there are many, each must be small, so that decoding takes a minute
MAX_LINE = 1_000_000  # bytes: the strokes of one drawing
MAX_ROW = 2_000  # characters: the path of a picture, its label and its writer
MAX_TOTAL_POINTS = 1_000_000  # of all strokes: each takes a hundred bytes
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LABEL = re.compile(rf"(?:(?:digit|number|class|label)[ _-]*)?(?:([0-9])|({'|'.join(WORDS)}))", re.IGNORECASE)
FORMULA = re.compile(r"'*[=+\-@]")  # how a cell begins that a spreadsheet would compute

Listed = dict[str, tuple[int, str]]  # label and writer, by the path of a picture


def pack_pictures(collection: Collection) -> bytes:
    """A zip file: each image as ``<label>/<number>.png``, with ``labels.csv`` and ``strokes.jsonl``."""
    content, numbers = BytesIO(), Counter()
    table, lines = StringIO(), []
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    with zipfile.ZipFile(content, "w") as target:
        for drawing in collection:
            numbers[drawing.label] += 1
            path = f"{drawing.label}/{numbers[drawing.label]:04}.png"
            picture = BytesIO()
            Image.fromarray(drawing.image).save(picture, "PNG")
            target.writestr(path, picture.getvalue())
            rows.writerow([path, drawing.label, as_cell(drawing.writer)])
            if drawing.strokes:
                lines.append(json.dumps({"file": path, **drawing.to_json()}, separators=(",", ":")) + "\n")
        target.writestr(LABELS, table.getvalue(), zipfile.ZIP_DEFLATED)
        if lines:
            target.writestr(STROKES, "".join(lines), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def read_pictures(folder: Folder, name: str, limit: int) -> Collection:
    """The pictures in folders named by digit. What cannot be used is skipped, and ``Collection.skipped`` says why.

    Pictures that ``labels.csv`` lists come first, in its order. If they have 28 x 28 grey pixels, they are taken as they
    are; all others are prepared as a drawing or a photo of one digit.
    """
    skipped: list[str] = []
    path = folder.find(LABELS)
    root = path[: -len(LABELS)] if path else ""
    listed = _read_labels(folder, path, root, skipped) if path else {}
    strokes = _read_strokes(folder, root + STROKES, root, skipped) if root + STROKES in folder else {}
    paths = [*(path for path in listed if path in folder), *sorted(folder.keys() - listed - {root + LABELS, root + STROKES})]
    skipped += [f"{LABELS} lists {shown_path(path)}, which does not exist" for path in listed if path not in folder]
    labels = {path: listed[path] if path in listed else (label_of(path), "") for path in paths}
    usable = [path for path in paths if labels[path][0] is not None]
    if len(usable) > limit:
        raise DataError(f"{name} must hold at most {limit:,} drawings, got {len(usable):,}")
    max_pixels = min(MAX_PIXELS, MAX_TOTAL_PIXELS // max(1, len(usable)))
    drawings = []
    for path in paths:
        label, writer = labels[path]
        if label is None:
            skipped.append(f"{shown_path(path)}: no folder above it is named by a digit")
            continue
        try:
            image = _read_picture(folder, path, path in listed, max_pixels)
        except InklingError as error:
            reason = error.reason if isinstance(error, UnsuitableImage) else error
            skipped.append(f"{shown_path(path)}: {reason}")
        else:
            drawings.append(LabelledDrawing(label, image, strokes.get(path, ()), writer))
    return Collection(tuple(drawings), name, tuple(skipped))


def label_of(path: str) -> int | None:
    """The digit that the innermost folder of a picture's path names, such as 7, ``class 7`` or ``seven``, or None.

    Teachable Machine's project files have no folders, but names such as ``class 7-!-12.jpg``.
    """
    *folders, file = path.split("/")
    prefixes = [file.partition("-!-")[0]] if "-!-" in file else []
    for name in [*folders, *prefixes][::-1]:
        if match := LABEL.fullmatch(name.strip()):
            return int(match[1]) if match[1] else WORDS.index(match[2].lower())
    return None


def as_cell(writer: str) -> str:
    """A writer's name for a CSV file: with ' before what a spreadsheet would compute, since a name may be anyone's."""
    return f"'{writer}" if FORMULA.match(writer) else writer


def from_cell(cell: str) -> str:
    """The writer's name that ``as_cell`` wrote; raises ``DataError`` if it cannot be one."""
    return check_writer(cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell)


def rows_of(file: File, max_length: int) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line of a CSV file that is not empty; raises ``DataError``."""
    delimiter = ""
    try:
        for number, line in enumerate(TextIOWrapper(file, "utf-8-sig"), 1):
            if len(line) > max_length:
                raise DataError(f"line {number:,} must have at most {max_length:,} characters, got {len(line):,}")
            if not delimiter:  # spreadsheets write ; where , is the decimal mark
                delimiter = ";" if line.count(";") > line.count(",") else ","
            if line.strip():
                yield number, next(csv.reader([line], delimiter=delimiter))  # one by one: a row cannot grow over many lines
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"it must be a CSV file in UTF-8: {shorten(error, 100)}") from None


def label_in_cell(cell: str) -> int:
    """The label in a cell; raises ``DataError`` unless it is a digit."""
    if not re.fullmatch("[0-9]", cell.strip()):
        raise DataError(f"a label must be a digit from 0 to 9, got {shown(cell)}")
    return int(cell)


def _read_labels(folder: Folder, path: str, root: str, skipped: list[str]) -> Listed:
    listed: Listed = {}
    try:
        rows = rows_of(folder.file(path), MAX_ROW)
        header = [cell.strip().lower() for cell in next(rows, (0, []))[1]]
        if header[:2] != COLUMNS[:2]:
            raise DataError(f"its columns must be {', '.join(COLUMNS)}, got {shown(', '.join(header))}")
        for number, row in islice(rows, MAX_FILES):
            try:
                if len(row) < 2:
                    raise DataError("it needs a file and its label")
                file, label, writer = [*row, ""][:3]
                listed[root + file.replace("\\", "/")] = label_in_cell(label), from_cell(writer)
            except DataError as error:
                skipped.append(f"{LABELS}, line {number:,}: {error}")
    except DataError as error:
        skipped.append(f"{LABELS}: {error}")
    return listed


def _read_strokes(folder: Folder, path: str, root: str, skipped: list[str]) -> dict[str, tuple[PenStroke, ...]]:
    """The strokes of each picture by its path."""
    strokes: dict[str, tuple[PenStroke, ...]] = {}
    num_points = 0
    try:
        for number, line in enumerate(islice(folder.file(path), MAX_FILES), 1):
            try:
                if len(line) > MAX_LINE:
                    raise DataError(f"it must have at most {MAX_LINE:,} bytes, got {len(line):,}")
                value = json.loads(line)
                lines = strokes_from_json(value["strokes"])
                num_points += sum(len(stroke.points) for stroke in lines)
                if num_points > MAX_TOTAL_POINTS:
                    skipped.append(f"{STROKES}: all strokes must have at most {MAX_TOTAL_POINTS:,} points, got more")
                    break
                strokes[root + value["file"]] = lines
            except DataError as error:
                skipped.append(f"{STROKES}, line {number:,}, its strokes only: {error}")
            except (ValueError, KeyError, TypeError, RecursionError):
                skipped.append(f"{STROKES}, line {number:,}: it must be JSON with a file and its strokes")
    except DataError as error:
        skipped.append(str(error))
    return strokes


def _read_picture(folder: Folder, path: str, is_listed: bool, max_pixels: int) -> npt.NDArray[np.uint8]:
    image = read_image(BytesIO(folder[path]), max_pixels)
    if is_listed and image.mode == "L" and image.size == (28, 28):
        if not (pixels := np.array(image)).any():
            raise BlankDrawing("it is blank")
        return pixels
    return prepared(image)
