import numpy as np
import pytest
from examples import READER
from helpers import make_digits

from engine.activity import activity, strongest_units
from engine.checks import InklingError
from engine.layers import Activation, BatchNorm, Dense, Dropout
from engine.network import Network, dense_layers

IMAGE = make_digits(3, 5).images[2] / np.float32(255)


def made(layers, dtype=np.float32):
    """A network with no value at zero, as after training."""
    rng = np.random.default_rng(3)
    network = Network(layers, rng=rng, dtype=dtype)
    network.values[:] += rng.normal(0, 0.05, network.values.size)
    return network


@pytest.mark.parametrize("layers", [dense_layers((30, 20)), READER], ids=["dense", "convolutional"])
def test_every_layer_is_told_of_in_order_up_to_the_output(layers):
    network = made(layers)
    found = activity(network, IMAGE)
    assert [layer.name for layer in found] == [layer.kind for layer in network.layers]
    shape = network.input_shape
    for layer, told in zip(network.layers, found, strict=True):
        shape = layer.output_shape(shape)
        assert told.shape == told.values.shape == shape
    np.testing.assert_array_equal(found[-1].values, network.forward(network.as_input(IMAGE[None]))[0])


def test_feature_maps_are_sums_over_windows():
    network = made(READER)
    first = network.layers[0]
    maps = activity(network, IMAGE)[0].values
    for channel, row, column in [(0, 0, 0), (3, 5, 7), (2, 11, 11)]:
        window = IMAGE[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]  # kernel 5, stride 2
        expected = (window * first.W[channel, 0]).sum() + first.b[channel]
        assert maps[channel, row, column] == pytest.approx(expected, rel=1e-4)


def test_the_strongest_units_come_first_with_their_incoming_weights():
    network = made(dense_layers((30, 20)))
    dense, after = (strongest_units(network, IMAGE, position, count=5) for position in (0, 1))
    values = IMAGE.ravel() @ network.layers[0].W + network.layers[0].b
    assert [unit.index for unit in dense] == [unit.index for unit in after] == np.argsort(-values)[:5].tolist()
    for unit in (*dense, *after):
        assert unit.value == pytest.approx(values[unit.index], rel=1e-4)
        np.testing.assert_allclose(unit.weights.ravel(), network.layers[0].W[:, unit.index], rtol=1e-5)


def test_a_unit_that_is_switched_off_shows_nothing():
    network = made(dense_layers((30,)))
    off = [unit for unit in strongest_units(network, IMAGE, 1, count=30) if unit.value == 0]
    assert off
    assert not any(unit.weights.any() for unit in off)


@pytest.mark.parametrize(
    "layers",
    [READER, (Dense(24), BatchNorm(), Activation("gelu"), Dropout(0.4), Dense(12), Activation("tanh"), Dense(10))],
    ids=["convolutional", "dense"],
)
def test_weights_further_on_agree_with_finite_differences(layers):
    network = made(layers, np.float64)
    rng = np.random.default_rng(4)
    image = rng.random((28, 28))  # no two pixels alike: a pooling would have a kink there
    for position in range(len(layers)):
        if activity(network, image)[position].values.ndim != 1:
            continue
        for unit in strongest_units(network, image, position, count=3):
            direction = rng.normal(size=(28, 28))
            high, low = (activity(network, image + step * direction)[position].values[unit.index] for step in (1e-6, -1e-6))
            assert (high - low) / 2e-6 == pytest.approx((unit.weights * direction).sum(), rel=1e-4, abs=1e-6)


def test_no_more_units_than_there_are():
    network = made(dense_layers((3,)))
    assert len(strongest_units(network, IMAGE, 0)) == 3
    assert len(strongest_units(network, IMAGE, 2)) == 8


def test_a_network_in_use_does_not_change():
    network = made(READER)
    before = network.values.tobytes(), [set(vars(layer)) for layer in network.layers]
    activity(network, IMAGE)
    strongest_units(network, IMAGE, len(READER) - 1)
    assert (network.values.tobytes(), [set(vars(layer)) for layer in network.layers]) == before


def test_feature_maps_have_no_units_to_rank():
    network = made(READER)
    with pytest.raises(InklingError, match=r"got layer 1 with feature maps of shape \(4, 12, 12\)"):
        strongest_units(network, IMAGE, 0)
    for position in (-1, len(READER), 1.5):
        with pytest.raises(InklingError, match="position must be"):
            strongest_units(network, IMAGE, position)
