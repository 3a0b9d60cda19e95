"""A real browser, and a visitor who uses it."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import ROOT, need
from servers import serve_app

SCREENSHOTS = ROOT / "tests" / "browser" / "screenshots"
BROWSERS = [
    os.environ.get("INKLING_CHROMIUM", ""),
    "/usr/bin/chromium-headless-shell",  # the same browser without windows, which takes a quarter less time
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

AXE = ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
# Streamlit's uploader has a label but no role, which axe does not accept.
VIOLATIONS = """async (rules) => (await axe.run(rules.length ? { runOnly: { type: "rule", values: rules } } : {})).violations
  .map(({ id, nodes }) => ({
    id,
    nodes: nodes.filter(({ html }) => id !== "presentation-role-conflict" || !html.includes("stFileUploaderDropzone")),
  }))
  .filter(({ nodes }) => nodes.length)
  .map(({ id, nodes }) => [id, ...nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`)])"""
RULES_OF_COLOURS = ["color-contrast", "link-in-text-block"]
IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
GROUND = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
FINISH_TRANSITIONS = "document.getAnimations().forEach((a) => a instanceof CSSTransition && a.finish())"
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SEND_LATE = """() => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), 700); };
}"""

# with what the companion sends as a pointer goes down
PRESS_AT_ONCE = """(button) => {
  button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, composed: true }));
  button.click();
}"""


def launch(driver):
    """A chromium, started by Playwright's ``driver``."""
    executable = next((path for path in BROWSERS if path and Path(path).is_file()), None)
    if executable is None:
        need("browser", f"no chromium is in {', '.join(filter(None, BROWSERS))}; INKLING_CHROMIUM may name one")
    return driver.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)


@contextmanager
def chromium():
    """A chromium; what is expected of its pages may take 20 s on a busy machine."""
    if "browser" not in os.environ.get("INKLING_REQUIRE", ""):
        pytest.importorskip("playwright.sync_api")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)
    with sync_playwright() as driver:
        browser = launch(driver)
        yield browser
        browser.close()


class Pages:
    """Pages of a browser that are used again: one that has shown the app before loads it in half the time.

    Whoever takes one finds it as new: without cookies, with nothing stored, its pointer up and in the corner.
    """

    def __init__(self, browser):
        self.browser, self.free = browser, {False: [], True: []}

    def take(self, width, height, dark, touch):
        """A page that nobody else uses."""
        page = self.free[touch].pop() if self.free[touch] else self.browser.new_context(has_touch=touch).new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="no-preference")
        page.set_default_timeout(20_000)
        return page

    def give_back(self, page, touch):
        """Empty this page for whoever takes it next."""
        origin = page.evaluate("origin")
        page.goto("about:blank")
        page.mouse.up()
        page.mouse.move(0, 0)
        page.context.clear_cookies()
        tools = page.context.new_cdp_session(page)
        tools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
        tools.detach()
        self.free[touch].append(page)


@contextmanager
def serve(environment, port=None):
    """Run the app on this port or a free one, within a context; gives its process and its address."""
    with tempfile.TemporaryDirectory() as folder, serve_app(Path(folder) / "log", port=port, **environment) as server:
        yield server.process, f"http://localhost:{server.port}"


def need_axe():
    if not AXE.is_file():
        need("axe", "axe-core is missing: npm install --prefix tests/browser")


def on(element, *points):
    """Points of an element as points of the page."""
    box = element.bounding_box()
    return [(box["x"] + x, box["y"] + y) for x, y in points]


class Visitor:
    """A page in a new session, and what a visitor does on it. Requests to other machines are collected in ``outside``."""

    def __init__(self, page, url):
        self.page, self.url, self.outside, self.errors = page, url, [], []
        self.listeners = {"request": self._note, "websocket": self._connected, "pageerror": self._erred}
        for event, listener in self.listeners.items():
            page.on(event, listener)

    def leave(self):
        """Take no more notice of what happens on the page."""
        for event, listener in self.listeners.items():
            self.page.remove_listener(event, listener)

    def _note(self, request):
        url = request.url
        if not url.startswith((self.url, self.url.replace("http", "ws", 1), "data:", "blob:")):
            self.outside.append(url)

    def _connected(self, socket):
        self.socket = socket

    def _erred(self, error):
        self.errors.append(str(error))

    def awaiting(self, text):
        """A context that ends when the server has sent this text."""
        return self.socket.expect_event("framereceived", lambda frame: text.encode() in bytes(frame))

    def open(self, path=""):
        self.page.goto(self.url + path)
        return self

    def send_late(self):
        """Have everything that this page sends arrive 0.7 s later."""
        self.page.evaluate(SEND_LATE)

    def canvas(self):
        surface = self.page.locator("canvas.upper-canvas")
        surface.wait_for()
        self.idle()
        return surface

    def idle(self):
        """Wait until the script has run to its end, and the browser has loaded the code of every element."""
        self.page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'running'"
            " && !document.querySelector('[data-testid=stSkeleton]')"
        )

    def scroll_to(self, element):
        """Scroll until the element is in view, and wait until the page rests: a list closes when the page scrolls."""
        element.scroll_into_view_if_needed()
        self.page.evaluate(TWO_FRAMES)

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
            .and_(self.page.locator("[data-testid^=stBaseButton], .inkling-history button"))
        )

    def recolour(self, dark):
        """Show the page in light or dark colours."""
        before = self.page.evaluate(GROUND)
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.wait_for_function(f"(before) => {GROUND} !== before", arg=before)
        self.page.evaluate(FINISH_TRANSITIONS)

    def violations(self):
        """What axe complains about on this page, in light and in dark colours."""
        need_axe()
        self.idle()  # until then the old page is shown paler
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=AXE)
        is_dark, found = self.page.evaluate(IS_DARK), self.page.evaluate(VIOLATIONS, [])
        self.recolour(not is_dark)
        for _ in range(10):  # its parts may change their colours one after the other
            if not (of_colours := self.page.evaluate(VIOLATIONS, RULES_OF_COLOURS)):
                break
            self.page.wait_for_timeout(500)
        self.recolour(is_dark)
        return found + of_colours

    def press(self, name):
        """Press a button until the server answers: Streamlit takes two presses that arrive at the same time for one."""
        with self.socket.expect_event("framereceived"):
            self.button(name).click()

    def go_to(self, title):
        """Follow the link to a page."""
        self.page.get_by_role("link", name=title, exact=True).click()
        self.page.get_by_role("heading", level=1).filter(has_text=title).wait_for(timeout=60_000)

    def picture(self, name):
        """Save a screenshot for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
