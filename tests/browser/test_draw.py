"""The Draw page in a real browser, with mouse and touch."""

import re

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]
SIZES = {"desktop": {}, "desktop-dark": {"dark": True}, "phone": {"width": 390, "height": 844}}
HAS_INK = """() => [...document.querySelectorAll(".st-key-canvas *")].some((host) => {
  const canvas = host.shadowRoot?.querySelector("canvas.dc-canvas.lower-canvas");
  const pixels = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  return pixels.filter((value, at) => at % 4 === 0 && value > 200).length > 1000;
})"""


@pytest.mark.parametrize("size", SIZES)
def test_a_drawn_digit_is_read(visit, size):
    visitor = visit(**SIZES[size])
    visitor.canvas()
    expect(visitor.page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
    visitor.picture(f"draw-empty-{size}")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    expect(visitor.page.locator(".inkling-bars li")).to_have_count(10)
    expect(visitor.page.locator(".inkling-bars .winner")).to_have_text(re.compile(r"7.*%"))
    assert visitor.page.locator("img.inkling-seen").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [
        28,
        28,
    ]
    visitor.picture(f"draw-read-{size}")
    assert visitor.errors == []
    assert visitor.outside == []


def test_undo_and_clear_take_the_ink_away(visit):
    visitor = visit()
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("1")
    visitor.stroke((60, 140), (220, 140))
    expect(visitor.digit()).not_to_have_text("1")
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("1")
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")


def test_the_drawing_survives_a_page_switch_and_can_be_gone_on_with(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")
    visitor.go_to("Draw")
    expect(visitor.digit()).to_have_text("7")
    visitor.page.wait_for_function(HAS_INK)
    visitor.stroke((90, 140), (200, 140))  # a crossed seven
    expect(visitor.button("Undo")).to_be_enabled()
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("7")


def test_a_stroke_may_start_in_the_top_right_corner_by_touch(visit):
    """Where the canvas's own toolbar, invisible on touch, would swallow it."""
    visitor = visit(width=390, height=844, touch=True)
    box = visitor.canvas().bounding_box()
    at = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in [(268, 12), (200, 14), (130, 16), (80, 18), (60, 240)]]
    touch = visitor.page.context.new_cdp_session(visitor.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at[0]]})
    for point in at[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(visitor.digit()).to_have_text(re.compile(r"\d"))
    visitor.picture("draw-touch")
