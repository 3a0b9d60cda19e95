"""The map of images in a real browser, on both pages: movement, pointer, keys and wheel."""

import re

import pytest

from browser.test_accessibility import axe  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

PATIENCE = 120_000  # ms: what a layer makes of some thousand images takes a while on a busy machine
SEVEN = [(60, 60), (200, 60), (120, 230)]
COUNT_MOVES = """() => {
  const { view } = document.querySelector(".inkling-map");
  const { place } = view;
  window.moves = [];
  view.place = function (drawing, isStill) {
    if (!isStill) window.moves.push(JSON.stringify(drawing?.at));
    place.call(this, drawing, isStill);
  };
}"""
VIEW = "document.querySelector('.inkling-map').view"
NUM_INKED = f"""() => {{
  const {{ dots }} = {VIEW};
  const {{ data }} = dots.getContext("2d").getImageData(0, 0, dots.width, dots.height);
  return data.filter((value, i) => i % 4 === 3 && value > 100).length;
}}"""
HAS_INK = """(tip) => {
  const { data } = tip.firstChild.getContext("2d").getImageData(0, 0, 56, 56);
  return data.some((value, i) => i % 4 < 3 && value > 200);
}"""
AT_100 = f"""() => {{
  const [left, top] = {VIEW}.origin;
  return [(100 - left) / {VIEW}.scale, (100 - top) / {VIEW}.scale];
}}"""


@pytest.fixture
def on_map(visit):
    """Open the Draw page with a 7, and its map: ``on_map(width=...)``."""

    def arrive(**options):
        visitor = visit(**options)
        visitor.stroke(*SEVEN)
        visitor.page.get_by_role("tab", name="Map").click()
        visitor.page.locator(".inkling-map .near img").first.wait_for(timeout=PATIENCE)
        visitor.idle()
        return visitor

    return arrive


def field(visitor):
    return visitor.page.locator(".inkling-map .field")


def in_view(visitor):
    field(visitor).scroll_into_view_if_needed()
    visitor.page.wait_for_timeout(300)
    return field(visitor)


def test_the_drawing_moves_while_it_is_drawn(on_map):
    visitor = on_map()
    page, status = visitor.page, visitor.page.locator(".inkling-map [role=status]")
    visitor.press("Clear")
    expect(page.locator(".inkling-map .lies")).to_contain_text("Draw above")
    page.evaluate(COUNT_MOVES)
    visitor.stroke((60, 60), (200, 60), up=False)
    for step in range(1, 400):
        page.mouse.move(*visitor.on_canvas((200 - step % 80, 60 + 2 * (step % 80)))[0])
        page.wait_for_timeout(25)
        if page.evaluate("new Set(moves).size") > 16:
            break
    assert page.evaluate("new Set(moves).size") > 16
    assert status.inner_text() == ""  # nothing is read out yet
    expect(page.locator(".inkling-map .field:popover-open")).to_be_in_viewport()
    visitor.picture("map-floats")
    page.mouse.up()
    expect(status).to_contain_text("The training images nearest to your drawing: ")
    expect(page.locator(".inkling-map .near img")).to_have_count(5)
    visitor.press("Clear")
    visitor.stroke(*SEVEN)
    expect(page.locator(".inkling-map .near figcaption")).to_have_text(["7"] * 5)
    expect(page.locator(".inkling-map .field:popover-open")).to_have_count(0)
    assert visitor.errors == []


def test_pointing_at_a_dot_shows_its_image(on_map):
    visitor = on_map()
    in_view(visitor)
    x, y = visitor.page.evaluate(f"{VIEW}.toPlace({VIEW}.points[40], {VIEW}.points[41])")
    box = field(visitor).bounding_box()
    tip = visitor.page.locator(".inkling-map .tip")
    expect(tip).to_be_hidden()
    visitor.page.mouse.move(box["x"] + x, box["y"] + y)
    expect(tip).to_be_visible()
    expect(tip).to_have_text(re.compile(r"^\d(, read as \d)?$"))
    visitor.page.wait_for_function(f"() => {VIEW}.sheet")
    assert tip.evaluate(HAS_INK)
    visitor.page.mouse.move(box["x"] - 20, box["y"])
    expect(tip).to_be_hidden()


def test_keys_and_the_wheel_zoom_and_move(on_map):
    visitor = on_map()
    in_view(visitor)
    assert visitor.page.evaluate(f"{VIEW}.zoom") == 1
    box = field(visitor).bounding_box()
    visitor.page.mouse.move(box["x"] + 100, box["y"] + 100)
    visitor.page.mouse.wheel(0, -100)
    visitor.page.wait_for_timeout(300)
    assert visitor.page.evaluate(f"{VIEW}.zoom") == 1  # without the focus, the wheel scrolls the page
    in_view(visitor).focus()
    for _ in range(3):
        visitor.page.keyboard.press("+")
    assert visitor.page.evaluate(f"{VIEW}.zoom") == pytest.approx(1.4**3)
    before = visitor.page.evaluate(f"{VIEW}.middle")
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.keyboard.press("ArrowDown")
    after = visitor.page.evaluate(f"{VIEW}.middle")
    assert after[0] > before[0]
    assert after[1] > before[1]
    expect(visitor.page.locator(".inkling-map .tip")).to_be_visible()
    expect(visitor.page.locator(".inkling-map [role=status]")).to_have_text(re.compile(r"^\d"))
    visitor.page.keyboard.press("0")
    assert visitor.page.evaluate(f"[{VIEW}.zoom, ...{VIEW}.middle]") == [1, 0, 0]
    box = field(visitor).bounding_box()
    visitor.page.mouse.move(box["x"] + 100, box["y"] + 100)
    below = visitor.page.evaluate(AT_100)
    visitor.page.mouse.wheel(0, -100)
    visitor.page.wait_for_function(f"() => {VIEW}.zoom > 1.2")
    assert visitor.page.evaluate(AT_100) == pytest.approx(below, rel=1e-3)  # what is below the pointer stays there
    visitor.page.get_by_role("button", name="Show the whole map").click()
    assert visitor.page.evaluate(f"{VIEW}.zoom") == 1


def test_the_others_fade_when_a_digit_is_picked_by_keys(on_map):
    visitor = on_map()
    visitor.page.wait_for_timeout(1000)
    everything = visitor.page.evaluate(NUM_INKED)
    button = visitor.page.get_by_role("group", name="Show only one of them").get_by_role("button", name="3")
    button.focus()
    visitor.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert visitor.page.evaluate(NUM_INKED) < everything / 3
    visitor.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert visitor.page.evaluate(NUM_INKED) > everything / 2


@pytest.mark.parametrize("sizes", [[(360, 640), (390, 844)], [(1280, 800), (1920, 1080)]])
def test_axe_finds_no_violation_and_everything_is_in_the_page(on_map, axe, sizes):  # noqa: F811
    visitor = on_map(width=sizes[0][0], height=sizes[0][1], touch=sizes[0][0] < 500)
    for width, height in sizes:
        visitor.page.set_viewport_size({"width": width, "height": height})
        assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= width
        in_view(visitor)
        visitor.picture(f"map-{width}")
        if width in (360, 1280):
            assert axe(visitor) == []


def test_on_the_train_page_the_dots_move_with_the_training_and_back(visit):
    visitor = visit("/train")
    page, controls = visitor.page, visitor.page.locator(".st-key-controls button")
    controls.filter(has_text="1 batch").click()
    page.get_by_role("tab", name="Map", exact=True).click()
    about = page.locator(".inkling-map .about")
    expect(about).to_contain_text("2,000 test images", timeout=PATIENCE)
    share = f"() => parseFloat({VIEW}.about.textContent.match(/([\\d.]+)\\s%/)[1])"
    cloud = page.evaluate(share)
    first = page.evaluate(f"{VIEW}.data.points")
    controls.filter(has_text="1 epoch").click()
    page.wait_for_function(f"() => {VIEW}.from", timeout=PATIENCE)  # the dots are on their way
    expect(page.get_by_text("paused at").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_function(f"() => !{VIEW}.from")
    assert page.evaluate(share) > cloud
    visitor.picture("map-train")
    slider = page.get_by_role("slider").last
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"(first) => {VIEW}.data.points !== first", arg=first, timeout=PATIENCE)
    expect(page.get_by_text("Looking back to step 0")).to_be_visible()
    assert visitor.errors == []


def test_those_who_want_no_motion_get_none(browser, app):
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{app}/train")
    page.locator(".st-key-controls button").filter(has_text="1 batch").click()
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator(".inkling-map .about").filter(has_text="test images").wait_for()
    before = page.evaluate(f"{VIEW}.data.points")
    page.locator(".st-key-controls button").filter(has_text="1 batch").click()
    page.wait_for_function(f"(before) => {VIEW}.data.points !== before", arg=before)
    assert page.evaluate(f"{VIEW}.from") is None
    context.close()
