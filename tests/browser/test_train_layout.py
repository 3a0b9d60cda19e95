"""What stands where on the Train page: on a phone, beside long settings, and through a whole run."""

import re

import pytest

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

PHONES = [(390, 844), (360, 640)]
MAX_SHIFT = 0.1  # on a busy machine; on a quiet one it is 0
RECORD_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => list.getEntries().forEach(({ value, hadRecentInput, sources }) => {
    const moved = ({ node, previousRect: a, currentRect: b }) => `${node?.className} (${a.x} ${a.y}) to (${b.x} ${b.y})`;
    if (!hadRecentInput) shifts.push([value, sources.map(moved).join(", ")]);
  })).observe({ type: "layout-shift" });
}"""
TIMEOUT = 90_000  # milliseconds: trainings share the machine with browser and server


@pytest.fixture
def arrive(visit):
    """``visit`` to the Train page with more time for everything."""

    def arrive(**look):
        visitor = visit("/train", **look)
        visitor.page.set_default_timeout(TIMEOUT)
        expect(visitor.page.get_by_text("per epoch here")).to_be_attached()
        visitor.idle()
        return visitor

    expect.set_options(timeout=TIMEOUT)
    yield arrive
    expect.set_options(timeout=20_000)


def control(visitor, name):
    return visitor.page.locator(".st-key-controls button").filter(has_text=name)


def in_view(visitor, element):
    """The element's top and bottom, in pixels from the window's top."""
    box = element.bounding_box()
    return box["y"], box["y"] + box["height"]


def test_on_a_phone_start_is_at_the_thumb_and_the_moving_curve_in_view(arrive):
    visitor = arrive(width=390, height=844)
    start, settings = control(visitor, "Start"), visitor.page.get_by_role("combobox", name="Data", exact=True)
    for width, height in PHONES:
        visitor.page.set_viewport_size({"width": width, "height": height})
        top, bottom = in_view(visitor, start)
        assert height - 80 < top < bottom <= height
        expect(settings).to_be_hidden()
    drawer = visitor.page.locator(".st-key-drawer label")
    drawer.click()
    expect(settings).to_be_visible()
    visitor.idle()
    start.click()
    expect(settings).to_be_hidden()
    chart = visitor.page.get_by_test_id("stVegaLiteChart").first
    expect(chart).to_be_visible()
    expect(visitor.page.get_by_test_id("stProgress")).to_contain_text("images/s")
    for width, height in PHONES:
        visitor.page.set_viewport_size({"width": width, "height": height})
        assert visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
        top, bottom = in_view(visitor, chart)
        assert top + 180 < height - 70, "most of the loss curve is below the play bar"
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
        visitor.picture(f"train-phone-{width}")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_nothing_moves_from_start_to_reset(arrive, width, height):
    visitor = arrive(width=width, height=height, touch=width < 640)
    visitor.page.evaluate("document.fonts.ready")
    visitor.page.wait_for_timeout(1000)  # until the page is at rest
    visitor.send_late()  # after the half second in which the browser expects a click to move things
    visitor.page.evaluate(RECORD_SHIFTS)
    line = visitor.page.get_by_test_id("stProgress").first
    control(visitor, "Start").click()
    expect(line).to_contain_text(re.compile("Run 1 .*finished"))
    expect(visitor.page.get_by_text("10,000 test images right")).to_be_visible()
    top, _ = in_view(visitor, visitor.page.locator(".st-key-panels").first)
    for button, state in {
        "1 batch": "paused at step 1,",
        "Resume": "images/s",
        "Pause": "paused at",
        "Reset": "step 0,",
    }.items():
        control(visitor, button).click()
        expect(line).to_contain_text(state)
        visitor.idle()
        assert abs(in_view(visitor, visitor.page.locator(".st-key-panels").first)[0] - top) <= 2
    shifts = visitor.page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < MAX_SHIFT, shifts


def test_the_run_stays_in_view_beside_long_settings(arrive):
    visitor = arrive(width=1280, height=800)
    visitor.page.locator("summary").filter(has_text="More settings").click()
    seeds = visitor.page.get_by_label("Number of seeds", exact=True).first
    seeds.scroll_into_view_if_needed()
    top, bottom = in_view(visitor, control(visitor, "Start"))
    assert 0 <= top < bottom < 800
    for box in visitor.page.locator(".st-key-more_open [data-baseweb=select]").all():
        assert box.evaluate("(box) => [...box.querySelectorAll('*')].every((e) => e.scrollWidth <= e.clientWidth + 1)")


def test_a_charts_toolbar_does_not_cover_the_legend(arrive):
    visitor = arrive(width=1280, height=800)
    control(visitor, "1 batch").click()
    chart = visitor.page.get_by_test_id("stVegaLiteChart").first
    chart.hover()
    toolbar = visitor.page.locator(".stElementContainer:has(.stVegaLiteChart) .stElementToolbar").first
    _, legend_bottom = in_view(visitor, visitor.page.locator(".inkling-legend"))
    assert in_view(visitor, toolbar)[0] >= legend_bottom
