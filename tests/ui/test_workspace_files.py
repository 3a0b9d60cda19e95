"""A workspace as a zip file, and what hostile or damaged files do to it: nothing."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from engine import InklingError, Network, dense_layers, save
from engine.jobs import JobState
from engine.jobs.snapshot_file import to_bytes
from tests.ui.conftest import WAIT
from tests.ui.test_stored_runs import DIVERGING, SHORT, assert_same_runs, run_in_pause, run_to_end
from ui.run import _snapshot, check_file


def test_everything_goes_through_a_zip_file_into_another_workspace(open_workspace, sets):
    workspace = open_workspace()
    run_to_end(SHORT, num_seeds=2)
    run_to_end(DIVERGING)
    run_in_pause()
    workspace.add_network("mine", Network(dense_layers((4,)), rng=np.random.default_rng(0)))
    workspace.set_value("drawing", lambda: {"objects": []})
    content = workspace.export_zip()
    other = open_workspace()
    assert other.import_zip(content, check_file) == ["Run 1", "Run 2", "Run 3", "mine"]
    for run, copy in zip(workspace.runs, other.runs, strict=True):
        assert copy.id != run.id
        copy.id = run.id
    assert_same_runs(workspace.runs, other.runs)
    assert list(other.networks) == ["mine"]
    assert other.value("drawing") == {"objects": []}
    other.runs[2].series.step()
    assert other.runs[2].series.wait_until_still(WAIT)
    assert other.runs[2].snapshot().step == workspace.runs[2].snapshot().step + 1


def changed_zip(content, name="", payload=b"", **details):
    """The zip file with another file, or with other details of its run."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        files = {entry: source.read(entry) for entry in source.namelist()}
    index = json.loads(files["workspace.json"])
    (run,) = index["runs"]
    run["details"] |= details
    files["workspace.json"] = json.dumps(index).encode()
    files |= {name.format(run["key"]): payload} if name else {}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry, text in files.items():
            archive.writestr(entry, text)
    return target.getvalue()


def test_a_hostile_zip_is_refused_in_one_line(open_workspace):
    workspace = open_workspace()
    run = run_to_end(SHORT)
    content = workspace.export_zip()
    other_network = io.BytesIO()
    save(other_network, Network(dense_layers((4,), classes=63)))
    snapshot = replace(run.snapshot(), network=Network(dense_layers((4,), classes=10), (5,)))
    hostile = [
        b"",
        b"PK\x03\x04 broken",
        content[: len(content) // 2],
        changed_zip(content, "networks/bad", b"no network"),
        changed_zip(content, "networks/other", other_network.getvalue()),
        changed_zip(content, "runs/{}/seed-0", b"no snapshot"),
        changed_zip(content, "runs/{}/seed-0", to_bytes(snapshot)),
        changed_zip(content, "runs/{}/start", b"no network"),
        changed_zip(content, "runs/{}/more", b"text"),
        changed_zip(content, "secrets/file", b"text"),
        changed_zip(content, source="../../etc"),
        changed_zip(content, source=["mnist"]),
        changed_zip(content, num_seeds=10**9),
        changed_zip(content, num_finished=5),
        changed_zip(content, has_start="yes"),
        changed_zip(content, from_file="x" * 100_000),
        changed_zip(content, config={"layers": [{"layer": "dense", "units": 10**9}]}),
        changed_zip(content, config=[[]]),
    ]
    other = open_workspace()
    for file in hostile:
        with pytest.raises(InklingError) as caught:
            other.import_zip(file, check_file)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700
    assert (other.runs, other.networks) == ([], {})


@pytest.mark.parametrize(
    "change",
    [
        {"details": {}},
        {"details": {"config": {}, "source": "old"}},
        {"details": [1]},
        {"details": {"config": 5, "source": "mnist", "num_seeds": 1, "num_finished": 1, "has_start": False}},
        {"is_over": False},
        {"state": "strange", "is_over": False},
    ],
)
def test_a_record_that_cannot_be_read_is_said_once_and_the_others_are_there(open_workspace, store, change):
    workspace = open_workspace()
    bad, good = run_to_end(SHORT), run_to_end(SHORT)
    workspace.store_changes()
    record = next(record for record in store.runs(workspace.id) if record.key == bad.id)
    store.save_run(workspace.id, replace(record, **change))
    again = open_workspace(workspace.id)
    assert [run.id for run in again.runs] == [good.id]
    (notice,) = again.notices
    assert notice.startswith("The run Run 1 cannot be read: ")
    assert "\n" not in notice
    again._refreshed = -1e9
    store.restore_run(workspace.id, bad.id)
    again.refresh()
    assert again.notices == [notice]


def test_damaged_files_of_a_run_or_network_are_said_and_the_others_are_there(open_workspace, store):
    workspace = open_workspace()
    bad, good = run_to_end(SHORT), run_to_end(SHORT)
    workspace.store_changes()
    record = next(record for record in store.runs(workspace.id) if record.key == bad.id)
    store.save_run(workspace.id, record, {"seed-0": b"damaged"})
    store.save_network(workspace.id, "bad *net*", b"damaged")
    _snapshot.cache.clear()
    again = open_workspace(workspace.id)
    assert [run.id for run in again.runs] == [bad.id, good.id]
    damaged = again.runs[0].snapshot()
    assert (damaged.state, again.runs[1].state) == (JobState.FAILED, JobState.FINISHED)
    assert (damaged.error or "").startswith("this run cannot be read now: ")
    assert [notice.split(" cannot be read")[0] for notice in again.notices] == ["The network bad *net*"]
