import math
import subprocess
import sys

import pytest
from helpers import ROOT

from engine.memory import _memory_of, available_memory


def test_the_available_memory_is_that_of_the_machine_or_of_its_container(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal:  100 kB\nMemAvailable:   50 kB\n")
    (tmp_path / "memory.max").write_text("40000\n")
    (tmp_path / "unlimited").write_text("max\n")
    assert _memory_of(str(tmp_path / "meminfo"), "MemAvailable:", 1024) == 51_200
    assert _memory_of(str(tmp_path / "memory.max"), "", 1) == 40_000
    assert _memory_of(str(tmp_path / "unlimited"), "", 1) == math.inf
    assert _memory_of(str(tmp_path / "none"), "", 1) == math.inf
    assert available_memory() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_blocks_go_back_to_the_system_although_a_later_one_is_in_use():
    program = """
from pathlib import Path
from engine.memory import keep_little_memory

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) / 256

keep_little_memory()
before = megabytes()
first = b"x" * 30_000_000
del first  # from now on, the allocator would keep blocks of up to this size
*blocks, last = [b"x" * 4_000_000 for _ in range(50)]
assert megabytes() - before > 150
del blocks
print(megabytes() - before)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert float(result.stdout) < 20, result.stderr
