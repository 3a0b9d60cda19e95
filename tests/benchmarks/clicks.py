"""How fast the Train page responds to a click during a training: from the press to the first frame of the changed page.

    python tests/benchmarks/clicks.py [--clicks 15] [--presets quick,cnn] [--json FILE]

A real browser and a real server, both on this machine, which also trains. For each kind of click: the median and the 90th
percentile in milliseconds, and the median divided by that of the same click while the run is paused (for Pause and Resume:
of a change of the learning rate while it is paused). The ratio depends less on how busy the machine is.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlencode

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from browsing import launch, serve
from playwright.sync_api import Page, sync_playwright

from engine import Config
from engine.data import default_source
from engine.links import to_query
from engine.recipes import RECIPES

TARGET = 300  # milliseconds, for the median
TIMEOUT = 60_000  # milliseconds
RATES = ("0.001", "0.0005")  # to change between; in the open list, each is one click away
ARM = """(condition) => {
  const changed = new Function("return " + condition)
  window.clicked = new Promise((done) => addEventListener("pointerdown", (down) => {
    const look = () => {
      const milliseconds = performance.now() - down.timeStamp
      return changed() || milliseconds > 20000 ? done(milliseconds) : requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, { once: true, capture: true }))
}"""
BUTTON = "[...document.querySelectorAll('.st-key-controls button')].some((b) => b.textContent.includes('{}'))"
TITLE = "document.querySelector('h1')?.textContent.includes('{}')"
CHANGED = (
    "[...document.querySelectorAll('[data-testid=stCaptionContainer]')].some((c) => c.innerText.startsWith('Dashed line')"
    " && c.innerText.split(';').pop().includes('learning rate changed to {} '))"
)
PANELS = {
    "What it learned": "document.querySelector('[data-testid=stTable]') && document.querySelector('.inkling-weights')",
    "Curves": "document.querySelectorAll('[data-testid=stVegaLiteChart] .marks').length > 1",
}


class Bench:
    """A visitor who measures the time of each click."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def timed(self, target: Any, condition: str) -> float:
        """Milliseconds from a press on ``target`` until ``condition`` holds on the page."""
        sleep(random.uniform(0.1, 0.8))  # at any moment between two refreshes
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        self.page.evaluate(ARM, condition)
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        return self.page.evaluate("window.clicked")

    def control(self, name: str) -> Any:
        return self.page.locator(".st-key-controls button").filter(has_text=name)

    def press(self, name: str, then: str) -> float:
        return self.timed(self.control(name), BUTTON.format(then))

    def rate(self, lap: int) -> float:
        """A change of the learning rate, until the caption below the curves says so."""
        wanted = RATES[lap % 2]
        box = self.page.get_by_role("combobox", name="Learning rate", exact=True)
        option = self.page.get_by_role("option", name=wanted, exact=True)
        box.click()
        option.wait_for()
        return self.timed(option, CHANGED.format(wanted))

    def panel(self, name: str) -> float:
        return self.timed(self.page.get_by_role("tab", name=name, exact=True), PANELS[name])

    def link(self, name: str, title: str) -> float:
        return self.timed(self.page.get_by_role("link", name=name, exact=True), TITLE.format(title))

    def clicks(self, laps: int, running: bool) -> dict[str, list[float]]:
        """The milliseconds of each kind of click."""
        milliseconds: dict[str, list[float]] = {}
        for lap in range(laps + 1):
            times = {"learning rate": self.rate(lap)}
            if running:
                times["Pause"] = self.press("Pause", "Resume")
                times["Resume"] = self.press("Resume", "Pause")
            for name in PANELS:
                times[f"panel: {name}"] = self.panel(name)
            times["page: Draw"] = self.link("Draw", "Inkling")
            self.page.locator("canvas.upper-canvas").wait_for()
            times["page: Train"] = self.link("Train", "Train a network")
            self.page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
            if lap:  # the first lap warms up
                for kind, time in times.items():
                    milliseconds.setdefault(kind, []).append(time)
        return milliseconds


def train_path(config: Config) -> str:
    """The address of the Train page, set up with this configuration."""
    return f"/train?{urlencode({'data': default_source()} | to_query(config))}"


@contextmanager
def open_page(path: str) -> Iterator[tuple[Page, int]]:
    """A browser's page on a server of its own, and the server's process id."""
    with serve({}) as (process, url), sync_playwright() as driver:
        browser = launch(driver)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(TIMEOUT)
        page.goto(url + path)
        yield page, process.pid
        browser.close()


def measure(preset: str, laps: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Clicks while ``preset`` trains, and while it is paused."""
    with open_page(train_path(replace(RECIPES[preset].config, epochs=9_999))) as (page, _):
        bench = Bench(page)
        bench.control("Start").click()
        bench.control("Pause").wait_for()
        page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
        running = bench.clicks(laps, running=True)
        bench.press("Pause", "Resume")
        return running, bench.clicks(laps, running=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clicks", type=int, default=15, help="of each kind")
    parser.add_argument("--presets", default="quick,cnn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = []
    print(f"| preset | click | median, ms (target {TARGET}) | 90 % | paused, ms | ratio |\n|---|---|---|---|---|---|")
    for preset in options.presets.split(","):
        running, paused = measure(preset, options.clicks)
        for kind, milliseconds in running.items():
            median, p90 = np.percentile(milliseconds, [50, 90]).tolist()
            at_rest = float(np.median(paused.get(kind, paused["learning rate"])))
            print(f"| {preset} | {kind} | {median:.0f} | {p90:.0f} | {at_rest:.0f} | {median / at_rest:.2f} |", flush=True)
            report.append({"preset": preset, "click": kind, "median": median, "p90": p90, "paused": at_rest})
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
