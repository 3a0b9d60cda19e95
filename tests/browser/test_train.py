"""The Train page in a real browser."""

import re

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]


def set_number(visitor, label, value):
    field = visitor.page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")


def use_few_images(visitor):
    """The smallest training set, and one epoch of it."""
    visitor.page.get_by_text("More settings").click()
    thumb = visitor.page.get_by_role("slider", name="Training images")
    thumb.press("Home")
    expect(visitor.page.get_by_test_id("stMain")).to_contain_text("1,000")
    set_number(visitor, "Epochs", 1)


def test_one_epoch_on_a_small_set_moves_the_curve_and_brings_a_result_to_draw_with(visit):
    visitor = visit("/train")
    expect(visitor.page.get_by_text("Press Start")).to_be_visible()
    visitor.picture("train-empty")
    use_few_images(visitor)
    visitor.button("Start").click()
    charts = visitor.page.get_by_test_id("stVegaLiteChart")
    expect(charts).to_have_count(2)
    expect(visitor.page.get_by_text("test images right")).to_be_visible()
    expect(visitor.page.locator(".inkling-figures dd").last).to_have_text(re.compile(r"\d\d\.\d\d%"))
    visitor.picture("train-done")
    visitor.button("Draw with this network").click()
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text(re.compile(r"\d"))
    expect(visitor.page.get_by_role("combobox", name="Network")).to_have_value(re.compile("Run 1"))
    assert visitor.errors == []
    assert visitor.outside == []


def test_a_long_run_moves_pauses_resumes_and_stops_while_the_other_page_stays_usable(visit):
    visitor = visit("/train")
    set_number(visitor, "Epochs", 500)
    visitor.button("Start").click()
    progress = visitor.page.get_by_test_id("stProgress")
    expect(progress).to_contain_text("images/s")
    loss = visitor.page.locator(".inkling-figures dd").first
    expect(loss).to_have_text(re.compile(r"\d\.\d+"))
    first = loss.inner_text()
    chart = visitor.page.get_by_test_id("stVegaLiteChart").first
    before = chart.screenshot()
    expect(loss).not_to_have_text(first)
    visitor.page.wait_for_timeout(1500)
    assert chart.screenshot() != before, "the curve does not move"
    visitor.picture("train-live")

    visitor.go_to("Draw")
    visitor.stroke(*SEVEN)
    expect(visitor.digit()).to_have_text("7")
    visitor.go_to("Train")

    visitor.button("Pause").click()
    expect(progress).to_contain_text("paused at step")
    paused = progress.inner_text()
    visitor.page.wait_for_timeout(1500)
    assert progress.inner_text() == paused
    visitor.button("Resume").click()
    expect(progress).to_contain_text("left")
    visitor.button("Stop").click()
    expect(progress).to_contain_text("stopped after")
    expect(visitor.page.get_by_text("test images right")).to_be_visible()
    visitor.picture("train-stopped")


def test_the_train_page_on_a_phone(visit):
    visitor = visit("/train", width=390, height=844, dark=True)
    use_few_images(visitor)
    visitor.button("Start").click()
    result = visitor.page.get_by_text("test images right")
    expect(result).to_be_visible()
    result.scroll_into_view_if_needed()
    visitor.picture("train-done-phone-dark")
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "the page scrolls sideways"
