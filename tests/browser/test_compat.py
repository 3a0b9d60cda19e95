"""What scripts and styles rely on without a promise: a failure names what an upgrade of Streamlit or the canvas changed."""

import re

import pytest
from helpers import ROOT

from ui import STYLES

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

COMPANION_SELECTORS = (".dc-toolbar", ".dc-container", ".dc-canvas", "canvas.upper-canvas")
MATCHES_IN_CANVAS = """(selector) => [...document.querySelectorAll(".st-key-canvas *")]
  .some((element) => element.shadowRoot?.querySelector(selector))"""
SECTION = "/* Streamlit's own class names"  # of a style sheet, to its end
# What this walk does not come to: a class that is joined, a lesson with a table, more links than there is room for, the map.
ELSEWHERE = (".st-key-lesson-class", ".st-key-lesson-body table", ".st-key-lesson:not", ".more", ":popover-open")


def streamlit_selectors():
    """The selectors of the last section of each style sheet that has one, without states such as ``:hover``."""
    sheets = [style.read_text() for style in STYLES]
    css = "".join(sheet.split(SECTION)[1].split("*/", 1)[1] for sheet in sheets if SECTION in sheet)
    css = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", css, flags=re.DOTALL)
    selectors = [selector.strip() for selector in re.findall(r"([^{}]+)\{", css)]
    selectors = [selector for selector in selectors if not any(part in selector for part in ELSEWHERE)]
    return sorted(
        {re.sub(r":is\([^)]*\)$|:not\(:checked\)|:checked|:focus-visible|::\w+", "", selector) for selector in selectors}
    )


def test_the_companion_reaches_into_the_canvas(visit):
    visitor = visit()
    visitor.canvas()
    assert visitor.page.evaluate(MATCHES_IN_CANVAS, "*"), (
        "the canvas is not in an open shadow root: update ui/assets/companion.js"
    )
    for selector in COMPANION_SELECTORS:
        assert selector.split(".")[-1] in (ROOT / "ui" / "assets" / "companion.js").read_text()
        assert visitor.page.evaluate(MATCHES_IN_CANVAS, selector), (
            f"the canvas has no {selector}: update ui/assets/companion.js"
        )


def test_every_style_of_streamlit_s_elements_has_its_element(visit):
    visitor, missing = visit(), set(streamlit_selectors())
    assert len(missing) > 10
    visitor.canvas()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.go_to("Train")
    visitor.page.locator(".st-key-controls button").first.wait_for()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.page.locator(".st-key-controls button").filter(has_text="1 batch").click()
    visitor.page.get_by_role("heading", level=2).first.wait_for()
    visitor.page.locator(".stVegaLiteChart").first.hover()
    visitor.idle()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.go_to("My handwriting")
    visitor.stroke((60, 60), (200, 60), (120, 230))
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.button("Next").click()
    visitor.page.locator(".st-key-collect-last button").wait_for()
    visitor.page.get_by_role("tab", name="My drawings").click()
    visitor.page.locator(".inkling-wall button").click()
    visitor.page.locator(".st-key-picked-drawing").wait_for()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.go_to("Class")
    visitor.page.locator(".st-key-class-start").wait_for()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.button("Open a collection").click()
    visitor.page.locator(".st-key-class-main").wait_for()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.page.get_by_role("link", name="Draw", exact=True).click()
    visitor.page.get_by_text("Draw with keys").click()
    visitor.page.locator(".inkling-grid").wait_for()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    for path, element in (("/lessons", ".st-key-lesson-cards"), ("?lesson=pixels", ".st-key-lesson")):
        visitor.open(path).page.locator(element).wait_for()
        visitor.canvas() if "?" in path else visitor.idle()
        missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    visitor.go_to("Train")
    visitor.page.locator(".st-key-controls button").first.wait_for()
    visitor.page.get_by_text("Search for the best settings").click()
    visitor.button("Start the sweep").wait_for()
    visitor.idle()
    missing = {selector for selector in missing if not visitor.page.locator(selector).count()}
    assert not missing, f"no element matches {', '.join(missing)}: update the last section of ui/assets/*.css"
