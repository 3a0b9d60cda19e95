"""A picture on the Draw page in a real browser: outlines to press, boxes to drag, turns, and a reload."""

import io
import re

import numpy as np
import pytest
from browsing import Visitor
from PIL import Image
from servers import serve_app

from engine.pen import draw_strokes

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]
CROSS = [(60, 140), (220, 140), (140, 140), (140, 60), (140, 220)]
TOO_WIDE = "document.querySelector('.stMain').scrollWidth - innerWidth"


def page_of(*digits, size=(600, 900), side=140):
    """White paper (H, W) with digits: (stroke, left, top) each."""
    paper = np.full(size, 255, np.uint8)
    for stroke, left, top in digits:
        paper[top : top + side, left : left + side] -= np.asarray(
            Image.fromarray(draw_strokes([stroke])).resize((side, side))
        )
    return paper


TWO_LINES = page_of((SEVEN, 250, 80), (ONE, 400, 80), (SEVEN, 250, 360), (SEVEN, 420, 360))


def show(visitor, pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    visitor.canvas()
    visitor.page.get_by_role("button", name="Picture, share").click()
    upload = visitor.page.locator("input[type=file]")
    upload.set_input_files({"name": "page.png", "mimeType": "image/png", "buffer": file.getvalue()})
    expect(visitor.page.locator(".inkling-picture img")).to_be_visible()
    expect(upload).to_be_hidden()  # the menu has closed
    visitor.idle()
    return visitor


def numbers(visitor):
    return visitor.page.locator(".inkling-picture ol b")


def outlines(visitor):
    return visitor.page.locator(".inkling-picture .marks button[aria-pressed]")


def places(visitor, *points):
    """Points of the picture's pixels as points of the page."""
    box = visitor.page.locator(".inkling-picture img").bounding_box()
    height, width = TWO_LINES.shape
    return [(box["x"] + x / width * box["width"], box["y"] + y / height * box["height"]) for x, y in points]


def test_a_picture_is_read_line_by_line_and_fits_on_the_screen(visit):
    visitor = show(visit(), TWO_LINES)
    expect(numbers(visitor)).to_have_text(["71", "77"])
    expect(outlines(visitor)).to_have_count(4)
    image = visitor.page.locator(".inkling-picture img").element_handle()
    visitor.page.wait_for_function("(image) => image.naturalWidth === 900", arg=image)
    for width, height in ((1280, 800), (1920, 1080), (390, 844), (360, 640)):
        visitor.page.set_viewport_size({"width": width, "height": height})
        assert visitor.page.evaluate(TOO_WIDE) <= 0
        expect(visitor.page.locator(".inkling-picture")).to_be_in_viewport(ratio=0.9)
        visitor.picture(f"picture-{width}")
    assert visitor.errors == []
    assert visitor.outside == []


def test_the_outlines_can_be_pressed_with_the_mouse_and_with_keys(visit):
    visitor = show(visit(), TWO_LINES)
    expect(visitor.digit()).to_have_text("7")
    one = outlines(visitor).nth(1)
    expect(one).to_have_accessible_name(re.compile(r"^1, [\d.>]+ % sure$"))
    one.click()
    expect(visitor.digit()).to_have_text("1")
    expect(one).to_have_attribute("aria-pressed", "true")
    one.focus()
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    expect(visitor.digit()).to_have_text("7")
    expect(outlines(visitor).nth(2)).to_be_focused()
    expect(outlines(visitor).nth(2)).to_have_attribute("aria-pressed", "true")
    visitor.button("Undo").click()
    expect(visitor.digit()).to_have_text("1")


def test_a_box_is_dragged_with_the_mouse_and_taken_back(visit):
    visitor = show(visit(), TWO_LINES)
    undo = visitor.page.get_by_role("button", name="Remove the last box")
    expect(undo).to_be_hidden()
    start, end = places(visitor, (430, 75), (520, 225))
    for _ in range(2):  # a second one in the same place changes nothing
        visitor.page.mouse.move(*start)
        visitor.page.mouse.down()
        visitor.page.mouse.move(*end, steps=6)
        for kind in ("pointerdown", "pointerup"):  # of a second finger
            visitor.page.locator(".inkling-picture .sheet").dispatch_event(kind, {"isPrimary": False, "pointerId": 9})
        expect(visitor.page.locator(".inkling-picture .band")).to_be_visible()
        visitor.page.mouse.up()
        expect(undo).to_be_visible()
    expect(visitor.digit()).to_have_text("1")
    expect(numbers(visitor)).to_have_text(["71", "77"])
    start, end = places(visitor, (10, 10), (100, 200))
    visitor.page.mouse.move(*start)
    visitor.page.mouse.down()
    visitor.page.mouse.move(*end, steps=6)
    visitor.page.mouse.up()
    expect(visitor.page.locator(".inkling-picture .problem")).to_contain_text("no ink in that box")
    undo.click()
    expect(undo).to_be_hidden()
    assert visitor.errors == []


def test_a_box_is_made_with_keys(visit):
    visitor = show(visit(), TWO_LINES)
    keyboard, undo = visitor.page.keyboard, visitor.page.get_by_role("button", name="Remove the last box")
    add, box = visitor.page.get_by_role("button", name="Add a box"), visitor.page.locator("button.band")
    add.press("Enter")
    expect(box).to_be_focused()
    expect(visitor.page.locator(".inkling-picture .keys")).to_be_visible()
    keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(add).to_be_focused()
    add.press("Enter")
    for key, times in {"ArrowRight": 4, "ArrowUp": 7, "Shift+ArrowLeft": 5}.items():  # to a box round the 1
        for _ in range(times):
            keyboard.press(key)
    keyboard.press("Enter")
    expect(undo).to_be_visible()
    expect(visitor.digit()).to_have_text("1")
    expect(numbers(visitor)).to_have_text(["71", "77"])
    assert visitor.errors == []


def test_a_finger_drags_a_box(visit):
    visitor = show(visit(width=390, height=844, touch=True), TWO_LINES)
    finger = visitor.page.context.new_cdp_session(visitor.page)
    points = places(visitor, (430, 75), (460, 100), (490, 160), (520, 225))
    for kind, point in zip(["touchStart", *["touchMove"] * 3], points, strict=True):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": point[0], "y": point[1]}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(visitor.page.get_by_role("button", name="Remove the last box")).to_be_visible()
    expect(visitor.digit()).to_have_text("1")
    visitor.page.get_by_role("button", name="Remove the last box").tap()
    outlines(visitor).nth(3).tap()
    expect(visitor.digit()).to_have_text("7")
    assert visitor.errors == []


def test_a_picture_is_turned_survives_a_reload_and_is_removed(visit):
    visitor = show(visit(), np.rot90(TWO_LINES))
    visitor.page.get_by_role("button", name="Turn right").click()
    expect(numbers(visitor)).to_have_text(["71", "77"])
    expect(visitor.digit()).to_have_text("7")
    visitor.page.reload()
    expect(numbers(visitor)).to_have_text(["71", "77"])
    visitor.idle()
    visitor.go_to("Train")
    visitor.go_to("Draw")
    expect(numbers(visitor)).to_have_text(["71", "77"])
    visitor.idle()
    visitor.page.get_by_role("button", name="Remove picture").click()
    expect(visitor.page.locator(".inkling-picture")).to_have_count(0)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.reload()
    expect(visitor.digit()).to_have_text("7")
    expect(visitor.page.locator(".inkling-picture")).to_have_count(0)
    assert visitor.errors == []


def test_below_a_path_the_picture_is_there_too(tmp_path, browser):
    prefix = "/digits/inkling"
    with serve_app(tmp_path / "log", "--server.baseUrlPath", prefix, prefix=prefix) as server:
        visitor = Visitor(browser.new_page(), f"http://localhost:{server.port}{prefix}").open()
        image = show(visitor, TWO_LINES).page.locator(".inkling-picture img")
        visitor.page.wait_for_function("(image) => image.naturalWidth", arg=image.element_handle())
        visitor.page.close()


def test_drawing_goes_on_beside_a_picture(visit):
    visitor = show(visit(), TWO_LINES)
    visitor.press("Clear")
    before = visitor.canvas().bounding_box()
    visitor.stroke((140, 50), (140, 230))
    expect(visitor.digit()).to_have_text("1")
    visitor.idle()
    assert visitor.canvas().bounding_box() == before
    expect(visitor.page.locator("[aria-pressed=true].sure")).to_have_count(0)
    expect(numbers(visitor)).to_have_text(["71", "77"])
