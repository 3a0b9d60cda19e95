"""Fixtures for all tests. No test uses the internet: MNIST's mirrors are replaced before the first test runs."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from helpers import SHARED, make_digits, need, read_strokes, write_idx_folder
from servers import PostgreSQL

from engine.data import load_mnist
from engine.data import mnist as mnist_module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several processes (``-n auto``), a file's tests stay together. The first two processes begin with the browser."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::")[0]
            folder = path.rsplit("/", 1)[0]
            return folder if folder == "tests/deploy" else path

        def _assign_work_unit(self, node):
            begins_with_browser = node in self.nodes[:2]
            first = min(self.workqueue, key=lambda scope: scope.startswith("tests/browser/") != begins_with_browser)
            self.workqueue.move_to_end(first, last=False)
            super()._assign_work_unit(node)

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_mirrors():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist_module, "MIRRORS", ("http://127.0.0.1:9/",))
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_store(tmp_path_factory):
    """No test writes to the user's own store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INKLING_STORE", f"sqlite:///{tmp_path_factory.mktemp('store') / 'inkling.sqlite3'}")
        yield


@pytest.fixture(scope="session")
def mnist():
    """MNIST's train and test sets."""
    with pytest.MonkeyPatch.context() as patch:
        if (SHARED / "mnist").is_dir():
            patch.setenv(mnist_module.FOLDER_VARIABLE, str(SHARED / "mnist"))
        if mnist_module.local_folder() is None:
            need("mnist", f"MNIST is neither in {SHARED / 'mnist'}, nor in INKLING_MNIST_DIR, nor in the cache")
        yield load_mnist()


@pytest.fixture(scope="session")
def strokes():
    """Pen-drawn digits by many writers."""
    path = SHARED / "strokes" / "pen_digits.jsonl.gz"
    if not path.is_file():
        need("strokes", f"the pen-drawn digits are not in {path}")
    return read_strokes(path)


@pytest.fixture(scope="session")
def tiny():
    """A small data set, which a small network memorizes within a second."""
    return make_digits(600)


@pytest.fixture(scope="session")
def digits():
    """Enough digits to learn to read others."""
    return make_digits(3_000)


@pytest.fixture(scope="session")
def idx_folder(tmp_path_factory):
    """A folder of IDX files with 1,200 training and 300 test images, for ``--data``."""
    return write_idx_folder(tmp_path_factory.mktemp("idx") / "drawn", make_digits(1200, 1), make_digits(300, 2))


@pytest.fixture(scope="session")
def postgresql():
    """A running PostgreSQL."""
    if importlib.util.find_spec("psycopg") is None:
        need("postgresql", "psycopg is not installed; it is in the extra `postgresql`")
    folders = [Path(found).resolve().parent] if (found := shutil.which("postgres")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    programs = next((folder for folder in folders if (folder / "initdb").exists() and (folder / "psql").exists()), None)
    if programs is None:
        need("postgresql", "PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    server = PostgreSQL(programs)
    yield server
    server.stop()
    shutil.rmtree(server.folder)
