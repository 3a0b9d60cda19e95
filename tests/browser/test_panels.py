"""The rest of the Draw page in a real browser: the panels, pictures in and out, and the keyboard grid."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from engine.pen import draw_strokes

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
NUMBER = (
    [(20, 100), (100, 100), (50, 220)],
    [(140, 80), (140, 220)],
    [(200, 90), (250, 90), (250, 150), (200, 150), (200, 220), (255, 220)],
)
PANELS = {
    "What it sees": ".inkling-stages img",
    "Why": ".inkling-why img",
    "Inside": ".inkling-digits.eight img",
    "Side by side": ".inkling-networks .inkling-ten",
    "Number": ".inkling-each img",
}
TOO_WIDE = """() => [...document.querySelectorAll("[data-testid=stMain], [class*=inkling-], [class*=inkling-] *")].filter(
  (element) => element.scrollWidth > innerWidth || element.getBoundingClientRect().right > innerWidth + 1
).map((element) => element.outerHTML.slice(0, 120))"""


def open_panel(visitor, panel):
    visitor.page.get_by_role("tab", name=panel).click()
    expect(visitor.page.locator(PANELS[panel]).first).to_be_visible()


def picture(pixels, form):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def test_clearing_the_canvas_leaves_the_controls_of_the_panels_unchanged(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.page.locator(PANELS["What it sees"]).first).to_be_visible()
    visitor.page.get_by_text("Scale to 20 x 20").click()
    expect(visitor.page.get_by_text("Without scaling:")).to_be_visible()
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text("Draw a digit above")).to_be_visible()
    visitor.stroke(*SEVEN)
    expect(visitor.page.get_by_text("Without scaling:")).to_be_visible()
    expect(visitor.page.get_by_label("Crop")).to_be_checked()
    expect(visitor.page.get_by_label("Scale to 20 x 20")).not_to_be_checked()


def test_several_digits_are_read_and_every_panel_works(visit):
    visitor = visit()
    for stroke in NUMBER:
        visitor.stroke(*stroke)
    expect(visitor.digit()).to_have_text("712")
    expect(visitor.page.locator(".inkling-spoken")).to_contain_text("712: 7, ")
    open_panel(visitor, "Number")
    expect(visitor.page.locator(".inkling-boxes i")).to_have_count(3)
    visitor.picture("panels-number")
    for panel in PANELS:
        open_panel(visitor, panel)
    visitor.button("Clear").click()
    expect(visitor.page.get_by_text("Draw a digit above")).to_be_visible()
    assert visitor.errors == []
    assert visitor.outside == []


def test_a_step_is_switched_off_and_two_digits_are_compared(visit):
    visitor = visit(dark=True)
    visitor.stroke(*SEVEN)
    open_panel(visitor, "What it sees")
    expect(visitor.page.locator(".inkling-ten")).to_have_count(1)
    visitor.page.get_by_text("Centre by mass", exact=True).click()
    expect(visitor.page.get_by_text("Without centring:")).to_be_visible()
    expect(visitor.page.locator(".inkling-ten")).to_have_count(2)
    visitor.picture("panels-preprocessing-dark")
    open_panel(visitor, "Why")
    expect(visitor.page.get_by_text("Red ink raises the network's score for a 7")).to_be_visible()
    visitor.stroke((120, 230), (220, 230))
    expect(visitor.page.get_by_text("Red ink raises the network's score for a 2")).to_be_visible()
    visitor.button("Undo").click()
    expect(visitor.page.get_by_text("Red ink raises the network's score for a 7")).to_be_visible()
    visitor.page.get_by_role("combobox", name="instead of").click()
    visitor.page.keyboard.type("4")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_text("Red ink counts for a 7 and against a 4")).to_be_visible()
    expect(visitor.page.get_by_role("img", name=re.compile("The drawing, coloured by what counts for a 7"))).to_be_visible()
    visitor.picture("panels-attribution-dark")
    visitor.go_to("Train")
    visitor.go_to("Draw")
    expect(visitor.page.get_by_text("Red ink counts for a 7 and against a 4")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(visit):
    visitor = visit(width=360, height=780, touch=True)
    visitor.page.get_by_role("button", name="Sample of a 4").click()
    expect(visitor.digit()).to_have_text("4")
    for panel in PANELS:
        open_panel(visitor, panel)
        assert visitor.page.evaluate(TOO_WIDE) == []
        visitor.picture(f"panels-phone-{panel.lower()}")


def test_a_picture_is_put_on_the_canvas_and_the_drawing_downloaded(visit):
    visitor = visit()
    visitor.canvas()
    upload = visitor.page.locator("input[type=file]")
    visitor.page.get_by_role("button", name="Picture, share").click()
    upload.set_input_files({"name": "fake.png", "mimeType": "image/png", "buffer": b"this is text"})
    expect(visitor.page.get_by_text("fake.png is not an image that Inkling can read")).to_be_visible()
    visitor.picture("picture-refused")
    paper = np.pad(255 - draw_strokes([SEVEN]), 60, constant_values=255)
    upload.set_input_files({"name": "seven.jpg", "mimeType": "image/jpeg", "buffer": picture(paper, "JPEG")})
    expect(visitor.digit()).to_have_text("7")
    expect(upload).to_be_hidden()  # the menu has closed
    visitor.idle()
    visitor.page.get_by_role("button", name="Picture, share").click()
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name="28 x 28 version").click()
    downloaded = Image.open(waiting.value.path())
    assert (downloaded.size, downloaded.mode) == ((28, 28), "L")
    assert np.asarray(downloaded).max() == 255
    assert visitor.errors == []


def test_the_drawing_is_still_there_when_one_turns_to_the_keys(visit):
    visitor = visit()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.page.get_by_text("Draw with keys").click()
    expect(visitor.page.locator(".inkling-grid")).to_be_visible()
    expect(visitor.digit()).to_have_text("7")
    visitor.page.wait_for_function("""() => {
      const canvas = document.querySelector(".inkling-grid canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, at) => at % 4 === 0 && value > 200).length > 5000;
    }""")
    visitor.picture("grid-begins-with-the-drawing")


def test_a_seven_is_drawn_with_keys_alone(visit):
    visitor = visit()
    visitor.canvas()
    switch = visitor.page.get_by_role("switch", name="Draw with keys").or_(
        visitor.page.get_by_role("checkbox", name="Draw with keys")
    )
    switch.focus()
    visitor.page.keyboard.press("Space")
    grid = visitor.page.get_by_role("application", name="28 by 28 cells")
    grid.focus()
    keys = visitor.page.keyboard
    for key in ["Shift+ArrowRight"] * 9 + [*["Shift+ArrowDown"] * 2, "Shift+ArrowLeft"] * 5:
        keys.press(key)
    expect(visitor.digit()).to_have_text("7")
    status = visitor.page.locator(".inkling-grid-status")
    expect(status).to_have_text("row 18, column 14, ink")
    keys.press("Space")
    expect(status).to_have_text("no ink")
    visitor.picture("grid-seven")
    visitor.go_to("Train")
    visitor.go_to("Draw")
    expect(visitor.digit()).to_have_text("7")
    grid.focus()
    keys.press("Delete")
    expect(visitor.page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
    keys.press("Control+z")
    expect(visitor.digit()).to_have_text("7")
    visitor.page.get_by_role("button", name="Clear the grid").click()
    expect(visitor.page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
    visitor.drag(grid, *SEVEN)
    expect(visitor.digit()).to_have_text("7")
    assert visitor.errors == []
