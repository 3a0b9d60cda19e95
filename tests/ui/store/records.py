"""Runs and drawings for the tests of the store."""

import uuid

from ui.store import DrawingRecord, RunRecord


def make_run(number=1, **fields):
    """A record of a run that is over."""
    values = {"key": uuid.uuid4().hex, "number": number, "name": f"Run {number}", "state": "finished", "is_over": True}
    return RunRecord(**values | fields)


def names(runs):
    return [run.name for run in runs]


def make_drawing(label=7, **fields):
    """A drawing with its strokes, as the store takes it."""
    values = {"key": uuid.uuid4().hex, "label": label, "created": 1_800_000_000.0, "image": bytes([label]) * 784}
    return DrawingRecord(**values | fields), [{"points": [[10.5, 20.0], [30.0, 40.0]], "width": 18.0, "erases": False}]
