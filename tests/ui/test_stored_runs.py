"""Runs that are stored, and read again by a restarted server: a new ``Workspace`` on the same store."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from engine import Config, InklingError, Network, Trainer, dense_layers
from engine.jobs import JobState
from engine.layers import Activation, Dense
from tests.engine.jobs.test_snapshot_file import assert_same
from tests.ui.conftest import WAIT
from tests.ui.train.steps import wait_for
from ui import runs
from ui.run import SERVER_ENDED

SHORT = Config(layers=dense_layers((8,)), epochs=3, batch_size=20)
LONG = replace(SHORT, epochs=10_000, seed=3)
DIVERGING = replace(
    SHORT, layers=(Dense(8), Activation("identity"), Dense(10)), optimizer="sgd", loss="mse", learning_rate=10.0
)


def run_to_end(config, **options):
    run = runs.start_run(config, "mnist", **options)
    assert run.series.wait_until_over(WAIT)
    return run


def checkpoints(run):
    """The step and the number of changes of the last checkpoint, in a list if there is one."""
    saved = run.series.saved
    return [(saved.snapshot.step, len(saved.snapshot.changes))] if saved else []


def run_in_pause(config=LONG, **options):
    """A run that was paused in its third epoch, or later, and has a checkpoint of this step."""
    run = runs.start_run(config, "mnist", **options)
    wait_for(lambda: len(run.snapshot().history) >= 2, "it does not begin")
    run.series.pause()
    assert run.series.wait_until_still(WAIT)
    step = run.snapshot().step
    wait_for(lambda: checkpoints(run) == [(step, 0)], "it is not saved")
    return run


def alone(config, sets, steps=None, start=None):
    """The trainer after so many steps of the same training in a loop."""
    with threadpool_limits(1, user_api="blas"):
        trainer = Trainer.from_config(config, sets[0], start)
        while not trainer.is_over and (steps is None or trainer.step < steps):
            next(trainer)
    return trainer


def restarted(open_workspace, workspace):
    """The workspace as a new server reads it."""
    workspace.store_changes()
    return open_workspace(workspace.id)


def assert_same_runs(before, after):
    assert [run.id for run in before] == [run.id for run in after]
    for a, b in zip(before, after, strict=True):
        for name in ("number", "name", "key", "config", "source", "has_start", "from_file"):
            assert getattr(a, name) == getattr(b, name)
        assert (a.series.num_seeds, a.series.error, a.series.is_over) == (
            b.series.num_seeds,
            b.series.error,
            b.series.is_over,
        )
        assert len(a.series.snapshots()) == len(b.series.snapshots())
        for one, other in zip(a.series.snapshots(), b.series.snapshots(), strict=True):
            assert_same(one, other)


@pytest.mark.parametrize(
    ("config", "num_seeds", "state"),
    [
        (SHORT, 1, JobState.FINISHED),
        (replace(SHORT, ema_decay=0.9, validation_size=0), 1, JobState.FINISHED),
        (SHORT, 3, JobState.FINISHED),
        (DIVERGING, 1, JobState.DIVERGED),
        (replace(DIVERGING, layers=dense_layers((20, 20, 20))), 2, JobState.DIVERGED),
    ],
)
def test_a_run_that_is_over_is_there_again_with_everything(open_workspace, config, num_seeds, state):
    workspace = open_workspace()
    run = run_to_end(config, num_seeds=num_seeds)
    assert run.state is state
    series = run.series
    again = restarted(open_workspace, workspace)
    assert run.series is not series  # from now on it is read from the store, here too
    assert_same_runs(workspace.runs, again.runs)
    for one, other in zip(series.snapshots(), again.runs[0].series.snapshots(), strict=True):
        assert_same(one, other)
    assert len(again.runs[0].test_images()[0]) == 300
    assert again.notices == []


def test_a_stopped_run_is_there_again(open_workspace):
    workspace = open_workspace()
    run = run_in_pause()
    run.series.stop()
    assert run.series.wait_until_over(WAIT)
    (again,) = restarted(open_workspace, workspace).runs
    assert again.state is JobState.STOPPED
    assert_same(again.snapshot(), run.snapshot())


def test_a_paused_run_is_there_again_and_goes_on_to_the_same_bits(open_workspace, sets):
    workspace = open_workspace()
    run = run_in_pause(replace(LONG, epochs=30))
    run.series.follow(sets[1].images[0] / 255)
    run.series.step()
    assert run.series.wait_until_still(WAIT)
    run.series.change(learning_rate=0.01)
    assert run.series.wait_for_changes(WAIT)
    step = run.snapshot().step
    wait_for(lambda: checkpoints(run) == [(step, 1)], "it is not saved")
    (again,) = restarted(open_workspace, workspace).runs
    assert again.state is JobState.PAUSED
    assert again.snapshot().error is None
    assert again.snapshot().step == step
    assert len(again.snapshot().followed)
    assert_same(again.snapshot(), run.snapshot())
    again.series.follow(sets[1].images[0] / 255)
    again.series.resume()
    run.series.resume()
    assert again.series.wait_until_over(WAIT)
    assert run.series.wait_until_over(WAIT)
    ends = [one.snapshot() for one in (run, again)]
    assert ends[0].network.state_vector.tobytes() == ends[1].network.state_vector.tobytes()
    assert ends[0].changes == ends[1].changes
    np.testing.assert_array_equal(ends[0].curve, ends[1].curve)
    assert [(end.epoch, end.loss, end.validation_accuracy) for end in ends[0].history] == [
        (end.epoch, end.loss, end.validation_accuracy) for end in ends[1].history
    ]
    for (epoch, matrix), (other_epoch, other) in zip(ends[0].confusions, ends[1].confusions, strict=True):
        assert epoch == other_epoch
        np.testing.assert_array_equal(matrix, other)
    trainer = alone(again.config, sets, step)
    trainer.change(learning_rate=0.01)
    with threadpool_limits(1, user_api="blas"):
        for _ in trainer:
            pass
    assert trainer.network.state_vector.tobytes() == ends[1].network.state_vector.tobytes()


def test_a_run_under_way_when_the_server_dies_says_so_and_goes_on_from_its_last_checkpoint(open_workspace, sets):
    workspace = open_workspace()
    run = run_in_pause(replace(LONG, epochs=40))
    run.series.resume()
    wait_for(lambda: run.state is JobState.RUNNING, "it does not go on")
    workspace.store_changes()
    again = open_workspace(workspace.id).runs[0]
    assert (again.state, again.snapshot().error) == (JobState.PAUSED, SERVER_ENDED)
    assert again.snapshot().step > 0
    again.series.resume()
    assert again.series.wait_until_over(WAIT)
    assert again.snapshot().error is None
    expected = alone(again.config, sets).network.state_vector
    assert again.snapshot().network.state_vector.tobytes() == expected.tobytes()


def test_a_run_without_a_checkpoint_begins_again(open_workspace, sets):
    workspace = open_workspace()
    run = runs.start_run(replace(LONG, epochs=2, batch_size=100), "mnist", paused=True)
    run.series.step()
    assert run.series.wait_until_still(WAIT)
    run.series.job.saved = None  # as in its first second
    workspace.store_changes()
    again = open_workspace(workspace.id).runs[0]
    now = again.snapshot()
    assert (again.state, now.step, now.epoch, len(now.curve), len(now.history)) == (JobState.PAUSED, 0, 1, 0, 0)
    again.series.resume()
    assert again.series.wait_until_over(WAIT)
    expected = alone(again.config, sets).network.state_vector
    assert again.snapshot().network.state_vector.tobytes() == expected.tobytes()


def test_several_seeds_go_on_after_a_restart_with_those_that_are_left(open_workspace, sets):
    workspace = open_workspace()
    config = replace(SHORT, epochs=2)
    start = alone(replace(config, seed=9), sets, 5).network
    run = runs.start_run(config, "mnist", num_seeds=3, start=start, paused=True)
    for _ in range(3):
        run.series.step_epoch()
        assert run.series.wait_until_still(WAIT)
    assert len(run.series.snapshots()) == 2
    wait_for(lambda: checkpoints(run) > [(0, 0)], "it is not saved")
    again = restarted(open_workspace, workspace).runs[0]
    assert_same(again.series.snapshots()[0], run.series.snapshots()[0])
    again.series.resume()
    assert again.series.wait_until_over(WAIT)
    ends = again.series.snapshots()
    assert [end.config.seed for end in ends] == [0, 1, 2]
    for end in ends:
        expected = alone(end.config, sets, start=start).network.state_vector
        assert end.network.state_vector.tobytes() == expected.tobytes()


def test_what_is_stored_of_finished_seeds_is_not_written_again(open_workspace, store, monkeypatch):
    workspace = open_workspace()
    run = run_to_end(SHORT, num_seeds=2)
    workspace.store_changes()
    written = []
    save_run = store.save_run
    monkeypatch.setattr(store, "save_run", lambda id, record, files: written.append(files) or save_run(id, record, files))
    workspace.store_changes()
    assert written == []
    assert runs.rename(run, "mine")
    workspace.store_changes()
    assert [name for files in written for name, content in files.items() if content] == []
    assert open_workspace(workspace.id).runs[0].name == "mine"


def test_a_run_from_a_file_is_there_again(open_workspace, sets):
    workspace = open_workspace()
    paused = run_in_pause(replace(LONG, epochs=20))
    file = paused.series.paused_training()
    run = runs.continue_training(file, "mnist")
    runs.remove(paused)
    again = restarted(open_workspace, workspace).runs[0]
    assert (again.from_file, again.id) == (True, run.id)
    assert_same(again.snapshot(), run.snapshot())
    again.series.resume()
    assert again.series.wait_until_over(WAIT)
    expected = alone(again.config, sets).network.state_vector
    assert again.snapshot().network.state_vector.tobytes() == expected.tobytes()


def test_a_reset_after_a_restart_begins_with_the_same_network(open_workspace, sets):
    workspace = open_workspace()
    start = alone(LONG, sets, 5).network
    run_in_pause(start=start)
    again = restarted(open_workspace, workspace).runs[0]
    runs.reset(again)
    reset = runs.all_runs()[-1]
    np.testing.assert_array_equal(reset.snapshot().network.state_vector, start.state_vector)


def test_moments_to_go_back_to_stay_in_memory_when_a_run_is_stored_and_are_not_read_again(open_workspace):
    workspace = open_workspace()
    run = run_to_end(SHORT)
    frames = run.keyframes.frames
    assert run.snapshot().step - 5 < frames[-1].step <= run.snapshot().step
    workspace.store_changes()
    assert not run.series.jobs  # from now on it is read from the store
    assert run.keyframes.frames == frames
    (again,) = restarted(open_workspace, workspace).runs
    assert not again.keyframes.frames


def test_a_run_that_is_read_again_has_full_speed(open_workspace):
    workspace = open_workspace()
    run_in_pause(speed=1_000.0)
    assert restarted(open_workspace, workspace).runs[0].series.speed is None


def test_a_start_of_other_layers_is_refused_before_anything_is_stored(open_workspace, store):
    workspace = open_workspace()
    with pytest.raises(InklingError, match="to begin with"):
        runs.start_run(SHORT, "mnist", start=Network(dense_layers((5,))))
    workspace.store_changes()
    assert store.runs(workspace.id) == []
