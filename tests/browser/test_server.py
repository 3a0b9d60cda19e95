"""The server after its visitor has left."""

import subprocess
from pathlib import Path
from time import monotonic, sleep

import pytest

pytestmark = pytest.mark.browser


def cpu_seconds(pid):
    """Processor time of a process so far, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_closed_tab_stops_its_training_within_half_a_minute(visit, app):
    visitor = visit("/train")
    field = visitor.page.get_by_label("Epochs", exact=True)
    field.fill("2000")
    field.press("Enter")
    visitor.page.locator(".st-key-controls button").filter(has_text="Start").click()
    visitor.page.get_by_text("images/s").wait_for()
    port = app.rsplit(":", 1)[1]
    pid = subprocess.check_output(["pgrep", "-f", f"server.port {port}"], text=True).split()[0]
    visitor.page.context.close()
    deadline = monotonic() + 30
    while True:
        before, started = cpu_seconds(pid), monotonic()
        sleep(1)
        if (cpu_seconds(pid) - before) / (monotonic() - started) < 0.1:
            break
        assert monotonic() < deadline, "the training goes on although its tab is closed"
