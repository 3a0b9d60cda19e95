"""The app where it was not developed: below a path, in a frame, in another working directory, with nowhere to write."""

import os
import re
import shutil

import pytest
from servers import ask, ask_for_websocket, serve_app

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
TIMEOUT = 60_000


def use_both_pages(visitor, query=""):
    """Draw, and train for a few steps."""
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_be_visible(timeout=TIMEOUT)
    visitor.open(f"/train{query}")
    visitor.page.locator(".st-key-controls button").filter(has_text="1 batch").click()
    expect(visitor.page.get_by_text(re.compile("paused at step 1,"))).to_be_visible(timeout=TIMEOUT)
    assert visitor.errors == []
    assert visitor.outside == []


def test_below_a_path(tmp_path, mnist, visit):
    with serve_app(tmp_path / "log", "--server.baseUrlPath", "digits/inkling", prefix="/digits/inkling") as app:
        assert ask(app.port, "/digits/inkling/", "evil.example").status == 400
        use_both_pages(visit(f"http://localhost:{app.port}/digits/inkling"))


def test_embedded(tmp_path, mnist, visit):
    with serve_app(tmp_path / "log") as app:
        use_both_pages(visit(f"http://localhost:{app.port}", "/?embed=true"), "?embed=true")


def test_from_another_working_directory(tmp_path, mnist, visit):
    with serve_app(tmp_path / "log", cwd=tmp_path) as app:
        assert ask(app.port, host="evil.example").status == 400, "the committed settings were not read"
        assert ask_for_websocket(app.port, "evil.example", Origin="http://evil.example").status == 400
        use_both_pages(visit(f"http://localhost:{app.port}"))


def test_with_a_home_that_cannot_be_written(tmp_path, mnist, visit):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    nowhere = "/proc/nowhere" if os.geteuid() == 0 else str(home)  # root may write into any real folder
    with serve_app(tmp_path / "log", HOME=nowhere, XDG_CACHE_HOME=nowhere, XDG_DATA_HOME=nowhere, INKLING_STORE="") as app:
        use_both_pages(visit(f"http://localhost:{app.port}"))
    shutil.rmtree(home)
