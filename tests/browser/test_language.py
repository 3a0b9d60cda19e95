"""The language of the pages in a real browser."""

import re

import pytest
from browsing import Visitor
from playwright.sync_api import expect


@pytest.fixture
def german(browser, app):
    """A visitor whose browser is German."""
    context = browser.new_context(locale="de-AT", viewport={"width": 1280, "height": 800})
    yield Visitor(context.new_page(), app).open("")
    context.close()


def test_the_pages_are_in_the_language_of_the_browser_until_another_is_chosen(german):
    page = german.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Inkling: Zeichne eine Ziffer")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    network = page.get_by_role("combobox", name="Netz")
    network.click()
    page.get_by_role("option").nth(1).click()
    german.idle()
    page.get_by_role("button", name="Deutsch").click()
    page.get_by_text("Français", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Inkling : dessine un chiffre")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    chosen = page.get_by_role("combobox", name="Réseau")
    expect(chosen).to_have_value(re.compile("Le réseau dense d'Inkling"))
    assert "lang=fr" in page.url
    page.get_by_role("link", name="Entraîner").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entraîne un réseau")
    assert not german.errors
