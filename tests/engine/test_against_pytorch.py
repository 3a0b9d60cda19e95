"""The engine against PyTorch: the same inputs must give the same outputs."""

import importlib

import numpy as np
import pytest
from examples import LAYER_EXAMPLES, NETWORK_EXAMPLES, READER
from helpers import make_digits, need

from engine.activations import ACTIVATIONS
from engine.attribution import contrast, gradient_times_input, integrated_gradients
from engine.config import Config
from engine.data import Dataset
from engine.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from engine.losses import LOSSES
from engine.network import Network, image_shape
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES
from engine.training import StepEnd, Trainer

CLOSE = {"rtol": 1e-9, "atol": 1e-11}  # for float64
CASES = [
    pytest.param(layer, shape, id=f"{layer} on {'x'.join(map(str, shape))}")
    for rows in LAYER_EXAMPLES.values()
    for layer, shape in rows
    if not isinstance(layer, Dropout)
]


@pytest.fixture(scope="module")
def torch():
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError:
        need("peers", "PyTorch is not installed; tests/peers.txt has it")
    torch.set_num_threads(1)
    return torch


def activation(torch, name):
    return {
        "relu": torch.nn.ReLU,
        "leaky_relu": lambda: torch.nn.LeakyReLU(0.01),
        "sigmoid": torch.nn.Sigmoid,
        "tanh": torch.nn.Tanh,
        "gelu": lambda: torch.nn.GELU(approximate="tanh"),
        "identity": torch.nn.Identity,
        "softmax": lambda: torch.nn.Softmax(dim=-1),
    }[name]()


def module(torch, layer, input_shape):
    """PyTorch's layer of the same kind and sizes."""
    nn = torch.nn
    match layer.kind:
        case "dense":
            return nn.Linear(*input_shape, layer.units)
        case "conv2d":
            return nn.Conv2d(input_shape[0], layer.filters, layer.kernel, layer.stride, layer.padding)
        case "max_pool2d":
            return nn.MaxPool2d(layer.size, layer.stride)
        case "avg_pool2d":
            return nn.AvgPool2d(layer.size, layer.stride)
        case "flatten":
            return nn.Flatten()
        case "batch_norm":
            kind = nn.BatchNorm1d if len(input_shape) == 1 else nn.BatchNorm2d
            return kind(input_shape[0], layer.epsilon, layer.momentum)
        case "dropout":
            return nn.Dropout(layer.rate)
        case "activation":
            return activation(torch, layer.function)
    raise AssertionError(f"add PyTorch's {layer.kind} to this function")


# PyTorch's names of the engine's arrays.
NAMES = {
    "dense": {"W": "weight", "b": "bias"},  # its weight is transposed
    "conv2d": {"W": "weight", "b": "bias"},
    "batch_norm": {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"},
}


def counterparts(network, twin, gradients=False):
    """Pairs of the engine's array and PyTorch's, in the engine's layout, of parameters and buffers, or of gradients."""
    for layer, torch_layer in zip(network.layers, twin, strict=True):
        for name, torch_name in NAMES.get(layer.kind, {}).items():
            array, tensor = getattr(layer, name), getattr(torch_layer, torch_name)
            if gradients and tensor.requires_grad:
                array, tensor = getattr(layer, "d" + name), tensor.grad
            yield array, tensor.T if layer.kind == "dense" and name == "W" else tensor


def make_twin(torch, network):
    """PyTorch's network with the same layers and state, in training mode except for frozen layers."""
    shape, torch_layers = network.input_shape, []
    for layer in network.layers:
        torch_layers.append(module(torch, layer, shape).train(not layer.frozen))
        shape = layer.output_shape(shape)
    twin = torch.nn.Sequential(*torch_layers).to(
        torch.float64 if network.state_vector.dtype == np.float64 else torch.float32
    )
    with torch.no_grad():
        for array, tensor in counterparts(network, twin):
            tensor.copy_(torch.from_numpy(array.copy()))
    return twin


def filled(layers, input_shape, rows=6):
    """A float64 network without zeros, inputs, and weights for a sum of its outputs."""
    rng = np.random.default_rng(60)
    network = Network(layers, input_shape, dtype=np.float64)
    network.parameters[:] = rng.normal(size=network.parameters.size)
    network.state_vector[network.parameters.size :] = rng.uniform(
        0.5, 2, network.state_vector.size - network.parameters.size
    )
    return network, rng.normal(size=(rows, *input_shape)), rng.normal(size=(rows, *network.output_shape))


def check_agreement(torch, network, x, weights):
    """Compare a forward pass in training, all gradients, the buffers, and a forward pass outside training."""
    twin, inputs = make_twin(torch, network), torch.tensor(x, requires_grad=True)
    outputs = twin(inputs)
    (outputs * torch.from_numpy(weights)).sum().backward()
    for layer in network.layers:
        layer.rng = np.random.default_rng(0)
    np.testing.assert_allclose(network.forward(x, training=True), outputs.detach(), **CLOSE)
    np.testing.assert_allclose(network.backward(weights, input_gradient=True), inputs.grad, **CLOSE)
    for gradients in (False, True):
        for array, tensor in counterparts(network, twin, gradients):
            np.testing.assert_allclose(array, tensor.detach(), **CLOSE)
    np.testing.assert_allclose(network.forward(x), twin.eval()(torch.from_numpy(x)).detach(), **CLOSE)


@pytest.mark.parametrize(("layer", "input_shape"), CASES)
def test_layers(torch, layer, input_shape):
    check_agreement(torch, *filled((layer,), input_shape))


@pytest.mark.parametrize("name", NETWORK_EXAMPLES)
def test_networks_of_many_layers(torch, name):
    layers, input_shape = NETWORK_EXAMPLES[name]
    layers = [Dropout(0) if isinstance(layer, Dropout) else layer for layer in layers]
    check_agreement(torch, *filled(layers, input_shape))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_gives_the_same_values(torch, rate):
    """The random numbers differ, but the values that a number can become are the same."""
    network = Network((Dropout(rate),), (100,), dtype=np.float64)
    network.layers[0].rng = np.random.default_rng(61)
    ones = np.ones((500, 100))
    ours, theirs = network.forward(ones, training=True), torch.nn.Dropout(rate)(torch.from_numpy(ones)).numpy()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-12)
    assert (ours == 0).mean() == pytest.approx((theirs == 0).mean(), abs=0.02)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_gradients(torch, name):
    z = np.linspace(-8, 8, 321).reshape(-1, 3)  # includes zero, where some have a kink
    weights = np.random.default_rng(62).normal(size=z.shape)
    tensor = torch.tensor(z, requires_grad=True)
    outputs = activation(torch, name)(tensor)
    (outputs * torch.from_numpy(weights)).sum().backward()
    a = ACTIVATIONS[name].forward(z)
    np.testing.assert_allclose(a, outputs.detach(), **CLOSE)
    np.testing.assert_allclose(ACTIVATIONS[name].backward(weights, z, a), tensor.grad, **CLOSE)


def torch_loss(torch, name, outputs, labels, smoothing):
    functional = torch.nn.functional
    if name == "cross_entropy":
        return functional.cross_entropy(outputs, labels, label_smoothing=smoothing)
    classes = outputs.shape[1]
    target = functional.one_hot(labels, classes).to(outputs.dtype) * (1 - smoothing) + smoothing / classes
    if name == "sse":
        return functional.mse_loss(outputs, target, reduction="sum") / len(labels)
    return functional.mse_loss(outputs.softmax(dim=1) if name == "softmax_mse" else outputs, target)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_labels_that_are_none_of_the_classes_are_soft_targets(torch, name, smoothing):
    functional, rng = torch.nn.functional, np.random.default_rng(64)
    outputs, labels = rng.normal(0, 3, (9, 10)), np.array([3, 10, 0, 10, 10, 9, 1, 5, 10], np.uint8)
    target = (
        functional.one_hot(torch.from_numpy(labels.astype(np.int64)), 11)[:, :10].double() * (1 - smoothing) + smoothing / 10
    )
    target[labels == 10] = 0.1
    tensor = torch.tensor(outputs, requires_grad=True)
    if name == "cross_entropy":
        expected = functional.cross_entropy(tensor, target)
    else:
        predicted = tensor.softmax(dim=1) if name == "softmax_mse" else tensor
        expected = functional.mse_loss(predicted, target) * (10 if name == "sse" else 1)
    expected.backward()
    loss, gradient = LOSSES[name](outputs, labels, smoothing)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad, **CLOSE)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("smoothing", [0, 0.1, 0.5])
def test_losses_and_their_gradients(torch, name, smoothing):
    rng = np.random.default_rng(63)
    outputs, labels = rng.normal(0, 3, (9, 10)), rng.integers(0, 10, 9)
    tensor = torch.tensor(outputs, requires_grad=True)
    expected = torch_loss(torch, name, tensor, torch.from_numpy(labels), smoothing)
    expected.backward()
    loss, gradient = LOSSES[name](outputs, labels, smoothing)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad, **CLOSE)


def torch_optimizer(torch, name, parameters, lr, momentum=0.9):
    optim = torch.optim
    return {
        "sgd": lambda: optim.SGD(parameters, lr),
        "momentum": lambda: optim.SGD(parameters, lr, momentum=momentum),  # equal if the learning rate is constant
        "nesterov": lambda: optim.SGD(parameters, lr, momentum=momentum, nesterov=True),
        "rmsprop": lambda: optim.RMSprop(parameters, lr, alpha=0.99, eps=1e-8),
        "adam": lambda: optim.Adam(parameters, lr),
        "adamw": lambda: optim.AdamW(parameters, lr, weight_decay=0),
    }[name]()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_of_each_optimizer(torch, name):
    rng = np.random.default_rng(64)
    parameters, gradients = rng.normal(size=50), rng.normal(size=(20, 50)) * np.logspace(-8, 2, 50)
    tensor = torch.tensor(parameters, requires_grad=True)
    reference = torch_optimizer(torch, name, [tensor], 0.03)
    optimizer = OPTIMIZERS[name]()
    optimizer.start(parameters)
    for gradient in gradients:
        tensor.grad = torch.tensor(gradient)
        reference.step()
        optimizer.step(parameters, gradient, 0.03)
        np.testing.assert_allclose(parameters, tensor.detach(), rtol=1e-9)


def torch_schedule(torch, name, optimizer, steps):
    scheduler = torch.optim.lr_scheduler
    return {
        "constant": lambda: scheduler.ConstantLR(optimizer, factor=1),
        "step": lambda: scheduler.StepLR(optimizer, steps // 3, gamma=0.1),
        "exponential": lambda: scheduler.ExponentialLR(optimizer, gamma=0.01 ** (1 / steps)),
        "cosine": lambda: scheduler.CosineAnnealingLR(optimizer, steps),
        # it counts both ends as steps, and rises for this fraction of them, minus one
        "one_cycle": lambda: scheduler.OneCycleLR(optimizer, 0.2, steps + 1, pct_start=(0.3 * steps + 1) / (steps + 1)),
        "warm_up": lambda: scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=steps // 10),
    }[name]()


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("epochs", "steps_per_epoch"), [(30, 1), (3, 10), (6, 50)])
def test_the_rate_of_every_step_of_each_schedule(torch, name, epochs, steps_per_epoch):
    steps = epochs * steps_per_epoch
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.2)
    reference, expected = torch_schedule(torch, name, optimizer, steps), []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        reference.step()
    rates = [0.2 * SCHEDULES[name](step / steps_per_epoch, epochs) for step in range(steps)]
    np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-15)


# --- trainings ---

LENET = (
    *(Conv2D(8, 5), BatchNorm(), Activation("relu"), MaxPool2D()),
    *(Conv2D(16, 5), BatchNorm(), Activation("relu"), MaxPool2D()),
    *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
)
MLP = Dense(32), BatchNorm(), Activation("gelu"), Dense(16, frozen=True), Activation("tanh"), Dense(10)


class Floats(Dataset):
    """A data set of floats; the training then has their precision."""

    dtype = np.float64

    def take(self, positions):
        images, labels = super().take(positions)
        return (images / 255).astype(self.dtype), labels


class SinglePrecision(Floats):
    dtype = np.float32


def steps_of_both(torch, kind, count=20, **changes):
    """Train in the engine and in PyTorch on the same batches; return the losses of both, and both networks."""
    config = Config(**({"layers": MLP, "batch_size": 64, "learning_rate": 0.002, "validation_size": 0} | changes))
    digits = make_digits(64 * count)
    network = Network(config.layers, rng=np.random.default_rng(65), dtype=kind.dtype)
    trainer = Trainer(network, config.make_optimizer(), kind(digits.images, digits.labels), None, config)
    twin = make_twin(torch, network)
    trainable = [(layer.kind, module) for layer, module in zip(network.layers, twin, strict=True) if not layer.frozen]
    weights = [module.weight for kind, module in trainable if kind in ("dense", "conv2d")]
    others = [p for _, module in trainable for p in module.parameters() if all(p is not weight for weight in weights)]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0}]
    optimizer = torch_optimizer(torch, config.optimizer, groups, config.learning_rate, config.momentum)
    losses = []
    for _ in range(count):
        images, labels = trainer.train_set.take(trainer.order[trainer.position : trainer.position + 64])
        x, labels = torch.from_numpy(images).reshape(-1, *network.input_shape), torch.from_numpy(labels).long()
        loss = torch_loss(torch, config.loss, twin(x), labels, config.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        if config.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(weights + others, config.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = trainer.learning_rate
        optimizer.step()
        event = next(trainer)
        assert isinstance(event, StepEnd)
        losses.append((event.loss, loss.item()))
    return np.array(losses).T, network, twin


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_twenty_steps_with_every_optimizer_and_loss_and_weight_decay(torch, optimizer, loss):
    rate = 0.02 if optimizer in ("sgd", "momentum", "nesterov") else 0.001
    changes = {"optimizer": optimizer, "loss": loss, "learning_rate": rate, "weight_decay": 0.05, "label_smoothing": 0.1}
    (ours, theirs), network, twin = steps_of_both(torch, Floats, **changes)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    for array, tensor in counterparts(network, twin):
        np.testing.assert_allclose(array, tensor.detach(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("limit", [0.01, 0.3, 100])
def test_clipping(torch, limit):
    (ours, theirs), network, twin = steps_of_both(torch, Floats, optimizer="sgd", learning_rate=0.5, max_grad_norm=limit)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)  # PyTorch divides by the norm plus 1e-6
    for array, tensor in counterparts(network, twin):
        np.testing.assert_allclose(array, tensor.detach(), rtol=1e-3, atol=1e-6)


def test_a_lenet_with_batch_norm_trained_with_many_settings(torch):
    (ours, theirs), network, twin = steps_of_both(
        torch,
        SinglePrecision,
        layers=LENET,
        optimizer="adamw",
        weight_decay=0.05,
        schedule="one_cycle",
        label_smoothing=0.1,
        max_grad_norm=1.0,
        epochs=1,
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert ours[-1] < 0.7 * ours[0]  # and it has learned something
    images = (make_digits(100, 5).images / 255).astype(np.float32)
    expected = twin.eval()(torch.from_numpy(images)[:, None]).softmax(dim=1).detach()
    np.testing.assert_allclose(network.predict_proba(images), expected, atol=0.01)


@pytest.mark.parametrize("name", ["dense", "convolutional"])
def test_attribution_maps(torch, name):
    """Against PyTorch's gradients, averaged over many more steps."""
    layers = {
        "dense": (Dense(60), BatchNorm(), Activation("relu"), Dropout(0.3), Dense(30), Activation("tanh"), Dense(10)),
        "convolutional": READER,
    }[name]
    shape = image_shape(layers)
    rng = np.random.default_rng(61)
    network = Network(layers, shape, rng=rng, dtype=np.float64)
    network.state_vector[network.parameters.size :] *= rng.uniform(
        0.5, 2, network.state_vector.size - network.parameters.size
    )
    twin, image = make_twin(torch, network).eval(), rng.random((28, 28))

    def gradients(images, target, other=None):
        inputs = torch.tensor(images.reshape(-1, *shape), requires_grad=True)
        outputs = twin(inputs)
        (outputs[:, target] - (0 if other is None else outputs[:, other])).sum().backward()
        return inputs.grad.numpy().mean(axis=0).reshape(28, 28)

    np.testing.assert_allclose(gradient_times_input(network, image, 2), gradients(image, 2) * image, **CLOSE)
    path = (np.arange(2_000)[:, None, None] + 0.5) / 2_000 * image
    for attribution, expected in (
        (integrated_gradients(network, image, 2), gradients(path, 2) * image),
        (contrast(network, image, 2, 8), gradients(path, 2, 8) * image),
    ):
        assert np.abs(attribution - expected).sum() < 0.03 * np.abs(expected).sum()
