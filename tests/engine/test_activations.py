import math

import numpy as np
import pytest
from helpers import slope_error

from engine.activations import ACTIVATIONS

BY_HAND = {
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    "identity": lambda z: z,
}
each = pytest.mark.parametrize("name", ACTIVATIONS)


def away_from_kinks(rng, shape):
    return rng.uniform(0.1, 2.5, shape) * rng.choice([-1, 1], shape)


@each
def test_gradient_agrees_with_finite_differences(name):
    rng = np.random.default_rng(1)
    function = ACTIVATIONS[name]
    z, weights = away_from_kinks(rng, (6, 5)), rng.normal(size=(6, 5))
    gradient = function.backward(weights, z, function.forward(z))
    assert slope_error(lambda z: (weights * function.forward(z)).sum(), gradient, z, rng) <= 1e-6


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_values_are_the_formulas(name):
    points = [-4.0, -1.5, -0.1, 0.0, 0.1, 0.7, 1.0, 3.0]
    expected = [BY_HAND[name](z) for z in points]
    np.testing.assert_allclose(ACTIVATIONS[name].forward(np.array(points)), expected, rtol=1e-12, atol=1e-15)


def test_softmax_is_the_formula_on_each_row():
    rows = [[0.0, 1.0, 2.0], [-3.0, 0.5, 0.5]]
    expected = [[math.exp(z) / sum(map(math.exp, row)) for z in row] for row in rows]
    np.testing.assert_allclose(ACTIVATIONS["softmax"].forward(np.array(rows)), expected, rtol=1e-12)


def test_gelu_stays_near_the_exact_one():
    z = np.linspace(-5, 5, 201)
    exact = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in z]
    np.testing.assert_allclose(ACTIVATIONS["gelu"].forward(z), exact, atol=1e-3)


@each
def test_out_receives_the_result_and_the_inputs_stay(name):
    rng = np.random.default_rng(2)
    function = ACTIVATIONS[name]
    z, da = away_from_kinks(rng, (4, 3)), rng.normal(size=(4, 3))
    a = function.forward(z)
    before = z.copy(), da.copy(), a.copy()
    forward_out, backward_out = np.full_like(z, np.nan), np.full_like(z, np.nan)
    assert function.forward(z, forward_out) is forward_out
    assert function.backward(da, z, a, backward_out) is backward_out
    np.testing.assert_array_equal(forward_out, a)
    np.testing.assert_array_equal(backward_out, function.backward(da, z, a))
    for array, copy in zip((z, da, a), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each
def test_finite_and_without_warnings_at_1000(name):
    z = np.array([[1000.0, -1000.0, 0.0]], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = ACTIVATIONS[name].forward(z)
        dz = ACTIVATIONS[name].backward(np.ones_like(z), z, a)
    assert np.isfinite(a).all()
    assert np.isfinite(dz).all()


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype(name, dtype):
    z = np.ones((2, 3), dtype)
    a = ACTIVATIONS[name].forward(z)
    assert a.dtype == dtype
    assert ACTIVATIONS[name].backward(z, z, a).dtype == dtype
