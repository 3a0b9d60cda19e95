from dataclasses import replace

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.data.collection import Collection, LabelledDrawing
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings
from engine.leave_one_writer_out import WriterTested, leave_one_writer_out
from engine.metrics import score
from engine.network import Network, dense_layers
from engine.training import Diverged

SETTINGS = FineTuningSettings(steps=30, rehearsal=0, learning_rate=0.002)


@pytest.fixture(scope="module")
def class_drawings():
    """Three writers: two with the same hand, and one who mirrors every digit."""
    digits = make_digits(180, 8)
    images = digits.images.copy()
    images[120:] = images[120:, :, ::-1]
    writers = np.repeat(["Ada", "Emmy", "Sofia"], 60)
    rows = zip(digits.labels, images, writers, strict=True)
    return Collection(tuple(LabelledDrawing(int(label), image, (), str(writer)) for label, image, writer in rows))


@pytest.fixture(scope="module")
def network():
    return Network(dense_layers((32,)), rng=np.random.default_rng(0))


def test_each_writer_is_tested_by_a_network_that_never_saw_the_own_drawings(network, class_drawings):
    results = [event for event in leave_one_writer_out(network, class_drawings, SETTINGS) if isinstance(event, WriterTested)]
    assert [result.writer for result in results] == ["Ada", "Emmy", "Sofia"]
    for result in results:
        others = Collection(tuple(drawing for drawing in class_drawings if drawing.writer != result.writer))
        own = class_drawings.by_writer()[result.writer].dataset
        tuning = FineTuning(network, others, replace(SETTINGS, held_back=0))
        assert isinstance(list(tuning)[-1], FineTuned)
        assert result.before == score(network, own)
        assert result.after == score(tuning.network, own)
    assert min(results, key=lambda result: result.after.accuracy).writer == "Sofia"


def test_a_writer_whose_training_diverges_is_left_out(network, class_drawings):
    huge = network.copy()
    huge.parameters *= 1e20
    events = list(leave_one_writer_out(huge, class_drawings, SETTINGS))
    assert sum(isinstance(event, Diverged) for event in events) == 3
    assert not any(isinstance(event, WriterTested) for event in events)


def test_one_writer_is_too_few(network, class_drawings):
    with pytest.raises(InklingError, match="two writers, got 1"):
        leave_one_writer_out(network, class_drawings.by_writer()["Ada"], SETTINGS)
