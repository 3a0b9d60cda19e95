"""Collections as files: ``pack`` writes one of the ``FORMATS``, ``read_collection`` reads them, and files of other tools."""

import csv
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO, StringIO
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import IO

import numpy as np
import numpy.typing as npt

from engine.checks import check_choice, shorten, shown
from engine.data import idx
from engine.data.collection import MAX_POINTS, MAX_STROKES, Collection, LabelledDrawing, PenStroke, check_writer
from engine.data.collection_folder import MAX_BYTES, File, Folder, open_folder, open_zip
from engine.data.collection_pictures import (
    MAX_TOTAL_POINTS,
    as_cell,
    from_cell,
    label_in_cell,
    pack_pictures,
    read_pictures,
    rows_of,
)
from engine.data.dataset import DataError
from engine.data.synthetic.strokes import PenDigit, parse_strokes
from engine.files import FilePath
from engine.pen import CANVAS, PEN, draw_many, fit_strokes
from engine.preprocessing import prepare

MAX_DRAWINGS = 70_000  # as many as MNIST has
NUM_PIXELS = 28 * 28
MAX_CSV_LINE = 20_000  # characters
TEST_FRACTION = 7  # one of so many drawings is in the test set of IDX files, as in MNIST
SIZE = 0.7  # of the canvas: the longer side of a digit from a file of pen strokes
SHEET_SIDE = 56  # pixels: it is drawn on this small sheet, which is many times faster
CHUNK_SIZE = 250  # digits drawn at a time


@dataclass(frozen=True)
class Format:
    """A kind of file that a collection can be saved as; ``help`` says what it keeps."""

    label: str
    help: str
    suffix: str
    mime: str
    pack: Callable[[Collection], bytes]


def pack(collection: Collection, format: str = "zip") -> bytes:
    """The collection as a file of one of the ``FORMATS``; raises ``DataError`` if it is empty."""
    check_choice("format", format, FORMATS)
    if not len(collection):
        raise DataError(f"{collection.name} must hold at least one drawing to be saved, got none")
    return FORMATS[format].pack(collection)


def pack_idx(collection: Collection) -> bytes:
    """A zip file of IDX files named as MNIST's: six of seven drawings for training, the others for testing (seed 0)."""
    size = min(len(collection) - 1, -(-len(collection) // TEST_FRACTION))
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target:
        for prefix, part in zip(("train", "t10k"), collection.split(size, np.random.default_rng(0)), strict=True):
            if len(part):
                for name, array in zip((idx.IMAGES, idx.LABELS), part.dataset.take(slice(None)), strict=True):
                    target.writestr(name.format(prefix), idx.header(array) + array.tobytes())
    return content.getvalue()


def pack_csv(collection: Collection) -> bytes:
    """A table with a header: ``label``, ``writer``, and ``pixel0`` to ``pixel783``, row after row, from 0 to 255."""
    table = StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["label", "writer", *(f"pixel{i}" for i in range(NUM_PIXELS))])
    rows.writerows([drawing.label, as_cell(drawing.writer), *drawing.image.ravel().tolist()] for drawing in collection)
    return table.getvalue().encode()


FORMATS = {
    "zip": Format(
        "Pictures by label (zip)",
        "PNG pictures in a folder for each label, with all strokes and writers. Nothing is lost.",
        ".zip",
        "application/zip",
        pack_pictures,
    ),
    "idx": Format(
        "IDX files (zip)",
        "The format of MNIST, with one of seven drawings in the test set. Without strokes and writers.",
        ".zip",
        "application/zip",
        pack_idx,
    ),
    "csv": Format(
        "Table (CSV)",
        "One row for each drawing, for spreadsheets and pandas: label, writer and 784 pixels. Without strokes.",
        ".csv",
        "text/csv",
        pack_csv,
    ),
}


def read_collection(source: FilePath | IO[bytes], limit: int = MAX_DRAWINGS) -> Collection:
    """The drawings in a file of one of the ``FORMATS``, a folder or zip of pictures by label, or a file of pen strokes.

    ``source`` is a path, or a file open for reading bytes. Pictures that are blank or broken are left out, and
    ``Collection.skipped`` says why. Raises ``DataError`` if nothing can be used, or if there are more than ``limit``
    drawings.
    """
    is_path = isinstance(source, str | os.PathLike)
    path = os.path.abspath(source) if is_path else str(getattr(source, "name", "the file"))
    name = shorten(os.path.basename(path), 100)
    if is_path and os.path.isdir(source):
        collection = _read_folder(open_folder(source), name, limit)
    elif is_path:
        collection = _read_file(source, name, limit)
    else:
        if source.seekable():
            source.seek(0)
        collection = _read_file(File(source.read(MAX_BYTES + 1), name), name, limit)
    if not len(collection):
        reason = f": {collection.skipped[0]}" if collection.skipped else ""
        raise DataError(f"{name} must hold pictures in folders named 0 to 9, and none of its files can be used{reason}")
    return collection


def _read_file(source: idx.Source, name: str, limit: int) -> Collection:
    content = idx.read_payload(source, MAX_BYTES)
    if len(content) > MAX_BYTES:
        raise DataError(f"{name} must have at most {MAX_BYTES / 1e6:.0f} MB, got more")
    if content.startswith(b"PK"):
        return _read_folder(open_zip(content, name), name, limit)
    if content.startswith(b"{"):
        return _from_pen_strokes(content, name, limit)
    if content.startswith(bytes([0, 0, idx.UNSIGNED_BYTES])):
        raise DataError(f"{name} is one of the two IDX files, with images or with labels: give the folder of both, or a zip")
    try:
        return _read_csv(File(content, name), name, limit)
    except DataError as error:
        raise DataError(f"{name} must be a zip, a CSV file or a file of pen strokes: {error}") from None


def _read_folder(folder: Folder, name: str, limit: int) -> Collection:
    """IDX files, if the folder has any, else pictures by label."""
    datasets = []
    paths = [_find_idx(folder, name) for name in idx.NAMES]
    for images, labels in (paths[:2], paths[2:]):
        if images and labels:
            max_bytes = 16 + max(limit, MAX_DRAWINGS) * NUM_PIXELS
            datasets.append(idx.read_pair(folder.file(images), folder.file(labels), name, max_bytes))
    if not datasets:
        return read_pictures(folder, name, limit)
    images = np.concatenate([dataset.images for dataset in datasets])
    labels = np.concatenate([dataset.labels for dataset in datasets]).tolist()
    if max(labels) > 9:
        raise DataError(f"{name} must hold labels from 0 to 9, got {max(labels)}")
    return _from_images(images, [(label, "") for label in labels], name, limit)


def _find_idx(folder: Folder, name: str) -> str | None:
    """The path of one of MNIST's files, by any of its usual names, or None; the nearest one, if there are several."""
    paths = {PurePosixPath(path): path for path in folder}
    return next((paths[path] for path in idx.nearest(paths, name)), None)


def _from_images(
    images: npt.NDArray[np.uint8], labels_and_writers: Iterable[tuple[int, str]], name: str, limit: int
) -> Collection:
    if len(images) > limit:
        raise DataError(f"{name} must hold at most {limit:,} drawings, got {len(images):,}")
    drawings, skipped = [], []
    for number, (image, (label, writer)) in enumerate(zip(images, labels_and_writers, strict=True), 1):
        if image.any():
            drawings.append(LabelledDrawing(label, image, writer=writer))
        else:
            skipped.append(f"image {number:,} is blank")
    return Collection(tuple(drawings), name, tuple(skipped))


def _read_csv(file: File, name: str, limit: int) -> Collection:
    """A table as ``pack_csv`` writes it; also without a writer, or without a header and the label first."""
    rows = rows_of(file, MAX_CSV_LINE)
    number, header = next(rows, (0, []))
    columns = [cell.strip().lower() for cell in header]
    if len(header) == 1 + NUM_PIXELS and all(cell.isdecimal() for cell in columns):
        rows = chain([(number, header)], rows)
        columns = ["label", *["pixel"] * NUM_PIXELS]
    pixels = [i for i, column in enumerate(columns) if column not in ("", "label", "writer")]
    if columns.count("label") != 1 or columns.count("writer") > 1 or len(pixels) != NUM_PIXELS:
        start = ", ".join(header[:4])
        raise DataError(f"its columns must be label, perhaps writer, and {NUM_PIXELS} pixels, got {shown(start)} ...")
    label, writer = columns.index("label"), columns.index("writer") if "writer" in columns else None
    images, names = bytearray(), []
    for number, row in islice(rows, limit + 1):
        try:
            names.append((label_in_cell(row[label]), "" if writer is None else from_cell(row[writer])))
            images += bytes([int(row[i]) for i in pixels])
        except (ValueError, IndexError) as error:
            reason = error if isinstance(error, DataError) else f"it needs {NUM_PIXELS} pixels, whole numbers from 0 to 255"
            raise DataError(f"line {number:,}: {reason}") from None
    return _from_images(np.frombuffer(bytes(images), np.uint8).reshape(-1, 28, 28), names, name, limit)


def _from_pen_strokes(content: bytes, name: str, limit: int) -> Collection:
    """The digits in a file of pen strokes, in the middle of the canvas, with the writers in the order of the file."""
    digits, num_points = [], 0
    for digit in parse_strokes(content, name):
        digits.append(digit)
        points = sum(map(len, digit.strokes))
        num_points += points
        if len(digits) > limit or points > MAX_POINTS or len(digit.strokes) > MAX_STROKES or num_points > MAX_TOTAL_POINTS:
            raise DataError(
                f"{name} must hold at most {limit:,} digits of {MAX_STROKES} strokes and {MAX_POINTS:,} points each, "
                f"and {MAX_TOTAL_POINTS:,} points in all, got more at digit {len(digits):,}"
            )
    drawings = []
    for start in range(0, len(digits), CHUNK_SIZE):
        drawings += _draw_on_canvas(digits[start : start + CHUNK_SIZE])
    return Collection(tuple(drawings), name)


def _draw_on_canvas(digits: list[PenDigit]) -> list[LabelledDrawing]:
    """The digits as drawings with strokes; their images are drawn on a small sheet, since ``prepare`` removes the size."""
    room = CANVAS - PEN  # so that the whole line is on the canvas
    placed = [[stroke + PEN / 2 for stroke in fit_strokes(digit.strokes, SIZE * CANVAS / room, room)] for digit in digits]
    factor = SHEET_SIDE / CANVAS
    sheets = draw_many(
        [[stroke * factor for stroke in strokes] for strokes in placed], np.full(len(placed), PEN * factor), SHEET_SIDE
    )
    return [
        LabelledDrawing(
            digit.label,
            np.rint(255 * prepare(sheet, clean=False)).astype(np.uint8),
            tuple(PenStroke(tuple(map(tuple, np.round(stroke, 2).tolist()))) for stroke in strokes),
            check_writer(digit.writer),
        )
        for digit, strokes, sheet in zip(digits, placed, sheets, strict=True)
    ]
