from dataclasses import replace

import numpy as np
import pytest
from examples import READER

from engine.checks import InklingError
from engine.layers import Dense
from engine.network import Network, dense_layers
from engine.training import Trainer


@pytest.mark.parametrize("layers", [dense_layers((16,)), READER], ids=["dense", "images"])
def test_a_training_begins_with_the_given_network(layers, tiny, small_config):
    config = small_config(layers=layers, ema_decay=0.9)
    first = Trainer.from_config(config, tiny)
    list(first)
    held = first.network.state_vector.copy()
    second = Trainer.from_config(replace(config, learning_rate=0.001), tiny, first.network)
    assert second.network.state_vector.tobytes() == second.average.state_vector.tobytes() == held.tobytes()
    assert next(second).loss < next(Trainer.from_config(config, tiny)).loss
    assert first.network.state_vector.tobytes() == held.tobytes()  # a network in use never changes


def test_the_initializer_of_the_start_does_not_matter(tiny, small_config):
    start = Network(dense_layers((16,), initializer="glorot_uniform"), rng=np.random.default_rng(8))
    assert Trainer.from_config(small_config(), tiny, start).network.state_vector.tobytes() == start.state_vector.tobytes()


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (dense_layers((17,)), "units=16.* as layer 1, got .*units=17"),
        (dense_layers((16,), "tanh"), "relu.* as layer 2, got .*tanh"),
        (dense_layers((16, 16)), "3 layers .*, got 5"),
        (READER, "3 layers for inputs"),
        ((Dense(16, frozen=True), *dense_layers((16,))[1:]), "layer 1"),
    ],
)
def test_a_network_with_other_layers_is_refused(layers, words, tiny, small_config):
    with pytest.raises(InklingError, match=words):
        Trainer.from_config(small_config(), tiny, Network(layers))
