"""Correcting on the Draw page, and the page My handwriting, in a real browser."""

import re

import numpy as np
import pytest

from engine.data.collection import Collection, LabelledDrawing, PenStroke
from engine.data.collection_files import pack

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
ONE = [(140, 50), (140, 230)]


def key(visitor, digit):
    return visitor.page.get_by_role("button", name=f"It is a{'n' * (digit == 8)} {digit}")


def said(visitor):
    return visitor.page.locator(".inkling-keys .say")


def open_part(visitor, name):
    visitor.page.get_by_role("tab", name=name, exact=True).click()
    visitor.idle()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 640)])
def test_a_drawing_is_kept_by_one_tap_and_nothing_moves(visit, width, height):
    visitor = visit(width=width, height=height, touch=width < 641)
    visitor.canvas()
    expect(key(visitor, 7)).to_be_disabled()
    before = visitor.page.locator(".inkling-keys").bounding_box()
    visitor.stroke(*SEVEN)
    expect(key(visitor, 7)).to_have_class("read")
    key(visitor, 7).click()
    expect(said(visitor)).to_have_text("Kept as 7")
    expect(key(visitor, 7)).to_have_attribute("aria-pressed", "true")
    key(visitor, 1).click()  # a slip of the finger is put right in the same way
    expect(said(visitor)).to_have_text("Kept as 1")
    visitor.page.get_by_role("button", name="Undo keeping").click()
    expect(said(visitor)).to_have_text("It is a ...")
    key(visitor, 7).click()
    after = visitor.page.locator(".inkling-keys").bounding_box()
    assert (before["x"], before["width"], before["height"]) == (after["x"], after["width"], after["height"])
    visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    visitor.stroke((90, 140), (190, 140))
    expect(said(visitor)).to_have_text("It is a ...")
    visitor.go_to("My handwriting")
    open_part(visitor, "My drawings")
    expect(visitor.page.locator(".inkling-wall img")).to_have_count(1)
    expect(visitor.page.get_by_role("img", name="A 7, number 1 of 1")).to_be_visible()
    assert visitor.errors == []


def test_the_keys_are_one_stop_for_tab_and_work_in_the_grid(visit):
    visitor = visit()
    visitor.page.get_by_text("Draw with keys").click()
    visitor.page.locator(".inkling-grid").focus()
    for _ in range(12):
        visitor.page.keyboard.press("Shift+ArrowDown")
    expect(visitor.digit()).to_have_text("1")
    expect(key(visitor, 1)).to_have_class("read")
    key(visitor, 1).focus()
    visitor.page.keyboard.press("ArrowRight")
    expect(key(visitor, 2)).to_be_focused()
    visitor.page.keyboard.press("ArrowLeft")
    visitor.page.keyboard.press("Enter")
    expect(said(visitor)).to_have_text("Kept as 1")
    visitor.page.keyboard.press("Tab")
    expect(key(visitor, 2)).not_to_be_focused()


def test_digits_are_collected_one_after_another(visit):
    visitor = visit("/handwriting")
    visitor.canvas()
    asked = visitor.page.locator(".inkling-asked")
    for width, height in ((1280, 800), (360, 640)):
        visitor.page.set_viewport_size({"width": width, "height": height})
        for selector in (".inkling-asked", ".st-key-collect-canvas", ".st-key-collect-next button"):  # on the first screen
            box = visitor.page.locator(selector).bounding_box()
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
    seen = []
    for count in (1, 2, 3):
        seen.append(asked.inner_text())
        visitor.stroke(*SEVEN)
        visitor.button("Next").click()  # before the canvas has reported the stroke
        expect(visitor.page.locator(".inkling-total")).to_have_text(re.compile(rf"^{count} drawing"))
        expect(asked).not_to_have_text(seen[-1])
    assert len(set(seen)) == 3
    visitor.button("Next").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("first, or press Skip")
    visitor.button("Skip").click()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    visitor.button("Take it back").click()
    expect(visitor.page.locator(".inkling-total")).to_have_text("2 drawings")
    visitor.picture("handwriting-collect")
    open_part(visitor, "My drawings")
    visitor.page.locator(".inkling-wall button").first.click()
    visitor.button("Remove").click()
    expect(visitor.page.locator(".inkling-wall img")).to_have_count(1)
    visitor.button("Bring it back").click()
    expect(visitor.page.locator(".inkling-wall img")).to_have_count(2)
    visitor.picture("handwriting-wall")
    open_part(visitor, "Collect")
    visitor.stroke(*ONE)  # the canvas is there again, empty
    visitor.button("Next").click()
    expect(visitor.page.locator(".inkling-total")).to_have_text("3 drawings")
    assert visitor.errors == []


def drawings_of_a_strange_hand():
    """48 drawings each of ones, and of sevens that stand on their heads."""
    rng = np.random.default_rng(0)

    def drawing(digit, line):
        points = tuple((float(x), float(y)) for x, y in np.array(line) + rng.integers(-10, 10, (len(line), 2)))
        return LabelledDrawing.from_strokes(digit, [PenStroke(points)])

    upside_down = [(x, 280 - y) for x, y in SEVEN]
    return Collection(tuple(drawing(*pair) for _ in range(48) for pair in ((1, ONE), (7, upside_down))))


def test_a_network_is_taught_and_draws_at_once(visit):
    visitor = visit("/handwriting")
    visitor.canvas()
    open_part(visitor, "My drawings")
    visitor.page.locator("summary").filter(has_text="Download and upload").click()
    file = {"name": "mine.zip", "mimeType": "application/zip", "buffer": pack(drawings_of_a_strange_hand())}
    visitor.page.locator("input[type=file]").set_input_files(file)
    expect(visitor.page.get_by_text("Added 96 drawings.")).to_be_visible()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Table (CSV)").click()
    assert len(download.value.path().read_text().splitlines()) == 97
    open_part(visitor, "Test")
    dense = visitor.page.locator(".inkling-judged").filter(has_text="dense")
    expect(dense.get_by_text("of 96 right")).to_be_visible()
    expect(dense.locator("figure").first).to_contain_text("not 7")
    open_part(visitor, "Teach")
    box = visitor.page.get_by_role("combobox", name="Network to teach")
    box.click()
    visitor.page.get_by_role("option", name=re.compile("dense")).click()
    visitor.button("Start").click()
    expect(visitor.page.get_by_text("was taught your hand")).to_be_visible(timeout=120_000)
    expect(visitor.page.get_by_text(re.compile(r"of 24 right before, \d+ after"))).to_be_visible()
    visitor.picture("handwriting-taught")
    visitor.button("Draw with this network").click()
    visitor.stroke(*[(x, 280 - y) for x, y in SEVEN])
    expect(visitor.digit()).to_have_text("7")
    expect(visitor.page.get_by_role("combobox", name="Network")).to_have_value("Uploaded: taught my hand")
    assert visitor.errors == []
