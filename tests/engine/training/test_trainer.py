import numpy as np
import pytest
from examples import READER
from helpers import make_digits, make_noise

from engine.checks import InklingError
from engine.config import Config
from engine.data import Dataset
from engine.data.augmentation import Augmentation
from engine.data.dataset import NO_DIGIT
from engine.layers import Activation, Dense, Dropout, Flatten
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import Network, dense_layers
from engine.optimizers import OPTIMIZERS
from engine.training import EpochEnd, Finished, StepEnd, Trainer, initial_network


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_xor_is_learned(activation):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    labels = np.array([0, 1, 1, 0])
    layers = (Dense(8, "glorot_normal"), Activation(activation), Dense(2))
    network = Network(layers, (2,), rng=np.random.default_rng(1))
    optimizer = OPTIMIZERS["adam"]()
    optimizer.start(network.parameters)
    for _ in range(600):
        loss, gradient = LOSSES["cross_entropy"](network.forward(x, training=True), labels)
        network.backward(gradient)
        optimizer.step(network.parameters, network.gradients, 0.05)
    assert loss < 0.02
    np.testing.assert_array_equal(network.predict(x.astype(np.float64)), labels)


def test_xor_is_learned_by_the_trainer():
    class Corners(Dataset):
        def take(self, positions):
            images, labels = super().take(positions)
            return images.astype(np.float32), labels

    corners = Corners(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8), np.array([0, 1, 1, 0], np.uint8))
    network = Network((Dense(8), Activation("tanh"), Dense(2)), (2,), rng=np.random.default_rng(2))
    config = Config(batch_size=None, epochs=500, learning_rate=0.05, validation_size=0)
    for event in Trainer(network, config.make_optimizer(), corners, None, config):
        last = event
    assert isinstance(last, Finished)
    np.testing.assert_array_equal(network.predict(corners.images.astype(np.float32)), corners.labels)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_tiny_batch_is_overfitted(optimizer):
    rate = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02}.get(optimizer, 0.002)
    layers = dense_layers((32,))
    config = Config(layers=layers, optimizer=optimizer, learning_rate=rate, batch_size=None, epochs=300, validation_size=0)
    trainer = Trainer.from_config(config, make_noise(20))
    list(trainer)
    assert trainer.history[-1].accuracy == 1
    assert trainer.history[-1].loss < 0.05


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_read_new_images(loss, digits, trained):
    trainer, _ = trained(digits, layers=dense_layers((32,), "tanh", "glorot_uniform"), loss=loss, epochs=12)
    assert trainer.history[-1].validation_accuracy > 0.75
    assert evaluate(trainer.network, make_digits(500, 77), trainer.loss).accuracy > 0.75


NOISY = {"layers": READER, "augmentation": Augmentation(shift=1, elastic=0.5, noise=0.05), "ema_decay": 0.9}


@pytest.mark.parametrize("changes", [{}, NOISY], ids=["plain", "noisy"])
def test_same_seed_same_bits(tiny, changes, trained):
    first, _ = trained(tiny, seed=5, **changes)
    second, _ = trained(tiny, seed=5, **changes)
    assert first.network.state_vector.tobytes() == second.network.state_vector.tobytes()
    assert first.result.state_vector.tobytes() == second.result.state_vector.tobytes()
    other, _ = trained(tiny, seed=6, **changes)
    assert first.network.state_vector.tobytes() != other.network.state_vector.tobytes()


def test_a_convolutional_network_learns_to_read_new_images(digits, trained):
    trainer, _ = trained(digits, layers=READER, epochs=8, learning_rate=0.01)
    assert evaluate(trainer.network, make_digits(500, 77), trainer.loss).accuracy > 0.6


def test_the_random_streams_are_independent(tiny, small_config, batches_of):
    """Another network leaves split and order as they are; another split size leaves the weights."""

    def run(**changes):
        trainer = Trainer.from_config(small_config(**({"epochs": 1} | changes)), tiny)
        weights, taken = trainer.network.parameters.copy(), batches_of(trainer)
        list(trainer)
        return trainer.validation_set, weights, np.concatenate(taken)

    split, weights, order = run()
    other_split, other_weights, other_order = run(layers=dense_layers((40, 20), "tanh", "zeros"))
    np.testing.assert_array_equal(other_split.rows, split.rows)
    np.testing.assert_array_equal(other_order, order)
    assert other_weights.size != weights.size
    np.testing.assert_array_equal(run(validation_size=50)[1], weights)
    np.testing.assert_array_equal(run(validation_size=0)[1], weights)
    np.testing.assert_array_equal(run(batch_size=100)[2], order)
    drops = Dense(16), Dropout(0.5), Activation("relu"), Dense(10)
    np.testing.assert_array_equal(run(layers=drops)[1], run(layers=drops, augmentation=Augmentation(shift=2))[1])
    np.testing.assert_array_equal(run(layers=drops, augmentation=Augmentation(shift=2))[2], order)


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 50), (20, [20, 20, 10]), (50, [50]), (None, [50]), (999, [50])])
def test_each_epoch_takes_every_image_once_in_batches_of_the_requested_size(batch_size, sizes, small_config, batches_of):
    config = small_config(batch_size=batch_size, validation_size=0, epochs=3)
    trainer = Trainer.from_config(config, make_digits(50))
    taken = batches_of(trainer)
    list(trainer)
    assert [len(batch) for batch in taken] == sizes * 3
    orders = [np.concatenate(taken[i : i + len(sizes)]) for i in range(0, len(taken), len(sizes))]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert (orders[0] != orders[1]).any()
    assert (orders[1] != orders[2]).any()


def test_events_come_in_order_and_count_steps_and_epochs(tiny, trained):
    trainer, events = trained(tiny, batch_size=128, epochs=3)  # 500 images: 4 steps, the last of 116
    assert [type(event) for event in events] == ([StepEnd] * 4 + [EpochEnd]) * 3 + [Finished]
    steps = [event for event in events if isinstance(event, StepEnd)]
    assert [event.step for event in steps] == list(range(1, 13))
    assert [event.epoch for event in steps] == [1] * 4 + [2] * 4 + [3] * 4
    assert [(event.epoch, event.step) for event in trainer.history] == [(1, 4), (2, 8), (3, 12)]
    assert trainer.history == [event for event in events if isinstance(event, EpochEnd)]
    assert all(event.samples_per_second > 0 for event in events)
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    end = events[-1]
    assert (end.epoch, end.step, end.stopped_early, end.best_epoch) == (3, 12, False, None)
    assert list(trainer) == []
    with pytest.raises(StopIteration):
        next(trainer)


def test_epoch_figures_are_means_over_images_and_validation_is_measured_after(tiny, trained):
    trainer, events = trained(tiny, batch_size=128, epochs=1)
    *steps, epoch, _ = events
    sizes = np.array([128, 128, 128, 116])
    assert epoch.loss == pytest.approx(np.dot([step.loss for step in steps], sizes) / 500)
    assert epoch.accuracy == pytest.approx(np.dot([step.accuracy for step in steps], sizes) / 500)
    after = evaluate(trainer.network, trainer.validation_set, trainer.loss)
    assert (epoch.validation_loss, epoch.validation_accuracy) == (after.loss, after.accuracy)


def test_a_full_batch_step_is_plain_gradient_descent():
    dataset = make_digits(40)
    config = Config(layers=(Dense(10),), optimizer="sgd", learning_rate=0.1, batch_size=None, epochs=1, validation_size=0)
    trainer = Trainer.from_config(config, dataset)
    W = trainer.network.layers[0].W.astype(np.float64)
    step = next(trainer)
    x, targets = dataset.images.reshape(40, 784) / 255, np.eye(10)[dataset.labels]
    scores = np.exp(x @ W)
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    assert step.loss == pytest.approx(-np.log((probabilities * targets).sum(axis=1)).mean(), rel=1e-5)
    expected = W - 0.1 * x.T @ (probabilities - targets) / 40
    np.testing.assert_allclose(trainer.network.layers[0].W, expected, atol=1e-6)
    np.testing.assert_allclose(trainer.network.layers[0].b, -0.1 * (probabilities - targets).mean(axis=0), atol=1e-7)


def test_split_is_disjoint_complete_and_of_the_requested_size(tiny, small_config):
    trainer = Trainer.from_config(small_config(validation_size=123), tiny)
    assert len(trainer.validation_set) == 123
    assert len(trainer.train_set) == 477
    rows = np.concatenate([trainer.train_set.rows, trainer.validation_set.rows])
    np.testing.assert_array_equal(np.sort(rows), np.arange(600))
    assert np.shares_memory(trainer.train_set.images, tiny.images)


def test_the_seed_draws_the_split(tiny, small_config):
    rows = [Trainer.from_config(small_config(seed=seed), tiny).validation_set.rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_the_seed_draws_the_order(small_config, batches_of):
    orders = []
    for seed in (0, 0, 1):
        trainer = Trainer.from_config(small_config(validation_size=0, epochs=1, seed=seed), make_digits(50))
        taken = batches_of(trainer)
        list(trainer)
        orders.append(np.concatenate(taken).tolist())
    assert orders[0] == orders[1] != orders[2]


def test_without_validation_its_figures_are_none(tiny, trained):
    trainer, _ = trained(tiny, validation_size=0)
    assert trainer.validation_set is None
    assert len(trainer.train_set) == 600
    assert {(event.validation_loss, event.validation_accuracy) for event in trainer.history} == {(None, None)}


def test_fewer_images_are_the_first_ones(tiny, small_config):
    trainer = Trainer.from_config(small_config(train_size=150, validation_size=30), tiny)
    rows = np.concatenate([trainer.train_set.rows, trainer.validation_set.rows])
    np.testing.assert_array_equal(np.sort(rows), np.arange(150))


def test_a_very_small_set_still_has_images_to_train_on():
    trainer = Trainer.from_config(Config(patience=1), make_digits(12))
    assert len(trainer.train_set) >= 1
    assert isinstance(list(trainer)[-1], Finished)


def test_a_single_image_can_be_learned_but_not_with_patience():
    assert isinstance(list(Trainer.from_config(Config(epochs=2), make_digits(1)))[-1], Finished)
    with pytest.raises(InklingError, match="patience"):
        Trainer.from_config(Config(patience=1, epochs=2), make_digits(1))


def test_leaving_the_loop_and_coming_back_changes_nothing(tiny, small_config, trained):
    whole, events = trained(tiny)
    trainer = Trainer.from_config(small_config(), tiny)
    seen = []
    while True:
        before = len(seen)
        for event in trainer:
            seen.append(event)
            if len(seen) % 7 == 0:
                break
        trainer.network.predict_proba(tiny.images[:3])  # a viewer, meanwhile
        if len(seen) == before:
            break
    assert trainer.network.parameters.tobytes() == whole.network.parameters.tobytes()
    assert [(type(e), e.epoch, e.step) for e in seen] == [(type(e), e.epoch, e.step) for e in events]


def test_training_does_not_change_the_data(tiny, trained):
    before = tiny.images.tobytes(), tiny.labels.tobytes()
    trained(tiny)
    assert (tiny.images.tobytes(), tiny.labels.tobytes()) == before


def test_without_shuffling_the_images_come_in_order(small_config, batches_of):
    config = small_config(shuffle=False, validation_size=0, batch_size=20)
    trainer = Trainer.from_config(config, make_digits(50))
    taken = batches_of(trainer)
    list(trainer)
    np.testing.assert_array_equal(np.concatenate(taken), [*range(50), *range(50)])


def test_labels_without_an_output_are_refused(tiny, small_config):
    with pytest.raises(InklingError, match="labels must be below 10"):
        Trainer.from_config(small_config(), Dataset(tiny.images, tiny.labels + np.uint8(2)))


@pytest.mark.parametrize("input_shape", [(5,), (1, 20, 20), (3, 28, 28)])
def test_an_input_shape_that_does_not_fit_the_images_is_refused(input_shape, tiny, small_config):
    layers = (Flatten(), *dense_layers((16,)))
    with pytest.raises(InklingError, match="input_shape must fit"):
        Trainer.from_config(small_config(layers=layers, input_shape=input_shape), tiny)


def test_images_without_a_digit_make_the_network_unsure_and_do_not_count_in_accuracy(tiny, small_config):
    noise = np.random.default_rng(3).integers(0, 256, (600, 28, 28), dtype=np.uint8)
    images, labels = np.concatenate([tiny.images, noise]), np.concatenate([tiny.labels, np.full(600, NO_DIGIT, np.uint8)])
    both, order = Dataset(images, labels), np.random.default_rng(4).permutation(1200)
    trainer = Trainer.from_config(small_config(epochs=8, validation_size=200), both.subset(order))
    list(trainer)
    last = trainer.history[-1]
    assert last.accuracy > 0.8  # of the digits alone; of all it could only be a half
    assert last.validation_accuracy > 0.6
    held_back = trainer.validation_set.own_labels
    assert trainer.validation.images == np.count_nonzero(held_back != NO_DIGIT) == trainer.validation.confusion.sum() < 200
    fresh = np.random.default_rng(5).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    assert np.median(trainer.network.predict_proba(fresh).max(axis=1)) < 0.3
    assert np.median(trainer.network.predict_proba(tiny.images[:100]).max(axis=1)) > 0.6


def test_a_very_large_batch_is_computed_in_parts_with_the_same_result(tiny, monkeypatch, trained):
    def run(part):
        monkeypatch.setattr("engine.network.WORKING_NUMBERS", part * 800)  # the 784 + 16 numbers of its largest layer
        changes = {"optimizer": "momentum", "learning_rate": 0.1, "max_grad_norm": 0.5, "label_smoothing": 0.1}
        return trained(tiny, batch_size=None, epochs=2, **changes)

    (whole, _), (parts, _) = run(10_000), run(64)
    np.testing.assert_allclose(parts.network.state_vector, whole.network.state_vector, atol=1e-5)
    for expected, got in zip(whole.history, parts.history, strict=True):
        assert got[:-2] == pytest.approx(expected[:-2], rel=1e-4)


def test_the_initial_network_is_the_one_with_which_a_trainer_begins(tiny):
    config = Config(layers=dense_layers((16,)), seed=7)
    first = Trainer.from_config(config, tiny).network
    assert initial_network(config, tiny).state_vector.tobytes() == first.state_vector.tobytes()
    start = Trainer.from_config(Config(layers=dense_layers((16,)), seed=8), tiny).network
    copied = initial_network(config, tiny, start)
    assert copied.state_vector.tobytes() == start.state_vector.tobytes()
    with pytest.raises(InklingError, match="input_shape must fit"):
        initial_network(Config(layers=dense_layers((16,)), input_shape=(5,)), tiny)
