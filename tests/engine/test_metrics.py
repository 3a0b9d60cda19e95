import math

import numpy as np
import pytest

from engine.losses import LOSSES
from engine.metrics import confusion_matrix, evaluate
from engine.network import Network, dense_layers


def test_confusion_counts_label_by_reading():
    got = confusion_matrix(np.array([0, 1, 1, 2, 2, 2], np.uint8), np.array([0, 1, 0, 2, 2, 1]), 3)
    np.testing.assert_array_equal(got, [[1, 0, 0], [1, 1, 0], [0, 1, 2]])


def test_labels_of_one_byte_do_not_overflow():
    got = confusion_matrix(np.full(3, 9, np.uint8), np.full(3, 9, np.uint8), 100)
    assert got[9, 9] == got.sum() == 3


@pytest.mark.parametrize("batch", [7, 100, 1024])
def test_evaluation_is_the_mean_over_every_image_once(tiny, monkeypatch, batch):
    monkeypatch.setattr("engine.metrics.EVALUATION_BATCH", batch)
    network = Network(dense_layers((12,)), rng=np.random.default_rng(5))
    part = tiny.subset(slice(0, 250))
    result = evaluate(network, part, LOSSES["cross_entropy"])

    images, labels = part.take(slice(None))
    probabilities = network.predict_proba(images)
    right = sum(int(row.argmax()) == label for row, label in zip(probabilities, labels.tolist(), strict=True))
    losses = [-math.log(row[label]) for row, label in zip(probabilities.astype(float), labels.tolist(), strict=True)]
    assert result.images == result.confusion.sum() == 250
    assert result.errors == 250 - right
    assert result.accuracy == right / 250
    assert result.loss == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_array_equal(result.confusion.sum(axis=1), np.bincount(labels, minlength=10))
    assert np.trace(result.confusion) == right
