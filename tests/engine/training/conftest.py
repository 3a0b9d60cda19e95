"""What the tests of training share. Each fixture is a function."""

import numpy as np
import pytest

from engine.config import Config
from engine.data import Dataset
from engine.network import Network, dense_layers
from engine.training import StepEnd, Trainer

SMALL = {"layers": dense_layers((16,)), "epochs": 2, "batch_size": 32, "validation_size": 100}


@pytest.fixture(scope="session")
def small_config():
    """The configuration of a small training, with changes."""
    return lambda **changes: Config(**(SMALL | changes))


@pytest.fixture(scope="session")
def trained(small_config):
    """Train a small network on a data set; return the trainer and its events."""

    def train(dataset, **changes):
        trainer = Trainer.from_config(small_config(**changes), dataset)
        return trainer, list(trainer)

    return train


@pytest.fixture
def batches_of(monkeypatch):
    """A list of the rows of the training set that each step of a trainer takes from now on."""

    def record(trainer):
        batches = []
        original_take = Dataset.take

        def take(dataset, positions):
            if dataset is trainer.train_set:
                batches.append(np.array(positions))
            return original_take(dataset, positions)

        monkeypatch.setattr(Dataset, "take", take)
        return batches

    return record


@pytest.fixture
def sgd_trainer(tiny):
    """A trainer with plain gradient descent and no weight or bias at zero."""

    def make(**changes):
        plain = {"layers": dense_layers((8,), "tanh"), "optimizer": "sgd", "learning_rate": 0.1}
        plain |= {"batch_size": 60, "epochs": 2, "validation_size": 0}
        trainer = Trainer.from_config(Config(**(plain | changes)), tiny)
        parameters = trainer.network.parameters
        parameters += np.random.default_rng(40).normal(0, 0.1, parameters.size).astype(np.float32)
        return trainer

    return make


@pytest.fixture(scope="session")
def next_gradient():
    """The gradient of the loss for a trainer's next batch, in float64."""

    def compute(trainer):
        network = trainer.network
        twin = Network(network.layers, network.input_shape, dtype=np.float64)
        twin.state_vector[:] = network.state_vector
        images, labels = trainer.train_set.take(trainer.order[trainer.position : trainer.position + trainer.batch_size])
        outputs = twin.forward(images.reshape(-1, *network.input_shape) / 255.0, training=True)
        _, gradient = trainer.loss(outputs, labels, trainer.config.label_smoothing)
        twin.backward(gradient)
        return twin.gradients

    return compute


@pytest.fixture(scope="session")
def one_step():
    """How far a trainer's next step moves each parameter."""

    def move(trainer):
        before = trainer.network.parameters.astype(np.float64)
        assert isinstance(next(trainer), StepEnd)
        return trainer.network.parameters - before

    return move
