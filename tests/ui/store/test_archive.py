"""A workspace as a zip file: the round trip, and files made to do harm."""

import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import pytest
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from tests.ui.store.records import make_run, names
from ui.store.archive import Archive, pack, unpack

KEY = "0123456789abcdef" * 2
RECORD = {
    "key": KEY, "number": 1, "name": "Run 1", "state": "over", "is_over": True, "details": {}, "created": 1.5, "updated": 2,
}  # fmt: skip
INDEX = {"format": 1, "values": {"drawing": [1]}, "runs": [RECORD]}
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def accept(name, content):
    pass


def zipped(index=INDEX, *entries, compression=zipfile.ZIP_STORED):
    """A zip file with this index (JSON, or the bytes of it) and these entries (name, content)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as target:
        target.writestr("workspace.json", index if isinstance(index, bytes) else json.dumps(index))
        for name, payload in entries:
            target.writestr(name, payload)
    return content.getvalue()


def with_record(**changes):
    return INDEX | {"runs": [RECORD | changes]}


def test_a_workspace_comes_back_from_its_zip_file(store, workspace, clock):
    runs = [
        make_run(3, details={"a": [1, "é"]}, owner="server 1"),
        make_run(5, name="é/../x", is_over=False, state="paused"),
    ]
    for run in (*runs, gone := make_run(7)):
        store.save_run(workspace, run, {"seed-0": run.key.encode(), "start": b""})
    store.remove_run(workspace, gone.key)
    store.save_network(workspace, "../net é%2F.npz", b"n")
    store.put(workspace, "drawing", {"strokes": [[1, 2]]})
    content = store.export_zip(workspace)
    clock.now += 1000

    other, checked = store.create(), {}
    assert store.import_zip(other, content, checked.__setitem__) == ["Run 3", "é/../x", "../net é%2F.npz"]
    copies = store.runs(other)
    assert not {run.key for run in copies} & {run.key for run in runs}
    expected = [replace(run, owner=None, created=clock.now - 1000, updated=clock.now - 1000) for run in runs]
    expected = [
        replace(run, key=copy.key, number=number) for number, (run, copy) in enumerate(zip(expected, copies, strict=True), 1)
    ]
    assert copies == expected
    assert [store.file(other, copy.key, "seed-0") for copy in copies] == [run.key.encode() for run in runs]
    assert [store.file(other, copy.key, "start") for copy in copies] == [b"", b""]
    assert store.networks(other) == {"../net é%2F.npz": b"n"}
    assert store.get(other, "drawing") == {"strokes": [[1, 2]]}
    assert set(checked) == {
        "values/drawing", "networks/../net é%2F.npz",
        *(f"runs/{run.key}{file}" for run in runs for file in ("", "/seed-0", "/start")),
    }  # fmt: skip
    record = json.loads(checked[f"runs/{runs[0].key}"])
    assert record == {"details": {"a": [1, "é"]}, "is_over": runs[0].is_over, "files": ["seed-0", "start"]}


def test_importing_adds_and_overwrites_nothing(store, workspace):
    store.save_run(workspace, make_run(1), {"seed-0": b"x"})
    for name, content in (("same", b"1"), ("other", b"2")):
        store.save_network(workspace, name, content)
    store.put(workspace, "settings", "old")
    content = store.export_zip(workspace)
    store.save_network(workspace, "other", b"3")
    store.put(workspace, "settings", "new")
    assert store.import_zip(workspace, content, accept) == ["Run 1 (2)", "other (2)"]
    assert names(store.runs(workspace)) == ["Run 1", "Run 1 (2)"]
    assert [run.number for run in store.runs(workspace)] == [1, 2]
    assert store.networks(workspace) == {"same": b"1", "other": b"3", "other (2)": b"2"}
    assert store.get(workspace, "settings") == "new"


def test_the_zip_file_has_safe_names():
    content = pack(Archive(networks={"../a": b"", "..": b"", "C:\\x": b"", "/etc": b"", ".hidden": b"", "a b (2).npz": b""}))
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        paths = set(source.namelist())
    assert paths == {
        "workspace.json", "networks/%2E.%2Fa", "networks/%2E.", "networks/C%3A%5Cx", "networks/%2Fetc",
        "networks/%2Ehidden", "networks/a b (2).npz",
    }  # fmt: skip


@given(st.dictionaries(NAMES, JSON, max_size=3), st.dictionaries(NAMES, st.binary(max_size=50), max_size=3), NAMES, JSON)
@settings(max_examples=50, deadline=None)
def test_what_is_packed_is_unpacked(values, networks, name, details):
    run = make_run(name=name, details={"details": details})
    packed = Archive(values, [run], {(run.key, name): b"content"}, networks)
    assert unpack(pack(packed), 10**6, accept) == packed


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_zip_file_is_refused_or_read(data):
    content = bytearray(
        zipped(INDEX, (f"runs/{KEY}/seed-0", b"x" * 30), ("networks/a", b"y"), compression=zipfile.ZIP_DEFLATED)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    unpacked, message = outcome(InklingError, unpack, content, 10**6, accept)
    assert isinstance(unpacked, Archive) or "\n" not in message


HOSTILE = {
    "nothing": (b"", "File is not a zip file"),
    "no zip": (b"%PDF-1.7" * 100, "File is not a zip file"),
    "cut off": (zipped()[:-30], "File is not a zip file"),
    "no index": (pack(Archive()).replace(b"workspace.json", b"workspace.jsom"), "it has no workspace.json"),
    "index is no JSON": (zipped(b"{"), "is not JSON"),
    "index is no text": (zipped(b"\xff\xfe\0"), "is not JSON"),
    "index is nested": (zipped(b"[" * 100_000 + b"]" * 100_000), "is not JSON"),
    "index of parts": (zipped(b"[" + b"{}," * 1_100_000 + b"1]"), "has more than 1,000,000 parts"),
    "index of megabytes": (zipped(b" " * 20_000_001, compression=zipfile.ZIP_DEFLATED), "has more than 20 MB"),
    "index is a list": (zipped([]), "has no format number"),
    "newer": (zipped(INDEX | {"format": 2}), "the zip file has format 2, expected 1: update Inkling to open it"),
    "values": (zipped(INDEX | {"values": []}), "needs an object of values and a list of runs"),
    "runs": (zipped({"format": 1, "values": {}}), "needs an object of values and a list of runs"),
    "name of a value": (zipped(INDEX | {"values": {"": 1}}), "name of a value must be 1 to 200 printable characters"),
    "run is a list": (zipped(INDEX | {"runs": [[]]}), r"a run needs created, details, .*, got \[\]"),
    "run with owner": (zipped(with_record(owner="server 1")), "a run needs created, details, "),
    "key": (zipped(with_record(key="../../etc/passwd")), "must have 32 hexadecimal digits"),
    "key's type": (zipped(with_record(key=1)), "the key of a run must be 1 to 200 printable"),
    "NUL": (zipped(with_record(name="a\0b")), r"the name of a run must be 1 to 200 printable characters, got 'a\\x00b'"),
    "surrogate": (zipped(with_record(state="\ud800")), "the state of a run must be 1 to 200 printable"),
    "long": (zipped(with_record(name="x" * 201)), "the name of a run must be 1 to 200 printable"),
    "number": (zipped(with_record(number=True)), r"number of a run must be in \[0, 1e\+11\], got True"),
    "time": (zipped(with_record(created=float("nan"))), r"created of a run must be in \[0, 1e\+11\], got nan"),
    "is_over": (zipped(with_record(is_over=1)), "needs is_over to be true or false"),
    "details": (zipped(with_record(details=[])), "details to be an object"),
    "two keys": (zipped(INDEX | {"runs": [RECORD, RECORD]}), "two of its runs have the same key"),
    "run of files only": (zipped(INDEX, (f"runs/{'f' * 32}/seed-0", b"")), "does not belong in it"),
    "encrypted": (zipped(INDEX, ("networks/a", b"")).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"), "encrypted"),
    "bzip2": (zipped(INDEX, compression=zipfile.ZIP_BZIP2), "is compressed in an unusual way"),
    "many": (zipped(INDEX, *((f"networks/{k}", b"") for k in range(5_000))), "more than 5,000 files"),
    "very many": (zipped(INDEX, ("networks/a", b"PK\1\2" * 100_001)), "more than 5,000 files"),
    "large": (zipped(INDEX, ("networks/a", bytes(21_100_000))), "more than the 1 MB of a workspace"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_file_is_refused_in_a_sentence(kind):
    content, message = HOSTILE[kind]
    with pytest.raises(InklingError, match=message) as error:
        unpack(content, 1_000_000, accept)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


PATHS = (
    "../x", "/etc/passwd", "networks/../x", "networks/a/b", "networks/", "networks/..", "networks/.a", "networks\\a",
    "networks/%2e%2e", "networks/%41", "networks/%00", "networks/%ED%A0%80", "networks/%FF", "networks/é",
    f"runs/{KEY}", f"runs/{KEY}/", f"runs/{KEY}/../x", f"runs/{KEY.upper()}/a", "runs/1/a", f"RUNS/{KEY}/a",
    "Workspace.json", "networks/a\n", "networks/" + "a" * 201, "C:/x", "networks/a:b",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_a_path_that_is_not_written_by_us_is_refused(path):
    with pytest.raises(InklingError, match=r"^the file is not a workspace of Inkling: "):
        unpack(zipped(INDEX, (path, b"x")), 10**6, accept)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused():
    with pytest.raises(InklingError, match="two of its files have the same name"):
        unpack(zipped(INDEX, ("networks/a", b"1"), ("networks/a", b"2")), 10**6, accept)


def test_an_entry_that_lies_about_its_size_is_not_unpacked_whole():
    content = zipped(INDEX, ("networks/a", bytes(100_000_000)), compression=zipfile.ZIP_DEFLATED)
    lying = content.replace(struct.pack("<L", 100_000_000), struct.pack("<L", 10))
    assert lying != content
    tracemalloc.start()
    try:
        with pytest.raises(InklingError, match=r"^the file is not a workspace of Inkling: .*Bad CRC"):
            unpack(lying, 10**6, accept)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_value_that_python_can_only_just_read_is_refused():
    for depth in range(100, 1000, 4):
        index = b'{"format":1,"runs":[],"values":{"drawing":' + b"[" * depth + b"]" * depth + b"}}"
        with pytest.raises(InklingError, match=r"its workspace\.json is (nested more than 100 times|not JSON)$"):
            unpack(zipped(index), 10**6, accept)


def refuse_networks(name, content):
    if name.startswith("networks/"):
        raise InklingError("a network is refused")


def test_nothing_is_imported_unless_everything_is(open_store):
    store = open_store(max_bytes=1_000)
    workspace = store.create()
    store.save_run(workspace, make_run(), {"seed-0": bytes(500)})
    before = unpack(store.export_zip(workspace), 1000, accept), store.version(workspace), store.size(workspace)
    entries = (f"runs/{KEY}/seed-0", bytes(100)), ("networks/a", bytes(100))
    with pytest.raises(InklingError, match="a network is refused"):
        store.import_zip(workspace, zipped(INDEX, *entries), refuse_networks)
    with pytest.raises(InklingError, match=r"^this needs 0\.0 MB, but"):
        store.import_zip(workspace, zipped(INDEX, *entries, ("networks/b", bytes(300))), accept)
    with pytest.raises(InklingError, match=r"^drawing has 4\.1 MB"):
        store.import_zip(workspace, zipped(INDEX | {"values": {"drawing": "x" * 4_100_000}}, *entries), accept)
    assert (unpack(store.export_zip(workspace), 1000, accept), store.version(workspace), store.size(workspace)) == before
    assert store.import_zip(workspace, zipped(INDEX, *entries), accept) == ["Run 1 (2)", "a"]
