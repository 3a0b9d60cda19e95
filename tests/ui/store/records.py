"""Runs for the tests of the store."""

import uuid

from ui.store import RunRecord


def make_run(number=1, **fields):
    """A record of a run that is over."""
    values = {"key": uuid.uuid4().hex, "number": number, "name": f"Run {number}", "state": "finished", "is_over": True}
    return RunRecord(**values | fields)


def names(runs):
    return [run.name for run in runs]
