"""The data of charts."""

from dataclasses import replace

import numpy as np
import pytest

from engine import EpochEnd
from engine.data.dataset import DIGITS
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
    training = [e for e, s in zip(rows["x"], rows["series"], strict=True) if s == charts.TRAINING]
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
    assert (rows["x"][-1], rows["series"][-1]) == (1.5, charts.CHANGE)
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


@pytest.mark.parametrize(("step", "last"), [(0, 0), (1, 10), (10, 10), (11, 20), (21, 50), (422, 500)])
def test_until_the_first_epoch_is_over_the_axis_has_steps_and_ends_at_a_round_one(snapshot, step, last):
    early = replace(snapshot, history=History(EpochEnd), step=step, curve=snapshot.curve[:step])
    assert charts.last_step(early) == last
    assert charts.last_step(snapshot) is None
    spec = charts.curves("loss", 6, last_step=last)
    assert spec["encoding"]["x"]["title"] == "step"
    assert spec["encoding"]["x"]["scale"]["domain"] == [0, last or 10]


def test_one_batch_is_a_dot(snapshot):
    one = replace(snapshot, history=History(EpochEnd), step=1, curve=snapshot.curve[:1])
    rows = charts.rows(one, "loss")
    assert (rows["x"], rows["series"]) == ([1.0], [charts.FIRST])
    marks = {layer["transform"][0]["filter"]: layer["mark"]["type"] for layer in charts.curves("loss", 6)["layer"]}
    assert marks[f"datum.series === '{charts.FIRST}'"] == "point"


def test_before_the_first_step_no_axis_has_figures():
    assert charts.curves("loss", 6, last_step=0)["encoding"]["y"]["axis"]["labels"] is False


def test_accuracy_axes_are_the_same_for_every_run():
    for epochs in (3, 60):
        assert charts.curves("accuracy", epochs)["encoding"]["y"]["scale"] == {"domain": [0, 1]}
        assert charts.curves("accuracy", epochs, zoom=True)["encoding"]["y"]["scale"] == {"domain": [0.9, 1]}


def test_the_axis_of_a_drawing_through_the_training_is_logarithmic():
    x = charts.probabilities(range(10), DIGITS)["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert x["axis"]["values"][:3] == [charts.BEFORE_FIRST, 1, 10]


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_tooltips_have_names_and_rounded_values(quantity):
    for spec in (charts.curves(quantity, 6), charts.overlay("Loss", quantity, ["Run 1"], "epoch")):
        for layer in spec["layer"][1:]:
            titles = [field["title"] for field in layer["encoding"]["tooltip"]]
            assert titles[-2:] == ["epoch", quantity]
        assert "format(" in spec["transform"][0]["calculate"]


def test_without_validation_images_the_legend_does_not_name_them():
    assert charts.VALIDATION in charts.legend(False)
    assert charts.VALIDATION not in charts.legend(False, has_validation=False)
