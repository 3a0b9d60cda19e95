"""Downloads of a run."""

import io

import numpy as np

import engine
from tests.ui.train.steps import evaluation, open_train, run_to_end, start
from ui.train import downloads


def test_downloads_can_be_read_back(sets):
    app = open_train()
    run = start(app, Epochs=2)
    run_to_end(app)
    snapshot = run.snapshot()
    network = engine.load(io.BytesIO(downloads.network_file(run, snapshot)))
    np.testing.assert_array_equal(network.state_vector, snapshot.network.state_vector)
    assert network.info["metrics"] == {"test_accuracy": evaluation(run).accuracy}
    lines = downloads.metrics_csv(snapshot).split()
    assert lines[0] == "epoch,step,loss,accuracy,validation_loss,validation_accuracy,samples_per_second,seconds"
    assert [float(line.split(",")[5]) for line in lines[1:]] == [end.validation_accuracy for end in snapshot.history]
