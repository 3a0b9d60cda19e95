"""A running app, and visitors to it."""

import pytest
from browsing import Visitor, serve


def pytest_collection_modifyitems(items):
    """A browser may stall on a busy machine: a test that fails runs once more, and is listed as ``RERUN``."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def store_address(tmp_path_factory):
    """The address of the database of the running app."""
    return f"sqlite:///{tmp_path_factory.mktemp('browser') / 'inkling.sqlite3'}"


@pytest.fixture(scope="session")
def app(mnist, store_address):
    """The address of a running app that has MNIST."""
    with serve({"INKLING_STORE": store_address}) as (_, url):
        yield url


@pytest.fixture
def visit(browser, app):
    """Open the app in a new session: ``visit(width=..., height=..., dark=..., touch=...)``."""
    contexts = []

    def arrive(path="", width=1280, height=800, dark=False, touch=False):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", has_touch=touch
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        return Visitor(context.new_page(), app).open(path)

    yield arrive
    for context in contexts:
        context.close()
