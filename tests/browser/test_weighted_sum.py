"""A pressed node shows its weighted sum; the window of a convolution slides over the drawing, its arithmetic beside it."""

import re

import pytest

from browser import test_accessibility
from browser.test_network_view import SEVEN, node

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
axe = test_accessibility.axe

LEDGER = """() => [...document.querySelectorAll(".inkling-window dl > div")]
  .map((row) => [...row.children].map((part) => part.textContent))"""
FRAME = "() => document.querySelector('.inkling-window .input i').style.cssText"


def open_map(visitor, name="Layers 1 to 4, map 5"):
    """Draw a seven, and press this node."""
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    if not visitor.page.locator(".inkling-network .stage").is_visible():
        visitor.page.get_by_text("The network", exact=True).click()
    node(visitor, name).click()
    visitor.page.locator(".inkling-window dl > div").first.wait_for()


def check_sum(visitor):
    """What stands above the sum adds up to it; returns the sum."""
    *rows, (name, total) = visitor.page.evaluate(LEDGER)
    assert name == "sum"
    assert sum(float(value) for _, value in rows) == pytest.approx(float(total), abs=0.004)
    return total


def test_the_window_slides_by_keys_and_by_mouse_and_its_arithmetic_is_right(visit, axe):
    visitor = visit()
    open_map(visitor)
    first = check_sum(visitor)
    expect(visitor.page.locator(".st-key-picked")).to_contain_text(f"sum at its highest place{first}")
    board = visitor.page.get_by_role("application")
    board.focus()
    for key in ("ArrowLeft", "ArrowDown"):
        before = visitor.page.evaluate(FRAME)
        visitor.page.keyboard.press(key)
        assert visitor.page.evaluate(FRAME) != before
        check_sum(visitor)
    expect(visitor.page.locator(".inkling-window .spoken")).to_have_text(
        re.compile(r"^row \d+, column \d+: sum-?\d+\.\d{3}$")
    )
    for _ in range(30):
        visitor.page.keyboard.press("ArrowUp")
    board.click(position={"x": 3, "y": 3})
    assert visitor.page.evaluate(FRAME).startswith("top: 0%; left: 0%")
    blank = check_sum(visitor)
    assert visitor.page.evaluate(LEDGER)[-2] == ["bias", blank]  # nothing is drawn in this corner
    visitor.page.locator(".inkling-window .map .board").click()
    check_sum(visitor)
    assert axe(visitor) == []
    visitor.picture("convolution-window")
    node(visitor, "Layers 8 to 11, map 5").click()
    expect(visitor.page.locator(".inkling-window .name")).to_have_count(3)
    check_sum(visitor)
    node(visitor, "Score of 7").click()
    expect(visitor.page.locator(".st-key-picked .inkling-product img")).to_have_count(3)
    assert axe(visitor) == []
    assert visitor.errors == []


def test_the_window_plays_row_by_row_until_it_is_touched(visit):
    visitor = visit()
    open_map(visitor)
    play = visitor.page.locator(".inkling-window button")
    expect(play).to_have_text("Play")
    play.click()
    expect(play).to_have_text("Pause")
    before = visitor.page.evaluate(FRAME)
    visitor.page.wait_for_function(f"(before) => ({FRAME})() !== before", arg=before)
    visitor.page.get_by_role("application").click()
    expect(play).to_have_text("Play")
    check_sum(visitor)


def test_with_reduced_motion_the_button_moves_one_window_and_stops(visit):
    visitor = visit(dark=True)
    visitor.page.emulate_media(reduced_motion="reduce")
    open_map(visitor)
    button = visitor.page.locator(".inkling-window button")
    expect(button).to_have_text("Next window")
    before = visitor.page.evaluate(FRAME)
    button.click()
    after = visitor.page.evaluate(FRAME)
    assert after != before
    visitor.page.wait_for_timeout(600)
    assert visitor.page.evaluate(FRAME) == after
    expect(button).to_have_text("Next window")


def test_on_a_phone_a_finger_moves_the_window_and_nothing_is_cut_off(visit, axe):
    visitor = visit(width=360, height=640, touch=True)
    open_map(visitor)
    assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= 360
    before = visitor.page.evaluate(FRAME)
    board = visitor.page.get_by_role("application")
    board.scroll_into_view_if_needed()
    board.tap(position={"x": 10, "y": 100})
    assert visitor.page.evaluate(FRAME) != before
    check_sum(visitor)
    assert axe(visitor) == []
    visitor.picture("convolution-window-phone")


def test_a_new_drawing_is_added_up_at_once(visit):
    visitor = visit()
    open_map(visitor)
    first = check_sum(visitor)
    visitor.page.locator(".stMain").evaluate("main => main.scrollTo(0, 0)")
    visitor.button("Clear").click()
    visitor.stroke((140, 50), (140, 230))
    expect(visitor.digit()).to_have_text("1")
    visitor.page.wait_for_function(f"(first) => ({LEDGER})().length && ({LEDGER})().at(-1)[1] !== first", arg=first)
    check_sum(visitor)
