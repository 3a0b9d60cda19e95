"""Sweeps in a browser: asking for one, and one that is over, on a desk and on a phone."""

import re

import pytest
from browsing import Visitor, serve
from helpers import make_digits, need_optuna

from engine.sweep.plan import Sweep

SMALL = "data=mnist&epochs=1&train_size=1000&layers=dense:16,relu,dense:10"
pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of an app that shows a sweep of 10 trials."""
    need_optuna()
    from engine.sweep.study import make_study
    from engine.sweep.worker import Worker

    url = f"sqlite:///{tmp_path_factory.mktemp('sweeps') / 'sweeps.sqlite3'}"
    search = {"learning_rate": "1e-3..1e-1:log", "hidden": [16, [12, 6]], "optimizer": ["adam", "sgd"]}
    settings = {"epochs": 3, "train_size": 300}
    table = {"data": "synthetic", "search": search, "settings": settings, "trials": 10, "sampler": "random"}
    digits = make_digits(300)
    study = make_study(url, "digits", Sweep.from_table(table | {"measure": "validation_accuracy"}), digits)
    list(Worker(study, digits).run())
    study.measure_winner(make_digits(100, 1))
    with serve({"INKLING_SWEEPS": url}) as (_, address):
        yield address


@pytest.mark.parametrize(
    ("width", "height", "dark"), [(360, 640, False), (390, 844, True), (1280, 800, False), (1920, 1080, True)]
)
def test_a_sweep_fits_the_screen_and_axe_finds_nothing(browser, address, width, height, dark):
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    visitor = Visitor(context.new_page(), address).open("/sweeps")
    page = visitor.page
    expect(page.get_by_text("10 of 10 trials are done")).to_be_visible()
    expect(page.get_by_role("heading", name="Trials", exact=True)).to_be_attached()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(8)
    visitor.idle()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
    assert visitor.errors == []
    assert visitor.violations() == []
    context.close()


def test_a_sweep_is_asked_for_watched_and_its_best_trial_opened(browser, mnist, tmp_path):
    """From the form on the Train page to a run with its test accuracy."""
    need_optuna()
    with serve({"INKLING_SWEEPS": f"sqlite:///{tmp_path}/sweeps.sqlite3"}) as (_, address):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        visitor = Visitor(context.new_page(), address).open(f"/train?{SMALL}")
        page = visitor.page
        page.locator("summary").filter(has_text="Search for the best settings").click()
        mark(visitor, "Hidden layers")
        expect(page.get_by_text("Powers of ten")).to_be_visible()
        assert visitor.violations() == []
        page.get_by_label("Trials", exact=True).fill("3")
        page.keyboard.press("Tab")
        visitor.idle()
        visitor.button("Start the sweep").click()
        expect(page.get_by_role("heading", name="Sweeps")).to_be_visible()
        expect(visitor.button("Delete")).to_be_visible()
        assert visitor.violations() == []
        expect(page.get_by_text("3 of 3 trials are done")).to_be_visible(timeout=60_000)
        winner = page.get_by_text("of the 10,000 test images right")
        expect(winner).to_be_visible(timeout=60_000)
        accuracy = re.search(r"reads ([\d.]+ %)", winner.inner_text()).group(1)
        expect(visitor.button("Pause")).to_have_count(0)
        visitor.button("Open as a run").click()
        expect(page.get_by_role("heading", name="Train a network")).to_be_attached()
        expect(page.locator(".st-key-figures")).to_contain_text(accuracy)
        page.get_by_role("link", name="See your sweeps").click()
        expect(page.get_by_role("heading", name="Sweeps")).to_be_visible()
        assert visitor.errors == []
        context.close()


def mark(visitor, setting):
    """Mark a setting to search."""
    box = visitor.page.get_by_role("combobox", name="Settings to search")
    box.focus()
    visitor.page.keyboard.type(setting)
    visitor.page.keyboard.press("Enter")
    visitor.page.keyboard.press("Escape")  # what is behind an open list has no role
    expect(visitor.page.get_by_role("button", name=f"Remove {setting}")).to_be_visible()
    visitor.idle()


def test_the_train_page_leads_to_it(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visitor = Visitor(context.new_page(), address).open("/train")
    visitor.page.locator("summary").filter(has_text="Search for the best settings").click()
    visitor.page.get_by_role("link", name="See your sweeps").click()
    expect(visitor.page.get_by_role("heading", name="Sweeps")).to_be_visible()
    assert visitor.page.url.split("?")[0].endswith("/sweeps")
    context.close()


def test_a_finger_takes_a_setting_out_again(browser, address):
    context = browser.new_context(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    visitor = Visitor(context.new_page(), address).open("/train")
    page = visitor.page
    page.locator(".st-key-drawer label").tap()
    page.locator("summary").filter(has_text="Search for the best settings").tap()
    expect(page.get_by_text("Powers of ten")).to_be_visible()
    page.get_by_role("button", name="Remove Learning rate").tap()
    expect(page.get_by_text("Powers of ten")).to_have_count(0)
    expect(visitor.button("Start the sweep")).to_be_disabled()
    assert visitor.violations() == []
    context.close()
