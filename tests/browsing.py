"""A real browser, and a visitor who uses it."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from helpers import ROOT, need
from servers import serve_app

SCREENSHOTS = ROOT / "tests" / "browser" / "screenshots"
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

AXE = ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
# Streamlit's uploader has a label but no role, which axe does not accept.
VIOLATIONS = """async () => (await axe.run()).violations
  .map(({ id, nodes }) => ({
    id,
    nodes: nodes.filter(({ html }) => id !== "presentation-role-conflict" || !html.includes("stFileUploaderDropzone")),
  }))
  .filter(({ nodes }) => nodes.length)
  .map(({ id, nodes }) => [id, ...nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`)])"""
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

    def send_late(self):
        """Have everything that this page sends arrive 0.7 s later."""
        self.page.evaluate(SEND_LATE)

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
            .and_(self.page.locator("[data-testid^=stBaseButton], .inkling-history button"))
        )

    def violations(self):
        """What axe complains about on this page."""
        need_axe()
        self.idle()  # until then the old page is shown paler
        self.page.add_script_tag(path=AXE)
        return self.page.evaluate(VIOLATIONS)

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
