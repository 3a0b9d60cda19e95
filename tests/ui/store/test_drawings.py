"""Drawings with labels in the store, on both databases, and in a workspace's zip file."""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from engine.checks import InklingError
from tests.ui.store.records import make_drawing
from ui.run import check_file
from ui.store import store as store_module
from ui.store.archive import Archive, pack, unpack


def accept(name, content):
    pass


def test_drawings_are_kept_relabelled_and_removed(store, workspace):
    (seven, strokes), (two, _) = made = [make_drawing(7, created=2.0), make_drawing(2, created=1.0)]
    version = store.version(workspace)
    assert store.save_drawings(workspace, made) == []
    assert store.drawings(workspace) == [two, seven]
    assert store.strokes(workspace) == {seven.key: strokes, two.key: strokes}
    assert store.version(workspace) > version
    assert store.sizes(workspace)["drawings", "7"] == 784 + len(json.dumps(strokes, separators=(",", ":")))
    assert store.relabel_drawing(workspace, seven.key, 1)
    assert store.drawings(workspace) == [two, replace(seven, label=1)]
    assert store.remove_drawing(workspace, seven.key) == (replace(seven, label=1), strokes)
    assert store.remove_drawing(workspace, seven.key) is None
    assert not store.relabel_drawing(workspace, seven.key, 1)
    assert store.drawings(workspace) == [two]


def test_a_drawing_belongs_to_one_workspace_and_is_deleted_with_it(store, workspace):
    other, drawing = store.create(), make_drawing()
    for owner in (workspace, other):
        store.save_drawings(owner, [drawing])
    assert not store.relabel_drawing(store.create(), drawing[0].key, 1)
    store.forget(workspace)
    assert (store.drawings(workspace), store.drawings(other)) == ([], [drawing[0]])
    assert store.size(workspace) == 0
    with pytest.raises(InklingError, match="does not exist any more"):
        store.save_drawings(workspace, [drawing])


def test_a_drawing_that_is_there_is_left_as_it_is(store, workspace):
    drawing, strokes = make_drawing(7)
    store.save_drawings(workspace, [(drawing, strokes)])
    store.save_drawings(workspace, [(replace(drawing, label=1), []), make_drawing(2)])
    assert sorted(kept.label for kept in store.drawings(workspace)) == [2, 7]
    assert store.strokes(workspace)[drawing.key] == strokes


def test_a_workspace_has_room_for_a_number_of_drawings(store, workspace, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_DRAWINGS", 3)
    store.save_drawings(workspace, [make_drawing(), make_drawing()])
    with pytest.raises(InklingError, match=r"^a workspace has room for 3 drawings: remove some first$"):
        store.save_drawings(workspace, [make_drawing(), make_drawing()])
    assert len(store.drawings(workspace)) == 2
    monkeypatch.setattr(store_module, "MAX_DRAWING_BYTES", 300)
    long = [{"points": [[1.5, 2.5]] * 50, "width": 18.0, "erases": False}]
    with pytest.raises(InklingError, match=r"strokes of these drawings need 0\.0 MB, .* remove some drawings first$"):
        store.save_drawings(workspace, [(make_drawing()[0], long)])
    store.save_drawings(workspace, [make_drawing()])


def test_drawings_count_in_the_size_of_the_workspace(open_store):
    store = open_store(max_bytes=2_000)
    workspace = store.create()
    store.save_drawings(workspace, [make_drawing(), make_drawing()])
    with pytest.raises(InklingError, match="but a workspace has"):
        store.save_drawings(workspace, [make_drawing()])
    assert len(store.drawings(workspace)) == 2


def test_writers_are_kept_and_come_back_from_the_zip_file(store, workspace):
    drawing, strokes = make_drawing(writer="Zoë")
    store.save_drawings(workspace, [(drawing, strokes), make_drawing()])
    assert sorted(kept.writer for kept in store.drawings(workspace)) == ["", "Zoë"]
    other = store.create()
    store.import_zip(other, store.export_zip(workspace), accept)
    assert store.drawings(other) == store.drawings(workspace)
    assert store.remove_drawing(other, drawing.key) == (drawing, strokes)


def test_a_zip_file_from_before_there_were_writers_is_read(store, workspace):
    content = pack(Archive(drawings=[make_drawing()]))
    source = zipfile.ZipFile(io.BytesIO(content))
    old = [{k: v for k, v in record.items() if k != "writer"} for record in json.loads(source.read("drawings.json"))]
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as target:
        target.writestr("workspace.json", source.read("workspace.json"))
        target.writestr("drawings.json", json.dumps(old))
    store.import_zip(workspace, changed.getvalue(), accept)
    assert [kept.writer for kept in store.drawings(workspace)] == [""]


def test_as_many_drawings_as_a_class_gives_come_back_from_a_zip_file(store, workspace):
    points = [[100.5 + 0.5 * k, 120.5 - 0.5 * k] for k in range(150)]  # about 2,000 bytes, as a digit has
    usual = [{"points": points, "width": 18.0, "erases": False}]
    made = [(make_drawing()[0], usual) for _ in range(store_module.MAX_DRAWINGS)]
    store.save_drawings(workspace, made)
    other = store.create()
    assert store.import_zip(other, store.export_zip(workspace), accept) == ["5000 drawings"]


def test_drawings_come_back_from_the_zip_file_once(store, workspace):
    made = [make_drawing(7, created=1.5), (make_drawing(2, created=2.5)[0], [])]
    store.save_drawings(workspace, made)
    content = store.export_zip(workspace)
    other = store.create()
    assert store.import_zip(other, content, check_file) == ["2 drawings"]
    assert store.import_zip(other, content, check_file) == []
    assert store.drawings(other) == store.drawings(workspace) == [drawing for drawing, _ in made]
    assert store.strokes(other) == store.strokes(workspace)


def with_drawings(drawings):
    content = io.BytesIO(pack(Archive()))
    with zipfile.ZipFile(content, "a") as target:
        target.writestr("drawings.json", drawings if isinstance(drawings, bytes) else json.dumps(drawings))
    return content.getvalue()


RECORD = {"key": "0" * 32, "label": 7, "created": 1.5, "image": "AAAA" * 261 + "AA==", "strokes": []}
HOSTILE = {
    "no list": ({}, r"its drawings\.json needs to be a list"),
    "no JSON": (b"[", r"its drawings\.json is not JSON"),
    "nested": (b"[" * 500 + b"]" * 500, "nested more than 100 times"),
    "parts": (b"[" + b"[]," * 1_000_000 + b"1]", "more than 1,000,000 parts"),
    "fields": ([{}], "a drawing needs created, image, key, label, strokes, writer, got {}"),
    "key": ([RECORD | {"key": "../x"}], "must have 32 hexadecimal digits"),
    "label": ([RECORD | {"label": 10}], r"label of a drawing must be in \[0, 9\], got 10"),
    "label's type": ([RECORD | {"label": 7.0}], "label of a drawing must be a whole number"),
    "true": ([RECORD | {"label": True}], "label of a drawing must be a whole number"),
    "time": ([RECORD | {"created": "now"}], "created of a drawing must be"),
    "image": ([RECORD | {"image": "AAAA"}], "must be 784 bytes in base64"),
    "image's type": ([RECORD | {"image": 7}], "must be 784 bytes in base64"),
    "strokes": ([RECORD | {"strokes": {}}], "strokes of a drawing must be a list"),
    "a stroke": ([RECORD | {"strokes": [{"points": [[1, "x"]]}]}], "strokes must be as in"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_drawings_are_refused_in_a_sentence(kind):
    drawings, message = HOSTILE[kind]
    with pytest.raises(InklingError, match=message) as error:
        unpack(with_drawings(drawings), 10**6, check_file)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_the_plain_record_is_accepted():
    assert [drawing.label for drawing, _ in unpack(with_drawings([RECORD]), 10**6, check_file).drawings] == [7]
