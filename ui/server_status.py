"""A line in the log every few minutes for whoever runs the server: visitors and memory, no personal data."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from engine.setting_fields import Number, environment_value
from ui.compat import num_visitors

MINUTES_VARIABLE = "INKLING_STATUS_MINUTES"  # between two lines; 0: none


@contextmanager
def status_in_log(more: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Write ``status_line(more())`` into the log every few minutes, until the context ends."""
    minutes, is_over = environment_value(MINUTES_VARIABLE, Number(0, 1_000_000), 5.0), Event()

    def write_lines() -> None:
        while not is_over.wait(60 * minutes):
            print(time.strftime("%Y-%m-%d %H:%M"), status_line(more()), flush=True)

    if minutes:
        Thread(target=write_lines, name="status", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def status_line(more: str = "") -> str:
    """What the server does at this moment: ``Inkling: 12 visitors, 3 trainings, 431 MB of memory``."""
    visitors, memory = num_visitors(), memory_in_use()
    parts = [f"{visitors} visitor{'s' * (visitors != 1)}", more, f"{memory / 1e6:,.0f} MB of memory" if memory else ""]
    return "Inkling: " + ", ".join(part for part in parts if part)


def memory_in_use() -> int:
    """Bytes of memory of this process and those it started, shared memory counted once; 0 if the system does not say."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(folder.name))
    family = [os.getpid()]
    for process in family:  # the list grows meanwhile
        family += children.get(process, [])
    return sum(map(_memory_of, family))


def _memory_of(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
