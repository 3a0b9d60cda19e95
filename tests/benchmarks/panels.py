"""How soon each panel of the Draw page answers in a real browser: from the press on its tab to its last picture.

    python tests/benchmarks/panels.py [--rounds 7] [--json FILE]

Medians and the worst of the rounds, in milliseconds, for each shipped network; the aim is 500 on a quiet machine. The
drawing is a seven, which the number panel finds alone; "Why, and not a 4" sets two digits against each other.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from browser.conftest import Visitor, app_environment, launch, serve
from helpers import ROOT

import engine

AIM = 500
SEVEN = [(60, 60), (200, 60), (120, 230)]
PANELS = {  # the tab, and what stands in it when it is done
    "What it sees": ".inkling-compared",
    "Why": ".inkling-why img",
    "Inside": ".inkling-part:has-text('Layer {layers}')",
    "Side by side": ".inkling-networks",
    "Number": ".inkling-each",
}
NETWORKS = ("mlp", "cnn")


def measured(visitor, tab, shown):
    """Milliseconds from the press on a tab to what it shows."""
    visitor.page.evaluate("tab => { tab.addEventListener('click', () => (window.pressed = performance.now())) }", tab)
    tab.click()
    visitor.page.locator(shown).last.wait_for()
    return visitor.page.evaluate("() => performance.now() - window.pressed")


def panels(visitor, name, rounds):
    """The milliseconds of each panel, by its name."""
    layers = sum(hasattr(layer, "W") for layer in engine.load(ROOT / "pretrained" / f"{name}.npz").layers)
    found = {}
    for _ in range(rounds):
        for panel, shown in PANELS.items():
            tab = visitor.page.get_by_role("tab", name=panel).element_handle()
            found.setdefault(panel, []).append(measured(visitor, tab, shown.format(layers=layers)))
            visitor.canvas()  # waits for the script to end
    return found


def choose(visitor, label, option):
    visitor.page.get_by_role("combobox", name=label).click()
    visitor.page.keyboard.type(option)
    visitor.page.keyboard.press("Enter")
    visitor.canvas()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    with serve(app_environment()) as (_, url), sync_playwright() as driver:
        browser = launch(driver)
        for name in NETWORKS:
            visitor = Visitor(browser.new_page(), url).open()
            visitor.canvas()
            choose(visitor, "Network", name)
            visitor.stroke(*SEVEN)
            visitor.page.get_by_text("7", exact=True).first.wait_for()
            found = panels(visitor, name, options.rounds)
            visitor.page.get_by_role("tab", name="Why").click()
            choose(visitor, "and not a", "4")
            visitor.page.get_by_text("for a 7 and against a 4").wait_for()
            found["Why, and not a 4"] = panels(visitor, name, options.rounds)["Why"]
            results[name] = {panel: [median(times), max(times)] for panel, times in found.items()}
        browser.close()
    for name, found in results.items():
        for panel, (middle, worst) in found.items():
            print(f"{name}  {panel:18} {middle:5.0f} ms, at worst {worst:5.0f}{'' if middle <= AIM else f'  over {AIM}'}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
