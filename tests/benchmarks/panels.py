"""How quickly each panel of the Draw page opens in a real browser: from the click on its tab to its last picture.

    python tests/benchmarks/panels.py [--rounds 7] [--json FILE]

Prints the median and the slowest round in milliseconds for each shipped network; the aim is 500 on an idle machine. The
drawing is a single seven. "Why, instead of 4" compares two digits.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from browsing import Visitor, launch, serve
from helpers import ROOT

import engine

AIM = 500  # milliseconds
SEVEN = [(60, 60), (200, 60), (120, 230)]
PANELS = {  # the tab, and the selector of what it shows last
    "What it sees": ".inkling-compared",
    "Why": ".inkling-why img",
    "Inside": ".inkling-part:has-text('Layer {layers}')",
    "Side by side": ".inkling-networks",
    "Number": ".inkling-each",
}
NETWORKS = {"mlp": "dense", "cnn": "best"}  # and a word of its label


def measure_tab(visitor, tab, shown):
    """Milliseconds from the click on a tab to what it shows last."""
    visitor.page.evaluate("tab => { tab.addEventListener('click', () => (window.clicked = performance.now())) }", tab)
    tab.click()
    visitor.page.locator(shown).last.wait_for()
    return visitor.page.evaluate("() => performance.now() - window.clicked")


def panels(visitor, name, rounds):
    """The milliseconds of each panel in each round, by its name."""
    layers = len(engine.load(ROOT / "pretrained" / f"{name}.npz").layers)
    times = {}
    for _ in range(rounds):
        for panel, shown in PANELS.items():
            tab = visitor.page.get_by_role("tab", name=panel).element_handle()
            times.setdefault(panel, []).append(measure_tab(visitor, tab, shown.format(layers=layers)))
            visitor.canvas()  # waits for the script to end
    return times


def choose(visitor, label, option):
    visitor.page.get_by_role("combobox", name=label).click()
    visitor.page.keyboard.type(option)
    visitor.page.keyboard.press("Enter")
    visitor.canvas()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    with serve({}) as (_, url), sync_playwright() as driver:
        browser = launch(driver)
        for name, label in NETWORKS.items():
            visitor = Visitor(browser.new_page(), url).open()
            visitor.canvas()
            choose(visitor, "Network", label)
            visitor.stroke(*SEVEN)
            visitor.page.get_by_text("7", exact=True).first.wait_for()
            times = panels(visitor, name, options.rounds)
            visitor.page.get_by_role("tab", name="Why").click()
            choose(visitor, "instead of", "4")
            visitor.page.get_by_text("for a 7 and against a 4").wait_for()
            times["Why, instead of 4"] = panels(visitor, name, options.rounds)["Why"]
            results[name] = {panel: [median(rounds), max(rounds)] for panel, rounds in times.items()}
        browser.close()
    for name, figures in results.items():
        for panel, (middle, worst) in figures.items():
            print(f"{name}  {panel:18} {middle:5.0f} ms, at worst {worst:5.0f}{'' if middle <= AIM else f'  over {AIM}'}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
