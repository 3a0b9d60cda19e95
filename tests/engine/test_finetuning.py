"""Fine-tuning on own drawings: what changes, what stays, what is measured, and on which drawings."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from helpers import make_digits

import engine
from engine.checks import InklingError
from engine.data import Dataset
from engine.data.collection import Collection, LabelledDrawing
from engine.finetuning import FineTuned, FineTuning, FineTuningSettings, Measured
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.metrics import score
from engine.network import Network, dense_layers
from engine.training import Diverged, StepEnd

QUICK = FineTuningSettings(steps=16, rehearsal=0, held_back=0)
NORMALISED = (
    Conv2D(4, kernel=5),
    BatchNorm(),
    Activation("relu"),
    MaxPool2D(),
    Flatten(),
    Dense(16),
    BatchNorm(),
    Activation("relu"),
    Dropout(0.2),
    Dense(10),
)


def collection(dataset):
    images, labels = dataset.take(slice(None))
    return Collection(tuple(LabelledDrawing(int(label), image) for label, image in zip(labels, images, strict=True)))


@pytest.fixture(scope="module")
def old():
    return make_digits(1_000, 4)


@pytest.fixture(scope="module")
def reader(old):
    """A network that has learned upright digits."""
    config = engine.Config(layers=dense_layers((32,)), epochs=6, batch_size=32, validation_size=0)
    trainer = engine.Trainer.from_config(config, old)
    list(trainer)
    return trainer.network


@pytest.fixture(scope="module")
def mirrored():
    """A person with a strange hand: every digit is mirrored."""
    digits = make_digits(400, 5)
    return collection(replace(digits, images=digits.images[:, :, ::-1]))


@pytest.fixture
def normalised():
    """An untrained network whose state is all different numbers."""
    network = Network(NORMALISED, rng=np.random.default_rng(0))
    for layer in network.layers:
        if isinstance(layer, BatchNorm):
            layer.mean += np.linspace(0.01, 0.02, layer.mean.size, dtype=np.float32)
            layer.variance += np.linspace(0.1, 0.2, layer.variance.size, dtype=np.float32)
    return network


def test_it_learns_the_own_hand_and_rehearsal_keeps_the_old(reader, mirrored, old):
    settings = FineTuningSettings(steps=200, held_back=25, learning_rate=0.005)
    ends = {}
    for rehearsal in (0, 50):
        tuning = FineTuning(reader, mirrored, replace(settings, rehearsal=rehearsal), old, make_digits(500, 6))
        end = ends[rehearsal] = list(tuning)[-1]
        first = tuning.measurements[0]
        assert isinstance(end, FineTuned)
        assert end.held_back.accuracy > first.held_back.accuracy + 0.1
        assert end.held_back == score(tuning.network, tuning.held_back.dataset)
        assert end.trained_on == score(tuning.network, tuning.trained_on.dataset)
        assert end.before.overall == score(reader, tuning.test_set)
        assert end.after.overall == score(tuning.network, tuning.test_set)
        assert sum(part.total for part in end.after.by_class) == 500
    forgotten = {share: end.before.overall.accuracy - end.after.overall.accuracy for share, end in ends.items()}
    assert forgotten[50] < forgotten[0] / 2


@pytest.mark.parametrize(("trained_layers", "first"), [(1, 9), (2, 5), (3, 0), (None, 0), (7, 0)])
def test_frozen_layers_and_all_batch_normalisation_stay_bit_for_bit(normalised, mirrored, trained_layers, first):
    before = normalised.copy()
    tuning = FineTuning(normalised, mirrored, replace(QUICK, trained_layers=trained_layers))
    list(tuning)
    for position, (layer, old_layer) in enumerate(zip(tuning.network.layers, before.layers, strict=True)):
        is_frozen = position < first or isinstance(layer, BatchNorm)
        for name in ("W", "b", "gamma", "beta", "mean", "variance"):
            if name in vars(layer):
                same = getattr(layer, name).tobytes() == getattr(old_layer, name).tobytes()
                assert same == is_frozen, (position, name)
    assert normalised.state_vector.tobytes() == before.state_vector.tobytes()  # a network in use never changes
    assert not np.shares_memory(normalised.state_vector, tuning.network.state_vector)


def test_the_result_is_an_ordinary_network(normalised, mirrored, old, tmp_path):
    normalised.info = {"threshold": 0.4, "temperature": 1.1, "metrics": {"test_accuracy": 0.1}}
    tuning = FineTuning(normalised, mirrored, replace(QUICK, trained_layers=1, drawings=30), None, old, source="mine.npz")
    end = list(tuning)[-1]
    assert tuning.network.layers == normalised.layers
    engine.save(tmp_path / "tuned.npz", tuning.network)
    loaded = engine.load(tmp_path / "tuned.npz")
    assert loaded.state_vector.tobytes() == tuning.network.state_vector.tobytes()
    assert loaded.info["fine_tuned"] == {
        "from": "mine.npz",
        "drawings": 30,
        "settings": {
            "rehearsal": 0,
            "trained_layers": 1,
            "learning_rate": QUICK.learning_rate,
            "drawings": 30,
            "steps": 16,
            "held_back": 0,
            "seed": 0,
        },
    }
    assert loaded.info["threshold"] == 0.4
    assert loaded.info["metrics"]["test_accuracy"] == end.after.overall.accuracy == score(loaded, old).accuracy
    assert normalised.info["metrics"] == {"test_accuracy": 0.1}


def test_the_same_seed_gives_the_same_bits_and_another_another_split(reader, mirrored, old):
    def tuned(seed):
        tuning = FineTuning(reader, mirrored, replace(QUICK, held_back=25, rehearsal=50, seed=seed), old)
        list(tuning)
        return tuning

    first, again, other = tuned(1), tuned(1), tuned(2)
    assert first.network.state_vector.tobytes() == again.network.state_vector.tobytes()
    assert list(first.held_back) == list(again.held_back)
    assert list(first.held_back) != list(other.held_back)


def test_the_split_keeps_apart_what_is_learned_and_what_is_measured(reader, mirrored):
    tuning = FineTuning(reader, mirrored, replace(QUICK, held_back=25, drawings=120))
    assert (len(tuning.drawings), len(tuning.trained_on), len(tuning.held_back), tuning.num_folds) == (120, 90, 30, 0)
    assert not set(tuning.trained_on.drawings) & set(tuning.held_back.drawings)
    assert set(tuning.drawings.drawings) <= set(mirrored.drawings)


@pytest.mark.parametrize("few", ["few drawings", "few of a digit"])
def test_few_drawings_are_cross_validated(reader, mirrored, old, few):
    if few == "few drawings":
        drawings = Collection(mirrored.drawings[:23])
    else:
        sevens = [drawing for drawing in mirrored if drawing.label == 7]
        drawings = Collection((*(drawing for drawing in mirrored if drawing.label != 7), *sevens[:2]))
    tuning = FineTuning(reader, drawings, replace(QUICK, held_back=25, rehearsal=50, learning_rate=0.002), old, old)
    assert tuning.num_folds == 5
    parts = [drawing for part in tuning.folds for drawing in part]
    assert len(parts) == len(set(parts)) == len(drawings)
    events = list(tuning)
    assert tuning.progress == 1
    assert tuning.trained_on is drawings
    assert [event.fold for event in events if isinstance(event, Measured) and event.step == 16] == [1, 2, 3, 4, 5, 0]
    for step in (0, 16):
        at_step = [event for event in tuning.measurements if event.step == step]
        assert at_step[-1].held_back.total == len(drawings)
        assert at_step[-1].held_back.correct == sum(event.held_back.correct for event in at_step[:-1])
        assert all((event.tested is None) == (event.fold > 0) for event in at_step)
        assert all(event.trained_on.total == len(drawings) - event.held_back.total for event in at_step[:-1])
    assert events[-1].held_back == tuning.measurements[-1].held_back
    at_start = [event for event in tuning.measurements if event.step == 0][-1]
    assert at_start.held_back == at_start.trained_on == score(reader, drawings.dataset)


def test_a_single_drawing_can_be_learned_but_not_held_back(reader, mirrored):
    tuning = FineTuning(reader, Collection(mirrored.drawings[:1]), replace(QUICK, held_back=50))
    end = list(tuning)[-1]
    assert (end.held_back, end.trained_on, end.after) == (None, (1, 1), None)


def test_batches_have_the_share_of_old_images_that_the_setting_says(reader, mirrored, old):
    for rehearsal, num_old in ((0, 0), (25, 16), (100, 64)):
        tuning = FineTuning(reader, mirrored, replace(QUICK, rehearsal=rehearsal), old)
        trainer = tuning._trainer(0, mirrored)
        known = {drawing.image.tobytes() for drawing in mirrored}
        for start in range(0, 16 * 64, 64):
            images, labels = trainer.train_set.take(slice(start, start + 64))
            assert sum(image.tobytes() not in known for image in images) == num_old
            assert len(labels) == 64


def test_every_drawing_is_shown_as_often_as_any_other(reader, mirrored):
    drawings = Collection(mirrored.drawings[:30])
    trainer = FineTuning(reader, drawings, QUICK)._trainer(0, drawings)
    _, counts = np.unique(trainer.train_set.rows, return_counts=True)
    assert len(counts) == 30
    assert counts.max() - counts.min() <= 1


def test_progress_seconds_and_pauses(reader, mirrored):
    tuning = FineTuning(reader, mirrored, QUICK)
    assert isinstance(next(tuning), Measured)
    events = list(islice(tuning, 3))
    assert [type(event) for event in events] == [StepEnd, StepEnd, Measured]
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)
    assert tuning.progress == pytest.approx(2 / 16)
    assert not tuning.is_over
    list(tuning)
    assert tuning.is_over
    assert next(tuning, None) is None
    steps = [event.step for event in tuning.measurements]
    assert steps == [0, 2, 4, 6, 8, 10, 12, 14, 16]


def test_a_divergence_is_reported_and_leaves_the_network_as_it_was(reader, mirrored):
    tuning = FineTuning(_huge(reader), mirrored, replace(QUICK, learning_rate=1))
    events = list(tuning)
    assert isinstance(events[-1], Diverged)
    assert tuning.is_over
    assert tuning.network.state_vector.tobytes() == tuning.start.state_vector.tobytes()


def _huge(network):
    huge = network.copy()
    huge.parameters *= 1e20
    return huge


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rehearsal": 101}, "rehearsal .* 0 to 100, got 101"),
        ({"rehearsal": 0.5}, "rehearsal .* whole number"),
        ({"trained_layers": 0}, "trained_layers .* 1 to 100"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"drawings": 0}, "drawings"),
        ({"steps": 0}, "steps"),
        ({"held_back": 91}, "held_back .* 0 to 90"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_are_checked(changes, words):
    with pytest.raises(InklingError, match=words):
        FineTuningSettings(**changes)


def test_data_that_do_not_fit_are_refused(reader, mirrored):
    with pytest.raises(InklingError, match="at least one drawing"):
        FineTuning(reader, Collection(), QUICK)
    with pytest.raises(InklingError, match="rehearsal needs"):
        FineTuning(reader, mirrored, FineTuningSettings())
    letter = LabelledDrawing(10, mirrored.drawings[0].image)
    with pytest.raises(InklingError, match=r"labels must be below 10.* got 10"):
        FineTuning(reader, Collection((*mirrored, letter)), QUICK)
    with pytest.raises(InklingError, match=r"inputs \(64,\), got \(28, 28\)"):
        FineTuning(Network(dense_layers((4,)), (64,)), mirrored, QUICK)
    small = Dataset(np.zeros((5, 8, 8), np.uint8), np.zeros(5, np.uint8))
    with pytest.raises(InklingError, match=r"inputs \(784,\), got \(8, 8\)"):
        FineTuning(reader, mirrored, QUICK, None, small)
