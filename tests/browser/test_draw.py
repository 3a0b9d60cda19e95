"""The Draw page in a real browser, with mouse and keyboard; ``test_touch.py`` uses fingers and a pen."""

import re

import pytest
from browsing import PRESS_AT_ONCE, Visitor

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]
ACROSS = [(40, 140), (240, 140)]
HAND = 50  # milliseconds from pressing a mouse button to releasing it: a quick hand
EMPTY = "Draw a digit from 0 to 9"
INK = """() => [...document.querySelectorAll(".st-key-canvas *")].map((host) => {
  const canvas = host.shadowRoot?.querySelector("canvas.dc-canvas.lower-canvas");
  const pixels = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  return pixels.filter((value, at) => at % 4 === 0 && value > 127).length;
}).reduce((sum, count) => sum + count, 0)"""
SHIFTS = """() => {
  window.shifts = [];
  const note = (list) => shifts.push(...list.getEntries().map(({ value }) => value));
  new PerformanceObserver(note).observe({ type: "layout-shift" });
}"""
MOUNTED = """() => {
  const host = document.querySelector(".st-key-canvas [data-testid=stBidiComponentIsolated]");
  return host?.getBoundingClientRect().height >= 280;
}"""
# a press and the companion's last message in one task of the browser: Streamlit sends both as one
# a canvas whose shadow root is closed, and a companion that fails at its first step
FAULTS = {
    "closed canvas": """const { attachShadow } = Element.prototype;
        Element.prototype.attachShadow = function () { return attachShadow.call(this, { mode: "closed" }); };""",
    "broken companion": "window.CSSStyleSheet = class { constructor() { throw new Error('not in this browser'); } };",
}


def ink(visitor):
    """The number of bright pixels of the canvas, once it has reported the last stroke and the prediction is spoken."""
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    return visitor.page.evaluate(INK)


def wait_for_ink(visitor, pixels):
    """Wait until about this many pixels of the canvas are bright."""
    visitor.page.wait_for_function(f"(pixels) => Math.abs(({INK})() - pixels) <= 0.02 * pixels", arg=pixels)


def test_a_drawn_digit_is_read(visit):
    visitor = visit()
    visitor.canvas()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.picture("draw-empty")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    expect(visitor.page.locator(".inkling-bars li")).to_have_count(10)
    expect(visitor.page.locator(".inkling-bars .winner")).to_have_text(re.compile(r"7.*%"))
    visitor.picture("draw-read")
    visitor.recolour(dark=True)
    visitor.picture("draw-read-dark")
    assert visitor.errors == []
    assert visitor.outside == []


def test_the_first_screen_shows_the_canvas_the_answer_and_on_a_large_one_the_network(visit):
    visitor = visit(width=390, height=844)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.wait_for_function("document.querySelectorAll('.inkling-network button').length > 10")
    for width, height, more in (
        (1920, 1080, ".inkling-network"),
        (1280, 800, ".inkling-network"),
        (390, 844, ".st-key-pen"),
        (360, 640, None),
    ):
        visitor.page.set_viewport_size({"width": width, "height": height})
        parts = (".st-key-canvas", ".inkling-digit", ".inkling-headline p", ".inkling-bars .digit", more)
        for selector in filter(None, parts):
            for place in ("first", "last"):
                box = getattr(visitor.page.locator(selector), place).bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
                assert box["y"] + box["height"] <= height, selector
        visitor.picture(f"draw-first-screen-{width}")


def test_the_headline_suits_what_is_drawn(visit):
    visitor = visit()
    for strokes, digit, text in (
        ([[(20, 100), (100, 100), (50, 220)], [(140, 80), (140, 220)]], "71", "sure"),
        ([[(20, 140), (260, 100), (30, 200), (250, 60), (120, 240), (60, 40)]], "?", "This doesn't look like a digit"),
        ([SEVEN], "7", "sure"),
    ):
        for stroke in strokes:
            visitor.stroke(*stroke)
        expect(visitor.digit()).to_have_text(digit)
        expect(visitor.page.locator(".inkling-headline p")).to_contain_text(text)
        visitor.picture(f"headline-{digit if digit != '?' else 'no-digit'}")
        visitor.button("Clear").click()
        expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_a_stroke_is_read_while_it_is_drawn_and_nothing_moves(visit):
    visitor = visit()
    visitor.stroke((30, 30), (32, 30))  # so that everything is loaded
    expect(visitor.digit()).to_have_attribute("data-sure", re.compile("True|False"))
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.page.evaluate(SHIFTS)
    visitor.stroke(*ONE, up=False)
    expect(visitor.digit()).to_have_text("1")
    visitor.page.mouse.move(*visitor.on_canvas((240, 228))[0], steps=8)
    expect(visitor.digit()).not_to_have_text("1")
    visitor.page.mouse.up()
    expect(visitor.page.locator(".inkling-spoken")).not_to_be_empty()
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    assert visitor.page.evaluate("shifts") == []


def test_only_the_prediction_panel_runs_again_while_a_stroke_is_drawn(visit):
    frames = []
    visitor = visit()
    visitor.canvas()
    visitor.socket.on("framereceived", lambda frame: frames.append(frame))
    visitor.stroke(*ONE, up=False)
    expect(visitor.digit()).to_have_text("1")
    visitor.idle()
    frames.clear()
    visitor.page.mouse.move(*visitor.on_canvas((240, 228))[0], steps=8)
    expect(visitor.digit()).not_to_have_text("1")
    received = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in frames)
    assert b"inkling_morph" in received
    assert b"streamlit_drawable_canvas" not in received
    visitor.page.mouse.up()


def test_undo_and_clear_act_on_the_last_stroke_at_once_and_bring_no_ink_back(visit):
    visitor = visit()
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("1")
    ink_of_one = ink(visitor)
    visitor.stroke(*ACROSS)
    visitor.button("Undo").click()  # before the canvas has reported the stroke
    wait_for_ink(visitor, ink_of_one)
    expect(visitor.digit()).to_have_text("1")
    visitor.stroke(*ACROSS)
    expect(visitor.digit()).not_to_have_text("1")
    visitor.button("Clear").click()
    wait_for_ink(visitor, 0)
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.stroke(*SEVEN)  # by the time this is read, everything sent before has arrived
    expect(visitor.digit()).to_have_text("7")
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_a_press_that_is_sent_together_with_a_stroke_reaches_the_whole_page(visit):
    visitor = visit()
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("1")
    ink_of_one = ink(visitor)
    visitor.send_late()
    visitor.stroke(*ACROSS)
    visitor.page.wait_for_timeout(400)  # the canvas's report is on its way; the companion waits for the answer to it
    visitor.button("Undo").evaluate(PRESS_AT_ONCE)
    wait_for_ink(visitor, ink_of_one)
    expect(visitor.button("Redo")).to_be_enabled()
    expect(visitor.digit()).to_have_text("1")


def test_quick_strokes_are_undone_one_by_one(visit):
    visitor = visit()
    visitor.stroke(*ONE)
    visitor.stroke((100, 90), (138, 52))
    visitor.stroke(*ACROSS)
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("1")
    both = ink(visitor)
    visitor.button("Undo").click()
    visitor.page.wait_for_function(f"(both) => ({INK})() < both", arg=both)
    expect(visitor.digit()).to_have_text("1")
    visitor.button("Redo").click()
    wait_for_ink(visitor, both)
    visitor.button("Undo").click()
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_no_press_of_many_is_lost_and_none_is_possible_that_does_nothing(visit):
    visitor = visit()
    visitor.canvas()
    for name in ("Undo", "Redo", "Clear"):
        expect(visitor.button(name)).to_be_disabled()
    for x in range(40, 240, 40):
        visitor.stroke((x, 40), (x, 240))
    visitor.page.wait_for_function(f"() => ({INK})() > 5000")
    visitor.send_late()  # all presses arrive while the first is answered, or before
    visitor.button("Undo").evaluate("(button) => { for (let i = 0; i < 4; i++) button.click(); }")
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    wait_for_ink(visitor, 0)
    expect(visitor.button("Undo")).to_be_disabled()
    expect(visitor.button("Clear")).to_be_disabled()
    visitor.button("Redo").evaluate("(button) => { for (let i = 0; i < 5; i++) button.click(); }")
    expect(visitor.button("Redo")).to_be_disabled()
    visitor.page.wait_for_function(f"() => ({INK})() > 5000")


def test_keys_undo_redo_and_clear(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    for key, digit in (("Control+z", "?"), ("Control+y", "7"), ("Delete", "?"), ("Control+z", "7")):
        visitor.page.keyboard.press(key)
        expect(visitor.digit()).to_have_text(digit)


def test_the_eraser_takes_ink_away_and_the_pen_has_a_width(visit):
    visitor = visit()
    visitor.stroke(*ONE)
    expect(visitor.digit()).to_have_text("1")
    thin = ink(visitor)
    with visitor.awaiting('"strokeColor": "#000000"'):
        visitor.page.get_by_role("radio", name="Eraser").click()
    visitor.page.get_by_role("slider", name="Pen width").focus()
    with visitor.awaiting('"strokeWidth": 32'):
        visitor.page.keyboard.press("End")
    visitor.stroke((140, 20), (140, 260))
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    wait_for_ink(visitor, 0)
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("1")
    wait_for_ink(visitor, thin)
    with visitor.awaiting('"strokeColor": "#FFFFFF"'):
        visitor.page.get_by_role("radio", name="Pen").click()
    visitor.stroke(*ONE)
    visitor.page.wait_for_function(f"(thin) => ({INK})() > 1.5 * thin", arg=thin)


def test_the_drawing_and_its_history_survive_a_page_switch(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")
    visitor.go_to("Draw")
    expect(visitor.digit()).to_have_text("7")
    visitor.page.wait_for_function(f"() => ({INK})() > 1000")
    visitor.stroke((90, 140), (200, 140))  # a crossed seven
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.go_to("Train")
    visitor.go_to("Draw")
    visitor.canvas()
    for steps_back in (f"(before) => ({INK})() > 0", f"(before) => ({INK})() < before", f"() => ({INK})() === 0"):
        before = visitor.page.evaluate(INK)
        visitor.button("Undo").click()
        visitor.page.wait_for_function(steps_back, arg=before)
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_a_growing_stroke_survives_a_page_switch(visit):
    visitor = visit()
    visitor.stroke(*SEVEN, up=False)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.get_by_role("link", name="Train", exact=True).evaluate("link => link.click()")
    visitor.page.get_by_role("heading", level=1).filter(has_text="Train").wait_for()
    visitor.page.mouse.up()
    visitor.go_to("Draw")
    visitor.canvas()
    expect(visitor.digit()).to_have_text("7")
    visitor.page.wait_for_function(f"() => ({INK})() > 1000")


def test_a_page_switch_just_after_a_stroke_shows_the_whole_page(visit):
    visitor = visit()
    for delay in (0, 5, 10, 20, 40, 80, 160):  # milliseconds
        visitor.stroke(*SEVEN)
        visitor.page.wait_for_timeout(delay)
        visitor.page.get_by_role("link", name="Train", exact=True).click(delay=HAND)
        expect(visitor.page.locator(".st-key-controls button").first).to_be_visible()
        visitor.go_to("Draw")
        expect(visitor.digit()).to_have_text("7")
        visitor.page.wait_for_function(f"() => ({INK})() > 1000")
        visitor.page.locator(".st-key-history button").first.click()  # Undo
        expect(visitor.page.get_by_text(EMPTY)).to_be_visible()


def test_a_page_switch_keeps_a_whole_stroke_of_which_python_has_not_answered_the_beginning(visit):
    visitor = visit()
    visitor.canvas()
    visitor.send_late()
    visitor.stroke(*SEVEN)
    visitor.page.get_by_role("link", name="Train", exact=True).click(delay=HAND)
    expect(visitor.page.locator(".st-key-controls button").first).to_be_visible()
    visitor.go_to("Draw")
    expect(visitor.digit()).to_have_text("7")


@pytest.mark.parametrize("fault", FAULTS)
def test_without_its_companion_a_stroke_is_read_when_it_has_ended(browser, app, fault):
    context = browser.new_context(viewport={"width": 1280, "height": 800})  # whose pages nobody else uses
    context.add_init_script(FAULTS[fault])
    visitor = Visitor(context.new_page(), app).open()
    canvas = visitor.page.locator(".st-key-canvas")
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    visitor.page.wait_for_function(MOUNTED)
    box = canvas.bounding_box()
    for points, digit in ((ONE, "1"), (ACROSS, None)):
        at = [(box["x"] + x, box["y"] + y) for x, y in points]
        visitor.page.mouse.move(*at[0])
        visitor.page.mouse.down()
        visitor.page.mouse.move(*at[1], steps=8)
        visitor.page.mouse.up()
        expect(visitor.digit()).to_have_text(digit) if digit else expect(visitor.digit()).not_to_have_text("1")
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("1")
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text(EMPTY)).to_be_visible()
    assert visitor.errors == []
    assert visitor.page.get_by_test_id("stException").count() == 0
    context.close()
