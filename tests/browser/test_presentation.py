"""Presentation mode: both pages on a projector of 1920 x 1080 pixels."""

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(120, 120), (400, 120), (240, 460)]
SMALL_TEXT = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), small = [];
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), parent = texts.currentNode.parentElement;
    const { width, height } = parent.getBoundingClientRect(), style = getComputedStyle(parent);
    if (!text || width < 2 || height < 2 || !parent.checkVisibility({ visibilityProperty: true })) continue;
    const size = parseFloat(style.fontSize) * parent.currentCSSZoom;
    if (size < 24) small.push(`${text.slice(0, 40)}: ${size}`);
  }
  return small; }"""
OVERFLOW = """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
  .map((element) => element.scrollWidth - element.clientWidth)"""
CHROME = ".stAppHeader, .st-key-pages a, footer"
WIDER = """() => [...document.querySelectorAll(".stVegaLiteChart svg, .stDataFrame")]
  .filter((element) => element.getBoundingClientRect().right
    > element.closest(".stElementContainer").getBoundingClientRect().right + 1)
  .map((element) => element.outerHTML.slice(0, 80))"""
TOUCHING = """() => [...document.querySelectorAll(".role-axis-label")].flatMap((axis) => {
  const boxes = [...axis.querySelectorAll("text")].filter((text) => text.getAttribute("opacity") !== "0")
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom - 6 && b.top < a.bottom - 6)
    .map(([other]) => `${name} | ${other}`)); })"""


def is_for_a_wall(visitor):
    visitor.idle()
    assert visitor.page.evaluate(SMALL_TEXT) == []
    assert max(visitor.page.evaluate(OVERFLOW)) <= 0
    assert visitor.page.evaluate(WIDER) == []
    assert visitor.page.evaluate(TOUCHING) == []
    way_out = visitor.page.locator(".st-key-end_presentation button").bounding_box()
    main = visitor.page.get_by_test_id("stMain").bounding_box()
    assert way_out["y"] >= main["y"] + main["height"]  # it covers nothing
    for element in visitor.page.locator(CHROME).all():
        assert not element.is_visible()
    widths = visitor.page.locator(".stMainBlockContainer").bounding_box()["width"], visitor.page.viewport_size["width"]
    assert widths[0] >= widths[1] - 20
    return True


def test_the_draw_page_is_presented_and_comes_back(visit):
    visitor = visit(width=1920, height=1080)
    visitor.canvas()
    visitor.stroke((60, 60), (200, 60), (120, 230))
    before = visitor.page.locator("canvas.upper-canvas").bounding_box()
    visitor.button("Present").click()
    visitor.page.wait_for_url("**present=1*")
    expect(visitor.page.locator("canvas.upper-canvas")).to_have_css("width", "560px")
    assert visitor.page.locator("canvas.upper-canvas").bounding_box()["y"] + 560 <= 1080
    assert is_for_a_wall(visitor)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    assert is_for_a_wall(visitor)
    for key in ("Ctrl + Z", "Ctrl + Y", "Delete", "Esc"):
        expect(visitor.page.get_by_text(key, exact=True)).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.locator(".st-key-pages a").first).to_be_visible()
    assert "present" not in visitor.page.url
    assert visitor.page.locator("canvas.upper-canvas").bounding_box() == before
    assert visitor.errors == []


def test_the_train_page_is_presented_from_its_address(visit):
    visitor = visit("/train?present=1", width=1920, height=1080)
    visitor.page.locator(".st-key-controls button").filter(has_text="1 epoch").click()
    visitor.page.get_by_text("paused at step").first.wait_for()
    assert is_for_a_wall(visitor)
    assert visitor.page.locator(".st-key-controls kbd").filter(has_text="S").first.is_visible()
    visitor.button("Stop").click()
    visitor.page.get_by_role("tab", name="Mistakes", exact=True).click()
    expect(visitor.page.get_by_text("Press a cell to see its images.")).to_be_visible()  # on the test images, after the end
    cell = visitor.page.locator(".role-mark.layer_0_marks path").nth(12)
    cell.wait_for()
    assert is_for_a_wall(visitor)
    visitor.page.wait_for_timeout(1000)  # until the chart is at rest
    cell.click()
    expect(visitor.page.get_by_text("images of a 1 that it reads as 2")).to_be_visible()
    table = visitor.page.locator(".st-key-runs-table canvas").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    visitor.page.mouse.click(box["x"] + 20, box["y"] + 0.75 * box["height"])
    expect(visitor.page.get_by_role("textbox", name="Name")).to_be_visible()
    visitor.page.reload()
    visitor.page.locator(".st-key-controls button").first.wait_for()
    assert is_for_a_wall(visitor)


def test_my_work_is_presented_after_the_draw_page(visit):
    visitor = visit("/?present=1", width=1920, height=1080)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.open("/work?" + visitor.page.url.split("?")[1])
    visitor.page.get_by_role("heading", name="What is saved").wait_for()
    assert is_for_a_wall(visitor)


def test_a_phone_has_no_switch(visit):
    visitor = visit(width=390, height=844)
    visitor.canvas()
    expect(visitor.page.locator(".st-key-pages").get_by_text("Present", exact=True)).to_be_hidden()
