"""The line in the log for whoever runs the server."""

import subprocess
import sys
import threading
from threading import Event

import pytest

from engine.checks import InklingError
from ui import server_status


def test_the_line_names_visitors_what_the_caller_adds_and_memory(monkeypatch):
    monkeypatch.setattr(server_status, "num_visitors", lambda: 1)
    monkeypatch.setattr(server_status, "memory_in_use", lambda: 1_234_000_000)
    assert server_status.status_line("2 trainings") == "Inkling: 1 visitor, 2 trainings, 1,234 MB of memory"
    monkeypatch.setattr(server_status, "num_visitors", lambda: 30)
    monkeypatch.setattr(server_status, "memory_in_use", lambda: 0)  # a system without /proc
    assert server_status.status_line() == "Inkling: 30 visitors"


def test_memory_includes_the_processes_that_this_one_started():
    before = server_status.memory_in_use()
    hold = "kept = bytearray(b'x') * 200_000_000; print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        during = server_status.memory_in_use()
        child.communicate(b"\n")
    if before == 0:
        pytest.skip("this system does not say how much memory a process uses")
    assert during - before > 150_000_000


def test_lines_come_until_the_context_ends(monkeypatch, capsys):
    monkeypatch.setenv(server_status.MINUTES_VARIABLE, "0.0001")
    calls, asked_again = [], Event()

    def more():
        calls.append(1)
        if len(calls) == 2:
            asked_again.set()
        return "2 trainings"

    with server_status.status_in_log(more):
        assert asked_again.wait(30)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "status"]
    thread.join(30)
    assert not thread.is_alive()
    assert "Inkling: 0 visitors, 2 trainings" in capsys.readouterr().out


def test_zero_minutes_means_no_line(monkeypatch):
    monkeypatch.setenv(server_status.MINUTES_VARIABLE, "0")
    started = []
    monkeypatch.setattr(server_status, "Thread", lambda **arguments: started.append(arguments))
    with server_status.status_in_log():
        assert started == []


@pytest.mark.parametrize("text", ["often", "-1", "nan"])
def test_minutes_that_are_no_number_are_refused(monkeypatch, text):
    monkeypatch.setenv(server_status.MINUTES_VARIABLE, text)
    with (
        pytest.raises(InklingError, match="INKLING_STATUS_MINUTES must be "),
        server_status.status_in_log(),
    ):
        pass
