"""What is found in broken trainings, and nothing in a healthy one. Many more: tests/benchmarks/diagnosis.py."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import make_digits

from engine import diagnosis
from engine.config import Config
from engine.data import Dataset
from engine.diagnosis import TITLES, decay_limit, diagnose, examine
from engine.faults import FAULTS, Setup
from engine.layers import Activation
from engine.network import dense_layers
from tests.benchmarks.diagnosis import RIGHT, train

CONFIG = Config(layers=dense_layers((32,)), epochs=6, batch_size=32, train_size=1_500, validation_size=300)


def setup(**settings):
    return Setup(replace(CONFIG, **settings), make_digits(2_000), make_digits(400, 1))


def found(setup):
    """What is found in a whole training, by name."""
    snapshot = train(setup)
    look = examine(snapshot.network, setup.config, setup.train_set, setup.test_set)
    return {each.name: each for each in diagnose(snapshot, look)}


def test_nothing_is_found_in_a_healthy_training():
    assert found(setup()) == {}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_gets_the_right_diagnosis_with_text_evidence_and_advice(name):
    healthy = FAULTS[name].mended(setup())
    first = next(iter(found(FAULTS[name].break_(healthy, np.random.default_rng(1))).values()))
    assert first.name == RIGHT[name]
    title, evidence, advice = (text.format(**first.values) for text in (first.title, first.evidence, first.advice))
    assert str(first) == f"{title} {evidence} {advice}"
    assert all((text[0].isupper() or text[0].isdigit()) and text[-1] == "." for text in (title, evidence, advice))
    assert not re.search(r"nan|inf\b|[{}]", str(first))


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"l1": 1.0, "optimizer": "sgd", "learning_rate": 0.1}, "large_l1", "instead of 1"),
        ({"weight_decay": 1.0, "optimizer": "sgd", "learning_rate": 2.5}, "decay_and_rate", "is 2.5. From 2 on"),
        (
            {"weight_decay": 1.0, "optimizer": "sgd", "learning_rate": 2.5, "max_grad_norm": 1.0},
            "decay_and_rate",
            "Gradient clipping cannot help",
        ),
        (
            {"layers": dense_layers((16,) * 6, "sigmoid", "glorot_uniform"), "optimizer": "sgd", "learning_rate": 0.2},
            "vanishing",
            "Layer 1 (Dense)",
        ),
        ({"layers": dense_layers((16,), "relu", "zeros")}, "equal_weights", "layer 1"),
        ({"optimizer": "sgd", "learning_rate": 1e-4}, "small_rate", "0.001 instead of 0.0001"),
        (
            {"train_size": 200, "validation_size": 100, "epochs": 150, "batch_size": 10, "learning_rate": 0.005},
            "overfitting",
            "early",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_found_in_settings_that_do_not_work(settings, name, words):
    first = next(iter(found(setup(**settings)).values()))
    assert first.name == name
    assert words in str(first)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda images, labels: (images * 0, labels), "blank_images"),
        (lambda images, labels: (images, np.random.default_rng(0).permutation(labels)), "shuffled_labels"),
    ],
    ids=["blank", "shuffled"],
)
def test_what_is_found_in_data_that_cannot_be_learned(change, name):
    healthy = setup()
    train_set = Dataset(*change(*healthy.train_set.take(slice(None))))
    assert next(iter(found(healthy._replace(train_set=train_set)))) == name


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adamw"])
def test_from_the_limit_on_decay_alone_makes_weights_grow(optimizer):
    config = Config(optimizer=optimizer, learning_rate=1.0, weight_decay=1.0)
    limit = decay_limit(config)
    for factor, grows in ((0.98, False), (1.02, True)):
        stepper, parameters = config.make_optimizer(), np.ones(1, np.float32)
        stepper.start(parameters)
        for _ in range(2_000):
            if stepper.decoupled_decay:
                parameters *= 1 - factor * limit
            stepper.step(
                parameters, np.zeros(1, np.float32) if stepper.decoupled_decay else parameters.copy(), factor * limit
            )
        assert (not abs(parameters[0]) < 1) is grows


def test_an_examination_counts_by_hand():
    train_set, test_set = make_digits(300), make_digits(100, 1)
    images, labels = (array.copy() for array in train_set.take(slice(None)))
    images[:30] = test_set.images[:30]
    images[200:290] = 7
    config = replace(CONFIG, train_size=300, validation_size=0)
    network = config.make_network(np.random.default_rng(0))
    look = examine(network, config, Dataset(images, labels), test_set)
    assert (look.compared, look.duplicates) == (100, 30)
    assert look.blank == pytest.approx(0.3)
    assert look.repeated == pytest.approx(np.mean(labels[1:] == labels[:-1]))
    assert look.train_accuracy == pytest.approx(np.mean(network.predict(images) == labels))
    assert look.transposed == pytest.approx(np.mean(network.predict(test_set.images.swapaxes(1, 2)) == test_set.labels))
    assert 0 <= look.dead[1] < 0.2


def test_a_softmax_at_the_end_is_only_wrong_with_a_loss_that_has_its_own():
    layers = (*CONFIG.layers, Activation("softmax"))
    assert "softmax_twice" in found(setup(layers=layers))
    assert "softmax_twice" not in found(setup(layers=layers, loss="mse", optimizer="adam"))


def test_every_diagnosis_can_be_found():
    source = Path(diagnosis.__file__).read_text()
    assert all(source.count(f'"{name}"') >= 2 for name in TITLES)
