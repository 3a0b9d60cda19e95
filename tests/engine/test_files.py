"""Writing files: completely or not at all, and nothing but regular files."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import ROOT

from engine import files
from engine.checks import InklingError
from engine.files import atomic_write, check_writable


def write(path, content=b"new"):
    with atomic_write(path) as file:
        file.write(content)


def refused(path, function=write):
    with pytest.raises(InklingError) as caught:
        function(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be written: ")
    assert "\n" not in message
    return message


def test_a_file_is_written_and_replaced(tmp_path):
    for content in (b"first", b"second"):
        write(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target, link, second_link = tmp_path / "real" / "file", tmp_path / "link", tmp_path / "second link"
    link.symlink_to(target)
    second_link.symlink_to("link")
    for path in (link, second_link):  # at first, the file is missing
        write(path, path.name.encode())
        assert link.is_symlink()
        assert second_link.is_symlink()
        assert target.read_bytes() == path.name.encode()
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for function in (write, check_writable):
        refused(tmp_path / "loop", function)


@pytest.mark.parametrize("function", [write, check_writable])
def test_what_is_not_a_regular_file_is_refused_and_stays(tmp_path, function):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert "a folder" in refused(tmp_path / "folder", function)
    assert "a pipe, so write a file" in refused(tmp_path / "pipe", function)
    assert "a pipe" in refused(tmp_path / "link", function)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "null").symlink_to("/dev/null")
    assert "a device" in refused(tmp_path / "null", function)
    assert Path("/dev/null").is_char_device()
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "link", "null"}


def test_an_open_pipe_by_its_number_is_refused():
    reader, writer = os.pipe()
    try:
        assert "a pipe" in refused(f"/dev/fd/{writer}")
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("function", [write, check_writable])
def test_places_that_do_not_exist_are_refused(tmp_path, function):
    assert "its folder does not exist" in refused(tmp_path / "none" / "file", function)
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "below", function)
    refused(tmp_path / ("a" * 300), function)


def test_the_longest_possible_name_can_be_written(tmp_path):
    write(tmp_path / ("a" * 255))
    assert [path.name for path in tmp_path.iterdir()] == ["a" * 255]


def test_a_probe_changes_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"before")]


@pytest.mark.parametrize("function", [write, check_writable])
def test_a_full_disk_is_one_line_and_leaves_the_previous_file(tmp_path, monkeypatch, function):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    assert refused(tmp_path / "file", function).endswith("No space left on device")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"before")]


LIMITED = """
import resource, sys
sys.path.insert(0, {root!r})
from engine.files import check_writable
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
check_writable({path!r})
"""


def test_a_probe_finds_a_place_that_takes_only_small_files(tmp_path):
    code = LIMITED.format(root=str(ROOT), path=str(tmp_path / "file"))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert f"{tmp_path / 'file'} cannot be written: File too large" in ended.stderr
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from engine.files import atomic_write
with atomic_write({path!r}) as file:
    file.write(bytes(100_000))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_write_deletes_what_a_kill_left(tmp_path):
    code = KILLED.format(root=str(ROOT), path=str(tmp_path / "file"))
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    (abandoned,) = tmp_path.iterdir()
    assert abandoned.suffix == ".part"
    (tmp_path / "mine.part").write_bytes(b"of somebody else")
    check_writable(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.part"]


def test_an_empty_part_is_deleted_when_it_is_old(tmp_path):
    part = tmp_path / ".inkling-0123abcd.part"
    part.touch()
    write(tmp_path / "file")
    assert part.exists()  # its process may be about to lock it
    os.utime(part, (0, 0))
    write(tmp_path / "file")
    assert not part.exists()


@pytest.mark.parametrize("locks", [True, False])
def test_a_write_under_way_is_left_alone(tmp_path, monkeypatch, locks):
    if not locks:
        monkeypatch.setattr(files, "fcntl", None)
    with atomic_write(tmp_path / "slow") as file:
        file.write(b"some")
        file.flush()
        thread = threading.Thread(target=write, args=(tmp_path / "quick",))
        thread.start()
        thread.join(60)
        file.write(b"thing")
    assert (tmp_path / "slow").read_bytes() == b"something"
    assert (tmp_path / "quick").read_bytes() == b"new"
