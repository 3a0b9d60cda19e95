"""Files and links of the version before still open: ``old_files`` were written by it, from the data set ``noise``."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine import Config, Dataset, EpochEnd, load, load_training, save, save_training
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten
from engine.links import from_query
from engine.network import dense_layers
from engine.recipes import RECIPES

FOLDER = Path(__file__).parent / "old_files"
LINKS, EPOCHS = json.loads((FOLDER / "links_and_history.json").read_text()).values()
LAYERS = (Conv2D(2, 5, stride=3), BatchNorm(), Activation("relu"), Flatten(), Dropout(0.1), Dense(10))
CONFIG = Config(
    layers=LAYERS,
    optimizer="adamw",
    weight_decay=0.01,
    max_grad_norm=1.0,
    ema_decay=0.9,
    train_size=150,
    validation_size=30,
    augmentation=AUGMENTATIONS["light"],
    batch_size=16,
    epochs=3,
    patience=5,
    label_smoothing=0.1,
    schedule="one_cycle",
    seed=3,
)
CHANGED = {"learning_rate": 0.004}  # after step 12


@pytest.fixture(scope="module")
def noise():
    images = np.random.default_rng(7).integers(0, 256, (200, 28, 28), np.uint8)
    return Dataset(images, (np.arange(200) % 10).astype(np.uint8), "noise")


def config_with(**changes):
    return Config.from_json(CONFIG.to_json() | changes)


def test_a_network_loads_with_its_info(tmp_path):
    network = load(FOLDER / "network.npz")
    assert tuple(network.layers) == LAYERS
    assert (network.input_shape, network.output_shape, network.output) == ((1, 28, 28), (10,), "softmax")
    assert network.info["metrics"] == {"test_accuracy": 0.1}
    assert network.info["threshold"] == 0.5
    assert {"images", "clip_norm", "averaging"} <= network.info["config"].keys()  # the names of the version before
    assert Config.from_json(network.info["config"]) == config_with(**CHANGED)
    assert np.isfinite(network.predict_proba(np.zeros((1, 28, 28)))).all()
    save(tmp_path / "again.npz", network)
    assert load(tmp_path / "again.npz").state_vector.tobytes() == network.state_vector.tobytes()


def test_a_paused_training_loads_and_continues(noise):
    trainer = load_training(FOLDER / "paused_training.npz", noise)
    assert trainer.config == config_with(**CHANGED)
    assert (trainer.step, trainer.epoch, len(trainer.history), len(trainer.curve.points())) == (14, 2, 1, 14)
    assert [(change.step, change.values) for change in trainer.changes] == [(12, CHANGED)]
    assert trainer.history[0] == EpochEnd(*EPOCHS[0])
    list(trainer)
    for event, (epoch, step, loss, _, validation_loss, *_) in zip(trainer.history, EPOCHS, strict=True):  # bits may differ
        assert (event.epoch, event.step) == (epoch, step)
        assert np.allclose((event.loss, event.validation_loss), (loss, validation_loss), rtol=1e-3)
    finished = load(FOLDER / "network.npz")
    np.testing.assert_allclose(trainer.result.state_vector, finished.state_vector, rtol=1e-3, atol=1e-3)


def test_a_paused_training_is_saved_under_todays_names(noise, tmp_path):
    save_training(tmp_path / "paused.npz", load_training(FOLDER / "paused_training.npz", noise))
    with np.load(tmp_path / "paused.npz") as archive, np.load(FOLDER / "paused_training.npz") as old_archive:
        assert set(archive.files) == set(old_archive.files)
        for name in set(archive.files) - {"header"}:
            np.testing.assert_array_equal(archive[name], old_archive[name])
        header, old_header = (json.loads(file["header"].tobytes()) for file in (archive, old_archive))
    assert header.keys() == old_header.keys()
    assert header["training"]["state"] == old_header["training"]["state"]
    assert header["training"]["config"] == config_with(**CHANGED).to_json()


@pytest.mark.parametrize("name", LINKS)
def test_a_link_is_the_same_configuration(name):
    expected = {recipe.name: recipe.config for recipe in RECIPES.values()} | {
        "custom": CONFIG,
        "bent": Config(
            augmentation=Augmentation(rotation=12, shift=1.5, noise=0.1),
            batch_size=None,
            shuffle=False,
            layers=dense_layers((77,), "tanh"),
        ),
    }
    assert from_query({"config": LINKS[name]}) == expected[name]
