"""Every method of the store, on both databases."""

import math
import sqlite3
import threading
from dataclasses import replace

import pytest
from sqlalchemy.engine import make_url

from engine.checks import InklingError
from tests.ui.store.records import make_run, names
from ui.store import RunTaken, Store

DAY = 24 * 3600


def test_a_new_workspace_exists_and_is_empty(store):
    workspace = store.create()
    assert len(workspace) == 32
    assert store.create() != workspace
    assert store.visit(workspace)
    assert (store.runs(workspace), store.networks(workspace), store.get(workspace, "drawing")) == ([], {}, None)
    assert (store.size(workspace), store.version(workspace)) == (0, 1)


@pytest.mark.parametrize(
    "workspace", ["", "a" * 31, "a" * 32, "a" * 33, "é" * 32, "../" * 8, "\0" * 32, "\ud800" * 32, None, 7, []]
)
def test_visiting_what_is_no_workspace_is_false(store, workspace):
    assert store.visit(workspace) is False


def test_values_are_json(store, workspace):
    value = {"a": [1, 2.5, None, True, "é\0\ud800"], "b": {"c": math.inf}}
    store.put(workspace, "settings", value)
    assert store.get(workspace, "settings") == value
    store.put(workspace, "settings", [])
    assert store.get(workspace, "settings") == []
    assert store.get(workspace, "drawing") is None
    store.put(workspace, "settings", None)
    assert store.get(workspace, "settings") is None
    assert store.size(workspace) == 0


def test_a_value_has_a_largest_size(store, workspace):
    store.put(workspace, "drawing", "small")
    with pytest.raises(InklingError, match=r"^drawing has 4\.1 MB, the store takes at most 4\.0 MB$"):
        store.put(workspace, "drawing", "x" * 4_100_000)
    assert store.get(workspace, "drawing") == "small"


def test_what_is_no_json_is_refused(store, workspace):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    for value, message in ((nested, "^a value is nested too deeply to be saved$"), ({1, 2}, "cannot be saved as JSON$")):
        with pytest.raises(InklingError, match=message):
            store.put(workspace, "drawing", value)
    assert store.get(workspace, "drawing") is None


def test_a_run_is_saved_with_its_files_and_updated(store, workspace, clock):
    run = make_run(3, is_over=False, state="running", owner="server 1", details={"config": {"epochs": 5}, "loss": math.inf})
    assert store.save_run(workspace, run, {"seed-0": b"\0\1", "training": b"t"}) == []
    saved = replace(run, created=clock.now, updated=clock.now)
    assert store.runs(workspace) == [saved]
    clock.now += 60
    finished = replace(run, state="finished", is_over=True, name="Best")
    store.save_run(workspace, finished, {"seed-0": b"new", "training": None})
    assert store.runs(workspace) == [replace(finished, created=saved.created, updated=clock.now)]
    assert [store.file(workspace, run.key, name) for name in ("seed-0", "training", "start")] == [b"new", None, None]
    store.save_run(workspace, finished)
    assert store.file(workspace, run.key, "seed-0") == b"new"


def test_runs_are_in_order_of_their_numbers(store, workspace):
    for number in (2, 10, 1):
        store.save_run(workspace, make_run(number))
    assert names(store.runs(workspace)) == ["Run 1", "Run 2", "Run 10"]


def test_a_run_that_cannot_be_saved_whole_is_not_saved(store, workspace):
    run = make_run()
    store.save_run(workspace, run, {"seed-0": b"old"})
    before = store.runs(workspace), store.version(workspace)
    with pytest.raises(InklingError, match="a name holds a character that cannot be saved"):
        store.save_run(workspace, replace(run, name="New"), {"seed-0": b"new", "\ud800": b"x"})
    assert (store.runs(workspace), store.version(workspace)) == before
    assert store.file(workspace, run.key, "seed-0") == b"old"


def test_a_removed_run_can_be_restored_for_a_day(store, workspace, clock):
    run, other = make_run(1), make_run(2)
    for record in (run, other):
        store.save_run(workspace, record, {"seed-0": b"x"})
    assert store.remove_run(workspace, run.key)
    assert not store.remove_run(workspace, run.key)
    assert (names(store.runs(workspace)), names(store.removed_runs(workspace))) == (["Run 2"], ["Run 1"])
    store.save_run(workspace, replace(run, state="stopped"))  # what its training says last does not bring it back
    assert names(store.runs(workspace)) == ["Run 2"]
    clock.now += DAY - 1
    store.clean()
    assert store.restore_run(workspace, run.key)
    assert not store.restore_run(workspace, run.key)
    assert names(store.runs(workspace)) == ["Run 1", "Run 2"]
    assert store.file(workspace, run.key, "seed-0") == b"x"


def test_a_run_removed_more_than_a_day_ago_is_gone(store, workspace, clock):
    run = make_run()
    store.save_run(workspace, run, {"seed-0": b"x"})
    store.remove_run(workspace, run.key)
    clock.now += DAY + 1
    assert store.removed_runs(workspace) == []
    assert not store.restore_run(workspace, run.key)
    store.clean()
    assert store.size(workspace) == 0
    assert store.file(workspace, run.key, "seed-0") is None


def test_the_next_removed_run_to_go_says_when_to_look_again(store, workspace, clock):
    assert store.seconds_restorable(workspace) == math.inf
    for record in (make_run(1), make_run(2)):
        store.save_run(workspace, record)
        store.remove_run(workspace, record.key)
        clock.now += 100
    assert store.seconds_restorable(workspace) == DAY - 200
    clock.now += DAY - 150
    assert store.seconds_restorable(workspace) == 50
    clock.now += 100
    assert store.seconds_restorable(workspace) == math.inf


def test_networks_are_saved_replaced_and_removed(store, workspace):
    assert store.save_network(workspace, "b.npz", b"1") == []
    store.save_network(workspace, "../a é.npz", b"2")
    store.save_network(workspace, "b.npz", b"3")
    assert store.networks(workspace) == {"../a é.npz": b"2", "b.npz": b"3"}
    assert store.remove_network(workspace, "b.npz")
    assert not store.remove_network(workspace, "b.npz")
    assert store.networks(workspace) == {"../a é.npz": b"2"}


def test_the_version_rises_with_every_change_of_runs_and_networks(store, workspace):
    run = make_run(owner="server 1")
    versions = [store.version(workspace)]
    for change in (
        lambda: store.save_run(workspace, run),
        lambda: store.save_run(workspace, run),
        lambda: store.release(workspace, run.key, "server 1"),
        lambda: store.claim(workspace, run.key, "server 2"),
        lambda: store.remove_run(workspace, run.key),
        lambda: store.restore_run(workspace, run.key),
        lambda: store.save_network(workspace, "a", b""),
        lambda: store.remove_network(workspace, "a"),
        lambda: store.import_zip(workspace, store.export_zip(workspace), lambda name, content: None),
    ):
        change()
        versions.append(store.version(workspace))
    assert versions == sorted(set(versions))
    before = versions[-1]
    store.put(workspace, "settings", 1)
    store.claim(workspace, run.key, "server 2")
    store.claim(workspace, run.key, "server 3")
    assert store.version(workspace) == before


def test_the_size_counts_everything(store, workspace):
    store.put(workspace, "settings", "é")
    assert store.size(workspace) == len('"\\u00e9"')
    store.save_run(workspace, make_run(details={"a": 1}), {"seed-0": bytes(1000), "start": bytes(10)})
    store.save_network(workspace, "a", bytes(100))
    assert store.size(workspace) == 8 + len('{"a":1}') + 1000 + 10 + 100


def test_the_size_of_each_thing(store, workspace):
    assert store.sizes(workspace) == {}
    runs = make_run(1, details={"a": 1}), make_run(2)
    store.put(workspace, "settings", "é")
    store.save_run(workspace, runs[0], {"seed-0": bytes(1000), "start": bytes(10)})
    store.save_run(workspace, runs[1])
    store.save_network(workspace, "settings", bytes(100))
    assert store.sizes(workspace) == {
        ("value", "settings"): 8,
        ("run", runs[0].key): 1010 + len('{"a":1}'),
        ("run", runs[1].key): len("{}"),
        ("network", "settings"): 100,
    }
    assert sum(store.sizes(workspace).values()) == store.size(workspace)


def test_what_is_over_the_size_goes_oldest_first(open_store):
    store = open_store(max_bytes=1000)
    workspace = store.create()
    under_way, removed = make_run(1, is_over=False), make_run(4)
    for run in (under_way, make_run(2), make_run(3), removed, make_run(5, is_over=False)):
        assert store.save_run(workspace, run, {"seed-0": bytes(190)}) == []
    store.remove_run(workspace, removed.key)
    new = make_run(6)
    assert store.save_run(workspace, new, {"seed-0": bytes(190)}) == ["Run 4"]
    assert store.save_run(workspace, new, {"seed-0": bytes(191 + 380)}) == ["Run 2", "Run 3"]
    assert store.save_network(workspace, "a", bytes(300)) == ["Run 6"]
    before = names(store.runs(workspace))
    assert before == ["Run 1", "Run 5"]
    refusal = r"^this needs 0\.0 MB, but a workspace has 0\.0 MB: remove runs or networks$"
    with pytest.raises(InklingError, match=refusal):
        store.save_run(workspace, make_run(7), {"seed-0": bytes(400)})
    with pytest.raises(InklingError, match=refusal):
        store.save_network(workspace, "b", bytes(400))
    assert (names(store.runs(workspace)), list(store.networks(workspace))) == (before, ["a"])


def test_a_run_larger_than_the_workspace_is_not_written_in_vain(open_store, monkeypatch):
    store = open_store(max_bytes=10_000)
    workspace, run = store.create(), make_run()
    monkeypatch.setattr(store, "_changes", None)
    with pytest.raises(InklingError, match=r"this needs 0\.0 MB, but a workspace has 0\.0 MB"):
        store.save_run(workspace, run, {"seed-0": bytes(6_000), "seed-1": bytes(6_000), "training": None})


def test_a_run_has_one_owner(store, workspace, clock):
    run = make_run(owner="server 1")
    store.heartbeat("server 1")
    store.save_run(workspace, run)
    assert store.claim(workspace, run.key, "server 1")
    assert not store.claim(workspace, run.key, "server 2")
    store.release(workspace, run.key, "server 2")  # it is not the owner
    assert store.runs(workspace)[0].owner == "server 1"
    store.release(workspace, run.key, "server 1")
    assert store.claim(workspace, run.key, "server 2")
    assert not store.claim(workspace, run.key, "server 1")
    assert not store.claim(workspace, "f" * 32, "server 1")


def test_a_run_of_a_dead_server_can_be_claimed(store, workspace, clock):
    run = make_run(owner="server 1")
    store.save_run(workspace, run)
    store.heartbeat("server 1")
    clock.now += 15
    assert not store.claim(workspace, run.key, "server 2")
    store.heartbeat("server 1")
    clock.now += 15
    assert not store.claim(workspace, run.key, "server 2")
    clock.now += 1
    assert store.claim(workspace, run.key, "server 2")
    store.save_run(workspace, replace(run, owner="server 2", name="New"))
    assert [(saved.name, saved.owner) for saved in store.runs(workspace)] == [("New", "server 2")]


@pytest.mark.parametrize("owner", ["server 2", None])
def test_a_server_that_lost_a_run_cannot_overwrite_it(store, workspace, owner):
    run = make_run(owner="server 1")
    store.save_run(workspace, run, {"seed-0": b"new"})
    store.release(workspace, run.key, "server 1")
    if owner:
        store.claim(workspace, run.key, owner)
    for other in {"server 1", "server 2", None} - {owner}:
        with pytest.raises(RunTaken, match=r"^'Old' was not saved: it does not belong to this server any more$"):
            store.save_run(workspace, replace(run, name="Old", owner=other), {"seed-0": b"old"})
    assert (names(store.runs(workspace)), store.file(workspace, run.key, "seed-0")) == (["Run 1"], b"new")
    store.save_run(workspace, replace(run, name="New", owner=owner))
    assert [(saved.name, saved.owner) for saved in store.runs(workspace)] == [("New", owner)]


def test_a_closed_store_opens_again(open_store):
    store = open_store()
    workspace = store.create()
    store.close()
    assert store.visit(workspace)


def test_of_many_servers_only_one_gets_a_run(store, workspace):
    run = make_run()
    store.save_run(workspace, run)
    servers, owners = [f"server {k}" for k in range(8)], []
    threads = [
        threading.Thread(target=lambda name=name: owners.extend([name] * store.claim(workspace, run.key, name)))
        for name in servers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [run.owner for run in store.runs(workspace)] == owners


def test_many_threads_write_at_once(store, workspace):
    runs, problems = [make_run(number) for number in range(24)], []

    def save(some):
        try:
            for run in some:
                store.save_run(workspace, run, {"seed-0": bytes(50_000)})
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=save, args=(runs[k::6],)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert names(store.runs(workspace)) == names(runs)
    assert store.version(workspace) == 1 + len(runs)


def test_workspaces_expire_after_keep_days(open_store, clock):
    store = open_store(keep_days=2)
    old, new = store.create(), store.create()
    store.save_run(old, make_run(), {"seed-0": b"x"})
    clock.now += 2 * DAY
    store.clean()
    assert store.visit(new)
    clock.now += DAY
    assert (store.version(old), store.version(new)) == (2, 1)
    store.clean()
    assert not store.visit(old)
    assert (store.runs(old), store.size(old), store.version(old)) == ([], 0, 0)
    assert store.visit(new)


def test_forgetting_deletes_everything_and_nothing_comes_back(store, workspace):
    run = make_run()
    store.save_run(workspace, run, {"seed-0": b"x"})
    store.save_network(workspace, "a", b"x")
    store.put(workspace, "drawing", [1])
    store.forget(workspace)
    store.forget(workspace)
    assert not store.visit(workspace)
    gone = "^this workspace does not exist any more: open the app without its link to begin a new one$"
    for write in (
        lambda: store.save_run(workspace, run, {"seed-0": b"x"}),
        lambda: store.save_network(workspace, "a", b"x"),
        lambda: store.put(workspace, "drawing", [1]),
        lambda: store.export_zip(workspace),
    ):
        with pytest.raises(InklingError, match=gone):
            write()
    assert not store.claim(workspace, run.key, "server 1")
    assert not store.remove_run(workspace, run.key)
    store.release(workspace, run.key, "server 1")
    assert (store.runs(workspace), store.networks(workspace), store.get(workspace, "drawing")) == ([], {}, None)
    assert (store.size(workspace), store.version(workspace), store.file(workspace, run.key, "seed-0")) == (0, 0, None)


def test_sqlite_overwrites_what_is_forgotten(tmp_path):
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    store = Store(url)
    kept, forgotten = store.create(), store.create()
    for workspace, secret in ((kept, b"a public note"), (forgotten, b"a secret note")):
        store.save_run(workspace, make_run(), {"seed-0": secret * 1000})
        store.put(workspace, "drawing", secret.decode())
    store.forget(forgotten)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a public note" in content
    assert b"a secret note" not in content
    assert forgotten.encode() not in content
    with sqlite3.connect(make_url(url).database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
