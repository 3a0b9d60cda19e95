"""Class collections in the store, on both databases."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from engine.checks import InklingError
from tests.ui.store.records import make_drawing
from ui.store import Donation, class_collections
from ui.store.class_collections import ALPHABET, KEEP_SECONDS, MAX_STROKE_BYTES

DAY = 24 * 3600


@pytest.fixture
def classes(store):
    return store.class_collections


@pytest.fixture
def code(classes, workspace):
    return classes.open(workspace)


def donate(classes, code, phone="phone", label=7, nickname="", strokes=None):
    """Donate a drawing; return its key."""
    record, usual = make_drawing(label)
    classes.donate(code, Donation(record, phone, nickname), usual if strokes is None else strokes)
    return record.key


def labels(donations):
    return [donation.record.label for donation in donations]


def test_a_code_is_eight_letters_that_nobody_mistakes(classes, workspace, code):
    assert re.fullmatch(f"[{ALPHABET}]{{8}}", code)
    assert not set(ALPHABET) & set("AEIOUYLS")
    other = classes.open(workspace)
    assert other != code
    assert {collection.code for collection in classes.of_workspace(workspace)} == {code, other}
    assert classes.find(code) in classes.of_workspace(workspace)
    assert not classes.find(code).shows_names


@pytest.mark.parametrize(
    "code", ["", "BCDFGHJ", "bcdfghjk", "AAAAAAAA", "BCDFGHJK\n", "' OR 1=1", "\0" * 6, "B" * 10**6, 5, None]
)
def test_what_is_no_code_is_not_looked_for(classes, code):
    assert classes.find(code) is None


def test_drawings_are_donated_and_seen_by_the_teacher_only(classes, store, workspace, code, clock):
    version = classes.find(code).version
    first = donate(classes, code, "one", 7, "Ada")
    clock.now += 1
    donate(classes, code, "two", 2)
    assert classes.find(code).version > version
    donations = classes.drawings(workspace, code)
    assert [(d.record.label, d.phone, d.nickname) for d in donations] == [(7, "one", "Ada"), (2, "two", "")]
    assert donations[0].record.image == bytes([7]) * 784
    assert donations[1].record.created == clock.now
    assert classes.strokes(workspace, code)[first] == make_drawing()[1]
    stranger = store.create()
    assert classes.drawings(stranger, code) == []
    assert classes.strokes(stranger, code) == {}
    assert not classes.remove(stranger, code, first)
    assert not classes.remove_phone(stranger, code, "one")
    classes.delete(stranger, code)
    classes.anonymise(stranger, code)
    for change in (classes.close, classes.note_download, lambda *place: classes.show_names(*place, True)):
        with pytest.raises(InklingError, match="no collection with this code any more"):
            change(stranger, code)
    assert classes.drawings(workspace, code) == donations
    assert not classes.find(code).shows_names


def test_a_phone_takes_back_its_own_drawings_and_no_others(classes, workspace, code):
    first, _, other = (donate(classes, code, phone, label) for phone, label in (("one", 7), ("one", 2), ("two", 5)))
    assert labels(classes.of_phone(code, "one")) in ([7, 2], [2, 7])
    assert classes.take_back(code, "one", other) == 0
    assert classes.take_back(code, "one", first) == 1
    classes.close(workspace, code)
    assert classes.take_back(code, "one") == 1
    assert classes.of_phone(code, "one") == []
    assert labels(classes.drawings(workspace, code)) == [5]


def test_the_teacher_removes_one_drawing_or_all_of_a_phone(classes, workspace, code):
    first = donate(classes, code, "one", 7)
    for phone in ("one", "one", "two"):
        donate(classes, code, phone, 2)
    assert classes.remove(workspace, code, first)
    assert not classes.remove(workspace, code, first)
    assert classes.remove_phone(workspace, code, "one") == 2
    assert labels(classes.drawings(workspace, code)) == [2]


def test_a_closed_collection_takes_nothing_until_it_is_opened_again(classes, workspace, code):
    classes.close(workspace, code)
    with pytest.raises(InklingError, match=r"^the collection is closed$"):
        donate(classes, code)
    classes.close(workspace, code, False)
    donate(classes, code)


def test_nicknames_are_deleted_for_good(classes, workspace, code):
    donate(classes, code, "one", nickname="Ada")
    classes.show_names(workspace, code, True)
    assert classes.find(code).shows_names
    classes.anonymise(workspace, code)
    donate(classes, code, "one", nickname="Ada")
    assert {(d.phone, d.nickname) for d in classes.drawings(workspace, code)} == {("one", "")}
    assert not classes.find(code).shows_names


def test_everything_goes_with_the_collection_and_with_the_workspace(classes, store, workspace, code):
    other = classes.open(workspace)
    for place in (code, other):
        donate(classes, place, "one")
    classes.delete(workspace, code)
    assert classes.find(code) is None
    assert classes.of_phone(code, "one") == []
    with pytest.raises(InklingError, match=r"^there is no collection with this code any more$"):
        donate(classes, code)
    store.forget(workspace)
    assert classes.find(other) is None
    assert classes.of_phone(other, "one") == []
    with pytest.raises(InklingError, match="workspace does not exist any more"):
        classes.open(workspace)


def test_a_collection_lives_thirty_days_from_its_last_download(classes, store, workspace, code, clock):
    downloaded = classes.open(workspace)
    donate(classes, code, "one")
    assert classes.expires(classes.find(code)) == clock.now + KEEP_SECONDS == clock.now + 30 * DAY
    clock.now += 20 * DAY
    classes.note_download(workspace, downloaded)
    assert classes.expires(classes.find(downloaded)) == clock.now + 30 * DAY
    clock.now += 10 * DAY  # before anything is cleaned
    assert store.visit(workspace)
    assert classes.find(code) is None
    with pytest.raises(InklingError, match="any more"):
        donate(classes, code)
    assert [collection.code for collection in classes.of_workspace(workspace)] == [downloaded]
    store.clean()
    assert classes.of_phone(code, "one") == []
    clock.now += 20 * DAY + 1
    assert store.visit(workspace)
    store.clean()
    assert classes.of_workspace(workspace) == []


def test_one_phone_cannot_flood(classes, code, clock, monkeypatch):
    monkeypatch.setattr(class_collections, "MAX_OF_PHONE", 40)
    for _ in range(30):
        donate(classes, code)
    with pytest.raises(InklingError, match=r"^a phone can give 30 drawings a minute: wait a moment$"):
        donate(classes, code)
    donate(classes, code, "another")
    clock.now += 61
    for _ in range(10):
        donate(classes, code)
    with pytest.raises(InklingError, match=r"^a phone can give 40 drawings"):
        donate(classes, code)


def test_a_collection_has_limits(classes, workspace, code, monkeypatch):
    monkeypatch.setattr(class_collections, "MAX_PHONES", 2)
    monkeypatch.setattr(class_collections, "MAX_DRAWINGS", 4)
    for phone in ("one", "two"):
        donate(classes, code, phone)
    with pytest.raises(InklingError, match=r"^a collection has room for 2 phones$"):
        donate(classes, code, "three")
    donate(classes, code, "two")
    donate(classes, code, "one")
    with pytest.raises(InklingError, match="room for 4 drawings"):
        donate(classes, code, "one")
    monkeypatch.setattr(class_collections, "MAX_COLLECTIONS", 1)
    with pytest.raises(InklingError, match=r"^you have 1 collections already: delete one first$"):
        classes.open(workspace)


def test_the_limits_hold_for_phones_that_come_at_once(classes, workspace, code, monkeypatch):
    monkeypatch.setattr(class_collections, "MAX_DRAWINGS", 8)

    def try_to_donate(number):
        with suppress(InklingError):
            donate(classes, code, f"phone {number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(try_to_donate, range(16)))
    assert len(classes.drawings(workspace, code)) == 8


@pytest.mark.parametrize("nickname", ["x" * 41, "a\nb", "a\0b", "\ud800", 7, None, ["Ada"]])
def test_a_nickname_is_a_short_line_of_text(classes, workspace, code, nickname):
    with pytest.raises(InklingError, match="at most 40 printable characters"):
        donate(classes, code, nickname=nickname)
    assert classes.drawings(workspace, code) == []


@pytest.mark.parametrize("nickname", ["", "<b>Ada</b>", "'; DROP TABLE class_drawings; --", "**x** :smile: $y$", "Zoë 😀"])
def test_any_other_text_stays_as_it_is(classes, workspace, code, nickname):
    donate(classes, code, nickname=nickname)
    assert [donation.nickname for donation in classes.drawings(workspace, code)] == [nickname]


def test_a_drawing_has_a_size(classes, workspace, code):
    with pytest.raises(InklingError, match=r"^this drawing is too long"):
        donate(classes, code, strokes=[{"points": [[1, 2]] * (MAX_STROKE_BYTES // 6)}])
    record, strokes = make_drawing()
    for wrong in (replace(record, image=b"short"), replace(record, label=10), replace(record, label=-1)):
        with pytest.raises(InklingError, match="784 pixels and a label from 0 to 9"):
            classes.donate(code, Donation(wrong, "phone"), strokes)
    assert classes.drawings(workspace, code) == []


def test_class_drawings_count_in_the_storage_of_the_teacher(open_store, monkeypatch):
    store = open_store(max_bytes=30_000)
    workspace = store.create()
    code = store.class_collections.open(workspace)
    monkeypatch.setattr(class_collections, "SIZE_EVERY", 2)
    donate(store.class_collections, code)
    assert store.sizes(workspace)["class", code] == 784 + len(json.dumps(make_drawing()[1], separators=(",", ":")))
    assert store.size(workspace) == store.sizes(workspace)["class", code]
    donate(store.class_collections, code)
    for _ in range(4):
        store.save_drawings(workspace, [make_drawing()])
    for _ in range(2):
        donate(store.class_collections, code, "other")
    store.save_network(workspace, "large", bytes(20_000))
    with pytest.raises(InklingError, match="storage of the collection's owner is full"):
        donate(store.class_collections, code, "other")
    assert len(store.class_collections.drawings(workspace, code)) == 4
    store.remove_network(workspace, "large")
    donate(store.class_collections, code, "other")
