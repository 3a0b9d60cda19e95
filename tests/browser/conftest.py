"""A real browser that visits a real server."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

import pytest
from helpers import ROOT, need

from engine.data import mnist as mnist_module

SCREENSHOTS = Path(__file__).with_name("screenshots")
BROWSERS = [
    os.environ.get("INKLING_CHROMIUM", ""),
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
]
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serve(environment):
    """Run the app on a free port, within a context; gives its process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        _await_answer(process, f"http://127.0.0.1:{port}/_stcore/health")
        yield process, f"http://localhost:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)  # on a busy machine it takes a while
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process, address):
    deadline = monotonic() + 30
    while True:
        try:
            urlopen(address, timeout=1)
            return
        except OSError:
            assert process.poll() is None, "the server ended at its start"
            assert monotonic() < deadline, "the server did not answer within 30 s"
            sleep(0.1)


def launch(driver):
    """A chromium, started by Playwright's ``driver``."""
    executable = next((path for path in BROWSERS if path and Path(path).is_file()), None)
    if executable is None:
        need("browser", f"no chromium is in {', '.join(filter(None, BROWSERS))}; INKLING_CHROMIUM may name one")
    return driver.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)


def app_environment():
    """Environment variables that show the app where MNIST is, if it lies beside the repository."""
    folder = ROOT.parent / "shared" / "mnist"
    return {mnist_module.FOLDER_VARIABLE: str(folder)} if folder.is_dir() else {}


@pytest.fixture(scope="session")
def app(mnist):
    """The address of a running app that has MNIST."""
    with serve(app_environment()) as (_, url):
        yield url


@pytest.fixture(scope="session")
def browser():
    playwright = (
        pytest.importorskip("playwright.sync_api") if "browser" not in os.environ.get("INKLING_REQUIRE", "") else None
    )
    if playwright is None:
        import playwright.sync_api as playwright
    playwright.expect.set_options(timeout=20_000)  # a busy machine is slow
    with playwright.sync_playwright() as driver:
        chromium = launch(driver)
        yield chromium
        chromium.close()


def on(element, *points):
    """Points of an element as points of the page."""
    box = element.bounding_box()
    return [(box["x"] + x, box["y"] + y) for x, y in points]


class Visitor:
    """A page in a new session, and what a visitor does on it. Requests to other machines are collected in ``outside``."""

    def __init__(self, page, url):
        self.page, self.url, self.outside, self.errors = page, url, [], []
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", self._connected)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note(self, url):
        if not url.startswith((self.url, self.url.replace("http", "ws", 1), "data:", "blob:")):
            self.outside.append(url)

    def _connected(self, socket):
        self.socket = socket

    def awaiting(self, text):
        """A context that ends when the server has sent this text."""
        return self.socket.expect_event("framereceived", lambda frame: text.encode() in bytes(frame))

    def open(self, path=""):
        self.page.goto(self.url + path)
        return self

    def canvas(self):
        surface = self.page.locator("canvas.upper-canvas")
        surface.wait_for()
        self.idle()
        return surface

    def idle(self):
        """Wait until the script has run to its end."""
        self.page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'running'"
        )

    def stroke(self, *points, up=True):
        """Draw with the mouse through these points of the canvas; without ``up`` the button stays down."""
        self.drag(self.canvas(), *points, up=up)

    def drag(self, surface, *points, up=True):
        """Move the mouse, its button down, through these points of an element."""
        at = on(surface, *points)
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for point in at[1:]:
            self.page.mouse.move(*point, steps=8)
        if up:
            self.page.mouse.up()

    def on_canvas(self, *points):
        """Points of the canvas as points of the page."""
        return on(self.canvas(), *points)

    def digit(self):
        return self.page.locator(".inkling-digit")

    def button(self, name):
        return (
            self.page.get_by_test_id("stMain")
            .get_by_role("button", name=name, exact=True)
            .and_(self.page.locator("[data-testid^=stBaseButton]"))
        )

    def go_to(self, title):
        """Follow the link to a page, and again if nothing happens.

        Streamlit forgets a page switch that is still waiting when a fragment of the old page asks to run again.
        """
        from playwright.sync_api import TimeoutError as PlaywrightTimeout  # not a subclass of the built-in one

        heading = self.page.get_by_role("heading", level=1).filter(has_text=title)
        for timeout in (10_000, 10_000, 60_000):
            self.page.get_by_role("link", name=title, exact=True).click()
            with suppress(PlaywrightTimeout):
                return heading.wait_for(timeout=timeout)
        raise AssertionError(f"no way to the page {title}")

    def picture(self, name):
        """Save a screenshot for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


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
