"""The Draw page on small screens, with fingers and a pen."""

import re

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

FIVE = [(268, 12), (180, 16), (90, 20), (80, 120), (180, 120), (215, 180), (160, 245), (70, 240)]
EMPTY = "Draw a digit from 0 to 9"
VIEW = """() => [document.querySelector(".stMain").scrollTop, scrollX, scrollY, visualViewport.scale]"""


class Hand:
    """Fingers on the canvas, through the browser's own input."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.input = visitor.page.context.new_cdp_session(visitor.page)

    def touch(self, kind, *points):
        at = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(self.visitor.on_canvas(*points))]
        self.input.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def draw(self, points, up=True):
        self.touch("touchStart", points[0])
        for point in points[1:]:
            self.touch("touchMove", point)
        if up:
            self.touch("touchEnd")


def test_a_finger_draws_anywhere_and_is_read_meanwhile(visit):
    """Also in the top right corner, where the canvas's own toolbar, invisible on touch screens, would catch the stroke."""
    visitor = visit(touch=True)
    for width in (360, 390):
        visitor.page.set_viewport_size({"width": width, "height": 640})
        box = visitor.canvas().bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= width
        for name in ("Undo", "Redo", "Clear"):
            button = visitor.button(name).bounding_box()
            assert min(button["width"], button["height"]) >= 44
            assert button["x"] + button["width"] <= width
        before = visitor.page.evaluate(VIEW)
        hand = Hand(visitor)
        hand.draw(FIVE, up=False)
        expect(visitor.digit()).to_have_text("5")
        hand.touch("touchEnd")
        assert visitor.page.evaluate(VIEW) == before
        expect(visitor.page.locator(".inkling-spoken")).to_have_text(re.compile("5"))
        visitor.picture(f"draw-touch-{width}")
        visitor.button("Undo").tap()
        expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    assert visitor.errors == []


def test_a_second_finger_neither_zooms_nor_scrolls_nor_draws(visit):
    visitor = visit(width=390, height=640, touch=True)
    visitor.canvas()
    before = visitor.page.evaluate(VIEW)
    hand = Hand(visitor)
    hand.draw([(140, 40), (140, 120)], up=False)
    hand.touch("touchStart", (140, 120), (240, 240))
    for step in range(1, 5):
        hand.touch("touchMove", (140, 120 + 25 * step), (240, 240 - 50 * step))
    hand.touch("touchEnd", (140, 220))
    hand.touch("touchEnd")
    assert visitor.page.evaluate(VIEW) == before
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    visitor.picture("draw-two-fingers")
    expect(visitor.digit()).to_have_text("1")
    visitor.button("Undo").tap()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_a_pen_draws(visit):
    visitor = visit(width=820, height=1180)
    bar = [(60 + 20 * step, 60) for step in range(8)]
    start, *others = visitor.on_canvas(*bar, *[(200 - 10 * step, 60 + 21 * step) for step in range(1, 9)])
    pen = visitor.page.context.new_cdp_session(visitor.page)

    def send(kind, x, y):
        event = {
            "type": kind,
            "x": x,
            "y": y,
            "button": "left",
            "buttons": 1,
            "clickCount": 1,
            "pointerType": "pen",
            "force": 0.5,
        }
        pen.send("Input.dispatchMouseEvent", event)

    send("mousePressed", *start)
    for point in others:
        send("mouseMoved", *point)
    expect(visitor.digit()).to_have_text("7")
    send("mouseReleased", *others[-1])
    expect(visitor.page.locator(".inkling-spoken")).to_have_text(re.compile("7"))
