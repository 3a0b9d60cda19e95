"""The drawings with labels of a workspace."""

import pytest

from engine import InklingError
from engine.data.collection import LabelledDrawing, PenStroke
from ui import collection, workspace

SEVEN = LabelledDrawing.from_strokes(7, [PenStroke(((60.0, 60.0), (200.0, 60.0), (120.0, 220.0)), 12.5)])
IMAGE = LabelledDrawing(3, SEVEN.image)


@pytest.fixture
def opened(open_workspace, monkeypatch):
    opened = open_workspace()
    monkeypatch.setattr(collection, "workspace", lambda: opened)
    return opened


def test_drawings_are_there_again_after_a_restart(opened, open_workspace):
    keys = collection.keep([SEVEN, IMAGE])
    again = open_workspace(opened.id)
    assert [record.key for record in again.drawings()] == keys
    seven, image = collection.with_strokes(again)
    assert (seven.label, seven.strokes, image.label, image.strokes) == (7, SEVEN.strokes, 3, ())
    assert (seven.image == SEVEN.image).all()
    assert [drawing.strokes for drawing in collection.images_only(again.drawings())] == [(), ()]


def test_what_another_server_keeps_or_removes_is_seen(opened, open_workspace, monkeypatch):
    other = open_workspace(opened.id)
    assert other.drawings() == []
    (key,) = collection.keep([SEVEN])
    monkeypatch.setattr(workspace, "REFRESH_EVERY", 0.0)
    other.refresh()
    assert [record.key for record in other.drawings()] == [key]
    other.relabel_drawing(key, 1)
    opened.refresh()
    assert [record.label for record in opened.drawings()] == [1]
    other.remove_drawing(key)
    opened.refresh()
    assert opened.drawings() == []
    assert opened.remove_drawing(key) is None


def test_without_the_database_nothing_is_kept_and_nothing_is_lost(opened, away):
    collection.keep([SEVEN])
    away(True)
    with pytest.raises(InklingError, match="cannot be reached"):
        collection.keep([IMAGE])
    away(False)
    assert [record.label for record in opened.drawings()] == [7]


def test_everything_is_forgotten(opened):
    collection.keep([SEVEN])
    store, id = opened.store, opened.id
    opened.forget()
    assert store.drawings(id) == []
    with pytest.raises(InklingError):
        opened.drawings()
