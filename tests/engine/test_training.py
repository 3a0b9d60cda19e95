from dataclasses import replace
from itertools import islice
from time import perf_counter

import numpy as np
import pytest
from examples import READER
from helpers import make_digits, make_noise

from engine.checks import InklingError
from engine.config import Config
from engine.data import Dataset
from engine.data.augmentation import Augmentation
from engine.data.dataset import NO_DIGIT
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import Network, dense_layers
from engine.optimizers import OPTIMIZERS
from engine.training import Diverged, EpochEnd, Finished, StepEnd, Trainer, measure_seconds

SMALL = {"layers": dense_layers((16,)), "epochs": 2, "batch_size": 32, "validation_size": 100}


def trained(dataset, **changes):
    trainer = Trainer.from_config(Config(**(SMALL | changes)), dataset)
    events = list(trainer)
    return trainer, events


def batches_of(trainer, monkeypatch):
    """The rows of the training set that each step takes, collected while it runs."""
    taken = []
    plain = Dataset.take

    def take(dataset, positions):
        if dataset is trainer.train_set:
            taken.append(np.array(positions))
        return plain(dataset, positions)

    monkeypatch.setattr(Dataset, "take", take)
    return taken


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
def test_every_loss_learns_what_it_has_not_seen(loss, digits):
    trainer, _ = trained(digits, layers=dense_layers((32,), "tanh", "glorot_uniform"), loss=loss, epochs=12)
    assert trainer.history[-1].validation_accuracy > 0.75
    assert evaluate(trainer.network, make_digits(500, 77), trainer.loss).accuracy > 0.75


NOISY = {"layers": READER, "augmentation": Augmentation(shift=1, elastic=0.5, noise=0.05), "averaging": 0.9}


@pytest.mark.parametrize("changes", [{}, NOISY], ids=["plain", "noisy"])
def test_same_seed_same_bits(tiny, changes):
    first, _ = trained(tiny, seed=5, **changes)
    second, _ = trained(tiny, seed=5, **changes)
    assert first.network.values.tobytes() == second.network.values.tobytes()
    assert first.result.values.tobytes() == second.result.values.tobytes()
    other, _ = trained(tiny, seed=6, **changes)
    assert first.network.values.tobytes() != other.network.values.tobytes()


def test_a_convolutional_network_learns_what_it_has_not_seen(digits):
    trainer, _ = trained(digits, layers=READER, epochs=8, learning_rate=0.01)
    assert evaluate(trainer.network, make_digits(500, 77), trainer.loss).accuracy > 0.6


def test_what_one_random_stream_draws_does_not_move_the_others(tiny, monkeypatch):
    """Another network leaves split and order as they are; another split size leaves the weights."""

    def run(**changes):
        trainer = Trainer.from_config(Config(**(SMALL | {"epochs": 1} | changes)), tiny)
        weights, taken = trainer.network.parameters.copy(), batches_of(trainer, monkeypatch)
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
def test_each_epoch_takes_every_image_once_in_batches_of_the_size_asked(batch_size, sizes, monkeypatch):
    config = Config(**(SMALL | {"batch_size": batch_size, "validation_size": 0, "epochs": 3}))
    trainer = Trainer.from_config(config, make_digits(50))
    taken = batches_of(trainer, monkeypatch)
    list(trainer)
    assert [len(batch) for batch in taken] == sizes * 3
    orders = [np.concatenate(taken[i : i + len(sizes)]) for i in range(0, len(taken), len(sizes))]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert (orders[0] != orders[1]).any()
    assert (orders[1] != orders[2]).any()


def test_events_come_in_order_and_count_steps_and_epochs(tiny):
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


def test_epoch_figures_are_means_over_images_and_validation_is_measured_after(tiny):
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


def test_split_is_disjoint_whole_and_of_the_size_asked(tiny):
    trainer = Trainer.from_config(Config(**(SMALL | {"validation_size": 123})), tiny)
    assert len(trainer.validation_set) == 123
    assert len(trainer.train_set) == 477
    rows = np.concatenate([trainer.train_set.rows, trainer.validation_set.rows])
    np.testing.assert_array_equal(np.sort(rows), np.arange(600))
    assert np.shares_memory(trainer.train_set.images, tiny.images)


def test_the_seed_draws_the_split(tiny):
    rows = [Trainer.from_config(Config(**(SMALL | {"seed": seed})), tiny).validation_set.rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_the_seed_draws_the_order(monkeypatch):
    orders = []
    for seed in (0, 0, 1):
        trainer = Trainer.from_config(Config(**(SMALL | {"validation_size": 0, "epochs": 1, "seed": seed})), make_digits(50))
        taken = batches_of(trainer, monkeypatch)
        list(trainer)
        orders.append(np.concatenate(taken).tolist())
    assert orders[0] == orders[1] != orders[2]


def test_without_validation_its_figures_are_none(tiny):
    trainer, _ = trained(tiny, validation_size=0)
    assert trainer.validation_set is None
    assert len(trainer.train_set) == 600
    assert {(event.validation_loss, event.validation_accuracy) for event in trainer.history} == {(None, None)}


def test_fewer_images_are_the_first_ones(tiny):
    trainer = Trainer.from_config(Config(**(SMALL | {"images": 150, "validation_size": 30})), tiny)
    rows = np.concatenate([trainer.train_set.rows, trainer.validation_set.rows])
    np.testing.assert_array_equal(np.sort(rows), np.arange(150))


def test_a_set_smaller_than_its_validation_split_keeps_something_to_learn():
    trainer = Trainer.from_config(Config(patience=1), make_digits(12))
    assert len(trainer.train_set) >= 1
    assert isinstance(list(trainer)[-1], Finished)


def test_a_single_image_is_learned_but_leaves_nothing_for_patience_to_watch():
    assert isinstance(list(Trainer.from_config(Config(epochs=2), make_digits(1)))[-1], Finished)
    with pytest.raises(InklingError, match="patience"):
        Trainer.from_config(Config(patience=1, epochs=2), make_digits(1))


def test_leaving_the_loop_and_coming_back_changes_nothing(tiny):
    whole, events = trained(tiny)
    trainer = Trainer.from_config(Config(**SMALL), tiny)
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


@pytest.mark.parametrize("validation_size", [0, 100])
@pytest.mark.parametrize(
    ("loss", "optimizer", "rate"), [("mse", "sgd", 10), ("mse", "momentum", 5), ("cross_entropy", "sgd", 10)]
)
def test_divergence_is_told_and_leaves_the_last_finite_network(tiny, loss, optimizer, rate, validation_size):
    layers = dense_layers((16, 16, 16, 16, 16), "identity")  # a product of six matrices soon leaves float32
    changes = {"layers": layers, "loss": loss, "optimizer": optimizer, "learning_rate": rate}
    config = Config(**(SMALL | changes | {"epochs": 30, "validation_size": validation_size}))

    trainer = Trainer.from_config(config, tiny)
    events = list(trainer)
    end = events[-1]
    assert isinstance(end, Diverged)
    assert not np.isfinite(end.loss)
    assert end.step == trainer.step
    assert np.isfinite(trainer.network.parameters).all()
    assert list(trainer) == []

    twin = Trainer.from_config(config, tiny)
    held = {0: twin.network.parameters.copy()}  # the parameters after each step
    for event in twin:
        if isinstance(event, StepEnd):
            held[event.step] = twin.network.parameters.copy()
    losses = {event.step - 1: event.loss for event in events if isinstance(event, StepEnd)}  # of the network before it
    assert np.isfinite(list(losses.values())).all()
    np.testing.assert_array_equal(trainer.network.parameters, held[max(losses)])


def test_divergence_warns_nobody_on_stderr(tiny, recwarn):
    trained(tiny, layers=dense_layers((16, 16, 16), "identity"), loss="mse", optimizer="sgd", learning_rate=10)
    assert not recwarn.list


def test_early_stopping_puts_the_best_network_back():
    changes = {"patience": 3, "epochs": 200, "learning_rate": 0.003, "validation_size": 100}
    trainer = Trainer.from_config(Config(**(SMALL | changes)), make_noise(300))  # sooner or later it gets only worse
    at_epoch = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            at_epoch[event.epoch] = event.validation_loss, trainer.network.parameters.copy()
    assert isinstance(event, Finished)
    assert event.stopped_early
    best = min(at_epoch, key=lambda epoch: at_epoch[epoch][0])
    assert event.best_epoch == best
    assert event.epoch == max(at_epoch) == best + 3
    np.testing.assert_array_equal(trainer.network.parameters, at_epoch[best][1])


def test_without_patience_the_last_network_stays(tiny):
    trainer = Trainer.from_config(Config(**(SMALL | {"learning_rate": 0.05, "epochs": 5})), tiny)
    for event in trainer:
        if isinstance(event, EpochEnd):
            last = trainer.network.parameters.copy()
    np.testing.assert_array_equal(trainer.network.parameters, last)


def test_training_leaves_the_data_alone(tiny):
    before = tiny.images.tobytes(), tiny.labels.tobytes()
    trained(tiny)
    assert (tiny.images.tobytes(), tiny.labels.tobytes()) == before


def test_without_shuffling_the_images_come_as_they_stand(monkeypatch):
    config = Config(**(SMALL | {"shuffle": False, "validation_size": 0, "batch_size": 20}))
    trainer = Trainer.from_config(config, make_digits(50))
    taken = batches_of(trainer, monkeypatch)
    list(trainer)
    np.testing.assert_array_equal(np.concatenate(taken), [*range(50), *range(50)])


def test_labels_that_have_no_output_are_refused(tiny):
    with pytest.raises(InklingError, match="labels must be below 10"):
        Trainer.from_config(Config(**SMALL), Dataset(tiny.images, tiny.labels + np.uint8(2)))


def test_images_of_no_digit_make_a_network_unsure_of_them_and_count_in_no_accuracy(tiny):
    noise = np.random.default_rng(3).integers(0, 256, (600, 28, 28), dtype=np.uint8)
    images, labels = np.concatenate([tiny.images, noise]), np.concatenate([tiny.labels, np.full(600, NO_DIGIT, np.uint8)])
    both, order = Dataset(images, labels), np.random.default_rng(4).permutation(1200)
    trainer = Trainer.from_config(Config(**SMALL | {"epochs": 8, "validation_size": 200}), both.subset(order))
    list(trainer)
    last = trainer.history[-1]
    assert last.accuracy > 0.8  # of the digits alone; of all it could only be a half
    assert last.validation_accuracy > 0.6
    held_back = trainer.validation_set.own_labels
    assert trainer.validation.images == np.count_nonzero(held_back != NO_DIGIT) == trainer.validation.confusion.sum() < 200
    fresh = np.random.default_rng(5).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    assert np.median(trainer.network.predict_proba(fresh).max(axis=1)) < 0.3
    assert np.median(trainer.network.predict_proba(tiny.images[:100]).max(axis=1)) > 0.6


def test_a_very_large_batch_goes_through_in_parts_with_the_same_result(tiny, monkeypatch):
    def run(part):
        monkeypatch.setattr("engine.network.WORKING_NUMBERS", part * 800)  # the 784 + 16 numbers of its largest layer
        changes = {"optimizer": "momentum", "learning_rate": 0.1, "clip_norm": 0.5, "label_smoothing": 0.1}
        return trained(tiny, batch_size=None, epochs=2, **changes)

    (whole, _), (parts, _) = run(10_000), run(64)
    np.testing.assert_allclose(parts.network.values, whole.network.values, atol=1e-5)
    for expected, got in zip(whole.history, parts.history, strict=True):
        assert got[:-2] == pytest.approx(expected[:-2], rel=1e-4)


# --- what joins the gradient, and what follows the step ---


def ready(dataset, **changes):
    """A trainer by plain gradient descent, no weight or bias of which is at zero."""
    plain = {"layers": dense_layers((8,), "tanh"), "optimizer": "sgd", "learning_rate": 0.1, "batch_size": 60, "epochs": 2}
    trainer = Trainer.from_config(Config(**(plain | {"validation_size": 0} | changes)), dataset)
    parameters = trainer.network.parameters
    parameters += np.random.default_rng(40).normal(0, 0.1, parameters.size).astype(np.float32)
    return trainer


def next_gradient(trainer):
    """The loss's gradient for the batch that comes next, in float64."""
    network = trainer.network
    twin = Network(network.layers, network.input_shape, dtype=np.float64)
    twin.values[:] = network.values
    images, labels = trainer.train_set.take(trainer.order[trainer.position : trainer.position + trainer.batch_size])
    outputs = twin.forward(images.reshape(-1, *network.input_shape) / 255.0, training=True)
    _, gradient = trainer.loss(outputs, labels, trainer.config.label_smoothing)
    twin.backward(gradient)
    return twin.gradients


def one_step(trainer):
    """How far the next step moves each parameter."""
    before = trainer.network.parameters.astype(np.float64)
    assert isinstance(next(trainer), StepEnd)
    return trainer.network.parameters - before


def test_a_gradient_longer_than_the_limit_is_followed_at_that_length_and_a_shorter_one_as_it_is(tiny):
    length = np.linalg.norm(next_gradient(ready(tiny)))
    for limit, expected in ((length / 7, length / 7), (length * 0.999, length * 0.999), (length * 1.001, length)):
        trainer = ready(tiny, clip_norm=float(limit))
        gradient, moved = next_gradient(trainer), one_step(trainer)
        assert np.linalg.norm(moved / 0.1) == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(moved / -0.1, gradient * expected / length, atol=2e-6)


def test_a_frozen_layers_gradient_does_not_count_in_the_length(tiny):
    layers = Dense(8, frozen=True), Activation("tanh"), Dense(10)
    trainer = ready(tiny, layers=layers, clip_norm=1e-3)
    assert np.linalg.norm(one_step(trainer)) == pytest.approx(1e-4, rel=1e-3)


def test_l1_pulls_weights_to_zero_by_the_same_amount_and_spares_biases(tiny):
    trainer, plain = ready(tiny, l1=0.02), ready(tiny)
    signs = np.sign(trainer.network.parameters)
    signs[trainer.network.decayed :] = 0
    np.testing.assert_allclose(one_step(trainer), one_step(plain) - 0.1 * 0.02 * signs, atol=1e-6)


def test_l1_makes_sparse_weights(tiny):
    small = {}
    for l1 in (0, 0.003):
        trainer, _ = trained(tiny, l1=l1, epochs=30, learning_rate=0.005)
        weights = trainer.network.parameters[: trainer.network.decayed]
        small[l1] = np.mean(np.abs(weights) < 0.005)
    assert small[0.003] > 5 * small[0] > 0


def test_weight_decay_spares_what_batch_norm_learns(tiny):
    layers = Dense(8), BatchNorm(), Activation("relu"), Dense(10)
    plain, decayed = (ready(tiny, layers=layers, weight_decay=decay) for decay in (0, 0.5))
    weights = plain.network.parameters.astype(np.float64)
    weights[plain.network.decayed :] = 0
    np.testing.assert_allclose(one_step(decayed), one_step(plain) - 0.1 * 0.5 * weights, atol=1e-6)


def test_smoothed_labels_are_trained_towards_and_validation_is_measured_without(tiny):
    trainer = ready(tiny, label_smoothing=0.3, validation_size=100, epochs=1)
    plain = ready(tiny, validation_size=100, epochs=1)
    gradient = next_gradient(trainer)
    assert np.abs(gradient - next_gradient(plain)).max() > 1e-3
    np.testing.assert_allclose(one_step(trainer), -0.1 * gradient, atol=1e-6)
    *_, end, _ = trainer
    after = evaluate(trainer.network, trainer.validation_set, LOSSES["cross_entropy"])
    assert end.validation_loss == after.loss


# --- averaging ---


@pytest.mark.parametrize("layers", [dense_layers((8,)), READER], ids=["dense", "with statistics"])
@pytest.mark.parametrize("decay", [0, 0.5, 0.97])
def test_the_average_is_the_slow_one(layers, decay, tiny):
    trainer = Trainer.from_config(Config(**(SMALL | {"layers": layers, "averaging": decay, "images": 400})), tiny)
    slow = trainer.network.values.astype(np.float64)
    steps = 0
    for event in trainer:
        if isinstance(event, StepEnd):
            keep = min(decay, (1 + steps) / (10 + steps))  # the ramp of tf.train.ExponentialMovingAverage
            slow = np.array([keep * a + (1 - keep) * v for a, v in zip(slow, trainer.network.values.tolist(), strict=True)])
            steps += 1
            assert trainer.result is trainer.average
    assert steps == 20
    np.testing.assert_allclose(trainer.average.values, slow, rtol=1e-4, atol=1e-6)
    if decay == 0.97:
        assert np.abs(trainer.average.values - trainer.network.values).max() > 1e-3


def test_averaging_leaves_the_training_itself_alone_and_is_what_validation_measures(tiny):
    plain, _ = trained(tiny)
    averaged, _ = trained(tiny, averaging=0.9)
    np.testing.assert_array_equal(averaged.network.values, plain.network.values)
    measured = evaluate(averaged.average, averaged.validation_set, averaged.loss)
    assert averaged.history[-1].validation_loss == measured.loss
    assert plain.result is plain.network


def test_early_stopping_puts_the_best_average_back():
    changes = {"patience": 3, "epochs": 200, "learning_rate": 0.003, "validation_size": 100, "averaging": 0.9}
    trainer = Trainer.from_config(Config(**(SMALL | changes)), make_noise(300))
    at_epoch = {}
    for event in trainer:
        if isinstance(event, EpochEnd):
            at_epoch[event.epoch] = trainer.average.values.copy()
    assert event.stopped_early
    np.testing.assert_array_equal(trainer.result.values, at_epoch[event.best_epoch])


@pytest.mark.parametrize("decay", [0.1, 0.99])
@pytest.mark.parametrize(("loss", "rate"), [("mse", 10), ("cross_entropy", 10), ("sse", 1)])
def test_after_a_divergence_the_average_still_reads_images(loss, rate, decay, tiny):
    layers = dense_layers((16, 16, 16, 16, 16), "identity")
    changes = {"layers": layers, "loss": loss, "optimizer": "sgd", "learning_rate": rate, "averaging": decay, "epochs": 30}
    trainer, events = trained(tiny, **changes)
    assert isinstance(events[-1], Diverged)
    assert np.isfinite(trainer.result.values).all()
    assert np.isfinite(trainer.result.predict_proba(tiny.images)).all()
    assert np.isfinite(trainer.network.predict_proba(tiny.images)).all()


# --- frozen layers ---

FROZEN = (
    *(Conv2D(4, 5, stride=3, frozen=True), BatchNorm(frozen=True), Activation("relu"), Conv2D(6, 3), BatchNorm()),
    *(Activation("relu"), Flatten(), Dense(12, frozen=True), Activation("tanh"), Dense(10)),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_layers_keep_their_bits_and_the_others_move(optimizer, tiny):
    changes = {"weight_decay": 0.1, "l1": 0.01, "clip_norm": 1.0, "averaging": 0.9, "schedule": "one_cycle"}
    trainer = Trainer.from_config(Config(**(SMALL | changes | {"layers": FROZEN, "optimizer": optimizer})), tiny)
    layers = trainer.network.layers
    rng = np.random.default_rng(50)
    for name in ("gamma", "beta", "mean", "variance"):
        getattr(layers[1], name)[:] = rng.uniform(0.5, 1.5, 4)
    trainer.average.values[:] = trainer.network.values
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


ARRAYS = {"W", "b", "gamma", "beta", "mean", "variance"}


def test_what_stands_before_a_frozen_layer_learns_as_if_it_were_not(tiny):
    def moved(frozen):
        layers = Dense(8), Activation("tanh"), Dense(6, frozen=frozen), BatchNorm(), Activation("tanh"), Dense(10)
        trainer = Trainer.from_config(Config(**(SMALL | {"layers": layers, "optimizer": "sgd", "learning_rate": 0.5})), tiny)
        next(trainer)
        return [(layer.W.copy(), layer.b.copy()) for layer in trainer.network.layers if isinstance(layer, Dense)]

    thawed, frozen = moved(False), moved(True)
    for position in (0, 2):
        for a, b in zip(thawed[position], frozen[position], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)
    assert np.abs(thawed[1][0] - frozen[1][0]).max() > 1e-4


def test_a_network_that_is_frozen_whole_stays_as_it_is(tiny):
    layers = Dense(8, frozen=True), Activation("relu"), Dense(10, frozen=True)
    trainer = Trainer.from_config(Config(**(SMALL | {"layers": layers, "clip_norm": 1.0, "weight_decay": 0.1})), tiny)
    before = trainer.network.values.tobytes()
    assert isinstance(list(trainer)[-1], Finished)
    assert trainer.network.values.tobytes() == before


# --- changing a running training ---


def test_a_new_learning_rate_moves_the_next_step_by_as_much_more(tiny):
    plain, changed = ready(tiny), ready(tiny)
    for trainer in (plain, changed):
        list(islice(trainer, 3))
    changed.change(learning_rate=0.4)
    np.testing.assert_array_equal(changed.network.values, plain.network.values)  # not before the step
    np.testing.assert_allclose(one_step(changed), 4 * one_step(plain), atol=1e-6)
    assert changed.learning_rate == 0.4


def test_the_schedule_goes_on_from_where_it_is_under_a_new_rate(tiny):
    trainer = ready(tiny, schedule="cosine")
    list(islice(trainer, 10))
    before = trainer.learning_rate
    trainer.change(learning_rate=0.3)
    assert before < 0.1
    assert trainer.learning_rate == pytest.approx(3 * before)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_a_new_momentum_reaches_the_optimizer_and_keeps_its_velocity(optimizer, tiny):
    trainer = ready(tiny, optimizer=optimizer, momentum=0.9)
    list(islice(trainer, 4))
    velocity = trainer.optimizer.state["velocity"].astype(np.float64)
    trainer.change(momentum=0.5)
    gradient = next_gradient(trainer)
    after = 0.5 * velocity - 0.1 * gradient
    expected = after if optimizer == "momentum" else 0.5 * after - 0.1 * gradient
    np.testing.assert_allclose(one_step(trainer), expected, atol=1e-6)
    assert np.abs(velocity).max() > 1e-3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_new_weight_decay_shrinks_the_weights_from_the_next_step(optimizer, tiny):
    plain, changed = ready(tiny, optimizer=optimizer), ready(tiny, optimizer=optimizer)
    for trainer in (plain, changed):
        list(islice(trainer, 3))
    changed.change(weight_decay=0.5)
    weights = changed.network.parameters.astype(np.float64)
    weights[changed.network.decayed :] = 0
    np.testing.assert_allclose(one_step(changed), one_step(plain) - 0.1 * 0.5 * weights, atol=1e-6)


def test_a_new_batch_size_in_the_middle_of_an_epoch_still_takes_each_image_once(monkeypatch):
    config = Config(**(SMALL | {"validation_size": 0, "batch_size": 20, "epochs": 3}))
    trainer = Trainer.from_config(config, make_digits(100))
    taken = batches_of(trainer, monkeypatch)
    list(islice(trainer, 2))
    trainer.change(batch_size=25)
    list(islice(trainer, 2))
    trainer.change(batch_size=7)
    progress = [trainer.progress for event in trainer if isinstance(event, StepEnd)]
    assert [len(batch) for batch in taken] == [20, 20, 25, 25, 7, 3, *([7] * 14 + [2]) * 2]
    for order in np.split(np.concatenate(taken), 3):
        np.testing.assert_array_equal(np.sort(order), np.arange(100))
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert [(event.epoch, event.step) for event in trainer.history] == [(1, 6), (2, 21), (3, 36)]


def test_the_full_batch_can_be_asked_for_on_the_way(monkeypatch):
    trainer = Trainer.from_config(Config(**(SMALL | {"validation_size": 0, "batch_size": 10})), make_digits(50))
    taken = batches_of(trainer, monkeypatch)
    next(trainer)
    trainer.change(batch_size=None)
    list(trainer)
    assert [len(batch) for batch in taken] == [10, 40, 50]


def test_changes_are_recorded_as_plain_numbers_with_the_step_they_followed(tiny):
    trainer = ready(tiny)
    assert trainer.changes == []
    list(islice(trainer, 2))
    trainer.change(learning_rate=np.float32(0.25), batch_size=np.int64(30))
    next(trainer)
    trainer.change(momentum=0.5)
    trainer.change(momentum=0.5, learning_rate=0.25)  # as they are already: nothing to note
    expected = [(2, {"learning_rate": 0.25, "batch_size": 30}), (3, {"momentum": 0.5})]
    assert [(change.step, change.values) for change in trainer.changes] == expected
    np.testing.assert_allclose([change.epoch for change in trainer.changes], [120 / 600, 150 / 600])
    assert [type(value) for value in trainer.changes[0].values.values()] == [float, int]
    assert (trainer.config.learning_rate, trainer.config.batch_size, trainer.config.momentum) == (0.25, 30, 0.5)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 5},
        {"seed": 1},
        {"layers": dense_layers((4,))},
        {"optimizer": "sgd"},
        {"no_such": 1},
        {"learning_rate": 0.1, "epochs": 5},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"learning_rate": float("nan")},
        {"learning_rate": None},
        {"momentum": 1},
        {"weight_decay": -1},
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"learning_rate": 0.2, "batch_size": -1},
    ],
    ids=str,
)
def test_other_changes_are_refused_in_one_line_and_change_nothing(values, tiny):
    trainer, plain = ready(tiny, optimizer="momentum"), ready(tiny, optimizer="momentum")
    for training in (trainer, plain):
        next(training)
    with pytest.raises(InklingError) as caught:
        trainer.change(**values)
    assert "\n" not in str(caught.value)
    assert list(values)[-1] in str(caught.value)
    assert trainer.config == plain.config
    assert trainer.changes == []
    np.testing.assert_array_equal(one_step(trainer), one_step(plain))


def test_the_config_given_to_a_trainer_is_not_changed_with_it(tiny):
    config = Config(**SMALL)
    trainer = Trainer.from_config(config, tiny)
    trainer.change(learning_rate=0.5)
    assert config == Config(**SMALL)
    assert trainer.config == replace(config, learning_rate=0.5)


# --- how fast it would be ---


@pytest.mark.parametrize(
    "changes", [{}, {"batch_size": None}, {"batch_size": 7}, {"layers": READER, "patience": 3}], ids=str
)
def test_the_seconds_of_an_image_are_measured_in_little_time_and_are_near_the_real_ones(changes):
    dataset = make_digits(1_500)
    config = Config(**({"layers": dense_layers((32,)), "batch_size": 64, "epochs": 2} | changes))
    before = dataset.images.tobytes()
    started = perf_counter()
    training, validating = measure_seconds(config, dataset, window=0.02, windows=3)
    assert perf_counter() - started < 2
    trainer = Trainer.from_config(config, dataset)
    list(trainer)
    speed = trainer.samples_per_second
    assert speed / 6 < 1 / training < speed * 6  # other programs may be at work
    assert 0 < validating < training
    assert dataset.images.tobytes() == before


def test_a_rate_at_which_it_would_diverge_does_not_keep_the_seconds_from_being_measured(tiny):
    layers = dense_layers((16, 16, 16, 16), "identity")
    config = Config(layers=layers, loss="sse", optimizer="sgd", learning_rate=10)
    assert min(measure_seconds(config, tiny, window=0.01, windows=2)) > 0


def test_complete_says_that_no_batch_is_left(tiny):
    trainer = Trainer.from_config(Config(**SMALL), tiny)
    told = [(trainer.complete, type(event)) for event in trainer]
    assert all(kind in (EpochEnd, Finished) for complete, kind in told if complete)
    assert [complete for complete, _ in told] == [False] * (len(told) - 2) + [True, True]


# --- beginning with another network ---


@pytest.mark.parametrize("layers", [dense_layers((16,)), READER], ids=["dense", "images"])
def test_a_training_begins_with_the_network_it_is_given(layers, tiny):
    config = Config(**(SMALL | {"layers": layers, "averaging": 0.9}))
    first = Trainer.from_config(config, tiny)
    list(first)
    held = first.network.values.copy()
    second = Trainer.from_config(replace(config, learning_rate=0.001), tiny, first.network)
    assert second.network.values.tobytes() == second.average.values.tobytes() == held.tobytes()
    assert next(second).loss < next(Trainer.from_config(config, tiny)).loss
    assert first.network.values.tobytes() == held.tobytes()  # a network in use never changes


def test_how_its_weights_were_drawn_does_not_matter(tiny):
    start = Network(dense_layers((16,), initializer="glorot_uniform"), rng=np.random.default_rng(8))
    assert Trainer.from_config(Config(**SMALL), tiny, start).network.values.tobytes() == start.values.tobytes()


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
def test_a_network_of_other_layers_is_no_beginning(layers, words, tiny):
    with pytest.raises(InklingError, match=words):
        Trainer.from_config(Config(**SMALL), tiny, Network(layers))
