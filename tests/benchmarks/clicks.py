"""How soon the Train page answers a click while it trains: from the mouse to the first frame of the changed page.

    python tests/benchmarks/clicks.py [--clicks 15] [--presets quick,cnn] [--json FILE]

A real browser before a real server, both on this machine, which trains meanwhile. For each kind of click the median and the
90th percentile in milliseconds, and the median's ratio to that of the same click while the run is paused (for Pause and
Resume: of a change of the learning rate while it is paused), which a busy machine disturbs less.
"""

import argparse
import json
import random
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from browser.conftest import app_environment, launch, serve
from playwright.sync_api import sync_playwright

from engine.data import default_source
from engine.recipes import RECIPES

AIM = 300  # milliseconds, of the median
PATIENCE = 60_000
RATES = ("0.001", "0.0005")  # to change between; a value is one click away in the open list
ARM = """(condition) => {
  const changed = new Function("return " + condition)
  window.clicked = new Promise((done) => addEventListener("pointerdown", (down) => {
    const look = () => {
      const took = performance.now() - down.timeStamp
      return changed() || took > 20000 ? done(took) : requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, { once: true, capture: true }))
}"""
BUTTON = "[...document.querySelectorAll('.st-key-controls button')].some((b) => b.textContent.includes('{}'))"
TITLE = "document.querySelector('h1')?.textContent.includes('{}')"
MARK = (
    "[...document.querySelectorAll('[data-testid=stCaptionContainer]')].some((c) =>"
    " c.innerText.startsWith('Marked') && c.innerText.trim().endsWith('learning rate to {}'))"
)
PANELS = {
    "Layers": "document.querySelector('.inkling-table') && document.querySelector('.inkling-weights')",
    "Curves": "document.querySelectorAll('[data-testid=stVegaLiteChart] .marks').length > 1",
}


class Bench:
    """A visitor who clicks with a stop watch."""

    def __init__(self, page):
        self.page = page

    def timed(self, target, condition):
        """Milliseconds from a press on ``target`` until ``condition`` holds in the page."""
        sleep(random.uniform(0.1, 0.8))  # at any moment between two refreshes
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        self.page.evaluate(ARM, condition)
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        return self.page.evaluate("window.clicked")

    def control(self, name):
        return self.page.locator(".st-key-controls button").filter(has_text=name)

    def press(self, name, then):
        return self.timed(self.control(name), BUTTON.format(then))

    def rate(self, lap):
        """A change of the learning rate, until its mark is told below the curves."""
        wanted = RATES[lap % 2]
        box = self.page.get_by_role("combobox", name="Learning rate", exact=True)
        option = self.page.get_by_role("option", name=wanted, exact=True)
        box.click()
        option.wait_for()
        return self.timed(option, MARK.format(wanted))

    def panel(self, name):
        return self.timed(self.page.get_by_role("tab", name=name, exact=True), PANELS[name])

    def link(self, name, title):
        return self.timed(self.page.get_by_role("link", name=name, exact=True), TITLE.format(title))

    def clicks(self, laps, running):
        """The milliseconds of each kind of click."""
        found = {}
        for lap in range(laps + 1):
            lap_found = {"learning rate": self.rate(lap)}
            if running:
                lap_found["Pause"] = self.press("Pause", "Resume")
                lap_found["Resume"] = self.press("Resume", "Pause")
            lap_found["panel: Layers"] = self.panel("Layers")
            lap_found["panel: Curves"] = self.panel("Curves")
            lap_found["page: Draw"] = self.link("Draw", "Draw a digit")
            self.page.locator("canvas.upper-canvas").wait_for()
            lap_found["page: Train"] = self.link("Train", "Train a network")
            self.page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
            if lap:  # the first lap warms up
                for kind, took in lap_found.items():
                    found.setdefault(kind, []).append(took)
        return found


@contextmanager
def open_page(path):
    """A browser's page of a server of its own, and the server's process id."""
    with serve(app_environment()) as (process, url), sync_playwright() as driver:
        browser = launch(driver)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.goto(url + path)
        yield page, process.pid
        browser.close()


def measure(preset, laps):
    """Clicks while ``preset`` trains, and while it is paused."""
    config = replace(RECIPES[preset].config, epochs=9_999)
    with open_page(f"/train?data={default_source()}&config={config.to_link()}") as (page, _):
        bench = Bench(page)
        bench.control("Start").click()
        bench.control("Pause").wait_for()
        page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
        running = bench.clicks(laps, running=True)
        bench.press("Pause", "Resume")
        return running, bench.clicks(laps, running=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=15, help="of each kind")
    parser.add_argument("--presets", default="quick,cnn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = []
    print(f"| preset | click | median, ms (aim {AIM}) | 90 % | paused, ms | ratio |\n|---|---|---|---|---|---|")
    for preset in options.presets.split(","):
        running, paused = measure(preset, options.clicks)
        for kind, took in running.items():
            median, most = np.percentile(took, [50, 90]).tolist()
            calm = float(np.median(paused.get(kind, paused["learning rate"])))
            print(f"| {preset} | {kind} | {median:.0f} | {most:.0f} | {calm:.0f} | {median / calm:.2f} |", flush=True)
            report.append({"preset": preset, "click": kind, "median": median, "p90": most, "paused": calm})
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
