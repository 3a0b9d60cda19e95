"""Watching a training in a real browser: in slow motion, and back in time."""

import re
from itertools import pairwise

import pytest

from browser import test_accessibility

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
axe = test_accessibility.axe  # a fixture

COUNT_STEPS = """() => {
  window.steps = [];
  new MutationObserver(() => {
    const text = document.querySelector("[data-testid=stProgress]")?.innerText;
    const step = Number(text?.match(/ step ([0-9,]+)/)?.[1].replace(",", ""));
    if (step && step !== steps.at(-1)) steps.push(step);
  }).observe(document.body, { characterData: true, childList: true, subtree: true });
}"""


def control(visitor, name):
    return visitor.page.locator(".st-key-controls button").filter(has_text=name)


def choose_speed(visitor, speed, touch=False):
    expect(visitor.page.get_by_text("per epoch here")).to_be_attached()  # nothing is redrawn from now on
    visitor.idle()
    box = visitor.page.get_by_role("combobox", name="Speed")
    option = visitor.page.get_by_role("option", name=speed)
    if touch:
        box.tap(force=True)  # its arrow is on top of it
        option.tap()
    else:
        box.click()
        option.click()
    expect(box).to_have_value(speed)
    visitor.idle()


def count_single_batches(visitor):
    """Wait for a few steps, of which some come one by one; a busy machine may show others together."""
    visitor.page.wait_for_function("window.steps.length > 4", timeout=60_000)
    steps = visitor.page.evaluate("window.steps")
    assert steps == sorted(steps)
    assert min(after - before for before, after in pairwise(steps)) == 1, steps


def moment(visitor):
    """What the slider says that the panels show."""
    return visitor.page.get_by_test_id("stSlider").filter(has_text="Look back").get_by_test_id("stSliderThumbValue")


def paused(visitor):
    expect(visitor.page.get_by_test_id("stProgress").filter(has_text="paused at step").first).to_be_visible()
    visitor.idle()


def test_slow_motion_counts_single_batches_and_keys_go_back_through_them(visit):
    visitor = visit("/train")
    choose_speed(visitor, "5 batches/s")
    visitor.page.evaluate(COUNT_STEPS)
    control(visitor, "Start").click()
    count_single_batches(visitor)
    control(visitor, "Pause").click()
    paused(visitor)
    visitor.page.get_by_role("tab", name="What it learned", exact=True).click()
    weights = visitor.page.get_by_role("img", name="Weights of the first layer").first
    now = weights.get_attribute("src")
    slider = visitor.page.get_by_role("slider", name="Look back")
    slider.press("Home")
    expect(moment(visitor)).to_have_text("start")
    expect(weights).not_to_have_attribute("src", now)
    expect(visitor.page.get_by_text("After the first step, you see")).to_be_visible()
    slider.press("ArrowRight")
    expect(moment(visitor)).to_have_text(re.compile("step 1$"))
    slider.press("End")
    expect(moment(visitor)).to_have_text("now")
    expect(weights).to_have_attribute("src", now)
    control(visitor, "1 batch").click()
    expect(weights).not_to_have_attribute("src", now)
    expect(moment(visitor)).to_have_text("now")
    assert visitor.errors == []


def test_on_a_small_phone_speed_and_slider_are_used_by_tap(visit, axe):
    visitor = visit("/train", width=360, height=640, dark=True, touch=True)
    choose_speed(visitor, "5 batches/s", touch=True)
    visitor.page.evaluate(COUNT_STEPS)
    control(visitor, "Start").tap()
    count_single_batches(visitor)
    control(visitor, "Pause").tap()
    paused(visitor)
    slider = visitor.page.get_by_test_id("stSlider").filter(has_text="Look back")
    slider.scroll_into_view_if_needed()
    visitor.idle()
    thumb = slider.get_by_role("slider").bounding_box()
    visitor.page.touchscreen.tap(slider.bounding_box()["x"] + 8, thumb["y"] + thumb["height"] / 2)
    expect(moment(visitor)).to_have_text("start")
    visitor.picture("train-small-look-back")
    label = visitor.page.get_by_test_id("stMetric").get_by_text("Validation accuracy")
    assert label.evaluate("(label) => label.scrollWidth <= label.parentElement.clientWidth + 1"), "it is cut off"
    visitor.page.wait_for_function("document.getAnimations().every(({ playState }) => playState !== 'running')")
    assert axe(visitor) == []
    assert visitor.errors == []
