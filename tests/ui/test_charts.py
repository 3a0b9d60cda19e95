"""The data of charts."""

from dataclasses import replace

import numpy as np
import pytest

from engine import EpochEnd
from engine.training import Change
from engine.training.history import History
from ui import charts


def line(rows, name):
    return [value for value, series in zip(rows["value"], rows["series"], strict=True) if series == name]


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_chart_rows_are_the_curve_and_the_ends_of_the_epochs(snapshot, quantity):
    rows = charts.rows(snapshot, quantity)
    validation = [(e, v) for e, v, s, _ in zip(*rows.values(), strict=True) if s == charts.VALIDATION]
    assert validation == [(end.epoch, getattr(end, f"validation_{quantity}")) for end in snapshot.history]
    training = [e for e, s in zip(rows["epoch"], rows["series"], strict=True) if s == charts.TRAINING]
    assert 0 < training[0] < 1
    assert training[-1] == 3


def test_smoothing_adds_a_line_and_leaves_the_raw_one(snapshot):
    raw, both = charts.rows(snapshot, "loss"), charts.rows(snapshot, "loss", smooth=True)
    assert line(both, charts.TRAINING) == line(raw, charts.TRAINING)
    assert np.abs(np.diff(line(both, charts.SMOOTHED))).sum() < np.abs(np.diff(line(both, charts.TRAINING))).sum()


def test_a_smoothed_constant_is_the_constant():
    np.testing.assert_allclose(charts.smoothed([3.0] * 50), 3)


def test_a_change_is_a_row_of_its_own_with_a_note(snapshot):
    changed = replace(snapshot, changes=(Change(7, 1.5, {"learning_rate": 0.5}),))
    rows = charts.rows(changed, "loss")
    assert (rows["epoch"][-1], rows["series"][-1]) == (1.5, charts.CHANGE)
    assert rows["note"][-1] == "learning rate changed to 0.5"
    assert np.isnan(rows["value"][-1])


def test_the_ends_of_many_epochs_are_thinned_out_and_the_last_is_shown(snapshot):
    end = snapshot.history[0]
    long = replace(snapshot, history=History(EpochEnd, (end._replace(epoch=epoch) for epoch in range(1, 2001))))
    epochs, values = charts.validation(long, "loss")
    assert len(epochs) == len(values) <= charts.MAX_VALIDATION_POINTS
    assert (epochs[0], epochs[-1]) == (1, 2000)


def test_the_cells_of_a_confusion_matrix_have_labels_in_rows():
    confusion = np.arange(100).reshape(10, 10)
    cells = charts.cells(confusion)
    for label, predicted, count in zip(cells["label"], cells["predicted"], cells["images"], strict=True):
        assert confusion[label, predicted] == count
    np.testing.assert_allclose(cells["fraction"].reshape(10, 10).sum(axis=1), 1)


def test_names_in_a_colour_key_are_text():
    assert "<b>" not in charts.colour_key({"<b>bold</b>": "#000000"})
