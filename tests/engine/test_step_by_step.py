"""A step taken apart: its numbers are those of a training, of PyTorch and of finite differences; its formulas give them."""

import importlib
import math
from itertools import product

import numpy as np
import pytest
from helpers import make_digits, need

from engine import step_by_step
from engine.activations import ACTIVATIONS
from engine.checks import InklingError
from engine.losses import LOSSES, OUTPUT_FORMULAS, OUTPUTS
from engine.network import Network, dense_layers
from engine.optimizers import OPTIMIZERS
from engine.step_by_step import HIDDEN, SIDE, Stage, StepByStep, shrink

DIGITS = make_digits(40, 3)
FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh")} | {"max": max, "min": min}
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def make(count=3, **options):
    return StepByStep(shrink(DIGITS.images[:count]), DIGITS.labels[:count], **options)


def take(step, stage=Stage.UPDATE):
    for part in (step.forward, step.compute_loss, step.backward, step.update)[:stage]:
        part()
    return step


def value(formula, names, rows=()):
    """The value of a formula; ``total(f)`` adds up ``f`` over ``rows``, whose names take precedence."""
    start = formula.find("total(")
    while start >= 0:
        end, depth = start + len("total("), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(formula[end], 0)
            end += 1
        inner = formula[start + len("total(") : end - 1]
        total = sum(value(inner, names | row) for row in rows)
        formula = f"{formula[:start]}({total!r}){formula[end:]}"
        start = formula.find("total(")
    return eval(formula, {"__builtins__": {}} | FUNCTIONS, {name: float(number) for name, number in names.items()})


def test_images_are_shrunk_to_the_means_of_4_x_4_pixels():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:8, 8:12] = 255
    image[0, 24, 27] = 255
    expected = np.zeros((SIDE, SIDE))
    expected[1, 2], expected[6, 6] = 1, 1 / 16
    np.testing.assert_allclose(shrink(image), expected.reshape(1, -1), rtol=1e-6)
    np.testing.assert_allclose(shrink(image / 255), expected.reshape(1, -1))
    with pytest.raises(InklingError, match=r"images must be \(N, 28, 28\), got \(28, 28\)"):
        shrink(image[0])


@each_activation
@each_loss
def test_the_parts_are_the_step_of_a_training(activation, loss):
    step = make(activation=activation, loss=loss, optimizer="momentum", seed=4)
    network = Network(dense_layers((HIDDEN,), activation), (49,), rng=np.random.default_rng(4), dtype=np.float64)
    optimizer = OPTIMIZERS["momentum"]()
    optimizer.start(network.parameters)
    for number in (1, 2):
        outputs = network.forward(step.inputs, training=True)
        mean, gradient = LOSSES[loss](outputs, step.labels)
        network.backward(gradient)
        expected = network.gradients.copy()
        optimizer.step(network.parameters, network.gradients, step.learning_rate)
        take(step)
        assert step.number == number
        np.testing.assert_array_equal(step.outputs[-1], outputs)
        np.testing.assert_array_equal(step.probabilities, OUTPUTS[LOSSES[loss].output](outputs))
        assert step.loss == mean == pytest.approx(step.losses.mean())
        np.testing.assert_array_equal(step.gradients, expected)
        np.testing.assert_array_equal(step.after, network.parameters)
        assert step.loss_after == LOSSES[loss](network.forward(step.inputs), step.labels)[0]
        assert step.expected_change == pytest.approx(expected @ (step.after - step.before))
        step.next_step()


@each_activation
@each_loss
@pytest.mark.parametrize("count", [1, 3])
def test_every_weights_gradient_is_its_finite_difference(activation, loss, count):
    step = take(make(count, activation=activation, loss=loss), Stage.BACKWARD)
    positions = range(count % 2, step.before.size, 4)
    slopes = [step.nudge(position, 0.1).finite_difference for position in positions]
    np.testing.assert_allclose(step.gradients[positions], slopes, rtol=0, atol=1e-7)  # the page promises 1e-4


@each_activation
def test_the_gradients_are_those_of_pytorch(activation):
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError:
        need("peers", "PyTorch is not installed; tests/peers.txt has it")
    step = take(make(activation=activation, loss="cross_entropy"), Stage.BACKWARD)
    first, _, last = step.network.layers
    parameters = [torch.tensor(array, requires_grad=True) for array in (first.W, first.b, last.W, last.b)]
    W1, b1, W2, b2 = parameters
    x = torch.tensor(step.inputs, requires_grad=True)
    function = {
        "relu": torch.relu,
        "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.01),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
        "identity": lambda z: z,
        "softmax": lambda z: torch.softmax(z, 1),
    }[activation]
    sums = x @ W1 + b1
    hidden = function(sums)
    scores = hidden @ W2 + b2
    for tensor in (sums, hidden, scores):
        tensor.retain_grad()
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(step.labels))
    loss.backward()
    assert step.loss == pytest.approx(loss.item(), rel=1e-12)
    for mine, tensor in zip(step.output_gradients, (sums, hidden, scores), strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(step.input_gradient, x.grad.numpy(), atol=1e-12)
    for array, tensor in zip((first.dW, first.db, last.dW, last.db), parameters, strict=True):
        np.testing.assert_allclose(array, tensor.grad.numpy(), atol=1e-12)


@each_optimizer
def test_an_optimizers_formula_gives_the_weights_and_the_state_that_it_leaves(optimizer):
    step = make(optimizer=optimizer, learning_rate=0.05)
    for _ in range(3):
        take(step)
        for position in range(0, step.before.size, 29):
            names = {name: vector[position] for name, vector in step.state_before.items()}
            names |= {"weight": step.before[position], "gradient": step.gradients[position], **step.hyperparameters}
            for line in OPTIMIZERS[optimizer].formula:
                name, _, formula = line.partition(" = ")
                names[name] = value(formula, names)
            assert names["weight"] == pytest.approx(step.after[position], rel=1e-9, abs=1e-12)
            for name, vector in step.optimizer.state.items():
                assert names[name] == pytest.approx(vector[position], rel=1e-9, abs=1e-12)
        step.next_step()


@each_activation
def test_an_activations_formulas_give_its_values_and_its_gradients(activation):
    step = take(make(activation=activation), Stage.BACKWARD)
    (z, a, _), (dz, da, _) = step.outputs, step.output_gradients
    for n in range(3):
        rows = [{"z": z[n, j], "a": a[n, j], "da": da[n, j]} for j in range(HIDDEN)]
        for j, row in enumerate(rows):
            assert value(ACTIVATIONS[activation].formula, row, rows) == pytest.approx(a[n, j], rel=1e-9, abs=1e-12)
            assert value(ACTIVATIONS[activation].derivative, row, rows) == pytest.approx(dz[n, j], rel=1e-9, abs=1e-12)


@each_loss
def test_a_losss_formulas_give_its_value_and_its_gradient(loss):
    step = take(make(loss=loss), Stage.BACKWARD)
    assert OUTPUT_FORMULAS.keys() == OUTPUTS.keys()
    for n, label in enumerate(step.labels):
        names = {"N": 3, "K": 10, "p_label": step.probabilities[n, label]}
        rows = [
            {"z": step.outputs[-1][n, k], "p": step.probabilities[n, k], "t": float(k == label)} | names for k in range(10)
        ]
        assert value(LOSSES[loss].formula, rows[label], rows) == pytest.approx(step.losses[n], rel=1e-9)
        for k, row in enumerate(rows):
            assert value(OUTPUT_FORMULAS[LOSSES[loss].output], row, rows) == pytest.approx(row["p"], rel=1e-9)
            expected = step.output_gradients[-1][n, k]
            assert value(LOSSES[loss].derivative, row, rows) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_formulas_of_the_dense_layers_give_their_sums_and_gradients():
    step = take(make(), Stage.BACKWARD)
    first, _, last = step.network.layers
    inputs, outputs = (step.inputs, step.outputs[1]), (step.outputs[0], step.outputs[2])
    gradients = (step.output_gradients[0], step.output_gradients[2])
    for layer, x, z, dz, dx in zip(
        (first, last), inputs, outputs, gradients, (step.input_gradient, step.output_gradients[1]), strict=True
    ):
        rows = [{"w": w, "x": pixel} for w, pixel in zip(layer.W[:, 3], x[1], strict=True)]
        assert value(step_by_step.WEIGHTED_SUM, {"b": layer.b[3]}, rows) == pytest.approx(z[1, 3])
        rows = [{"x": x[n, 4], "dz": dz[n, 3]} for n in range(3)]
        assert value(step_by_step.WEIGHT_GRADIENT, {}, rows) == pytest.approx(layer.dW[4, 3])
        assert value(step_by_step.BIAS_GRADIENT, {}, rows) == pytest.approx(layer.db[3])
        rows = [{"w": w, "dz": gradient} for w, gradient in zip(layer.W[4], dz[1], strict=True)]
        assert value(step_by_step.INPUT_GRADIENT, {}, rows) == pytest.approx(dx[1, 4])


def test_a_nudge_measures_the_loss_and_leaves_the_network_as_it_is():
    step = take(make(), Stage.BACKWARD)
    position = int(np.abs(step.gradients).argmax())
    nudge = step.nudge(position, 0.25)
    before = step.network.parameters.copy()
    step.network.parameters[position] += 0.25
    assert nudge.loss == LOSSES["cross_entropy"](step.network.forward(step.inputs), step.labels)[0]
    assert nudge.change == pytest.approx(nudge.loss - step.loss)
    step.network.parameters[:] = before
    step.update()
    assert step.nudge(position, 0.25) == nudge  # the weights before the step
    np.testing.assert_array_equal(step.network.parameters, step.after)
    for position, by in ((-1, 0.1), (490, 0.1), (0, 1.5), (0, math.nan), (True, 0.1), ("0", 0.1), (0, None)):
        with pytest.raises(InklingError):
            step.nudge(position, by)


def test_a_step_can_be_taken_again_with_another_rule():
    step = take(make(optimizer="adam", learning_rate=0.01))
    before, after = step.before.copy(), step.after.copy()
    step.choose("adam", 0.5)
    assert step.stage is Stage.BACKWARD
    np.testing.assert_array_equal(step.network.parameters, before)
    assert not step.optimizer.state["sum"].any()
    step.choose("sgd", 0.1)
    step.update()
    np.testing.assert_allclose(step.after, before - 0.1 * step.gradients)
    step.choose("adam", 0.01)
    step.again()
    np.testing.assert_array_equal(take(step).after, after)
    step.next_step()
    assert (step.number, step.stage) == (2, Stage.START)
    np.testing.assert_array_equal(step.before, after)
    assert step.state_before["sum"].any()


@pytest.mark.parametrize("kind", [*product(("relu", "gelu", "identity"), LOSSES, OPTIMIZERS)])
def test_a_far_too_large_rate_gives_numbers_and_no_warning(kind):
    activation, loss, optimizer = kind
    step = make(activation=activation, loss=loss, optimizer=optimizer, learning_rate=10.0)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for _ in range(3):
            take(step).next_step()
    assert math.isfinite(step.loss_after)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "x"}, "activation must be one of"),
        ({"loss": "x"}, "loss must be one of"),
        ({"optimizer": "x"}, "optimizer must be one of"),
        ({"learning_rate": 0}, r"learning_rate must be in \(0, 10\], got 0"),
        ({"count": 4}, "inputs must be 1 to 3 rows of 49 numbers"),
        ({"count": 0}, "inputs must be 1 to 3 rows of 49 numbers"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(InklingError, match=message):
        make(**options)


def test_a_label_that_is_no_digit_is_refused():
    with pytest.raises(InklingError, match="label must be a whole number from 0 to 9, got 10"):
        StepByStep(np.zeros((1, 49)), np.array([10]))
