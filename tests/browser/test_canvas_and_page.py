"""What stands on the canvas is what the page has, whatever interrupts a stroke."""

import re

import pytest
from browsing import Visitor

from browser.test_draw import ACROSS, EMPTY, INK, ONE, SEVEN, ink, wait_for_ink
from browser.test_lasting import Proxy
from browser.test_touch import Hand

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

# the end that the browser sends by itself, as when another window takes the pointer
CANCEL = """(surface) => {
  const pointer = { pointerId: 1, isPrimary: true, pointerType: "mouse", bubbles: true, composed: true };
  surface.dispatchEvent(new PointerEvent("pointercancel", pointer));
}"""
SURFACE = "canvas.upper-canvas"


def undo_to_nothing(visitor):
    """Undo the one stroke that there is; then the canvas and the page are empty."""
    visitor.button("Undo").click()
    wait_for_ink(visitor, 0)
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def paint_nothing(visitor):
    """Move the mouse over the canvas, no button down."""
    before = visitor.page.evaluate(INK)
    for x, y in visitor.on_canvas((30, 250), (250, 250), (250, 30)):
        visitor.page.mouse.move(x, y, steps=6)
    visitor.page.wait_for_timeout(300)
    assert visitor.page.evaluate(INK) == before


def test_a_touch_that_the_browser_cancels_leaves_a_stroke_that_counts(visit):
    visitor = visit(width=390, height=844, touch=True)
    visitor.canvas()
    hand = Hand(visitor)
    hand.draw([(60, 60), (130, 60), (200, 60), (160, 145), (120, 230)], up=False)
    hand.touch("touchCancel")
    expect(visitor.page.locator(".inkling-spoken")).to_have_text(re.compile("7"))
    assert ink(visitor) > 1000
    visitor.page.wait_for_timeout(2500)  # by then, the page takes back what the canvas has lost
    expect(visitor.digit()).to_have_text("7")
    assert ink(visitor) > 1000
    undo_to_nothing(visitor)
    hand.draw([(140, 50), (140, 140), (140, 230)])
    expect(visitor.digit()).to_have_text("1")


def test_a_mouse_that_the_browser_cancels_leaves_a_stroke_that_counts(visit):
    visitor = visit()
    visitor.stroke(*SEVEN, up=False)
    visitor.canvas().evaluate(CANCEL)
    expect(visitor.page.locator(".inkling-spoken")).to_have_text(re.compile("7"))
    paint_nothing(visitor)
    visitor.page.mouse.up()
    visitor.page.wait_for_timeout(2500)
    expect(visitor.digit()).to_have_text("7")
    undo_to_nothing(visitor)


@pytest.mark.parametrize("first_up", ["right", "left"])
def test_another_button_neither_ends_the_stroke_nor_leaves_the_pen_down(visit, first_up):
    visitor = visit()
    visitor.stroke(*SEVEN[:2], up=False)
    visitor.page.mouse.down(button="right")
    if first_up == "right":
        visitor.page.mouse.up(button="right")
    visitor.page.mouse.move(*visitor.on_canvas(SEVEN[2])[0], steps=8)
    visitor.page.mouse.up()
    if first_up == "left":
        visitor.page.mouse.up(button="right")
    expect(visitor.page.locator(".inkling-spoken")).to_have_text(re.compile("7"))
    paint_nothing(visitor)
    expect(visitor.digit()).to_have_text("7")
    undo_to_nothing(visitor)


def test_the_right_button_draws_nothing(visit):
    visitor = visit()
    visitor.canvas()
    at = visitor.on_canvas(*ONE)
    visitor.page.mouse.move(*at[0])
    visitor.page.mouse.down(button="right")
    visitor.page.mouse.down()
    visitor.page.mouse.move(*at[1], steps=8)
    visitor.page.mouse.up()
    visitor.page.mouse.up(button="right")
    paint_nothing(visitor)
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    assert visitor.page.evaluate(INK) == 0
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("1")


def test_a_pen_that_changes_in_mid_stroke_loses_nothing(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    whole = ink(visitor)
    undo_to_nothing(visitor)
    visitor.stroke(*SEVEN[:2], up=False)
    visitor.page.get_by_role("slider", name="Pen width").focus()
    with visitor.awaiting('"strokeWidth"'):
        visitor.page.keyboard.press("ArrowRight")
    visitor.idle()
    visitor.page.mouse.move(*visitor.on_canvas(SEVEN[2])[0], steps=8)
    visitor.page.mouse.up()
    wait_for_ink(visitor, whole)
    visitor.page.wait_for_timeout(1000)  # whatever the canvas reports late
    wait_for_ink(visitor, whole)
    expect(visitor.digit()).to_have_text("7")
    undo_to_nothing(visitor)


def test_undo_by_keys_in_mid_stroke_loses_nothing_of_that_stroke(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    whole = ink(visitor)
    undo_to_nothing(visitor)
    visitor.stroke(*ACROSS)
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    visitor.stroke(*SEVEN[:2], up=False)
    visitor.page.keyboard.press("Delete")
    visitor.page.wait_for_timeout(500)
    visitor.page.mouse.move(*visitor.on_canvas(SEVEN[2])[0], steps=8)
    visitor.page.mouse.up()
    wait_for_ink(visitor, whole)
    expect(visitor.digit()).to_have_text("7")


@pytest.mark.parametrize(("path", "sheet"), [("/", "canvas"), ("/handwriting", "collect-sheet")])
def test_a_pinch_leaves_no_mark(visit, path, sheet):
    visitor = visit(path, width=390, height=844, touch=True)
    visitor.canvas()
    visitor.page.wait_for_timeout(300)
    hand = Hand(visitor)
    hand.touch("touchStart", (120, 140))
    hand.touch("touchMove", (118, 140))
    hand.touch("touchStart", (118, 140), (170, 140))
    for step in range(1, 6):
        hand.touch("touchMove", (118 - 10 * step, 140), (170 + 10 * step, 140))
    hand.touch("touchEnd", (170 + 50, 140))
    hand.touch("touchEnd")
    visitor.page.wait_for_timeout(600)
    visitor.page.wait_for_function(f"() => ({INK.replace('st-key-canvas', f'st-key-{sheet}')})() === 0")
    if path == "/":
        expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
        hand.draw([(140, 50), (140, 140), (140, 230)])
        expect(visitor.digit()).to_have_text("1")
        undo_to_nothing(visitor)
    assert visitor.errors == []


@pytest.mark.parametrize("seconds", [0, 4])  # between the stroke and the connection
def test_a_stroke_that_is_drawn_without_a_connection_is_read_as_soon_as_it_is_back(browser, app, seconds):
    proxy = Proxy(int(app.rpartition(":")[2]))
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    visitor = Visitor(context.new_page(), f"http://localhost:{proxy.port}").open()
    visitor.canvas()  # after a run of the whole page, Streamlit asks for none when it has connected again
    proxy.cut()
    visitor.page.locator('[data-testid=stApp]:not([data-test-connection-state="CONNECTED"])').wait_for()
    visitor.drag(visitor.page.locator(SURFACE), *ONE)
    visitor.page.wait_for_timeout(1000 * seconds)
    proxy.mend()
    visitor.page.locator('[data-testid=stApp][data-test-connection-state="CONNECTED"]').wait_for()
    expect(visitor.digit()).to_have_text("1", timeout=5_000)
    undo_to_nothing(visitor)
    context.close()
    proxy.close()
