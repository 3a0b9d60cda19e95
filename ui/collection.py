"""The drawings with labels that the visitor has kept: into the workspace, and out of it as a ``Collection``."""

import secrets
import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.data.collection import Collection, LabelledDrawing, strokes_from_json
from ui.store import DrawingRecord
from ui.visitor import workspace
from ui.workspace import Workspace


def keep(drawings: Iterable[LabelledDrawing]) -> list[str]:
    """Keep drawings in the workspace; return their keys. Raises ``InklingError`` if there is no room, or no store now."""
    now = time.time()
    entries = [
        (
            DrawingRecord(secrets.token_hex(16), drawing.label, now + 1e-3 * place, drawing.image.tobytes(), drawing.writer),
            drawing.to_json().get("strokes", []),
        )
        for place, drawing in enumerate(drawings)
    ]
    workspace().add_drawings(entries)
    return [record.key for record, _ in entries]


def images_only(records: Iterable[DrawingRecord], name: str = "my drawings") -> Collection:
    """These drawings in order, without their strokes."""
    return Collection(tuple(LabelledDrawing(record.label, image(record)) for record in records), name)


def with_strokes(source: Workspace) -> Collection:
    """All drawings of a workspace in order, with their strokes, which are read from the store."""
    strokes = source.strokes()
    return Collection(
        tuple(
            LabelledDrawing(
                record.label,
                image(record),
                strokes_from_json(of_record) if (of_record := strokes.get(record.key)) else (),
                record.writer,
            )
            for record in source.drawings()
        ),
        "my drawings",
    )


def image(record: DrawingRecord) -> npt.NDArray[np.uint8]:
    """The image (28, 28) of a drawing."""
    return np.frombuffer(record.image, np.uint8).reshape(28, 28)
