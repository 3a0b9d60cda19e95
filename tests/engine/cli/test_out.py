"""Where results are written: checked before the work begins, and not lost if writing fails after it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

import engine
from engine.checks import InklingError
from engine.cli import calibrate, rescue, train
from engine.training import Trainer

QUICK = ["--hidden", "16", "--epochs", "2", "--train-size", "600", "--validation-size", "100"]


@pytest.fixture
def no_work(monkeypatch):
    for module in (train, calibrate):
        monkeypatch.setattr(module, "load_data", lambda *_, **__: pytest.fail("it began to work"))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """An empty folder that is the system's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(rescue.tempfile, "gettempdir", lambda: str(folder))
    return folder


def fail_below(monkeypatch, folder, module, name):
    """Make ``module.name``, which saves to its first argument, fail in ``folder`` as on a full disk; return the paths."""
    save, tried = getattr(module, name), []

    def full(path, *arguments, **keywords):
        tried.append(Path(path))
        if Path(path).parent == folder:
            raise InklingError(f"{path} cannot be written: No space left on device")
        save(path, *arguments, **keywords)

    monkeypatch.setattr(module, name, full)
    return tried


@pytest.mark.parametrize("flag", ["--out", "--pause-to"])
def test_what_is_not_a_file_is_refused_before_training(refused, no_work, model, tmp_path, flag):
    os.mkfifo(tmp_path / "pipe")
    places = {
        "-": "send that to the pipe",
        tmp_path / "pipe": "a pipe, so write a file and send that",
        "/dev/full": "a device",
        tmp_path: "a folder",
        tmp_path / "none" / "network.npz": "its folder does not exist",
        tmp_path / ("a" * 300): "File name too long",
        "/proc/network.npz": "cannot be written",
    }
    for place, part in places.items():
        refused(["train", flag, place], flag, place, part)
        if flag == "--out":
            refused(["calibrate", model, flag, place], flag, place, part)
            refused(["export", model, place], place, part)
    assert Path("/dev/full").is_char_device()
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_found_before_training(refused, no_work, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for flag in ("--out", "--pause-to"):
        refused(["train", flag, tmp_path / "file.npz"], flag, tmp_path / "file.npz", "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_link_stays_a_link(run, idx_folder, tmp_path):
    (tmp_path / "link.npz").symlink_to("network.npz")
    assert run("train", "--data", idx_folder, *QUICK, "--out", tmp_path / "link.npz")[0] == 0
    assert (tmp_path / "link.npz").is_symlink()
    assert engine.load(tmp_path / "network.npz").info["metrics"]


def test_a_network_that_cannot_be_saved_is_saved_elsewhere(refused, idx_folder, tmp_path, temporary, monkeypatch):
    out = tmp_path / "network.npz"
    fail_below(monkeypatch, tmp_path, calibrate, "save")
    refused(["train", "--data", idx_folder, *QUICK, "--out", out], out, "No space left", f"it is saved as {temporary}")
    (rescued,) = temporary.rglob("*.npz")
    assert engine.load(rescued).info["metrics"]["test_accuracy"] > 0.2
    assert not out.exists()


def test_without_any_temporary_place_the_line_says_so(refused, idx_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(rescue.tempfile, "gettempdir", lambda: "/proc/none")
    monkeypatch.setattr(rescue.Path, "home", lambda: Path("/proc/none"))
    monkeypatch.setattr(rescue.Path, "cwd", lambda: Path("/proc/none"))
    fail_below(monkeypatch, tmp_path, calibrate, "save")
    refused(["train", "--data", idx_folder, *QUICK, "--out", tmp_path / "out"], "No space left", "temporary place either")


def test_the_second_temporary_place_is_tried_and_the_first_one_tidied(temporary, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(rescue.Path, "home", lambda: home)

    def write(path):
        if temporary in path.parents:
            raise InklingError("full")
        path.write_bytes(b"network")

    assert home in rescue.rescue(write).parents
    assert not list(temporary.iterdir())


def test_a_full_disk_while_pausing_is_a_warning(run, idx_folder, tmp_path, temporary, monkeypatch):
    pause, out = tmp_path / "pause.npz", tmp_path / "network.npz"
    tried = fail_below(monkeypatch, tmp_path, train, "save_training")
    status, text, err = run("train", "--data", idx_folder, *QUICK, "--pause-to", pause, "--out", out, "--json")
    assert status == 0
    assert len(json.loads(text)["history"]) == 2
    assert out.exists()
    first, second = err.splitlines()  # the same warning is not repeated
    assert first == f"inkling: {pause} cannot be written: No space left on device; the training goes on"
    (rescued,) = temporary.rglob("*.npz")
    assert second == f"inkling: the training is saved as {rescued} instead"
    assert tried == [pause, pause, rescued]


def test_an_interrupted_training_that_cannot_be_saved_is_saved_elsewhere(run, idx_folder, tmp_path, temporary, monkeypatch):
    def interrupt(self):
        if self.step == 3:
            os.kill(os.getpid(), train.signal.SIGINT)
        return next_event(self)

    next_event = Trainer.__next__
    monkeypatch.setattr(Trainer, "__next__", interrupt)
    fail_below(monkeypatch, tmp_path, train, "save_training")
    status, _, err = run("train", "--data", idx_folder, *QUICK, "--pause-to", tmp_path / "pause.npz")
    assert status == 130
    (rescued,) = temporary.rglob("*.npz")
    assert f"saved as {rescued} instead" in err
    assert err.endswith("inkling: interrupted\n")
    assert run("train", "--data", idx_folder, "--resume", rescued)[0] == 0


def test_a_training_goes_on_when_its_lines_cannot_be_printed(idx_folder, tmp_path):
    out = tmp_path / "network.npz"
    ended = into("/dev/full", "train", "--data", idx_folder, "--images", 600, "--epochs", 150, "--hidden", 1, "--out", out)
    assert ended == (2, "inkling: the output cannot be written: No space left on device\n")
    assert engine.load(out).info["config"]["epochs"] == 150  # 150 lines are more than fit into the output's buffer


def into(place, *arguments):
    """Run a command with its output going to ``place``; return the exit status and stderr."""
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    with open(place, "w") as output:
        ended = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", [["recipes"], ["recipes", "--json"], ["--help"], ["train", "--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])  # without a buffer, the first line fails and not the end
def test_an_output_that_is_full_is_one_line(monkeypatch, command, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    assert into("/dev/full", *command) == (2, "inkling: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_traceback(idx_folder, tmp_path, closed):
    command = f"{sys.executable} -m engine train --data {idx_folder} {' '.join(QUICK)} --out {tmp_path / 'out.npz'} {closed}"
    ended = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert engine.load(tmp_path / "out.npz")


def test_a_network_is_saved_although_the_reader_of_the_output_has_gone(idx_folder, tmp_path):
    command = [sys.executable, "-m", "engine", "train", *QUICK, "--data", idx_folder, "--out", tmp_path / "network.npz"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0
    assert engine.load(tmp_path / "network.npz").layers


def heed_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="a signal of POSIX systems")
def test_an_interrupt_while_the_engine_is_imported_leaves_no_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "engine"]
    # A command in a shell's background ignores interrupts, and so do its children.
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, preexec_fn=heed_interrupts)
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr == b""


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m engine recipes --json | head -c 10"
    ended = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (len(ended.stdout), ended.stderr) == (10, "")
