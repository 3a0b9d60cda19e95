"""A class makes a data set: a projector and two phones at once."""

import re
from urllib.parse import urlsplit

import pytest
from helpers import make_digits

from ui.store import Donation, DrawingRecord, Store

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

SEVEN = [(60, 60), (200, 60), (120, 230)]
SLOW = 500_000  # milliseconds: what learns shares the machine with everything else
PHONE = {"width": 390, "height": 844, "touch": True}


def open_collection(visitor):
    """Open a collection; return its code."""
    visitor.button("Open a collection").click()
    expect(visitor.page.locator(".inkling-class-qr")).to_be_visible()
    return visitor.page.locator(".inkling-class-code").inner_text()


def agree(phone, nickname=""):
    phone.page.get_by_label("Nickname").fill(nickname)
    phone.page.get_by_role("button", name="I agree: let me draw").click()
    phone.canvas()


def give(phone, total):
    """Draw on the canvas and press Next, until the phone says that it has given so many."""
    phone.stroke(*SEVEN)
    phone.button("Next").click()
    expect(phone.page.locator(".inkling-total")).to_have_text(re.compile(rf"^{total} drawing"))


def wall(visitor):
    return visitor.page.locator(".inkling-wall button")


def test_two_phones_give_digits_and_the_projector_shows_them_arrive(visit):
    projector = visit("/class?present=1", width=1920, height=1080)
    code = open_collection(projector)
    assert re.fullmatch("[A-Z]{4}-[A-Z]{4}", code)
    ada = visit(f"/class?c={code}", **PHONE)
    expect(ada.page.get_by_text("You can take your drawings back")).to_be_visible()
    ada.picture("class-consent")
    assert ada.violations() == []
    agree(ada, "Ada <b>")
    ben = visit("/class", **PHONE, dark=True)
    ben.page.get_by_label("Code").fill(code.lower())
    ben.page.get_by_role("button", name="Join").click()
    agree(ben)
    for total in (1, 2):
        give(ada, total)
        give(ben, total)
    expect(wall(projector)).to_have_count(4, timeout=8_000)
    expect(projector.page.locator(".inkling-total")).to_have_text("4 drawings")
    expect(projector.page.locator(".st-key-class-side")).to_contain_text("From 2 phones.")
    expect(projector.page.locator("body")).not_to_contain_text("Ada")
    projector.picture("class-projector")
    for phone in (ada, ben):
        assert phone.page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390
        assert phone.violations() == []
    ada.picture("class-phone")
    ben.picture("class-phone-dark")
    assert projector.violations() == []
    ada.page.get_by_role("button", name="Take my drawings back").click()
    ada.page.get_by_role("button", name="Delete them").click()
    expect(wall(projector)).to_have_count(2, timeout=8_000)
    wall(projector).first.click()
    projector.button("Remove").click()
    expect(wall(projector)).to_have_count(1)
    assert projector.errors == ada.errors == ben.errors == []


def test_the_teacher_closes_downloads_and_deletes(visit):
    teacher = visit("/class")
    code = open_collection(teacher)
    phone = visit(f"/class?c={code}", **PHONE)
    agree(phone, "Zoë")
    give(phone, 1)
    expect(wall(teacher)).to_have_count(1, timeout=8_000)
    teacher.page.get_by_role("tab", name="Whose hand is read worst?").click()
    expect(teacher.page.locator(".inkling-hands")).to_contain_text("Hand 1")
    teacher.picture("class-fairness")
    assert teacher.violations() == []
    teacher.page.get_by_role("tab", name="Manage").click()
    teacher.button("Show nicknames").click()
    expect(teacher.page.locator(".stDataFrame")).to_be_visible()
    with teacher.page.expect_download() as download:
        teacher.button("Pictures by label (zip)").click()
    assert download.value.suggested_filename.startswith(f"class-{code.replace('-', '')}-")
    teacher.picture("class-manage")
    assert teacher.violations() == []
    teacher.button("Close: take no more drawings").click()
    expect(teacher.page.locator(".inkling-class-code")).to_have_text("Closed")
    phone.stroke(*SEVEN)
    phone.button("Next").click()
    expect(phone.page.get_by_text("The collection is closed")).to_be_visible()
    teacher.page.get_by_role("button", name="Delete", exact=True).click()
    teacher.page.get_by_role("button", name="Delete all of it").click()
    expect(teacher.page.get_by_role("heading", name="Join with a code")).to_be_visible()
    phone.button("Leave").click()
    expect(phone.page.get_by_role("heading", name="Join with a code")).to_be_visible()
    phone.picture("class-start")
    assert "c=" not in urlsplit(phone.page.url).query.split("w=")[0]
    assert phone.errors == teacher.errors == []


def give_many(store, code, phones, of_each=30):
    """Give digits as if so many phones had drawn them: a test has no time for that many strokes."""
    store = Store(store)
    digits = make_digits(phones * of_each, 4)
    for place, (label, image) in enumerate(zip(digits.labels, digits.images, strict=True)):
        phone = place % phones
        record = DrawingRecord(f"{place:032x}", int(label), 0, image.tobytes())
        store.class_collections.donate(code.replace("-", ""), Donation(record, f"phone {phone}", f"Pupil {phone}"), [])
    store.close()


def choose_dense(visitor, label):
    visitor.page.get_by_role("combobox", name=label, exact=True).click()
    visitor.page.get_by_role("option", name=re.compile("dense")).click()


@pytest.mark.timeout(1200)
def test_a_class_is_learned_while_phones_draw(visit, store_address):
    teacher = visit("/class")
    code = open_collection(teacher)
    phones = [visit(f"/class?c={code}", **PHONE) for _ in range(2)]
    for phone, nickname in zip(phones, ("Ada", ""), strict=True):
        agree(phone, nickname)
        give(phone, 1)
    give_many(store_address, code, 3)
    teacher.page.get_by_role("tab", name="Teach").click()
    choose_dense(teacher, "Network to teach")
    teacher.button("Start").click()
    expect(teacher.button("Stop")).to_be_visible(timeout=SLOW)
    give(phones[0], 2)
    expect(teacher.button("Draw with this network")).to_be_visible(timeout=SLOW)
    expect(teacher.page.get_by_text("New drawings of the same hands: ")).to_be_visible()
    teacher.picture("class-taught")
    assert teacher.violations() == []
    teacher.page.get_by_role("tab", name="Whose hand is read worst?").click()
    choose_dense(teacher, "Network")
    teacher.page.get_by_text("Leave one hand out", exact=True).click()
    expect(teacher.page.get_by_text(re.compile("3 hands, which takes about"))).to_be_visible(timeout=SLOW)
    expect(teacher.page.get_by_text("Hands with fewer than 5 drawings are not tested")).to_be_visible()
    teacher.button("Start").click()
    hands = teacher.page.locator(".inkling-hands li")
    expect(hands).to_have_count(1, timeout=SLOW)
    expect(teacher.button("Stop")).to_be_visible()
    give(phones[1], 2)
    teacher.picture("class-leave-one-out")
    assert teacher.violations() == []
    expect(hands).to_have_count(3, timeout=SLOW)
    expect(teacher.page.get_by_text("on 3 of 3 hands.")).to_be_visible()
    expect(teacher.page.locator("body")).not_to_contain_text("Pupil")
    teacher.page.get_by_role("tab", name="Teach").click()
    teacher.button("Draw with this network").click()
    teacher.stroke(*SEVEN)
    expect(teacher.digit()).to_have_text(re.compile("[0-9?]"))  # it may be unsure: it has learned from few drawings
    expect(teacher.page.get_by_role("combobox", name="Network")).to_have_value(re.compile("Uploaded: taught class"))
    assert teacher.errors == phones[0].errors == phones[1].errors == []
