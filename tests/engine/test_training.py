import numpy as np
import pytest
from helpers import make_digits, make_noise

from engine.config import Config
from engine.data import Dataset
from engine.layers import Activation, Dense
from engine.losses import LOSSES
from engine.metrics import evaluate
from engine.network import Network, dense_layers
from engine.optimizers import OPTIMIZERS
from engine.training import Diverged, EpochEnd, Finished, StepEnd, Trainer

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
def test_every_loss_learns_what_it_has_not_seen(loss, tiny):
    trainer, _ = trained(tiny, layers=dense_layers((32,), "tanh", "glorot_uniform"), loss=loss, epochs=25)
    assert trainer.history[-1].validation_accuracy > 0.9
    assert evaluate(trainer.network, make_digits(200, 77), trainer.loss).accuracy > 0.9


def test_same_seed_same_bits(tiny):
    first, _ = trained(tiny, seed=5)
    second, _ = trained(tiny, seed=5)
    assert first.network.parameters.tobytes() == second.network.parameters.tobytes()
    other, _ = trained(tiny, seed=6)
    assert first.network.parameters.tobytes() != other.network.parameters.tobytes()


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


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 50), (20, [20, 20, 10]), (50, [50]), (None, [50]), (999, [50])])
def test_each_epoch_takes_every_image_once_in_batches_of_the_size_asked(batch_size, sizes, monkeypatch):
    config = Config(**(SMALL | {"batch_size": batch_size, "validation_size": 0, "epochs": 3}))
    trainer = Trainer.from_config(config, make_digits(50))
    assert trainer.steps_per_epoch == len(sizes)
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


def test_a_single_image_is_learned_even_when_patience_was_asked():
    trainer = Trainer.from_config(Config(patience=1, epochs=2), make_digits(1))
    assert isinstance(list(trainer)[-1], Finished)


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
