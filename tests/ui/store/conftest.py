"""Both databases for the tests of the store: SQLite, and a PostgreSQL of Debian's package that the tests start."""

import pytest

from ui.store import Store


class Clock:
    """A clock that the tests set."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request):
    """The name of the database that the test runs with."""
    return request.param


@pytest.fixture
def new_url(backend, request, tmp_path):
    """The address of a database that does not exist yet, or is empty."""
    if backend == "postgresql":
        return request.getfixturevalue("postgresql").new_database()
    return f"sqlite:///{tmp_path}/store.sqlite3"


@pytest.fixture(scope="session")
def shared_url(backend, request, tmp_path_factory):
    """The address of a database that the tests share: each works in workspaces of its own."""
    if backend == "postgresql":
        return request.getfixturevalue("postgresql").new_database()
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/store.sqlite3"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(shared_url, clock):
    """Open a store of the shared database; all of a test's stores have the same clock."""
    stores = []

    def open_one(**options):
        stores.append(Store(shared_url, clock=clock, **options))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def workspace(store):
    return store.create()


@pytest.fixture(autouse=True)
def sweeps():
    """The sweeps are where the store says."""
