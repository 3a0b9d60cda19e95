"""The page Broken networks in a real browser: a puzzle is solved to its end."""

import re

import pytest

from browser.test_accessibility import axe  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

OVER = re.compile("(finished|diverged) after")
LONG = 120_000  # ms: a training on a busy machine


def button(visitor, name):
    return visitor.page.get_by_test_id("stMain").get_by_role("button", name=name)


def in_view(visitor, element):
    """Whether the element is within the window."""
    box, size = element.bounding_box(), visitor.page.viewport_size
    return box["y"] >= 0 and box["y"] + box["height"] <= size["height"] + 1


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (360, 640, True)])
def test_a_puzzle_is_solved_to_its_end(visit, axe, width, height, dark):  # noqa: F811
    visitor = visit("/broken", width=width, height=height, dark=dark, touch=width < 641)
    page = visitor.page
    expect(page.get_by_text("0 of 12 mistakes found")).to_be_visible()
    assert axe(visitor) == []
    button(visitor, "Start a broken training").click()
    expect(page.get_by_text(OVER)).to_be_visible(timeout=LONG)
    options = page.get_by_role("radiogroup").locator("label")
    expect(options).to_have_count(12)
    assert not page.get_by_text("None", exact=True).count()
    for panel in ("What it learned", "Predictions", "Mistakes"):
        page.get_by_role("tab", name=panel).click()
        expect(page.get_by_role("tabpanel", name=panel).locator("img, canvas, table, svg").first).to_be_visible()
    button(visitor, "Hint 1 of 3").click()
    expect(button(visitor, "Hint 2 of 3")).to_be_visible()
    assert axe(visitor) == []
    found, wrong = page.get_by_text("You found it"), page.get_by_text("It is not")
    for number in range(12):  # nobody knows which of the mistakes it is
        name = options.nth(number).inner_text()
        options.nth(number).click()
        expect(options.nth(number).locator("input")).to_be_checked()
        button(visitor, "That is it").click()
        expect(found.or_(wrong.filter(has_text=name)).first).to_be_visible()
        if found.count():
            break
        assert in_view(visitor, button(visitor, "That is it"))
    expect(found).to_contain_text(name)
    expect(page.get_by_text("1 of 12 mistakes found")).to_be_visible()
    button(visitor, "Mend it").click()
    expect(page.get_by_text("Mended: test accuracy")).to_be_visible()
    expect(button(visitor, "Next broken training")).to_be_visible(timeout=LONG)
    expect(page.locator(".stVegaLiteChart")).to_have_count(2)
    assert axe(visitor) == []
    visitor.picture(f"broken-mended-{width}")
    page.reload()
    expect(page.get_by_text("1 of 12 mistakes found")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visitor.errors == []
