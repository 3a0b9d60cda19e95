"""A running app, and visitors to it."""

import pytest
from browsing import Pages, Visitor, chromium, serve

HAS_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[HAS_FAILED] = report.failed
    return report


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


# Not for the session: while Playwright runs, no test of the same process can use asyncio.run.
@pytest.fixture(scope="package")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def pages(browser):
    return Pages(browser)


@pytest.fixture
def visit(pages, app, request):
    """Open the app in a new session: ``visit(width=..., height=..., dark=..., touch=...)``."""
    taken = []

    def arrive(path="", width=1280, height=800, dark=False, touch=False):
        visitor = Visitor(pages.take(width, height, dark, touch), app)
        taken.append((visitor, touch))
        return visitor.open(path)

    yield arrive
    for visitor, touch in taken:
        visitor.leave()
        if request.node.stash[HAS_FAILED]:  # nobody knows in which state the page is
            visitor.page.context.close()
        elif not visitor.page.is_closed():
            pages.give_back(visitor.page, touch)
