"""How much memory the machine, or the container that this runs in, has left."""

import ctypes
import gc
import math
from contextlib import suppress
from pathlib import Path

LARGE_BLOCK = 1_000_000  # bytes
MMAP_THRESHOLD, ARENA_MAX = -3, -8  # the names of options in glibc
NUM_ARENAS = 2  # pools of memory that threads allocate from; each keeps what it has freed


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


def keep_little_memory() -> None:
    """Have this process give freed memory back to the system early; does nothing without glibc.

    The allocator would keep many large blocks to use again, and small ones in a pool for each thread, which is faster, and
    several times what is in use at any moment.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(MMAP_THRESHOLD, LARGE_BLOCK)
        libc.mallopt(ARENA_MAX, NUM_ARENAS)


def return_memory() -> None:
    """Give freed memory back to the system, which the allocator would keep for later; does nothing without glibc."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
