"""What a new visitor sees first, and how words are explained."""

import pytest
from browsing import PRESS_AT_ONCE

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SIZES = [(1280, 800), (390, 844), (360, 640)]
FOUR = [(110, 60), (80, 150), (200, 150)], [(170, 80), (165, 240)]


def shifts(page):
    """Record how much the layout shifts from now on."""
    page.evaluate("""() => { window.shifted = 0; new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifted += entry.value; }).observe({ type: "layout-shift" }); }""")


@pytest.mark.parametrize("sizes", [SIZES[:1], SIZES[1:]])
def test_the_first_view_says_what_this_is_and_has_the_canvas_and_the_doors(visit, sizes):
    visitor = visit(touch=sizes == SIZES[1:])
    canvas = visitor.canvas()
    text = visitor.page.get_by_text("written from scratch in NumPy")
    doors = [visitor.page.get_by_role("link", name="Train your own", exact=True).first, visitor.button("Understand it")]
    for width, height in sizes:
        visitor.page.set_viewport_size({"width": width, "height": height})
        box = canvas.bounding_box()
        assert box["y"] + box["height"] < height
        for element in (text, *doors):
            expect(element).to_be_in_viewport()
            assert element.bounding_box()["y"] < box["y"]
    doors[0].click()
    visitor.page.get_by_role("heading", level=1).filter(has_text="Train").wait_for()
    assert visitor.errors == []


def test_understand_opens_five_steps_and_all_words(visit):
    visitor = visit()
    visitor.stroke((60, 60), (200, 60), (120, 230))
    expect(visitor.digit()).to_have_text("7")
    visitor.button("Understand it").click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(5)
    section = dialog.get_by_text("Training", exact=True)
    section.click()
    expect(dialog.get_by_text("One time through all training images.")).to_be_visible()
    for width, height in SIZES:
        visitor.page.set_viewport_size({"width": width, "height": height})
        assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    visitor.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(visitor.digit()).to_have_text("7")
    assert visitor.errors == []


def test_understand_opens_although_it_is_pressed_together_with_a_stroke(visit):
    visitor = visit()
    visitor.stroke((60, 60), (200, 60), (120, 230))
    expect(visitor.digit()).to_have_text("7")
    visitor.send_late()
    visitor.stroke((90, 140), (200, 140))
    visitor.page.wait_for_timeout(400)  # the canvas's report is on its way; the companion waits for the answer to it
    visitor.button("Understand it").evaluate(PRESS_AT_ONCE)
    expect(visitor.page.get_by_role("dialog").get_by_role("listitem")).to_have_count(5)


def test_challenges_are_noticed_and_move_nothing(visit):
    visitor = visit()
    canvas = visitor.canvas()
    scale = canvas.bounding_box()["width"] / 280
    shifts(visitor.page)
    for stroke in FOUR:
        visitor.stroke(*[(x * scale, y * scale) for x, y in stroke])
    expect(visitor.page.locator(".inkling-challenges")).to_contain_text("Can you draw one that it is less sure of?")
    assert visitor.page.evaluate("window.shifted") < 0.001
    box = canvas.bounding_box()
    visitor.button("Close the challenges").click()
    expect(visitor.page.locator(".inkling-challenges")).to_have_count(0)
    assert canvas.bounding_box() == box
    visitor.page.reload()
    visitor.canvas()
    visitor.button("Challenges").click()
    expect(visitor.page.locator(".inkling-challenges")).to_contain_text("Can you draw one that it is less sure of?")
    assert visitor.errors == []


def shown_meaning(visitor):
    """The explanation that is on the screen, if any."""
    return visitor.page.evaluate("""() => [...document.querySelectorAll(".inkling-term")]
      .map((term) => [term.dataset.meaning, getComputedStyle(term, "::after")])
      .filter(([meaning, style]) => style.content.includes(meaning) && style.position === "fixed")
      .map(([meaning]) => meaning)""")


@pytest.mark.parametrize("touch", [False, True])
def test_a_word_is_explained_by_pointing_a_tap_and_the_keyboard(visit, touch):
    visitor = visit(width=390 if touch else 1280, touch=touch)
    visitor.stroke((60, 60), (200, 60), (120, 230))
    visitor.page.get_by_role("tab", name="Inside", exact=True).click()
    word = visitor.page.locator("abbr.inkling-term").filter(has_text="scores").first
    word.wait_for()
    assert shown_meaning(visitor) == []
    word.tap() if touch else word.hover()
    (meaning,) = shown_meaning(visitor)
    assert meaning.startswith("What the last layer computes")
    visitor.page.mouse.move(5, 300)
    word.focus()
    visitor.page.keyboard.press("Tab")
    (meaning,) = shown_meaning(visitor)
    assert not meaning.startswith("What the last layer computes")
    overflow = visitor.page.evaluate("""() => { const main = document.querySelector("[data-testid=stMain]");
      return main.scrollWidth - main.clientWidth; }""")
    assert overflow <= 0
