"""One-word tasks: ``nox -s tests``. ``nox -l`` lists them all; words after ``--`` are passed on.

Each task makes an environment of its own in .nox/; with ``nox --no-venv --no-install -s tests`` it uses the active one.
"""

import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_venv = "yes"


def require(*names: str) -> dict[str, str]:
    """The environment in which tests that need these fail, instead of being skipped, where they are missing."""
    return {"INKLING_REQUIRE": ",".join(filter(None, [os.environ.get("INKLING_REQUIRE"), *names]))}


@nox.session
def tests(session: nox.Session) -> None:
    """All tests except those in a browser; ``nox -s tests -- tests/engine -k dense`` runs some of them."""
    session.install("-r", "tests/requirements.txt")
    session.run("python", "-m", "pytest", "-q", "--ignore=tests/browser", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """The tests that drive Chromium or Chrome; they need npm for axe-core, and MNIST."""
    session.install("-r", "tests/requirements.txt")
    session.run("npm", "install", "--prefix", "tests/browser", "--no-audit", "--no-fund", external=True)
    session.run("python", "-m", "engine", "data")  # downloads MNIST unless it is on this machine
    session.run("python", "-m", "pytest", "-q", "tests/browser", *session.posargs, env=require("mnist", "browser", "axe"))


@nox.session
def peers(session: nox.Session) -> None:
    """The tests that compare the engine with PyTorch, scikit-learn and onnxruntime."""
    session.install("-r", "tests/peers.txt")
    files = [str(path) for path in sorted(Path("tests").rglob("test_*.py")) if '"peers"' in path.read_text(encoding="utf-8")]
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *files, *session.posargs, env=require("peers"))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, types, and which module may import which."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright")
    session.run("lint-imports", "--no-logo")


@nox.session
def app(session: nox.Session) -> None:
    """The app for development: the page runs again when a file is saved, and shows tracebacks."""
    session.install("-r", "requirements.txt")
    options = [
        "--server.fileWatcherType=auto",
        "--server.runOnSave=true",
        "--client.showErrorDetails=full",
        "--client.toolbarMode=developer",
    ]
    session.run("streamlit", "run", "streamlit_app.py", *options, *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """A benchmark of tests/benchmarks, ``speed`` unless another is named: ``nox -s bench -- drawing``."""
    session.install("-r", "tests/peers.txt")
    name, *options = session.posargs or ["speed"]
    session.run("python", f"tests/benchmarks/{name}.py", *options)


@nox.session
def translate(session: nox.Session) -> None:
    """Collect the texts of the pages into the catalogues of ui/locale, and say how many have no translation."""
    session.install("-r", "requirements.txt")
    session.run("python", "-m", "ui.catalogues")


@nox.session
def audit(session: nox.Session) -> None:
    """Known security problems of the installed packages."""
    session.install("-e", ".[dev]")
    session.run("pip-audit", "--skip-editable")
