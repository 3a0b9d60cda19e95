import numpy as np
import pytest

from engine.initializers import INITIALIZERS
from engine.layers import Conv2D
from engine.network import Network, dense_layers

FAN_IN, FAN_OUT = 400, 600
# from the papers: (variance, largest absolute value or None if it is normal)
THEORY = {
    "he_normal": (2 / FAN_IN, None),
    "he_uniform": (2 / FAN_IN, (6 / FAN_IN) ** 0.5),
    "glorot_normal": (2 / (FAN_IN + FAN_OUT), None),
    "glorot_uniform": (2 / (FAN_IN + FAN_OUT), (6 / (FAN_IN + FAN_OUT)) ** 0.5),
    "lecun_normal": (1 / FAN_IN, None),
    "small_normal": (1e-4, None),
    "small_uniform": (1 / (3 * 784), 1 / 28),
    "uniform": (1 / (3 * FAN_IN), FAN_IN**-0.5),
    "zeros": (0, 0),
}
each = pytest.mark.parametrize("name", INITIALIZERS)


def draw(name, seed=0):
    return INITIALIZERS[name](np.random.default_rng(seed), (FAN_IN, FAN_OUT), FAN_IN, FAN_OUT)


@each
def test_the_distribution_is_that_of_the_paper(name):
    assert name in THEORY, f"add {name}'s variance and limit to THEORY"
    variance, limit = THEORY[name]
    weights = draw(name)
    assert weights.shape == (FAN_IN, FAN_OUT)
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert abs(weights.mean()) <= 0.02 * np.sqrt(variance)
    if limit is None:  # a normal has 4.55 % of its values beyond two standard deviations
        assert np.mean(abs(weights) > 2 * np.sqrt(variance)) == pytest.approx(0.0455, rel=0.05)
    else:
        assert abs(weights).max() <= limit
        assert abs(weights).max() >= 0.999 * limit


@each
def test_the_same_seed_gives_the_same_weights(name):
    np.testing.assert_array_equal(draw(name, 7), draw(name, 7))
    if name != "zeros":
        assert (draw(name, 7) != draw(name, 8)).any()


@each
def test_numpys_global_state_does_not_change(name):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw(name)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@each
def test_a_network_gets_float32_weights_and_zero_biases(name):
    network = Network(dense_layers((30,), initializer=name), rng=np.random.default_rng(3))
    assert network.parameters.dtype == np.float32
    assert np.isfinite(network.parameters).all()
    assert not network.parameters[network.num_decayed :].any()
    assert network.parameters[: network.num_decayed].any() == (name != "zeros")


def test_he_normal_preserves_the_size_of_the_signal_through_twenty_relu_layers():
    rng = np.random.default_rng(4)
    signal = rng.normal(size=(200, FAN_IN))
    for _ in range(20):
        signal = np.maximum(signal @ INITIALIZERS["he_normal"](rng, (FAN_IN, FAN_IN), FAN_IN, FAN_IN), 0)
    assert 0.4 < (signal**2).mean() < 2.5


@pytest.mark.parametrize(("name", "variance"), [("he_normal", 2 / (20 * 25)), ("glorot_uniform", 2 / (20 * 25 + 60 * 25))])
def test_a_convolutions_fans_count_channels_times_the_kernels_area(name, variance):
    network = Network((Conv2D(60, 5, initializer=name),), (20, 8, 8), rng=np.random.default_rng(4))
    assert network.layers[0].W.shape == (60, 20, 5, 5)
    assert network.layers[0].W.var() == pytest.approx(variance, rel=0.03)
    assert not network.layers[0].b.any()
