"""How much memory the machine, or the container that this runs in, has left."""

import ctypes
import gc
import math
from contextlib import suppress
from pathlib import Path

LARGE_BLOCK = 1_000_000  # bytes
MMAP_THRESHOLD = -3  # the name of an option in glibc


def available_memory() -> float:
    """How many bytes of memory new work may take: of the machine, or of its container; infinity if neither says so."""
    return min(_memory_of("/proc/meminfo", "MemAvailable:", 1024), _memory_of("/sys/fs/cgroup/memory.max", "", 1))


def total_memory() -> float:
    """How many bytes of memory the machine or its container has; infinity if neither says so."""
    return min(_memory_of("/proc/meminfo", "MemTotal:", 1024), _memory_of("/sys/fs/cgroup/memory.max", "", 1))


def _memory_of(path: str, label: str, unit: int) -> float:
    """The number of bytes behind ``label`` in a file of the system; infinity if it is not there."""
    try:
        line = next(line for line in Path(path).read_text().splitlines() if line.startswith(label))
        return unit * int(line.removeprefix(label).split()[0])
    except (OSError, StopIteration, ValueError):  # another system; or "max", a container without a limit
        return math.inf


def return_large_blocks() -> None:
    """Give each large block back to the system as soon as it is free, in this process; does nothing without glibc.

    The allocator would keep many of them to use again, which is faster, and several times what is in use at any moment.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(MMAP_THRESHOLD, LARGE_BLOCK)


def return_memory() -> None:
    """Give freed memory back to the system, which the allocator would keep for later; does nothing without glibc."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
