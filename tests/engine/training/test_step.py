"""What a step does with the gradient: clipping, regularisation, averaging and frozen layers."""

import numpy as np
import pytest
from examples import READER

from engine.layers import Activation, BatchNorm, Conv2D, Dense, Flatten
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import dense_layers
from engine.optimizers import OPTIMIZERS
from engine.training import Finished, StepEnd, Trainer


def test_only_a_gradient_longer_than_the_limit_is_clipped(sgd_trainer, next_gradient, one_step):
    length = np.linalg.norm(next_gradient(sgd_trainer()))
    for limit, expected in ((length / 7, length / 7), (length * 0.999, length * 0.999), (length * 1.001, length)):
        trainer = sgd_trainer(max_grad_norm=float(limit))
        gradient, moved = next_gradient(trainer), one_step(trainer)
        assert np.linalg.norm(moved / 0.1) == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(moved / -0.1, gradient * expected / length, atol=2e-6)


def test_a_frozen_layers_gradient_does_not_count_in_the_length(sgd_trainer, one_step):
    layers = Dense(8, frozen=True), Activation("tanh"), Dense(10)
    trainer = sgd_trainer(layers=layers, max_grad_norm=1e-3)
    assert np.linalg.norm(one_step(trainer)) == pytest.approx(1e-4, rel=1e-3)


def test_l1_pulls_weights_to_zero_by_the_same_amount_and_spares_biases(sgd_trainer, one_step):
    trainer, plain = sgd_trainer(l1=0.02), sgd_trainer()
    signs = np.sign(trainer.network.parameters)
    signs[trainer.network.num_decayed :] = 0
    np.testing.assert_allclose(one_step(trainer), one_step(plain) - 0.1 * 0.02 * signs, atol=1e-6)


def test_l1_makes_sparse_weights(tiny, trained):
    small = {}
    for l1 in (0, 0.003):
        trainer, _ = trained(tiny, l1=l1, epochs=30, learning_rate=0.005)
        weights = trainer.network.parameters[: trainer.network.num_decayed]
        small[l1] = np.mean(np.abs(weights) < 0.005)
    assert small[0.003] > 5 * small[0] > 0


def test_weight_decay_does_not_apply_to_batch_norm(sgd_trainer, one_step):
    layers = Dense(8), BatchNorm(), Activation("relu"), Dense(10)
    plain, decayed = (sgd_trainer(layers=layers, weight_decay=decay) for decay in (0, 0.5))
    weights = plain.network.parameters.astype(np.float64)
    weights[plain.network.num_decayed :] = 0
    np.testing.assert_allclose(one_step(decayed), one_step(plain) - 0.1 * 0.5 * weights, atol=1e-6)


def test_labels_are_smoothed_in_training_but_not_in_validation(sgd_trainer, next_gradient, one_step):
    trainer = sgd_trainer(label_smoothing=0.3, validation_size=100, epochs=1)
    plain = sgd_trainer(validation_size=100, epochs=1)
    gradient = next_gradient(trainer)
    assert np.abs(gradient - next_gradient(plain)).max() > 1e-3
    np.testing.assert_allclose(one_step(trainer), -0.1 * gradient, atol=1e-6)
    *_, end, _ = trainer
    after = evaluate(trainer.network, trainer.validation_set, LOSSES["cross_entropy"])
    assert end.validation_loss == after.loss


@pytest.mark.parametrize("layers", [dense_layers((8,)), READER], ids=["dense", "with buffers"])
@pytest.mark.parametrize("decay", [0, 0.5, 0.97])
def test_the_average_is_an_exponential_moving_average(layers, decay, tiny, small_config):
    trainer = Trainer.from_config(small_config(layers=layers, ema_decay=decay, train_size=400), tiny)
    average = trainer.network.state_vector.astype(np.float64)
    steps = 0
    for event in trainer:
        if isinstance(event, StepEnd):
            kept = min(decay, (1 + steps) / (10 + steps))  # the ramp of tf.train.ExponentialMovingAverage
            average = kept * average + (1 - kept) * trainer.network.state_vector.astype(np.float64)
            steps += 1
            assert trainer.result is trainer.average
    assert steps == 20
    np.testing.assert_allclose(trainer.average.state_vector, average, rtol=1e-4, atol=1e-6)
    if decay == 0.97:
        assert np.abs(trainer.average.state_vector - trainer.network.state_vector).max() > 1e-3


def test_averaging_does_not_change_the_training_and_validation_measures_the_average(tiny, trained):
    plain, _ = trained(tiny)
    averaged, _ = trained(tiny, ema_decay=0.9)
    np.testing.assert_array_equal(averaged.network.state_vector, plain.network.state_vector)
    measured = evaluate(averaged.average, averaged.validation_set, averaged.loss)
    assert averaged.history[-1].validation_loss == measured.loss
    assert plain.result is plain.network


ARRAYS = {"W", "b", "gamma", "beta", "mean", "variance"}
FROZEN = (
    *(Conv2D(4, 5, stride=3, frozen=True), BatchNorm(frozen=True), Activation("relu"), Conv2D(6, 3), BatchNorm()),
    *(Activation("relu"), Flatten(), Dense(12, frozen=True), Activation("tanh"), Dense(10)),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_layers_keep_their_bits_and_the_others_change(optimizer, tiny, small_config):
    changes = {"weight_decay": 0.1, "l1": 0.01, "max_grad_norm": 1.0, "ema_decay": 0.9, "schedule": "one_cycle"}
    trainer = Trainer.from_config(small_config(**changes, layers=FROZEN, optimizer=optimizer), tiny)
    layers = trainer.network.layers
    rng = np.random.default_rng(50)
    for name in ("gamma", "beta", "mean", "variance"):
        getattr(layers[1], name)[:] = rng.uniform(0.5, 1.5, 4)
    trainer.average.state_vector[:] = trainer.network.state_vector
    before = [{k: v.copy() for k, v in vars(layer).items() if k in ARRAYS} for layer in layers]
    list(trainer)
    for layer, averaged, held in zip(layers, trainer.average.layers, before, strict=True):
        for name, array in held.items():
            if layer.frozen:
                assert getattr(layer, name).tobytes() == array.tobytes()
                np.testing.assert_allclose(getattr(averaged, name), array, rtol=1e-6)
            else:
                assert (getattr(layer, name) != array).mean() > 0.9
    assert sum(map(len, before)) == 2 + 4 + 2 + 4 + 2 + 2


def test_layers_before_a_frozen_layer_learn_as_if_it_were_not_frozen(tiny, small_config):
    def moved(frozen):
        layers = Dense(8), Activation("tanh"), Dense(6, frozen=frozen), BatchNorm(), Activation("tanh"), Dense(10)
        trainer = Trainer.from_config(small_config(layers=layers, optimizer="sgd", learning_rate=0.5), tiny)
        next(trainer)
        return [(layer.W.copy(), layer.b.copy()) for layer in trainer.network.layers if isinstance(layer, Dense)]

    thawed, frozen = moved(False), moved(True)
    for position in (0, 2):
        for a, b in zip(thawed[position], frozen[position], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)
    assert np.abs(thawed[1][0] - frozen[1][0]).max() > 1e-4


def test_a_completely_frozen_network_does_not_change(tiny, small_config):
    layers = Dense(8, frozen=True), Activation("relu"), Dense(10, frozen=True)
    trainer = Trainer.from_config(small_config(layers=layers, max_grad_norm=1.0, weight_decay=0.1), tiny)
    before = trainer.network.state_vector.tobytes()
    assert isinstance(list(trainer)[-1], Finished)
    assert trainer.network.state_vector.tobytes() == before
