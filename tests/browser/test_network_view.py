"""The network between the canvas and the bars in a real browser: it lights up, says its numbers, and is looked into."""

import re

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]
# the sum of all pixels of the picture, and how often it has changed
LIGHT = """() => {
  const canvas = document.querySelector(".inkling-network canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, at) => sum + (at % 4 < 3 ? value : 0), 0);
}"""
COUNT_CHANGES = f"""() => {{
  window.lights = [];
  const look = () => {{
    const light = ({LIGHT})();
    if (light !== lights.at(-1)) lights.push(light);
    requestAnimationFrame(look);
  }};
  look();
}}"""
COUNT_NODES = """() => {
  window.changes = 0;
  new MutationObserver((list) => (changes += list.filter(({ addedNodes }) => addedNodes.length).length))
    .observe(document.querySelector(".inkling-network .stage"), { childList: true });
}"""
NODES = ".inkling-network button"
PICTURE = "() => document.querySelectorAll('.inkling-network button').length > 10"


def node(visitor, name):
    return visitor.page.locator(f'{NODES}[aria-label^="{name}"]').first


def test_the_network_lights_up_in_mid_stroke_without_being_built_again(visit):
    visitor = visit()
    visitor.canvas()
    visitor.page.wait_for_function(PICTURE)
    expect(visitor.page.locator(".inkling-network .label").first).to_have_text(re.compile("It sees"))
    visitor.picture("network-dim")
    dim = visitor.page.evaluate(LIGHT)
    visitor.page.evaluate(COUNT_CHANGES)
    visitor.page.evaluate(COUNT_NODES)
    visitor.stroke(*ONE, up=False)
    expect(visitor.digit()).to_have_text("1")
    for step in range(30):
        visitor.page.mouse.move(*visitor.on_canvas((140 + 3 * step, 230))[0])
    visitor.page.wait_for_function("lights.length >= 8")
    assert visitor.page.evaluate(LIGHT) > dim
    assert visitor.page.evaluate("changes") == 0
    visitor.page.mouse.up()
    visitor.button("Clear").click()
    visitor.page.wait_for_function(f"(dim) => ({LIGHT})() === dim", arg=dim)
    assert visitor.errors == []


def test_pointing_at_a_node_says_its_numbers_and_pressing_it_opens_the_panel_with_it(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    readout = visitor.page.locator(".inkling-network .readout")
    node(visitor, "Layers 1 to 4, map 5").hover()
    place = "(at the (top|middle|bottom) (left|centre|right)|in the middle)"
    numbers = re.compile(rf"^Layers 1 to 4, map 5: highest -?[\d.]+, {place}; the largest")
    expect(readout).to_have_text(numbers)
    node(visitor, "Score of 7").hover()
    expect(readout).to_have_text(re.compile(r"^Score of 7: [\d.]+; the largest value of its layer is [\d.]+$"))
    node(visitor, "Layers 1 to 4, map 5").click()
    picked = visitor.page.locator(".inkling-picked")
    expect(picked).to_contain_text("Map 5")
    expect(visitor.page.get_by_role("tab", name="Inside")).to_have_attribute("aria-selected", "true")
    expect(picked).to_be_in_viewport()
    expect(picked).to_be_focused()
    visitor.picture("network-picked")
    node(visitor, "Score of 7").click()
    expect(picked).to_contain_text("The score of 7")
    node(visitor, "What the network sees").click()
    expect(visitor.page.get_by_role("tab", name="What it sees")).to_have_attribute("aria-selected", "true")
    assert visitor.errors == []


def test_the_keys_move_through_the_network(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    assert visitor.page.locator(f'{NODES}[tabindex="0"]').count() == 1
    node(visitor, "What the network sees").focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp"):
        visitor.page.keyboard.press(key)
    focused = visitor.page.locator(f"{NODES}:focus")
    expect(focused).to_have_attribute("aria-label", re.compile(r"^Layers 1 to 4, map 1: highest"))
    visitor.page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("aria-label", re.compile(r"^Layers 1 to 4, map 3: highest"))
    for _ in range(12):
        visitor.page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", re.compile(r"^Score of \d: "))
    assert visitor.page.locator(f'{NODES}[tabindex="0"]').count() == 1
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator(".inkling-picked")).to_contain_text(re.compile(r"The score of \d"))


def test_the_ten_scores_stand_beside_the_ten_bars(visit):
    visitor = visit()
    visitor.canvas()
    visitor.page.wait_for_function(PICTURE)
    bars = visitor.page.locator(".inkling-bars li")
    for digit in (0, 4, 9):
        score, bar = node(visitor, f"Score of {digit}").bounding_box(), bars.nth(digit).bounding_box()
        assert score["y"] + score["height"] / 2 == pytest.approx(bar["y"] + bar["height"] / 2, abs=2)


def test_on_a_phone_the_network_is_a_strip_that_opens(visit):
    visitor = visit(width=360, height=640, touch=True)
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    expect(visitor.page.locator(".inkling-network .stage")).to_be_hidden()
    visitor.page.get_by_text("The network", exact=True).tap()
    expect(visitor.page.locator(".inkling-network .stage")).to_be_visible()
    assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= 360
    visitor.page.wait_for_function(f"() => ({LIGHT})() > 0")
    visitor.picture("network-phone")
    node(visitor, "Layers 1 to 4, map 1").tap()
    expect(visitor.page.locator(".inkling-picked")).to_contain_text("Map 1")
