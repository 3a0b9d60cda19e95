"""The links to the pages, at the top of each."""

from itertools import product

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

TITLES = ["Draw", "Train", "How it works", "Lessons", "My handwriting", "Class", "My work"]
COVERED = """() => { // whatever is in the middle of the screen, and is not in the page
  const top = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  return document.querySelector("[data-testid=stMain]").contains(top) ? null : top.outerHTML; }"""


def links(visitor):
    return visitor.page.locator(".st-key-pages a")


@pytest.mark.parametrize("sizes", [[(390, 844), (360, 640)], [(1280, 800)]])
def test_the_links_are_on_the_page_and_nothing_covers_it_after_a_tap(visit, sizes):
    visitor = visit(touch=sizes[0][0] < 1000)
    visitor.canvas()
    for title, (width, height) in product([*TITLES[1:], "Draw"], sizes):
        visitor.page.set_viewport_size({"width": width, "height": height})
        visitor.go_to(title)
        visitor.idle()
        expect(links(visitor)).to_have_count(len(TITLES))
        boxes = [link.bounding_box() for link in links(visitor).all()]
        assert len({box["y"] for box in boxes}) == 1
        assert all(box["y"] >= 0 and box["height"] >= 40 for box in boxes)
        assert width < 1000 or all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
        box = boxes[TITLES.index(title)]  # the others are reached by scrolling the row
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert visitor.page.evaluate("document.querySelector('.stMain').scrollWidth") <= width
        assert visitor.page.evaluate(COVERED) is None
        assert not visitor.page.get_by_test_id("stSidebar").is_visible()
        current = visitor.page.get_by_role("link", name=title, exact=True)
        expect(current).to_have_attribute("aria-current", "page")
        expect(visitor.page.locator("a[aria-current]")).to_have_count(1)
    assert visitor.errors == []


def test_the_links_stay_in_view(visit):
    visitor = visit(width=390, height=844)
    visitor.canvas()
    visitor.page.mouse.move(380, 600)
    visitor.page.mouse.wheel(0, 300)
    visitor.page.wait_for_function("() => document.querySelector('[data-testid=stMain]').scrollTop > 100")
    assert 0 <= links(visitor).first.bounding_box()["y"] < 20
    visitor.go_to("Train")


def test_nothing_is_asked_for_that_does_not_exist(visit, app):
    visitor, failed = visit("/_stcore/health"), []
    visitor.page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    visitor.page.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
    for path in ("/", "/train", "/how", "/lessons", "/broken", "/handwriting", "/class", "/work"):
        visitor.open(path)
        visitor.page.get_by_role("heading", level=1).wait_for()
        visitor.idle()
        assert failed == []
        workspace = visitor.page.url.split("w=")[1]
        visitor.go_to("Draw" if path != "/" else "Train")  # at its address, not below the first one
        visitor.page.wait_for_url(f"{app}/{'' if path != '/' else 'train'}?w={workspace}")
