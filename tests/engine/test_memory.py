import math

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
