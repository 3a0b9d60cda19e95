"""A drawing's link, opened by somebody else."""

import pytest

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]


def link_of(visitor):
    visitor.idle()  # a page that is redrawn at this moment closes the menu
    visitor.page.get_by_test_id("stPopover").get_by_role("button").first.click()
    code = visitor.page.get_by_test_id("stCode")
    code.wait_for()
    return code.inner_text().strip()


def test_a_link_shows_the_drawing_and_its_reading_to_somebody_else(visit, app):
    sender = visit()
    sender.stroke(*SEVEN)
    expect(sender.digit()).to_have_text("7")
    link = link_of(sender)
    assert link.startswith(f"{app}/?drawing=")
    assert len(link) < 1_600
    assert sender.page.url.split("w=")[1] not in link  # the workspace stays the sender's own
    receiver = visit(link.removeprefix(app))
    receiver.canvas()
    expect(receiver.digit()).to_have_text("7")
    assert "drawing=" not in receiver.page.url
    assert "w=" in receiver.page.url
    receiver.button("Undo").click()
    expect(receiver.digit()).to_have_text("?")
    assert receiver.errors == []


def test_a_link_never_loses_the_receiver_s_own_drawing(visit, app):
    receiver = visit()
    receiver.stroke((140, 50), (140, 230))
    expect(receiver.digit()).to_have_text("1")
    receiver.stroke(*SEVEN)
    link = link_of(receiver)
    receiver.page.keyboard.press("Escape")
    receiver.button("Clear").click()
    receiver.stroke((140, 50), (140, 230))
    expect(receiver.digit()).to_have_text("1")
    receiver.open(link.removeprefix(app))
    receiver.canvas()
    receiver.button("Undo").click()
    expect(receiver.digit()).to_have_text("1")
    assert receiver.errors == []
